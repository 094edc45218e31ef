"""What the store costs does not depend on how many jobs have ever been (defect 1).

Measured in buffers that PostgreSQL touches, never in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, text

from controller.bench.bare import listening
from infra.postgres import Postgres, connect, view
from infra.postgres.listing import query_of
from infra.postgres.reader import LEDGER_ABOUT, LEDGER_THEN
from models.lifecycle import Status
from models.ports import JobFilter, JobSort, Placement, RunResult
from models.records import Priority
from simulator.examples import NOW, some_new_jobs
from tests.plugins.sessions import Scissors
from tests.plugins.stores import ASKED, STEPS, Desk, postgres_doors

pytestmark = pytest.mark.integration

FEW, MANY = 1_000, 20_000
ROWS_OF_HISTORY = 12
SAME = 1.2

# As many rows as a job's life writes, put there past the triggers: only their number matters here.
FINISHED = """
set local session_replication_role = replica;
with fresh as (
  insert into jobs (type, key, name, flavor, priority, status, status_actor, resume_status, seq,
                    attempt)
    select 'fsc_rlie', 'finished ' || n, 'n', 'hm.medium', 'nrt', 'done', 'publication', 'ready',
           {rows}, 1
    from generate_series({first}, {last}) n returning id),
run as (
  insert into runs (id, job_id, attempt, claim, created_at, ended_at, ended_as)
    select gen_random_uuid(), id, 1, 1, now() - interval '4 days', now() - interval '3 days',
           'processed' from fresh),
past as (
  insert into status_changes (job_id, seq, at, before, after, actor, attempt)
    select id, seq, now(), 'ready', 'done', 'publication', 1
    from fresh, generate_series(1, {rows}) seq)
insert into job_counts values ('fsc_rlie', 'hm.medium', 'done', 'nrt', false, {last} - {first} + 1);
set local session_replication_role = origin;
"""

READS_IT_ALL = text("""
create function reads_it_all() returns trigger language plpgsql as $$
begin
  perform count(message) from status_changes;
  return new;
end $$;
create trigger reads_it_all before update on jobs for each row execute function reads_it_all();
""")

TOUCHED = text("""
select sum(pg_stat_get_xact_blocks_fetched(oid))::int from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'i', 'p', 't')
""")


@pytest.fixture
def own_database(own_database_url: str) -> Iterator[Postgres]:
    # One session: what it has touched is counted in the session itself.
    postgres = connect(own_database_url, pool_size=1)
    yield postgres
    postgres.dispose()


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


def finish(database: Postgres, first: int, last: int) -> None:
    """Add finished jobs, let them be put aside as in time they are, and let the planner know."""
    statements = FINISHED.format(first=first, last=last, rows=ROWS_OF_HISTORY)
    with database.sessions.engine.begin() as connection:
        connection.exec_driver_sql(statements)
    database.store.prune(NOW)
    with database.sessions.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("vacuum analyze")


def buffers_of_writes(database: Postgres, write: Callable[[], object]) -> int:
    """Buffers of our tables and indexes that the transaction of one call touches."""
    found: list[int] = []
    with database.sessions.write("begin to count at nothing") as connection:
        connection.execute(text("select pg_stat_force_next_flush()"))

    class Last(Scissors):
        def _committing(self, connection: Connection) -> None:
            found.append(connection.execute(TOUCHED).scalar_one())

    with Last(database).watching():
        write()
    return found[-1]


def buffers_of_reads(database: Postgres, statement: TextClause, values: dict[str, Any]) -> int:
    """Buffers that one query touches."""
    explained = text(f"explain (analyze, buffers, format json) {statement.text}")
    with database.sessions.read("explain") as connection:
        plan = connection.execute(explained, values).scalar_one()
    tree = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
    return int(tree["Shared Hit Blocks"] + tree["Shared Read Blocks"])


def cost_of_a_run(database: Postgres, desk: Desk) -> int:
    """What all status writes of one run cost, from its claim to its end."""
    change = desk.queue_change(desk.submit()[0])
    database.store.commit(desk.lease, change)
    run_id, reports = change.intent.id, database.reports
    steps: list[Callable[[], object]] = [
        lambda: reports.claim(run_id, Placement(allocation_id="one")),
        *(partial(reports.report, run_id, 1, status) for status in STEPS),
        lambda: reports.end(run_id, 1, RunResult(status=Status.PROCESSED)),
    ]
    return sum(buffers_of_writes(database, step) for step in steps)


def few_and_many(database: Postgres, desk: Desk) -> tuple[int, int]:
    """The cost of a run's status writes with little and with much behind them: the least of some,
    for now and then a page is full and has to be divided.
    """
    finish(database, 1, FEW)
    few = min(cost_of_a_run(database, desk) for _ in range(4))
    finish(database, FEW + 1, MANY)
    return few, min(cost_of_a_run(database, desk) for _ in range(4))


def test_a_status_write_costs_the_same_after_twenty_times_the_history(
    own_database: Postgres, desk: Desk
) -> None:
    few, many = few_and_many(own_database, desk)
    assert many <= SAME * few


SCANNED = text("""
select c.relname from pg_class c join pg_index i on i.indexrelid = c.oid
where i.indrelid in ('jobs'::regclass, 'runs'::regclass) and pg_stat_get_xact_numscans(c.oid) > 0
""")


def test_a_report_finds_its_run_and_its_job_among_the_open_ones(
    own_database: Postgres, desk: Desk
) -> None:
    run = desk.claimed()
    finish(own_database, 1, MANY)
    with own_database.sessions.write("begin to count at nothing") as connection:
        connection.execute(text("select pg_stat_force_next_flush()"))
    scanned: set[str] = set()

    class Last(Scissors):
        def _committing(self, connection: Connection) -> None:
            scanned.update(connection.execute(SCANNED).scalars())

    with Last(own_database).watching():
        own_database.reports.report(run.id, 1, Status.PRE_PROCESSING)
    assert scanned
    assert scanned <= {"jobs_open", "runs_open", "runs_one_open"}


def test_the_measure_sees_a_guard_that_reads_the_history(
    own_database: Postgres, desk: Desk
) -> None:
    with own_database.sessions.write("a guard as it was") as connection:
        connection.execute(READS_IT_ALL)
    few, many = few_and_many(own_database, desk)
    assert many > 5 * few


def test_a_view_costs_the_same_after_twenty_times_the_jobs(
    own_database: Postgres, desk: Desk
) -> None:
    values = {"flavors": ["hm.medium"], "most": 50, "paused": ["gfsc"], "since": desk.now()}
    desk.submit(30)
    for _ in range(5):
        desk.claimed()
    desk.failed()
    finish(own_database, 1, FEW)
    few = [buffers_of_reads(own_database, query, values) for query in view.STATEMENTS]
    finish(own_database, FEW + 1, MANY)
    many = [buffers_of_reads(own_database, query, values) for query in view.STATEMENTS]
    assert sum(many) <= SAME * sum(few), list(zip(few, many, strict=True))


LISTS = [
    JobFilter(),
    JobFilter(sort=JobSort.NEWEST),
    *(
        JobFilter(**chosen, sort=sort, limit=20)
        for sort in JobSort
        for chosen in (
            {"statuses": (Status.DONE,)},
            {"statuses": (Status.READY, Status.DONE)},
            {"types": ("gfsc",)},
            {"types": ("fsc_rlie",), "priorities": (Priority.REPROCESSING,)},
            {"flavors": ("hm.medium",)},
            {"quarantined": True},
            {"tile": "31TGL"},
        )
    ),
]
"""Lists of many, of few and of none, in every order."""


def test_a_page_of_a_list_costs_the_same_after_twenty_times_the_jobs(
    own_database: Postgres, desk: Desk
) -> None:
    desk.submit(30)
    desk.submit(5, type="gfsc", tile="31TGL")
    desk.failed()

    def costs() -> list[int]:
        return [buffers_of_reads(own_database, *query_of(wanted)) for wanted in LISTS]

    finish(own_database, 1, FEW)
    few = costs()
    finish(own_database, FEW + 1, MANY)
    many = costs()
    # A page is some dozens of rows: what grows is the depth of an index, by a buffer or two each.
    dear = [
        (wanted, before, after)
        for wanted, before, after in zip(LISTS, few, many, strict=True)
        if after > SAME * before + 20
    ]
    assert not dear


DECIDED = """
insert into decisions (id, loop, subject, action, reason, because, facts, first_at, last_at, count)
  select n, 'worker-pool', 'flavor:' || mod(n, 3), 'Held', 'QUOTA_VCPUS', 'jobs wait',
         '{{}}'::jsonb, now() - n * interval '1 second',
         now() - n * interval '1 second', 1
  from generate_series({first}, {last}) n
"""


@pytest.mark.parametrize("query", [LEDGER_ABOUT, LEDGER_THEN], ids=["ever", "in-a-span"])
def test_why_costs_the_same_however_much_was_decided_about_others(
    own_database: Postgres, query: TextClause
) -> None:
    def cost(first: int, last: int) -> int:
        with own_database.sessions.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(DECIDED.format(first=first, last=last))
            connection.exec_driver_sql("vacuum analyze")
        return buffers_of_reads(own_database, query, values)

    long_ago = NOW.replace(year=2000)
    subjects = ["system:outbox", "job:17"]
    values = {"subjects": subjects, "most": 100, "began": long_ago, "over": long_ago}
    few = cost(1, 1_000)
    # An index that is a level deeper costs each look-up of a subject a page more.
    assert cost(1_001, 20_000) <= few + 24


def test_what_waits_makes_no_list_of_something_else_dearer(
    own_database: Postgres, desk: Desk
) -> None:
    def touched() -> list[int]:
        values = {"flavors": [], "most": 50, "paused": [], "since": desk.now()}
        finish(own_database, *next(numbers))
        return [
            buffers_of_reads(own_database, query, values)
            for query in view.STATEMENTS
            if "job_counts" not in query.text
        ]

    numbers = iter([(1, 1_000), (1_001, 1_001)])
    desk.claimed()
    few = touched()
    desk.submit(500)
    assert sum(touched()) <= SAME * sum(few)


def test_runs_that_ended_long_ago_are_not_even_looked_past(
    own_database: Postgres, desk: Desk
) -> None:
    def touched() -> list[int]:
        values = {"flavors": [], "most": 50, "paused": [], "since": desk.now()}
        asked = [query for query in view.STATEMENTS if "runs where ended_at >=" in query.text]
        return [buffers_of_reads(own_database, query, values) for query in asked]

    desk.claimed()
    finish(own_database, 1, 1)
    few = touched()
    finish(own_database, 2, MANY)
    assert touched() == few != []


def test_a_view_is_a_fixed_number_of_queries(own_database: Postgres, desk: Desk) -> None:
    def queries() -> int:
        with listening() as heard:
            desk.view()
        return sum(each.sql is not None for each in heard)

    empty = queries()
    desk.submit(40)
    desk.claimed()
    assert queries() == empty == len(view.STATEMENTS)


def test_people_move_any_number_of_jobs_in_as_many_statements(own_database: Postgres) -> None:
    operations, lengths = own_database.operations, []
    for number, kind in ((1, "test"), (60, "gfsc")):
        with Scissors(own_database).watching() as watched:
            added = operations.submit(some_new_jobs(number, type=kind), ASKED).added
            assert len(added) == number
            assert all(verdict.done for verdict in operations.cancel(added, ASKED))
            assert all(verdict.done for verdict in operations.relaunch(added, ASKED))
        lengths.append(len(watched.seen))
    assert lengths[0] == lengths[1]


def test_counts_are_folded_and_stay_right(own_database: Postgres, desk: Desk) -> None:
    desk.submit(3)
    desk.claimed()
    before, totals = desk.view().counts, own_database.reader.totals()
    with own_database.sessions.write("fold") as connection:
        connection.execute(text("select fold_job_counts(0)"))
        rows = connection.execute(text("select count(*) from job_counts")).scalar_one()
    assert rows == len(before)
    assert desk.view().counts == before
    assert own_database.reader.totals() == totals
