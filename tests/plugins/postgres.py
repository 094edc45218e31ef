"""A migrated database for each test module, in one server for the whole run.

The server is embedded PostgreSQL in a temporary directory; the processes of pytest-xdist
share it, and the last one stops it. The first one to need it migrates a template, and each module
gets a copy, which costs a tenth of a second.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from infra.postgres import Postgres, connect, embedded
from infra.postgres.embedded import Embedded
from infra.postgres.migrate import migrate

_TEMPLATE = "migrated"
_LOCK = 1


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """The server of this run. Its data are thrown away."""
    server = embedded.start(_directory_of_the_run(tmp_path_factory), embedded.THROW_AWAY)
    yield server
    if server.stop():
        shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def database_url(postgres_server: Embedded) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    _ensure_template(postgres_server)
    with _database(postgres_server, template=_TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: Embedded) -> Iterator[str]:
    """The address of a database without any table."""
    with _database(postgres_server, template="template0") as url:
        yield url


@pytest.fixture
def own_database_url(postgres_server: Embedded) -> Iterator[str]:
    """As `database_url`, for one test alone."""
    _ensure_template(postgres_server)
    with _database(postgres_server, template=_TEMPLATE) as url:
        yield url


@pytest.fixture
def own_database(own_database_url: str) -> Iterator[Postgres]:
    """A store of its own for one test, with nothing in it."""
    postgres = connect(own_database_url, application_name="tests")
    yield postgres
    postgres.dispose()


def _directory_of_the_run(factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this run, and not below pytest's own.

    As root the server has another user, whom the next run of pytest would shut out: each one takes
    away everybody else's right to enter the directory that all of them share.
    """
    base = factory.getbasetemp()
    run = base.parent if base.name.startswith("popen-") else base
    name = hashlib.sha256(str(run).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"hrsi-tests-{name}"


@contextmanager
def _database(server: Embedded, *, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    create = "create database {} template {} strategy file_copy"
    _administer(server, create, name, template)
    try:
        yield server.database_url(name)
    finally:
        _administer(server, "drop database {} with (force)", name)


def _administer(server: Embedded, statement: str, *names: str) -> None:
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _ensure_template(server: Embedded) -> None:
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        known = "select 1 from pg_database where datname = %s"
        if connection.execute(known, [_TEMPLATE]).fetchone():
            return
        _administer(server, "drop database if exists {}", "being_" + _TEMPLATE)
        _administer(server, "create database {}", "being_" + _TEMPLATE)
        migrate(server.database_url("being_" + _TEMPLATE))
        # Only whole templates bear the name: a process killed while migrating leaves none.
        _administer(server, "alter database {} rename to {}", "being_" + _TEMPLATE, _TEMPLATE)
