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
from models.lifecycle import Status
from models.ports import JobFilter
from models.tables import metadata
from tests.plugins.stores import ASKED, Desk, postgres_doors

pytestmark = pytest.mark.integration

OLD_JOB = text("""
insert into jobs (type, key, name, flavor, priority, status, status_actor, resume_status)
values ('test', 'key', 'name', 'hm.medium', 'nrt', 'initialized', 'ada', 'ready')
""")


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


def test_a_database_that_is_in_use_goes_down_and_up_again(own_database: Postgres) -> None:
    desk = Desk(postgres_doors(own_database))
    desk.failed()
    desk.deleting()
    own_database.operations.set_parameter("pool.max_workers", 3, ASKED)
    own_database.downgrade("base")
    own_database.migrate()
    desk = Desk(postgres_doors(own_database))
    assert desk.view().counts == ()
    job = desk.failed()
    assert [error.id for error in desk.view().errors] == [job.id]


def test_migrating_up_keeps_what_an_older_schema_holds(empty: Postgres) -> None:
    empty.migrate("0001")
    with empty.sessions.write("a job of old") as connection:
        connection.execute(OLD_JOB)
    empty.migrate()
    (job,) = empty.reader.jobs(JobFilter())
    assert [row.after for row in empty.reader.story(str(job.id)).history] == [Status.INITIALIZED]


def test_every_single_step_can_be_undone(empty: Postgres) -> None:
    for revision in ("0001", "0002", "0003", "0004"):
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
