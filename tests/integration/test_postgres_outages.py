"""Connections that break, databases that are away: all or nothing, and never in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import text

from infra.postgres import Postgres, connect
from infra.postgres.sessions import check_version
from models import errors
from models.changes import NoteSuccess, OpenIntent
from models.lifecycle import Status
from models.plan import Held, Reason, Subject, SubjectKind
from models.ports import JobFilter, Placement, RunResult, ViewLimits
from models.records import Heartbeat
from simulator.examples import some_new_jobs
from tests.plugins.sessions import Scissors, beside, error_of, kill_all, until_somebody_waits
from tests.plugins.stores import ASKED, HOUR, Desk, postgres_doors
from tests.plugins.tap import Tap, tapped_postgres

pytestmark = pytest.mark.integration

HASTE = timedelta(seconds=0.3)
NEW = [Status.INITIALIZED]


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


# ---- all of a job or none (defect 7) -------------------------------------------------------------


def beginning(desk: Desk, job_id: int) -> list[Status]:
    """Every status that a job's history holds."""
    return [row.after for row in desk.story(job_id).history]


def submission_length(database: Postgres) -> int:
    """How many statements a submission takes."""
    with Scissors(database).watching() as watched:
        database.operations.submit(some_new_jobs(1, type="test"), ASKED)
    return len(watched.seen)


def test_a_crash_after_any_statement_of_a_submission_leaves_no_trace(
    own_database: Postgres, desk: Desk
) -> None:
    steps = submission_length(own_database)
    assert steps > 1
    for step in range(1, steps + 1):
        cut = Scissors(own_database, after=step)
        with desk.nothing_written(), cut.watching(), pytest.raises(errors.PortError):
            own_database.operations.submit(some_new_jobs(3), ASKED)
    added = own_database.operations.submit(some_new_jobs(3), ASKED).added
    assert [beginning(desk, job) for job in added] == [NEW] * 3


def test_a_crash_in_the_commit_of_a_submission_is_of_unknown_outcome(
    own_database: Postgres, desk: Desk
) -> None:
    with Scissors(own_database, at_commit=True).watching(), pytest.raises(errors.Unknown):
        own_database.operations.submit(some_new_jobs(3), ASKED)
    again = own_database.operations.submit(some_new_jobs(3), ASKED)
    found = (*again.added, *again.existing)
    assert [beginning(desk, job) for job in found] == [NEW] * 3


# ---- a write that was lost is an error (defect 5) ------------------------------------------------


def held() -> Held:
    subject = Subject(SubjectKind.FLAVOR, "hm.medium")
    return Held(subject=subject, reason=Reason.NO_SLOT, because="no slot is free")


def beat(desk: Desk) -> Heartbeat:
    return Heartbeat(loop="pool", holder="desk", at=desk.now(), passes=1, leading=True)


CALLS: dict[str, Callable[[Postgres, Desk], object]] = {
    "acquire": lambda db, desk: db.store.acquire("pool", "desk", HOUR),
    "release": lambda db, desk: db.store.release(desk.lease),
    "commit": lambda db, desk: db.store.commit(
        desk.lease, OpenIntent(at=desk.now(), intent=desk.intent())
    ),
    "record": lambda db, desk: db.store.record("pool", [held()], desk.now()),
    "end_refusals": lambda db, desk: db.store.end_refusals("pool", [held()]),
    "beat": lambda db, desk: db.store.beat(beat(desk)),
    "prune": lambda db, desk: db.store.prune(desk.now()),
    "view": lambda db, desk: db.store.view(ViewLimits(ready_per_flavor=1, ended_since=desk.now())),
    "submit": lambda db, desk: db.operations.submit(some_new_jobs(1), ASKED),
    "cancel": lambda db, desk: db.operations.cancel([1], ASKED),
    "set_parameter": lambda db, desk: db.operations.set_parameter("pool.max_workers", 7, ASKED),
    "jobs": lambda db, desk: db.reader.jobs(JobFilter()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_whose_connection_is_gone_says_so_and_the_next_one_works(
    own_database: Postgres, desk: Desk, call: Callable[[Postgres, Desk], object]
) -> None:
    kill_all(own_database)
    with pytest.raises(errors.Unavailable):
        call(own_database, desk)
    call(own_database, desk)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_one_failure_is_enough_to_know_that_every_connection_is_gone(
    own_database: Postgres, desk: Desk, call: Callable[[Postgres, Desk], object]
) -> None:
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(own_database.sessions.read("keep a connection busy"))
    kill_all(own_database)
    with pytest.raises(errors.Unavailable):
        call(own_database, desk)
    call(own_database, desk)


def test_a_report_that_is_lost_with_its_connection_says_so(
    own_database: Postgres, desk: Desk
) -> None:
    run = desk.claimed()
    calls: list[Callable[[], object]] = [
        lambda: own_database.reports.report(run.id, 1, Status.PRE_PROCESSING),
        lambda: own_database.reports.claim(run.id, Placement(allocation_id="allocation-1")),
        lambda: own_database.reports.end(run.id, 1, RunResult(status=Status.EXTERNAL_ERROR)),
    ]
    for call in calls:
        kill_all(own_database)
        with pytest.raises(errors.Unavailable):
            call()
        call()
    assert desk.job(run.job_id).status is Status.EXTERNAL_ERROR


def test_a_commit_without_an_answer_is_unknown(own_database: Postgres, desk: Desk) -> None:
    change = NoteSuccess(at=desk.now(), subject="flavor:hm.medium")
    with Scissors(own_database, at_commit=True).watching(), pytest.raises(errors.Unknown) as caught:
        own_database.store.commit(desk.lease, change)
    assert caught.value.__cause__ is not None


# ---- deadlines and refusals ----------------------------------------------------------------------


@pytest.fixture
def hasty(own_database_url: str) -> Iterator[Postgres]:
    postgres = connect(own_database_url, pool_size=1, call_deadline=timedelta(seconds=0.3))
    yield postgres
    postgres.dispose()


def test_a_statement_beyond_its_deadline_is_unavailable(hasty: Postgres) -> None:
    with pytest.raises(errors.Unavailable), hasty.sessions.write("sleep") as connection:
        connection.execute(text("select pg_sleep(20)"))


def test_a_deadline_that_changes_holds_from_the_next_transaction_on(own_database_url: str) -> None:
    deadlines = [timedelta(seconds=0.2)]
    live = connect(own_database_url, pool_size=1, live_deadline=lambda: deadlines[0])

    def sleep(seconds: float) -> None:
        with live.sessions.read("sleep") as connection:
            connection.execute(text(f"select pg_sleep({seconds})"))

    with pytest.raises(errors.Unavailable):
        sleep(20)
    deadlines[0] = timedelta(seconds=20)
    sleep(0.5)
    deadlines[0] = timedelta(seconds=0.2)
    with pytest.raises(errors.Unavailable):
        sleep(20)
    live.dispose()


def test_a_connection_is_told_its_deadline_only_when_it_is_another(own_database_url: str) -> None:
    deadlines = [timedelta(seconds=7)]
    live = connect(own_database_url, pool_size=1, live_deadline=lambda: deadlines[0])

    def told(statement: str = "show statement_timeout") -> str:
        with live.sessions.write("ask") as connection:
            return str(connection.execute(text(statement)).scalar_one())

    assert told() == "7s"
    told("select set_config('statement_timeout', '1234', false)")
    assert told() == "1234ms"
    deadlines[0] = timedelta(seconds=8)
    assert told() == "8s"
    assert told("show lock_timeout") == "7200ms"
    live.dispose()


def test_waiting_for_another_session_beyond_the_deadline_is_a_conflict(hasty: Postgres) -> None:
    patient = connect(hasty.sessions.settings.url)
    with patient.sessions.write("hold the table") as connection:
        connection.execute(text("lock table workers"))
        with pytest.raises(errors.Conflict):
            hasty.reader.workers()
    patient.dispose()


def test_no_free_connection_in_time_is_unavailable(hasty: Postgres) -> None:
    with hasty.sessions.read("keep it"), pytest.raises(errors.Unavailable):
        hasty.reader.leases()


def test_nobody_at_the_address_is_unavailable() -> None:
    nowhere = connect("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(errors.Unavailable):
        nowhere.reader.leases()
    nowhere.dispose()


def test_a_database_that_is_not_migrated_names_the_remedy(empty_database_url: str) -> None:
    empty = connect(empty_database_url)
    with pytest.raises(errors.ConfigurationError, match="hrsi migrate"):
        empty.reader.jobs(JobFilter())
    empty.dispose()


def test_a_database_that_does_not_exist_names_the_setting(empty_database_url: str) -> None:
    wrong = connect(empty_database_url.replace("/test_", "/missing_"))
    with pytest.raises(errors.ConfigurationError, match="DATABASE_URL"):
        wrong.reader.jobs(JobFilter())
    wrong.dispose()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://root@localhost/hrsi", id="another-database"),
        pytest.param("hrsi", id="no-address"),
    ],
)
def test_an_address_that_is_none_names_the_setting(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="DATABASE_URL"):
        connect(url)


def test_a_server_that_is_too_old_is_refused_by_name() -> None:
    with pytest.raises(errors.ConfigurationError, match="PostgreSQL 14"):
        check_version(140_012)
    check_version(150_000)


# ---- fencing -------------------------------------------------------------------------------------


def test_a_takeover_waits_for_commits_of_the_old_holder_and_shuts_out_later_ones(
    own_database: Postgres, desk: Desk
) -> None:
    hold = text("select 1 from leases where name = :name for share")
    expire = text("update leases set expires_at = now() - interval '1 hour'")
    with own_database.sessions.write("let it expire") as connection:
        connection.execute(expire)
    with beside() as pool:
        with own_database.sessions.write("a commit on its way") as connection:
            connection.execute(hold, {"name": desk.name})
            taken = pool.submit(own_database.store.acquire, desk.name, "another", HOUR)
            until_somebody_waits(own_database)
            assert not taken.done()
        lease = taken.result(timeout=120)
    assert lease is not None
    assert lease.epoch == desk.lease.epoch + 1
    desk.refuses(OpenIntent(at=desk.now(), intent=desk.intent()), errors.Superseded)


def test_commits_under_one_lease_do_not_wait_for_each_other(
    own_database: Postgres, desk: Desk
) -> None:
    hold = text("select 1 from leases where name = :name for share")
    with beside() as pool, own_database.sessions.write("a commit on its way") as connection:
        connection.execute(hold, {"name": desk.name})
        change = OpenIntent(at=desk.now(), intent=desk.intent())
        other = pool.submit(own_database.store.commit, desk.lease, change)
        assert error_of(other) is None


# ---- a wire that says nothing --------------------------------------------------------------------


@pytest.fixture
def wired(own_database_url: str) -> Iterator[tuple[Postgres, Tap]]:
    with tapped_postgres(own_database_url) as (tap, url):
        postgres = connect(url, pool_size=1, call_deadline=HASTE)
        yield postgres, tap
        postgres.dispose()


def test_a_server_that_never_answers_is_given_up_though_its_kernel_acknowledges(
    wired: tuple[Postgres, Tap],
) -> None:
    through, wire = wired
    assert through.reader.leases() == ()
    wire.silence()
    with pytest.raises(errors.Unavailable):
        through.reader.leases()
    wire.heal()
    assert through.reader.leases() == ()


def test_a_commit_that_is_never_answered_is_unknown(wired: tuple[Postgres, Tap]) -> None:
    through, wire = wired
    assert through.reader.leases() == ()
    held = wire.hold(rb"COMMIT\x00", answer=True)
    with pytest.raises(errors.Unknown):
        through.store.acquire("monitor", "a", HOUR)
    held.let_go()
    assert [lease.holder for lease in through.reader.leases()] == ["a"]
