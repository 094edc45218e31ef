"""What grows is kept by month: months are made ahead, and what is over and empty goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from infra.postgres import Postgres
from models.lifecycle import Status
from models.plan import Held, Reason, Subject, SubjectKind
from models.ports import ENDS_SHOWN
from models.records import Heartbeat, RunEnd
from tests.plugins.stores import HOUR, Desk, postgres_doors

pytestmark = pytest.mark.integration

OLD_MONTH = """
create table decisions_y2020m{month:02} partition of decisions
for values from ('2020-{month:02}-01 00:00+00') to ('2020-{month:02}-28 00:00+00')
"""

END_EARLIER = text("update runs set ended_at = ended_at - cast(:age as interval) where id = :id")


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


def months(connection: Connection, parent: str) -> set[str]:
    found = connection.execute(
        text("select inhrelid::regclass::text from pg_inherits where inhparent = :t ::regclass"),
        {"t": parent},
    )
    return set(found.scalars())


def held(subject: str, reason: Reason) -> Held:
    about = Subject(SubjectKind.FLAVOR, subject)
    return Held(subject=about, reason=reason, because="it is so", facts=(("free", 0),))


@pytest.mark.parametrize("table", ["status_changes", "decisions"])
def test_two_months_are_there_ahead(own_database: Postgres, table: str) -> None:
    with own_database.sessions.read("look") as connection:
        now = connection.execute(text("select now()")).scalar_one()
        expected = {f"{table}_default"}
        for ahead in range(3):
            year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
            expected.add(f"{table}_y{year}m{month + 1:02}")
        assert months(connection, table) == expected


def test_what_the_default_partition_caught_moves_into_its_month(
    own_database: Postgres, desk: Desk
) -> None:
    job = desk.submit()[0]
    later = text("update status_changes set at = at + interval '3 months'")
    beyond = text("select count(*) from status_changes_default")
    before = desk.story(job)
    with own_database.sessions.write("nobody made months for long") as connection:
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(later)
        connection.execute(text("set local session_replication_role = origin"))
        assert connection.execute(beyond).scalar_one() == len(before.history)
        connection.execute(text("select add_months('status_changes', 'at', 4)"))
        assert connection.execute(beyond).scalar_one() == 0
    assert [row.after for row in desk.story(job).history] == [row.after for row in before.history]


def test_pruning_drops_months_that_are_over_and_empty(own_database: Postgres) -> None:
    full = text("""insert into decisions values
        (1, 'pool', 's', 'Held', 'IDLE', 'b', '{}', '2020-02-02', '2020-02-02', 1)""")
    with own_database.sessions.write("as it was long ago") as connection:
        for month in (1, 2):
            connection.execute(text(OLD_MONTH.format(month=month)))
        connection.execute(full)
    own_database.store.prune(datetime(2020, 1, 15, tzinfo=UTC))
    with own_database.sessions.read("look") as connection:
        left = months(connection, "decisions")
    assert "decisions_y2020m01" not in left
    assert "decisions_y2020m02" in left
    assert own_database.store.prune(datetime(2020, 3, 1, tzinfo=UTC)) == 1


def test_pruning_forgets_processes_that_are_long_gone(own_database: Postgres, desk: Desk) -> None:
    for holder, age in (("alive", timedelta(0)), ("gone", 30 * HOUR)):
        own_database.store.beat(
            Heartbeat(loop="pool", holder=holder, at=desk.now() - age, passes=1, leading=False)
        )
    own_database.store.prune(desk.now() - HOUR)
    assert [beat.holder for beat in own_database.reader.heartbeats()] == ["alive"]


def test_reasons_of_one_pass_stand_side_by_side_pass_after_pass(
    own_database: Postgres, desk: Desk
) -> None:
    both = [held("hm.medium", Reason.MAX_WORKERS), held("hm.medium", Reason.QUOTA_VCPUS)]
    for minute in range(3):
        own_database.store.record("pool", both, desk.now() + timedelta(minutes=minute))
    rows = own_database.reader.ledger(["flavor:hm.medium"])
    assert {(row.reason, row.count) for row in rows} == {("MAX_WORKERS", 3), ("QUOTA_VCPUS", 3)}


def test_a_reason_that_is_over_is_kept_as_it_last_was(own_database: Postgres, desk: Desk) -> None:
    began = desk.now()
    for minute, reason in enumerate((Reason.MAX_WORKERS, Reason.QUOTA_VCPUS)):
        at = began + timedelta(minutes=minute)
        own_database.store.record("pool", [held("hm.medium", reason)], at)
    newest, past = own_database.reader.ledger([])
    assert (newest.reason, past.reason) == ("QUOTA_VCPUS", "MAX_WORKERS")
    assert (past.first_at, past.last_at, past.count) == (began, began, 1)
    assert past.facts == {"free": 0}
    with own_database.sessions.read("look") as connection:
        current = connection.execute(text("select reason from current_decisions")).scalars().all()
    assert current == ["QUOTA_VCPUS"]


def test_a_parameter_beyond_its_time_is_back_at_its_default(
    own_database: Postgres, desk: Desk
) -> None:
    over = text(
        "insert into parameters values ('pool.max_workers', '5', now() - interval '1 s'), "
        "('pool.idle_for', '30', now() + interval '1 hour')"
    )
    with own_database.sessions.write("set for a while") as connection:
        connection.execute(over)
    assert desk.view().parameters == {"pool.idle_for": 30}


def test_pruning_puts_runs_aside_that_ended_long_ago(own_database: Postgres, desk: Desk) -> None:
    ended = [desk.claimed() for _ in range(3)]
    for run in ended:
        desk.end(run, Status.EXTERNAL_ERROR)
    still_open = desk.claimed()
    ago = (ENDS_SHOWN + HOUR, ENDS_SHOWN - HOUR, HOUR)
    with own_database.sessions.write("time has passed") as connection:
        for run, age in zip(ended, ago, strict=True):
            connection.execute(END_EARLIER, {"id": run.id, "age": age})
    desk.doors.jobs.prune(desk.now())
    seen = desk.view(ended_since=desk.now() - 2 * ENDS_SHOWN)
    assert [run.id for run in seen.ended_runs] == [ended[1].id, ended[2].id]
    assert [flight.run.id for flight in seen.in_flight] == [still_open.id]
    assert desk.run(ended[0]).end is RunEnd.FAILED
