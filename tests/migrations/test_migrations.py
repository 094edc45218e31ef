"""The schema goes up, down and up again, and is what `models.tables` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from infra.postgres import Postgres, connect
from models.tables import metadata

pytestmark = pytest.mark.integration


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Postgres]:
    postgres = connect(empty_database_url, application_name="tests")
    yield postgres
    postgres.dispose()


def described(postgres: Postgres) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, column, index, trigger and function that migrations made."""
    queries = {
        "columns": """select table_name, column_name, data_type, is_nullable, column_default
                      from information_schema.columns where table_schema = 'public'""",
        "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public'",
        "triggers": """select tgrelid::regclass::text, tgname from pg_trigger
                       where not tgisinternal""",
        "functions": """select proname, prosrc from pg_proc
                        where pronamespace = 'public'::regnamespace""",
    }
    with postgres.sessions.read("describe") as connection:
        return {
            name: sorted(tuple(map(str, row)) for row in connection.execute(text(query)))
            for name, query in queries.items()
        }


def test_up_down_and_up_again_leave_the_same_schema(empty: Postgres) -> None:
    empty.migrate()
    first = described(empty)
    empty.downgrade("base")
    left = described(empty)
    empty.migrate()
    assert described(empty) == first
    assert {row[0] for row in left["columns"]} == {"alembic_version"}
    assert not left["functions"]


def test_every_single_step_can_be_undone(empty: Postgres) -> None:
    for revision in ("0001", "0002", "0003"):
        empty.migrate(revision)
        before = described(empty)
        empty.migrate()
        empty.downgrade(revision)
        assert described(empty) == before


def test_migrating_twice_changes_nothing(empty: Postgres) -> None:
    empty.migrate()
    first = described(empty)
    empty.migrate()
    assert described(empty) == first


def test_the_tables_that_the_program_knows_are_those_of_the_database(database_url: str) -> None:
    def ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind == "column" or (kind == "table" and "_y2" not in str(name))

    engine = sqlalchemy.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_server_default": False}
        )
        differences = [
            change
            for change in compare_metadata(context, metadata)
            if not str(getattr(change[1], "name", "")).endswith("_default")
        ]
    engine.dispose()
    assert differences == []
