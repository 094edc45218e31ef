"""Connections and transactions: every one has a deadline, and none outlives its block.

The deadline stands four times: PostgreSQL cancels a statement, a wait for a lock or an idle
transaction; we give up a connection on which no answer comes (`patience`), and the kernel one on
which nothing is acknowledged; and a pool without a free connection says so. The first two of them
are a live parameter: a connection that was told an older one is told anew when it is taken from the
pool, which costs nothing while none changes. The others, and the time to connect, stay as they were
at the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy
import sqlalchemy.exc
from sqlalchemy import Connection, Engine, event

from infra.postgres.errors import translated, translated_commit
from infra.postgres.patience import PatientConnection
from models.errors import ConfigurationError

OLDEST_VERSION = 150_000
"""PostgreSQL 15, as the server states its version: the oldest that the store is tested for."""

_TRANSACTION_TIMEOUT_SINCE = 170_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionSettings:
    """How to reach PostgreSQL. `url` is `postgresql://…`; the deadline holds for each statement.

    `live_deadline` is asked whenever a connection is taken from the pool; None: it never changes.
    """

    url: str
    application_name: str
    pool_size: int
    call_deadline: timedelta
    live_deadline: Callable[[], timedelta] | None = None

    def driver_arguments(self) -> dict[str, Any]:
        """Keywords for `psycopg.connect`, whoever calls it."""
        milliseconds = _milliseconds(self.call_deadline)
        options = {**_timeouts(self.call_deadline), "timezone": "UTC"}
        return {
            "application_name": self.application_name,
            "connect_timeout": max(2, math.ceil(self.call_deadline.total_seconds())),
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        }

    def plain_url(self) -> str:
        """The address as psycopg itself reads it. Holds the password: never show it."""
        parsed = sqlalchemy_url(self.url).set(drivername="postgresql")
        return parsed.render_as_string(hide_password=False)


class Sessions:
    """A pool of connections to one database, and the kinds of transaction that the store needs."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.engine = _engine(settings)

    @contextmanager
    def write(self, attempt: str) -> Iterator[Connection]:
        """A read-committed transaction, committed at the end of the block.

        Raises what `translated` makes of a failure; then nothing was written. `Unknown` when the
        connection broke during the commit.
        """
        with translated(attempt), self.engine.connect() as connection:
            yield connection
            with translated_commit(attempt):
                connection.commit()

    @contextmanager
    def read(self, attempt: str) -> Iterator[Connection]:
        """A read-only transaction in which all statements see the same moment."""
        with translated(attempt), self.engine.connect() as connection:
            yield connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    def dispose(self) -> None:
        """Close every connection of the pool."""
        self.engine.dispose()


def fetched(connection: Connection, sql: bytes, parameters: Mapping[str, Any]) -> list[Any]:
    """The rows of a statement as tuples, by the driver alone.

    A connection that is lost takes the others of its pool along, as with what SQLAlchemy sends:
    they are most likely lost as well, and would fail one after the other.
    """
    try:
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    except psycopg.OperationalError as error:
        driver = connection.connection.driver_connection
        if driver is None or driver.closed:
            connection.invalidate(error)
            connection.engine.dispose()
        raise


def sqlalchemy_url(url: str) -> sqlalchemy.URL:
    """A `DATABASE_URL` for SQLAlchemy with psycopg. Raises `ConfigurationError`."""
    try:
        parsed = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigurationError(
            "DATABASE_URL is not an address; it looks like postgresql://user@host:5432/database"
        ) from error
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ConfigurationError(
            f"DATABASE_URL begins with {parsed.drivername!r}; only postgresql:// is a store"
        )
    return parsed.set(drivername="postgresql+psycopg")


def check_version(version: int) -> None:
    """Raise `ConfigurationError` for a server that is too old for our tables."""
    if version < OLDEST_VERSION:
        raise ConfigurationError(
            f"DATABASE_URL: this is PostgreSQL {version // 10_000}, and the store needs "
            f"{OLDEST_VERSION // 10_000} or newer; set it to another server, or unset it to use "
            "the embedded one"
        )


def _engine(settings: ConnectionSettings) -> Engine:
    engine = sqlalchemy.create_engine(
        sqlalchemy_url(settings.url),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.call_deadline.total_seconds(),
        connect_args=settings.driver_arguments(),
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "checkout", _keeping_to(settings))
    return engine


def _connect(_: object, __: object, arguments: Any, keywords: Any) -> PatientConnection:
    return PatientConnection.connect(*arguments, **keywords)


def _connected(connection: PatientConnection, _: object) -> None:
    check_version(connection.info.server_version)


def _keeping_to(settings: ConnectionSettings) -> Any:
    """Tells a connection the deadline, unless it is the one that it was told last."""
    live = settings.live_deadline or (lambda: settings.call_deadline)

    def on_checkout(connection: PatientConnection, record: Any, _: object) -> None:
        deadline = live()
        if record.info.get("deadline") == deadline:
            return
        connection.deadline = deadline
        timeouts = _timeouts(deadline)
        if connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
            timeouts["transaction_timeout"] = 2 * _milliseconds(deadline)
        values = [value for name, limit in timeouts.items() for value in (name, str(limit))]
        told = ", ".join(["set_config(%s, %s, false)"] * len(timeouts))
        connection.execute(f"select {told}".encode(), values)
        connection.commit()
        record.info["deadline"] = deadline

    return on_checkout


def _timeouts(deadline: timedelta) -> dict[str, int]:
    """What PostgreSQL is told of a deadline, in milliseconds."""
    milliseconds = _milliseconds(deadline)
    return {
        "statement_timeout": milliseconds,
        # Before the statement's own: a wait for somebody else is a conflict, not an outage.
        "lock_timeout": max(1, milliseconds * 9 // 10),
        "idle_in_transaction_session_timeout": 2 * milliseconds,
    }


def _milliseconds(time: timedelta) -> int:
    return math.ceil(time.total_seconds() * 1000)
