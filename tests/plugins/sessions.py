"""Ways to get between the statements of a session: see it wait, count its steps, cut it off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import Connection, event, text

from infra.postgres import Postgres

_PATIENCE_SECONDS = 120.0


def until_somebody_waits(database: Postgres) -> None:
    """Return once a session of this database waits for a lock that another one has."""
    waiting = text(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    over = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < over:
        with database.sessions.read("look for waiters") as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.01)
    raise TimeoutError("nobody waits for a lock")


@contextmanager
def beside() -> Iterator[ThreadPoolExecutor]:
    """A second thread, joined at the end of the block."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def error_of(future: Future[Any]) -> BaseException | None:
    """What the other thread raised."""
    return future.exception(timeout=_PATIENCE_SECONDS)


@dataclass
class Scissors:
    """Counts the statements of a store's sessions, and cuts the connection after the n-th."""

    database: Postgres
    after: int | None = None
    at_commit: bool = False
    seen: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[Scissors]:
        """Watch every session of the store for the length of a block."""
        engine = self.database.sessions.engine
        event.listen(engine, "after_cursor_execute", self._executed)
        event.listen(engine, "commit", self._committing)
        try:
            yield self
        finally:
            event.remove(engine, "after_cursor_execute", self._executed)
            event.remove(engine, "commit", self._committing)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        self.seen.append(statement)
        if self.after == len(self.seen):
            self._cut(cursor.connection)

    def _committing(self, connection: Connection) -> None:
        if self.at_commit:
            self._cut(connection.connection.driver_connection)

    def _cut(self, session: Any) -> None:
        kill(self.database, [session.info.backend_pid])


def kill(database: Postgres, pids: list[int]) -> None:
    """End sessions as an administrator or a crash would, and wait until they are gone."""
    with psycopg.connect(database.sessions.settings.plain_url(), autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid, 5000) from unnest(%s) pid", [pids])


def kill_all(database: Postgres) -> None:
    """End every other session of the database."""
    with psycopg.connect(database.sessions.settings.plain_url(), autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
