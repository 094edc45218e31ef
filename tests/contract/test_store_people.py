"""What people ask for: each request, its dry run, its refusals, and its audit trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.errors import ConfigurationError, Malformed
from models.lifecycle import Status
from models.plan import Next
from models.ports import Asked
from models.records import Priority, RetireCause, RetireStep, RunEnd
from simulator.examples import (
    FLAVOR,
    LONG_AGO,
    SENTINEL_2_NAMES,
    a_new_job,
    end_run,
    some_new_jobs,
)
from tests.plugins.stores import ASKED, HOUR, NOBODY, PLACES, STEPS, Desk

DRY = replace(ASKED, dry_run=True)


# ---- submit --------------------------------------------------------------------------------------


def test_a_job_handed_in_has_all_that_was_said_of_it(desk: Desk) -> None:
    new = a_new_job(priority=Priority.NRT, deadline=LONG_AGO)
    submitted = desk.doors.operations.submit([new], ASKED)
    [job_id] = submitted.added
    story = desk.story(job_id)
    job = story.job
    assert (job.type, job.key, job.name, job.tile) == (new.type, new.key, new.name, new.tile)
    assert (job.priority, job.deadline, job.flavor) == (Priority.NRT, LONG_AGO, FLAVOR)
    assert (job.status, job.attempt) == (Status.INITIALIZED, 0)
    assert job.resume_status is Status.INITIALIZED
    assert story.input == new.input
    assert story.runs == ()
    assert [row.after for row in story.history] == [Status.INITIALIZED]
    assert {row.actor for row in story.history} == {ASKED.actor}
    assert {row.message for row in story.history} == {ASKED.reason}


def test_a_job_is_found_by_each_of_its_names(desk: Desk) -> None:
    [job_id] = desk.doors.operations.submit([a_new_job()], ASKED).added
    story = desk.story(job_id)
    reader = desk.doors.reader
    assert reader.story(str(story.job.unique_id)) == story
    assert reader.story(f"fsc_rlie/{SENTINEL_2_NAMES[0]}") == story


def test_handing_in_twice_adds_nothing(desk: Desk) -> None:
    jobs = some_new_jobs(7)
    first = desk.doors.operations.submit(jobs, ASKED)
    assert (len(first.added), first.existing) == (7, ())
    with desk.nothing_written():
        second = desk.doors.operations.submit(jobs, ASKED)
    assert (second.added, second.existing) == ((), first.added)


def test_only_what_is_new_is_added(desk: Desk) -> None:
    old, new = some_new_jobs(2)
    [old_id] = desk.doors.operations.submit([old], ASKED).added
    submitted = desk.doors.operations.submit([new, old, new], ASKED)
    assert len(submitted.added) == 1
    assert submitted.existing == (old_id,)
    assert desk.job(submitted.added[0]).key == new.key


def test_the_same_key_of_another_type_is_another_job(desk: Desk) -> None:
    jobs = [a_new_job(), a_new_job(type="gfsc")]
    assert len(desk.doors.operations.submit(jobs, ASKED).added) == 2


def test_one_bad_job_keeps_all_of_a_submission_out(desk: Desk) -> None:
    good, bad = a_new_job(), a_new_job(SENTINEL_2_NAMES[1], type="fsc")
    with desk.nothing_written(), pytest.raises(Malformed, match="'fsc'"):
        desk.doors.operations.submit([good, bad], ASKED)


def test_trying_a_submission_names_what_is_there_already(desk: Desk) -> None:
    old, new = some_new_jobs(2)
    submitted = desk.doors.operations.submit([old], ASKED)
    with desk.nothing_written():
        tried = desk.doors.operations.submit([old, new], DRY)
    assert (tried.added, tried.existing) == ((), submitted.added)


def test_handing_in_nothing_adds_nothing(desk: Desk) -> None:
    with desk.nothing_written():
        submitted = desk.doors.operations.submit([], ASKED)
    assert (submitted.added, submitted.existing) == ((), ())


# ---- jobs in every status ------------------------------------------------------------------------


def _reached(desk: Desk, status: Status) -> int:
    run = desk.claimed()
    if status in STEPS:
        desk.advanced(run, status)
    return run.job_id


def _processed(desk: Desk) -> int:
    run = desk.claimed()
    desk.advanced(run, Status.POST_PROCESSING)
    desk.end(run, Status.PROCESSED)
    return run.job_id


def _cancelled(desk: Desk) -> int:
    [job_id] = desk.submit()
    desk.doors.operations.cancel([job_id], ASKED)
    return job_id


IN_STATUS: dict[Status, Callable[[Desk], int]] = {
    Status.READY: lambda d: d.submit()[0],
    Status.QUEUED: lambda d: d.queued().job_id,
    Status.STARTED: lambda d: _reached(d, Status.STARTED),
    Status.PROCESSING: lambda d: _reached(d, Status.PROCESSING),
    Status.POST_PROCESSING: lambda d: _reached(d, Status.POST_PROCESSING),
    Status.PROCESSED: _processed,
    Status.INTERNAL_ERROR: lambda d: d.failed(Status.INTERNAL_ERROR).id,
    Status.EXTERNAL_ERROR: lambda d: d.failed(Status.EXTERNAL_ERROR).id,
    Status.CANCELLED: _cancelled,
}
ERRORS = {Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR}


@pytest.mark.parametrize("status", [s for s in IN_STATUS if s is not Status.CANCELLED])
def test_a_job_is_cancelled_from_where_it_stands(desk: Desk, status: Status) -> None:
    job_id = IN_STATUS[status](desk)
    before = desk.story(job_id)
    [verdict] = desk.doors.operations.cancel([job_id], ASKED)
    after = desk.story(job_id)
    desk.check_history()
    assert (verdict.subject, verdict.done) == (f"job:{job_id}", True)
    assert after.job.status is Status.CANCELLED
    between = [Status.ERROR_CHECKED] if status in ERRORS else []
    assert [row.after for row in after.history[len(before.history) :]] == [
        *between,
        Status.CANCELLED,
    ]
    assert after.history[-1].actor == ASKED.actor
    assert after.history[-1].message == ASKED.reason
    assert desk.audit()[-1] == (ASKED.actor, f"job:{job_id}")


@pytest.mark.parametrize("status", [Status.QUEUED, Status.STARTED, Status.POST_PROCESSING])
def test_cancelling_ends_the_current_run_and_its_dispatch(desk: Desk, status: Status) -> None:
    job_id = IN_STATUS[status](desk)
    desk.doors.operations.cancel([job_id], ASKED)
    [run] = desk.story(job_id).runs
    assert run.end is RunEnd.CANCELLED
    assert run.ended_at is not None
    assert desk.view().in_flight == ()
    assert desk.view().intents == ()
    assert desk.view().ended_runs == (run,)


def test_a_job_is_not_cancelled_twice(desk: Desk) -> None:
    job_id = _cancelled(desk)
    with desk.nothing_written():
        verdicts = desk.doors.operations.cancel([job_id, NOBODY], ASKED)
    assert [verdict.done for verdict in verdicts] == [False, False]
    assert [verdict.subject for verdict in verdicts] == [f"job:{job_id}", f"job:{NOBODY}"]
    assert all(verdict.because for verdict in verdicts)


def test_a_job_named_twice_gets_the_same_verdict_twice(desk: Desk) -> None:
    [job_id] = desk.submit()
    for ask in (desk.doors.operations.cancel, desk.doors.operations.relaunch):
        first, second = ask([job_id, job_id], ASKED)
        assert first == second
        assert first.done
    assert desk.path(job_id) == [Status.CANCELLED, Status.ERROR_CHECKED, Status.READY]


RELAUNCHED = [*ERRORS, Status.CANCELLED]


@pytest.mark.parametrize("status", sorted(RELAUNCHED))
def test_a_relaunched_job_goes_on_with_a_new_budget(desk: Desk, status: Status) -> None:
    job_id = IN_STATUS[status](desk)
    before = desk.story(job_id)
    [verdict] = desk.doors.operations.relaunch([job_id], ASKED)
    after = desk.story(job_id)
    desk.check_history()
    assert (verdict.subject, verdict.done) == (f"job:{job_id}", True)
    assert [row.after for row in after.history[len(before.history) :]] == [
        Status.ERROR_CHECKED,
        Status.READY,
    ]
    job = after.job
    assert (job.internal_failures, job.external_failures, job.losses) == (0, 0, 0)
    assert (job.not_before, job.quarantined) == (None, False)
    assert desk.audit()[-1] == (ASKED.actor, f"job:{job_id}")
    assert desk.queued(job_id).attempt == before.job.attempt + 1


@pytest.mark.parametrize("end", [RunEnd.LOST, RunEnd.FAILED])
def test_nothing_of_its_failures_is_left_to_a_relaunched_job(desk: Desk, end: RunEnd) -> None:
    run = desk.claimed()
    job = desk.job(run.job_id)
    desk.do(end_run(job, run.id, at=desk.now(), end=end, then=Next.QUARANTINE))
    assert [count.quarantined for count in desk.view().counts] == [1]
    desk.doors.operations.relaunch([job.id], ASKED)
    after = desk.job(job.id)
    assert (after.losses, after.external_failures, after.quarantined) == (0, 0, False)
    assert [count.quarantined for count in desk.view().counts] == [0]
    run = desk.claimed(job.id)
    desk.end(run, Status.EXTERNAL_ERROR)
    assert [count.quarantined for count in desk.view().counts] == [0]


@pytest.mark.parametrize("status", [s for s in IN_STATUS if s not in RELAUNCHED])
def test_a_job_that_is_still_moving_is_not_relaunched(desk: Desk, status: Status) -> None:
    job_id = IN_STATUS[status](desk)
    with desk.nothing_written():
        [verdict] = desk.doors.operations.relaunch([job_id], ASKED)
    assert not verdict.done
    assert status.value in verdict.because


@pytest.mark.parametrize("asks", ["cancel", "relaunch"])
def test_trying_says_the_same_and_writes_nothing(desk: Desk, asks: str) -> None:
    ids = [*(make(desk) for make in IN_STATUS.values()), NOBODY]
    ask = getattr(desk.doors.operations, asks)
    with desk.nothing_written():
        tried = ask(ids, DRY)
    assert tried == ask(ids, ASKED)
    assert {verdict.done for verdict in tried} == {True, False}


# ---- workers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("forced", [False, True], ids=["drain", "delete"])
@pytest.mark.parametrize("place", ["booting", "ready", "marking", "seen", "undoing"])
def test_a_person_retires_a_worker_in_service(desk: Desk, place: str, forced: object) -> None:
    worker = desk.at(place)
    [verdict] = desk.doors.operations.retire([worker.name], ASKED, forced=bool(forced))
    after = desk.worker(worker.id)
    assert (verdict.subject, verdict.done) == (f"worker:{worker.name}", True)
    assert after.retirement is not None
    assert (after.retirement.cause, after.retirement.by) == (RetireCause.PERSON, ASKED.actor)
    assert after.retirement.forced is forced
    expected = RetireStep.SEEN if place == "seen" else RetireStep.MARKING
    assert after.retirement.step is expected
    assert after.state is worker.state
    if place == "seen":
        assert worker.retirement is not None
        assert after.retirement.index == worker.retirement.index
    assert desk.audit()[-1] == (ASKED.actor, f"worker:{worker.name}")


@pytest.mark.parametrize("place", ["creating", "deleting", "gone", "closed"])
def test_a_worker_that_is_not_in_service_is_not_retired(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    with desk.nothing_written():
        verdicts = desk.doors.operations.retire([worker.name, "nobody"], ASKED, forced=True)
    assert [verdict.done for verdict in verdicts] == [False, False]
    assert all(verdict.because for verdict in verdicts)


def test_asking_twice_for_a_retirement_changes_nothing_unless_it_is_forced_now(desk: Desk) -> None:
    name = desk.ready().name
    operations = desk.doors.operations
    operations.retire([name], ASKED, forced=False)
    with desk.nothing_written():
        [again] = operations.retire([name], ASKED, forced=False)
    [forced] = operations.retire([name], ASKED, forced=True)
    with desk.nothing_written():
        [late] = operations.retire([name], ASKED, forced=False)
    assert (again.done, forced.done, late.done) == (False, True, False)


def test_a_worker_named_twice_gets_the_same_verdict_twice(desk: Desk) -> None:
    name = desk.ready().name
    first, second = desk.doors.operations.retire([name, name], ASKED, forced=False)
    assert first == second
    assert first.done
    assert desk.audit() == [(ASKED.actor, f"worker:{name}")]


def test_trying_a_retirement_writes_nothing(desk: Desk) -> None:
    names = [desk.at(place).name for place in PLACES]
    with desk.nothing_written():
        tried = desk.doors.operations.retire(names, DRY, forced=True)
    assert tried == desk.doors.operations.retire(names, ASKED, forced=True)


def test_workers_are_ordered_by_hand(desk: Desk) -> None:
    verdicts = desk.doors.operations.order(FLAVOR, 3, HOUR, ASKED)
    orders = desk.view().orders
    assert [(verdict.subject, verdict.done) for verdict in verdicts] == 3 * [
        (f"flavor:{FLAVOR}", True)
    ]
    assert [(wish.flavor, wish.by) for wish in orders] == 3 * [(FLAVOR, ASKED.actor)]
    assert {timedelta(0) < wish.keep_until - desk.now() <= HOUR for wish in orders} == {True}
    assert desk.audit() == [(ASKED.actor, f"flavor:{FLAVOR}")]


@pytest.mark.parametrize(("flavor", "count"), [("hm.tiny", 1), (FLAVOR, 0), (FLAVOR, -1)])
def test_an_impossible_order_is_refused(desk: Desk, flavor: str, count: int) -> None:
    with desk.nothing_written():
        [verdict] = desk.doors.operations.order(flavor, count, HOUR, ASKED)
    assert (verdict.subject, verdict.done) == (f"flavor:{flavor}", False)


def test_trying_an_order_writes_nothing(desk: Desk) -> None:
    with desk.nothing_written():
        verdicts = desk.doors.operations.order(FLAVOR, 2, HOUR, DRY)
    assert [verdict.done for verdict in verdicts] == [True, True]


# ---- parameters ----------------------------------------------------------------------------------


def test_a_parameter_is_set_with_its_history_and_put_back(desk: Desk) -> None:
    operations = desk.doors.operations
    first = operations.set_parameter("pool.max_workers", 50, ASKED)
    second = operations.set_parameter("pool.max_workers", 60, replace(ASKED, actor="bob"))
    assert desk.view().parameters == {"pool.max_workers": 60}
    third = operations.set_parameter("pool.max_workers", None, ASKED)
    assert desk.view().parameters == {}
    assert [(c.old, c.new, c.author) for c in (first, second, third)] == [
        (None, 50, ASKED.actor),
        (50, 60, "bob"),
        (60, None, ASKED.actor),
    ]
    assert desk.doors.reader.parameters() == (third, second, first)
    assert first.reason == ASKED.reason
    assert desk.audit()[-1] == (ASKED.actor, "parameter:pool.max_workers")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("pool.most_workers", 50, id="no-such-key"),
        pytest.param("pool.most_workers", None, id="no-such-key-put-back"),
        pytest.param("pool.max_workers", "many", id="not-a-number"),
        pytest.param("pool.max_workers", 1.5, id="not-a-whole-number"),
        pytest.param("pool.max_workers", -1, id="below-its-bound"),
        pytest.param("pool.vcpu_share", 1.01, id="above-its-bound"),
        pytest.param("pool.max_workers", True, id="a-truth"),
    ],
)
def test_an_impossible_parameter_is_refused_by_name(desk: Desk, key: str, value: Any) -> None:
    with desk.nothing_written(), pytest.raises(ConfigurationError, match=key):
        desk.doors.operations.set_parameter(key, value, ASKED)


def test_a_parameter_is_checked_against_all_others(desk: Desk) -> None:
    operations = desk.doors.operations
    with desk.nothing_written(), pytest.raises(ConfigurationError, match=r"passes\.lease"):
        operations.set_parameter("passes.call_deadline", 60, ASKED)
    operations.set_parameter("passes.lease", 200, ASKED)
    operations.set_parameter("passes.call_deadline", 60, ASKED)
    with desk.nothing_written(), pytest.raises(ConfigurationError, match=r"passes\.lease"):
        operations.set_parameter("passes.lease", None, ASKED)


def test_trying_a_parameter_writes_nothing(desk: Desk) -> None:
    with desk.nothing_written():
        change = desk.doors.operations.set_parameter("pool.max_workers", 50, DRY)
    assert (change.old, change.new) == (None, 50)


# Longer than two statements take on a busy machine; PostgreSQL's own clock cannot be moved.
SOON = timedelta(seconds=1.5)


def test_a_change_for_a_while_gives_way_to_what_was_set_for_good(desk: Desk) -> None:
    operations = desk.doors.operations
    operations.set_parameter("pool.max_workers", 50, ASKED)
    lasting = operations.set_parameter("pool.max_workers", 60, ASKED, lasts=SOON)
    assert (lasting.old, lasting.new) == (50, 60)
    assert lasting.expires_at == lasting.at + SOON
    assert desk.doors.reader.parameters()[0] == lasting
    assert desk.view().parameters == {"pool.max_workers": 60}
    desk.doors.pass_time(SOON)
    assert desk.view().parameters == {"pool.max_workers": 50}
    again = operations.set_parameter("pool.max_workers", 70, ASKED)
    assert again.old == 50


def test_of_two_changes_for_a_while_neither_is_left(desk: Desk) -> None:
    operations = desk.doors.operations
    operations.set_parameter("pool.max_workers", 60, ASKED, lasts=HOUR)
    operations.set_parameter("pool.max_workers", 70, ASKED, lasts=SOON)
    assert desk.view().parameters == {"pool.max_workers": 70}
    desk.doors.pass_time(SOON)
    assert desk.view().parameters == {}


def test_put_back_a_parameter_forgets_what_was_set_for_a_while(desk: Desk) -> None:
    operations = desk.doors.operations
    operations.set_parameter("pool.max_workers", 50, ASKED)
    operations.set_parameter("pool.max_workers", 60, ASKED, lasts=HOUR)
    operations.set_parameter("pool.max_workers", None, ASKED)
    operations.set_parameter("pool.max_workers", 70, ASKED, lasts=SOON)
    desk.doors.pass_time(SOON)
    assert desk.view().parameters == {}


@pytest.mark.parametrize(
    ("value", "lasts"),
    [
        pytest.param(60, timedelta(0), id="over-at-once"),
        pytest.param(60, -HOUR, id="over-before"),
        pytest.param(None, HOUR, id="the-default-unnamed"),
    ],
)
def test_an_impossible_while_is_refused(desk: Desk, value: Any, lasts: timedelta) -> None:
    with desk.nothing_written(), pytest.raises(ConfigurationError, match=r"pool\.max_workers"):
        desk.doors.operations.set_parameter("pool.max_workers", value, ASKED, lasts=lasts)


def test_what_would_be_impossible_once_a_while_is_over_is_refused(desk: Desk) -> None:
    operations = desk.doors.operations
    operations.set_parameter("passes.lease", 200, ASKED, lasts=HOUR)
    with desk.nothing_written(), pytest.raises(ConfigurationError, match=r"passes\.lease.*is over"):
        operations.set_parameter("passes.call_deadline", 60, ASKED)
    operations.set_parameter("passes.call_deadline", 60, ASKED, lasts=SOON)
    operations.set_parameter("passes.lease", 200, ASKED)
    operations.set_parameter("passes.call_deadline", 60, ASKED)


def test_whoever_asks_stands_in_the_audit_trail(desk: Desk) -> None:
    desk.doors.operations.submit(some_new_jobs(2), Asked(actor="bob", reason="why not"))
    assert {actor for actor, _ in desk.audit()} == {"bob"}


def test_the_audit_trail_is_read_newest_first_or_about_one_thing(desk: Desk) -> None:
    operations, reader = desk.doors.operations, desk.doors.reader
    first, second = operations.submit(some_new_jobs(2), Asked(actor="bob", reason="new")).added
    operations.cancel([first, second, first, NOBODY], Asked(actor="ada", reason="wrong tile"))
    operations.relaunch([second], Asked(actor="bob", reason="right after all"))
    operations.relaunch([second], Asked(actor="bob", reason="too late"))
    operations.relaunch([first], Asked(actor="bob", reason="only tried", dry_run=True))
    told = [(line.actor, line.action, line.subjects, line.reason) for line in reader.audit()]
    both = (f"job:{first}", f"job:{second}")
    assert told == [
        ("bob", "relaunch", both[1:], "right after all"),
        ("ada", "cancel", both, "wrong tile"),
        ("bob", "submit", both, "new"),
    ]
    assert [line.action for line in reader.audit(both[0])] == ["cancel", "submit"]
    assert [line.action for line in reader.audit(limit=1)] == ["relaunch"]
    assert reader.audit(f"job:{NOBODY}") == ()
