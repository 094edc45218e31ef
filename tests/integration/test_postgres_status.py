"""The status machine inside the database: whoever writes, and however many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from infra.postgres import Postgres
from infra.postgres.jobs import write
from models import lifecycle
from models.changes import ConfirmRun
from models.errors import IllegalTransition, Superseded
from models.lifecycle import Status
from models.ports import Claim, Placement
from models.records import Run
from tests.plugins.sessions import beside, error_of, until_somebody_waits
from tests.plugins.stores import Desk, postgres_doors

pytestmark = pytest.mark.integration

NEW_JOB = text("""
insert into jobs (type, key, name, flavor, priority, status, status_actor, resume_status, seq)
values ('test', :key, 'n', 'f', 'nrt', :status, 'psql', 'ready', :seq) returning id
""")
STEP = text("update jobs set status = :status, seq = seq + 1 where id = :id")


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


def sqlstate(connection: Connection, statement: str, **values: object) -> str | None:
    """What the database answers to a statement that leaves nothing behind: None is yes."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(text(statement), values)
    except DBAPIError as error:
        return str(getattr(error.orig, "sqlstate", "?"))
    finally:
        savepoint.rollback()
    return None


def placed(connection: Connection, status: Status) -> int:
    """A job that stands in a status, put there past all triggers."""
    connection.execute(text("set local session_replication_role = replica"))
    job: int = connection.execute(NEW_JOB, {"key": status, "status": status, "seq": 1}).scalar_one()
    connection.execute(text("set local session_replication_role = origin"))
    return job


# ---- the table and the trigger -------------------------------------------------------------------


@pytest.mark.parametrize("before", Status)
def test_the_trigger_allows_from_a_status_what_the_table_allows(
    own_database: Postgres, before: Status
) -> None:
    with own_database.sessions.write("try") as connection:
        job = placed(connection, before)
        answers = {after: sqlstate(connection, STEP.text, id=job, status=after) for after in Status}
    assert answers == {
        after: None if lifecycle.is_allowed(before, after) else "HS001" for after in Status
    }


def test_the_trigger_lets_a_history_begin_where_the_table_does(own_database: Postgres) -> None:
    with own_database.sessions.write("try") as connection:
        answers = {
            after: sqlstate(connection, NEW_JOB.text, key=after, status=after, seq=1)
            for after in Status
        }
    assert answers == {
        after: None if lifecycle.is_allowed(None, after) else "HS001" for after in Status
    }


def test_migrating_brings_a_table_that_was_changed_by_hand_back(own_database: Postgres) -> None:
    pairs = text("select before, after from status_transitions")
    with own_database.sessions.write("spoil") as connection:
        connection.execute(text("delete from status_transitions where after = 'started'"))
        connection.execute(text("insert into status_transitions values ('done', 'started')"))
    own_database.migrate()
    with own_database.sessions.read("look") as connection:
        found = {(before or None, after) for before, after in connection.execute(pairs)}
    assert found == set(lifecycle.transition_pairs())


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("update jobs set status = 'queued'", id="a-status-without-its-change"),
        pytest.param("update jobs set seq = seq + 1, status = 'done'", id="an-illegal-status"),
        pytest.param("update jobs set seq = seq + 2, status = 'queued'", id="a-number-left-out"),
        pytest.param("update jobs set seq = seq - 1", id="a-number-given-back"),
        pytest.param("update jobs set seq = seq", id="a-change-that-is-none"),
        pytest.param("update jobs set attempt = 7", id="an-attempt-without-its-run"),
        pytest.param("update jobs set error_subtype = 'x'", id="an-error-out-of-nowhere"),
        pytest.param("update jobs set status_at = now()", id="another-time"),
        pytest.param("update jobs set status_before = 'done'", id="another-past"),
        pytest.param("update status_changes set message = 'no'", id="history-rewritten"),
        pytest.param("delete from status_changes", id="history-forgotten"),
        pytest.param("truncate status_changes", id="history-emptied"),
        pytest.param(
            "insert into status_changes (job_id, seq, at, after, actor, attempt) "
            "select id, seq + 1, now(), 'queued', 'psql', 1 from jobs",
            id="history-invented",
        ),
        pytest.param("delete from jobs", id="a-job-with-its-history-deleted"),
        pytest.param("truncate jobs cascade", id="all-jobs-with-their-history-deleted"),
    ],
)
def test_nobody_parts_a_job_from_its_history(
    own_database: Postgres, desk: Desk, statement: str
) -> None:
    desk.submit(2)
    with desk.nothing_written(), own_database.sessions.write("psql") as connection:
        assert sqlstate(connection, statement) in {"HS001", "HS002"}


# ---- two at once (defects 2 and 6 of the system that we replace) ---------------------------------


def test_of_two_sessions_that_start_a_job_exactly_one_wins(
    own_database: Postgres, desk: Desk
) -> None:
    run = desk.queued()
    started = {"id": run.job_id, "status": Status.STARTED}

    def second() -> None:
        with own_database.sessions.write("start it too") as connection:
            connection.execute(STEP, started)

    with beside() as pool:
        with own_database.sessions.write("start it") as connection:
            connection.execute(STEP, started)
            other = pool.submit(second)
            until_somebody_waits(own_database)
        assert isinstance(error_of(other), IllegalTransition)
    assert desk.path(run.job_id).count(Status.STARTED) == 1
    desk.check_history()


def test_a_change_that_was_decided_on_an_older_row_is_refused(
    own_database: Postgres, desk: Desk
) -> None:
    run = desk.queued()
    by_number = text("update jobs set status = 'external_error', seq = :seq where id = :id")
    values = {"id": run.job_id, "seq": desk.job(run.job_id).seq + 1}

    def second() -> None:
        with own_database.sessions.write("fail it too") as connection:
            connection.execute(by_number, values)

    with beside() as pool:
        with own_database.sessions.write("fail it") as connection:
            connection.execute(by_number, values)
            other = pool.submit(second)
            until_somebody_waits(own_database)
        assert isinstance(error_of(other), Superseded)


def test_claims_at_the_same_time_get_numbers_one_after_the_other(
    own_database: Postgres, desk: Desk
) -> None:
    for _ in range(5):
        run, together = desk.queued(), Barrier(2)

        def claim(allocation: str, run: Run = run, together: Barrier = together) -> Claim:
            together.wait(120)
            return own_database.reports.claim(run.id, Placement(allocation_id=allocation))

        with ThreadPoolExecutor(max_workers=2) as pool:
            claims = list(pool.map(claim, ["one", "two"]))
        assert {found.number for found in claims} == {1, 2}
        with pytest.raises(Superseded):
            own_database.reports.report(run.id, 1, Status.PRE_PROCESSING)
        own_database.reports.report(run.id, 2, Status.PRE_PROCESSING)
        desk.check_history()


def test_two_writers_of_different_things_both_persist(own_database: Postgres, desk: Desk) -> None:
    job = desk.failed()
    until = desk.now()

    def second() -> None:
        with own_database.sessions.write("hold it back") as connection:
            write(connection, job, not_before=until)

    with beside() as pool:
        with own_database.sessions.write("quarantine it") as connection:
            write(connection, job, quarantined=True)
            other = pool.submit(second)
            until_somebody_waits(own_database)
        assert error_of(other) is None
    assert desk.job(job.id).quarantined
    assert desk.job(job.id).not_before == until


def test_a_confirmation_and_a_claim_of_one_run_both_persist(
    own_database: Postgres, desk: Desk
) -> None:
    run, together = desk.queued(), Barrier(2)

    def confirm() -> None:
        together.wait(120)
        change = ConfirmRun(at=desk.now(), run_id=run.id, nomad_job_id="child")
        own_database.store.commit(desk.lease, change)

    with beside() as pool:
        confirmed = pool.submit(confirm)
        together.wait(120)
        own_database.reports.claim(run.id, Placement(allocation_id="one"))
        assert error_of(confirmed) is None
    found = desk.run(run)
    assert (found.nomad_job_id, found.allocation_id, found.claim) == ("child", "one", 1)
