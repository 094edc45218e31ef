"""A real PostgreSQL whose clock shows another time: its functions of time are put in the shade."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeAlias

import psycopg
from psycopg import sql

from infra.postgres import Postgres

Shift: TypeAlias = Callable[[timedelta], None]

_SHADE = """
create schema shade;
create table shade.shift (by interval not null);
insert into shade.shift values ('0');
create function shade.clock_timestamp() returns timestamptz language sql volatile
  as 'select pg_catalog.clock_timestamp() + by from shade.shift';
create function shade.now() returns timestamptz language sql stable
  as 'select pg_catalog.now() + by from shade.shift';
"""


@contextmanager
def shifted_clock(database: Postgres) -> Iterator[Shift]:
    """Let every session from here on see the time of this database as it is set."""
    with psycopg.connect(database.sessions.settings.plain_url(), autocommit=True) as admin:
        admin.execute(_SHADE)
        admin.execute(
            sql.SQL("alter database {} set search_path = shade, pg_catalog, public").format(
                sql.Identifier(admin.info.dbname)
            )
        )
        database.sessions.dispose()

        def shift(by: timedelta) -> None:
            admin.execute("update shade.shift set by = %s", [by])

        yield shift
