"""A closer look at the database, for `hrsi doctor`: version, shape, clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text

from infra.postgres.sessions import Sessions

_VERSION = text("show server_version")
_TABLE = text("select to_regclass('alembic_version')")
_REVISION = text("select version_num from alembic_version")
_CLOCK = text("select clock_timestamp()")


class PostgresProbe:
    """Implements `models.checkup.StoreProbe`."""

    def __init__(self, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now

    def version(self) -> str:
        """The version of the server."""
        with self._sessions.read("read the version of PostgreSQL") as connection:
            return str(connection.execute(_VERSION).scalar_one())

    def revision(self) -> str | None:
        """The migration that the database is at; None for one without our tables."""
        with self._sessions.read("read the revision of the database") as connection:
            if connection.execute(_TABLE).scalar_one() is None:
                return None
            found = connection.execute(_REVISION).scalar_one_or_none()
        return None if found is None else str(found)

    def newest_revision(self) -> str:
        """The migration that this program needs."""
        from infra.postgres.migrate import head  # noqa: PLC0415  slow to load, seldom used

        return head()

    def ahead(self) -> timedelta:
        """How far the database's clock is ahead of ours."""
        with self._sessions.read("ask the database for the time") as connection:
            connection.execute(_VERSION)  # connecting is over when the watch starts
            asked = self._now()
            told: datetime = connection.execute(_CLOCK).scalar_one()
            return told - (asked + (self._now() - asked) / 2)
