"""The schema goes up, down and up again, and is what `models.tables` says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from infra.postgres import Postgres, connect
from models.lifecycle import Status
from models.ports import JobFilter, ViewLimits
from models.tables import metadata
from tests.plugins.stores import ASKED, Desk, postgres_doors

pytestmark = pytest.mark.integration

OLD_JOB = text("""
insert into jobs (type, key, name, flavor, priority, status, status_actor, resume_status)
values ('test', :key, 'name', 'hm.medium', 'nrt', 'initialized', 'ada', 'ready')
""")

OLD_RUN = text("""
insert into runs (id, job_id, attempt, created_at, ended_at, ended_as)
select gen_random_uuid(), id, :attempt, created_at, cast(:at as timestamptz),
       case when cast(:at as timestamptz) is not null then 'processed' end
from jobs where key = :key
""")


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Postgres]:
    postgres = connect(empty_database_url, application_name="tests")
    yield postgres
    postgres.dispose()


def described(postgres: Postgres) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that migrations made, by its kind."""
    queries = {
        "columns": """select table_name, column_name, data_type, is_nullable, column_default
                      from information_schema.columns where table_schema = 'public'""",
        "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public'",
        "constraints": """select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
                          from pg_constraint where contype <> 'n' and conparentid = 0
                            and connamespace = 'public'::regnamespace""",
        "options": """select relname, reloptions from pg_class
                      where relnamespace = 'public'::regnamespace""",
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
        connection.execute(OLD_JOB, {"key": "key"})
    empty.migrate()
    (job,) = empty.reader.jobs(JobFilter())
    assert [row.after for row in empty.reader.story(str(job.id)).history] == [Status.INITIALIZED]


def test_every_single_step_can_be_undone(empty: Postgres) -> None:
    for revision in ("0001", "0002", "0003", "0004", "0010", "0016"):
        empty.migrate(revision)
        before = described(empty)
        empty.migrate()
        empty.downgrade(revision)
        assert described(empty) == before


def test_runs_that_ended_before_there_was_a_mark_for_it_are_seen_as_before(empty: Postgres) -> None:
    empty.migrate("0010")
    ended = {"lately": timedelta(hours=1), "long ago": timedelta(days=30), "not at all": None}
    with empty.sessions.write("runs of old") as connection:
        now = connection.execute(text("select now()")).scalar_one()
        for attempt, ago in enumerate(ended.values(), start=1):
            connection.execute(OLD_JOB, {"key": str(attempt)})
            at = None if ago is None else now - ago
            connection.execute(OLD_RUN, {"key": str(attempt), "attempt": attempt, "at": at})
    empty.migrate()
    limits = ViewLimits(ready_per_flavor=0, ended_since=now - timedelta(hours=2))
    assert [run.attempt for run in empty.store.view(limits).ended_runs] == [1]
    with empty.sessions.read("which are marked") as connection:
        marked = text("select attempt from runs where is_recent order by attempt")
        assert list(connection.execute(marked).scalars()) == [1, 3]


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
