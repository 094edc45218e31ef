"""Ways to get between the statements of a session: see it wait, count its steps, cut it off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import Connection, event, text

from infra.postgres import Postgres
from models.changes import Change
from models.errors import PortError
from tests.plugins.stores import Desk

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
    """Counts the statements and commits of a store's sessions, and cuts the connection after the
    n-th statement, or at every commit, or at the n-th.
    """

    database: Postgres
    after: int | None = None
    at_commit: bool = False
    at_commit_number: int | None = None
    seen: list[str] = field(default_factory=list)
    commits: int = 0

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
        self.commits += 1
        if self.at_commit or self.commits == self.at_commit_number:
            self._cut(connection.connection.driver_connection)

    def _cut(self, session: Any) -> None:
        kill(self.database, [session.info.backend_pid])


def cut_off_at_each_step(
    database: Postgres, desk: Desk, change: Change, seen: Callable[[], object] = lambda: None
) -> int:
    """Cut a change after its first statement, its second, and so on, until it gets through; how
    many there were to cut. What is cut has changed nothing, nor anything of what `seen` shows.
    """
    before = desk.everything(), seen()
    for step in count(1):
        with Scissors(database, after=step).watching():
            try:
                desk.doors.jobs.commit(desk.lease, change)
            except PortError:
                gone = True
            else:
                gone = False
        if not gone:
            return step - 1
        assert (desk.everything(), seen()) == before
    raise AssertionError("whoever counts never comes to an end")


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
