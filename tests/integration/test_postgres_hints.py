"""Wake-ups by NOTIFY: they come after what they announce, and a broken line never raises."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from infra.postgres import Postgres, connect
from models.lifecycle import Status
from models.ports import Placement, RunResult
from simulator.examples import some_new_jobs
from tests.plugins.readiness import configuration_of
from tests.plugins.sessions import beside, kill_all
from tests.plugins.stores import ASKED, HOUR, Desk, postgres_doors
from tests.plugins.tap import tapped_postgres

pytestmark = pytest.mark.integration

AT_ONCE, SHORT, LONG = timedelta(0), timedelta(milliseconds=50), timedelta(seconds=20)


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


def _handing_in(desk: Desk) -> Callable[[], object]:
    return lambda: desk.doors.operations.submit(some_new_jobs(1), ASKED)


def _making_ready(desk: Desk) -> Callable[[], object]:
    added = desk.doors.operations.submit(some_new_jobs(1), ASKED).added
    change = configuration_of(map(desk.job, added), desk.now())
    return lambda: desk.doors.jobs.commit(desk.lease, change)


def _claiming(desk: Desk) -> Callable[[], object]:
    run = desk.queued()
    return lambda: desk.doors.reports.claim(run.id, Placement(allocation_id="one"))


def _ending(desk: Desk) -> Callable[[], object]:
    run = desk.claimed()
    result = RunResult(status=Status.INTERNAL_ERROR)
    return lambda: desk.doors.reports.end(run.id, 1, result)


def _cancelling(desk: Desk) -> Callable[[], object]:
    jobs = desk.submit()
    return lambda: desk.doors.operations.cancel(jobs, ASKED)


ANNOUNCED: dict[str, Callable[[Desk], Callable[[], object]]] = {
    "jobs-are-handed-in": _handing_in,
    "jobs-are-ready": _making_ready,
    "a-run-is-claimed": _claiming,
    "a-run-has-ended": _ending,
    "a-job-is-cancelled": _cancelling,
    "a-worker-is-ordered": lambda desk: (
        lambda: desk.doors.operations.order("hm.medium", 1, HOUR, ASKED)
    ),
    "a-parameter-is-set": lambda desk: (
        lambda: desk.doors.operations.set_parameter("pool.max_workers", 3, ASKED)
    ),
}


@pytest.mark.parametrize("prepare", ANNOUNCED.values(), ids=ANNOUNCED)
def test_what_may_bring_work_wakes_every_listener(
    own_database: Postgres, desk: Desk, prepare: Callable[[Desk], Callable[[], object]]
) -> None:
    act = prepare(desk)
    hints = [own_database.hints(), own_database.hints()]
    assert [one.wait(SHORT) for one in hints] == [False, False]
    act()
    assert [one.wait(LONG) for one in hints] == [True, True]
    assert [one.wait(SHORT) for one in hints] == [False, False]


def test_what_only_the_controller_writes_wakes_nobody(own_database: Postgres, desk: Desk) -> None:
    job = desk.submit()[0]
    hints = own_database.hints()
    desk.queued(job)
    assert not hints.wait(SHORT)


def test_a_dry_run_wakes_nobody(own_database: Postgres) -> None:
    hints = own_database.hints()
    asked = type(ASKED)(actor="ada", dry_run=True)
    own_database.operations.submit(some_new_jobs(1), asked)
    own_database.operations.set_parameter("pool.max_workers", 3, asked)
    assert not hints.wait(SHORT)


def test_another_thread_ends_a_wait(own_database: Postgres) -> None:
    hints = own_database.hints()
    with beside() as pool:
        waiting = pool.submit(hints.wait, LONG)
        hints.wake()
        assert waiting.result(timeout=120)
    assert not hints.wait(AT_ONCE)


def test_many_wakes_before_a_wait_are_one(own_database: Postgres) -> None:
    hints = own_database.hints()
    for _ in range(100_000):
        hints.wake()
    assert hints.wait(AT_ONCE)
    assert not hints.wait(AT_ONCE)


def test_a_broken_line_is_a_hint_and_the_next_one_is_heard_again(
    own_database: Postgres, desk: Desk
) -> None:
    hints = own_database.hints()
    kill_all(own_database)
    assert hints.wait(LONG)
    assert hints.wait(LONG), "the line came back: something may have been missed"
    assert not hints.wait(SHORT)
    own_database.sessions.dispose()
    desk.submit()
    assert hints.wait(LONG)


def test_without_a_database_a_wait_lasts_its_time_and_raises_nothing() -> None:
    nowhere = connect("postgresql://nobody@127.0.0.1:1/nothing")
    hints, began = nowhere.hints(), time.monotonic()
    assert not hints.wait(timedelta(seconds=0.2))
    assert time.monotonic() - began >= 0.2
    hints.wake()
    assert hints.wait(LONG)
    nowhere.dispose()


def test_closing_ends_a_wait_and_is_done_once(own_database: Postgres) -> None:
    hints = own_database.hints()
    with beside() as pool:
        waiting = pool.submit(hints.wait, LONG)
        hints.close()
        assert waiting.result(timeout=120)
    hints.close()
    hints.wake()
    with own_database.sessions.read("look") as connection:
        # Others' databases are on the same server, and may be listened to at this moment.
        listening = """select count(*) from pg_stat_activity
                       where query ilike 'listen%' and datname = current_database()"""
        assert connection.execute(text(listening)).scalar_one() == 0


def test_a_server_that_says_nothing_to_listen_is_given_up_and_dialled_again(
    own_database_url: str, own_database: Postgres
) -> None:
    with tapped_postgres(own_database_url) as (wire, url):
        through = connect(url, call_deadline=timedelta(seconds=0.3))
        held = wire.hold(rb"listen hrsi", answer=True)
        hints = through.hints()
        assert held.reached.is_set()
        assert hints.wait(LONG), "it is dialled again, which is a reason to look"
        Desk(postgres_doors(own_database)).submit()
        assert hints.wait(LONG)
        through.dispose()
