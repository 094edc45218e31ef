"""The way in: one object per database, with a door to each port that the store implements."""

from __future__ import annotations

from datetime import timedelta

from infra.postgres.sessions import ConnectionSettings, Sessions


class Postgres:
    """A database of ours. Nothing is connected before it is used."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def migrate(self, revision: str = "head") -> None:
        """Bring the database to the shape that this program needs."""
        from infra.postgres.migrate import migrate  # noqa: PLC0415  no alembic on a worker

        migrate(self.sessions.settings.url, revision)

    def downgrade(self, revision: str) -> None:
        """Undo the migrations after `revision` with all that their tables hold."""
        from infra.postgres.migrate import downgrade  # noqa: PLC0415  no alembic on a worker

        downgrade(self.sessions.settings.url, revision)

    def dispose(self) -> None:
        """Close every connection."""
        self.sessions.dispose()


def connect(
    url: str,
    *,
    application_name: str = "hrsi",
    pool_size: int = 8,
    call_deadline: timedelta = timedelta(seconds=30),
) -> Postgres:
    """The database behind `url` (`postgresql://…`); connections are made when they are needed.

    Raises `ConfigurationError` for a url that is none. Every method of what it gives access to
    raises `ConfigurationError` when the server is older than PostgreSQL 15 or not migrated.
    """
    settings = ConnectionSettings(
        url=url,
        application_name=application_name,
        pool_size=pool_size,
        call_deadline=call_deadline,
    )
    return Postgres(Sessions(settings))
