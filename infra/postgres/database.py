"""The way in: one object per database, with a door to each port that the store implements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg

from infra.postgres.campaigns import PostgresCampaigns
from infra.postgres.feeds import PostgresFeeds
from infra.postgres.hints import PostgresHints
from infra.postgres.operations import PostgresOperations
from infra.postgres.outbox_port import PostgresOutbox
from infra.postgres.patience import PatientConnection
from infra.postgres.reader import PostgresReader
from infra.postgres.reports import PostgresReports
from infra.postgres.sessions import ConnectionSettings, Sessions
from infra.postgres.store import PostgresStore
from infra.postgres.tokens import PostgresTokens
from models.job_types import DEFAULT_REGISTRY, Registry

# Waiting for news is no call: it may last as long as it likes, but connecting may not.
_DIAL_DEADLINE = timedelta(seconds=5)


class Postgres:
    """A database of ours. Nothing is connected before it is used; threads may share it."""

    def __init__(self, sessions: Sessions, registry: Registry) -> None:
        self.sessions = sessions
        self.store = PostgresStore(sessions)
        self.reports = PostgresReports(sessions)
        self.operations = PostgresOperations(sessions, registry)
        self.reader = PostgresReader(sessions)
        self.feeds = PostgresFeeds(sessions)
        self.outbox = PostgresOutbox(sessions)
        self.campaigns = PostgresCampaigns(sessions)
        self.tokens = PostgresTokens(sessions)
        self._hints: list[PostgresHints] = []

    def hints(self) -> PostgresHints:
        """Wake-ups for one more loop, from here on; `dispose` closes them."""
        hints = PostgresHints(partial(_dial, self.sessions.settings))
        self._hints.append(hints)
        return hints

    def migrate(self, revision: str = "head") -> str:
        """Bring the database to the shape that this program needs; its revision now."""
        from infra.postgres.migrate import migrate  # noqa: PLC0415  slow to load, seldom used

        return migrate(self.sessions.settings.url, revision)

    def downgrade(self, revision: str) -> str:
        """Undo the migrations after `revision` with all their tables hold; its revision now."""
        from infra.postgres.migrate import downgrade  # noqa: PLC0415  slow to load, seldom used

        return downgrade(self.sessions.settings.url, revision)

    def dispose(self) -> None:
        """Close every connection; a thread that waits for hints goes on."""
        for hints in self._hints:
            hints.close()
        self.sessions.dispose()


def connect(
    url: str,
    *,
    application_name: str = "hrsi",
    pool_size: int = 8,
    call_deadline: timedelta = timedelta(seconds=30),
    live_deadline: Callable[[], timedelta] | None = None,
    registry: Registry = DEFAULT_REGISTRY,
) -> Postgres:
    """The database behind `url` (`postgresql://…`); connections are made when they are needed.

    `live_deadline` is asked for the deadline of statements at every transaction, for it is a live
    parameter; without it that is `call_deadline`.
    Raises `ConfigurationError` for a url that is none. Every method of what it gives access to
    raises `ConfigurationError` when the server is older than PostgreSQL 15 or not migrated.
    """
    settings = ConnectionSettings(
        url=url,
        application_name=application_name,
        pool_size=pool_size,
        call_deadline=call_deadline,
        live_deadline=live_deadline,
    )
    return Postgres(Sessions(settings), registry)


def _dial(settings: ConnectionSettings) -> psycopg.Connection[Any]:
    """A connection for LISTEN, with the deadlines of the others on everything it sends."""
    connection = PatientConnection.connect(
        settings.plain_url(),
        autocommit=True,
        **{**settings.driver_arguments(), "connect_timeout": int(_DIAL_DEADLINE.total_seconds())},
    )
    connection.deadline = settings.call_deadline
    return connection
