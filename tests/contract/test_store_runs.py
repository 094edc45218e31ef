"""Changes of jobs and runs: what each does, and that a guard that does not hold writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.changes import (
    AbandonRun,
    AskStop,
    Change,
    CloseIntent,
    ConfirmRun,
    EndRun,
    ResendRun,
    ResumeJob,
)
from models.errors import IllegalTransition, Superseded
from models.lifecycle import Status
from models.plan import Next
from models.ports import Placement
from models.records import IntentKind, IntentState, Job, Run, RunEnd
from tests.plugins.stores import ASKED, HOUR, NOBODY, Desk

MINUTE = timedelta(minutes=1)


def ending(desk: Desk, run: Run, **changes: Any) -> EndRun:
    """The end of a run that was lost with its worker."""
    default = EndRun(
        at=desk.now(),
        job_id=run.job_id,
        run_id=run.id,
        expected_seq=desk.job(run.job_id).seq,
        end=RunEnd.LOST,
        status=Status.EXTERNAL_ERROR,
        subtype="Worker lost",
        message="its node is gone",
        then=Next.REQUEUE,
    )
    return replace(default, **changes)


def resuming(desk: Desk, job: Job, **changes: Any) -> ResumeJob:
    """What goes on with a job that stands in an error."""
    default = ResumeJob(
        at=desk.now(), job_id=job.id, expected_seq=job.seq, then=Next.REQUEUE, message="again"
    )
    return replace(default, **changes)


def stopping(desk: Desk, run: Run | None, *, stuck: bool) -> AskStop:
    """The wish to stop a child."""
    intent = desk.intent(IntentKind.STOP_CHILD, "child-1")
    run_id = run.id if run else None
    return AskStop(at=desk.now(), run_id=run_id, stuck=stuck, why="too slow", intent=intent)


# ---- queue, resend, confirm, abandon -------------------------------------------------------------


def test_queueing_opens_an_attempt_a_run_and_an_intent_at_once(desk: Desk) -> None:
    [job_id] = desk.submit()
    change = desk.queue_change(job_id)
    receipt = desk.do(change)
    job = desk.job(job_id)
    [flight] = desk.view().in_flight
    [intent] = desk.view().intents
    assert (job.status, job.attempt, job.seq, job.status_at) == (Status.QUEUED, 1, 4, change.at)
    assert flight.job == job == receipt.job
    assert flight.run == receipt.run
    assert flight.run.id == change.intent.id
    assert (flight.run.attempt, flight.run.claim, flight.run.sent_at) == (1, 0, change.at)
    assert (intent.id, intent.state) == (change.intent.id, IntentState.OPEN)
    assert receipt.input == desk.work_of(job_id)
    assert desk.story(job_id).history[-1].actor == desk.lease.name


def test_a_job_held_back_is_queued_once_its_time_has_come(desk: Desk) -> None:
    run = desk.claimed()
    until = desk.now() + HOUR
    job = desk.do(ending(desk, run, retry_at=until)).job
    assert job is not None
    assert (job.status, job.not_before) == (Status.READY, until)
    early, due = desk.queue_change(job.id), desk.queue_change(job.id)
    desk.refuses(replace(early, at=until - timedelta(milliseconds=1)), Superseded)
    desk.do(replace(due, at=until))
    assert desk.job(job.id).attempt == 2


def test_resending_moves_the_time_of_sending_and_the_deadline_of_the_intent(desk: Desk) -> None:
    run = desk.queued()
    at = desk.now()
    receipt = desk.do(ResendRun(at=at, run_id=run.id, deadline=at + HOUR))
    [intent] = desk.view().intents
    assert desk.run(run).sent_at == at
    assert (intent.id, intent.deadline) == (run.id, at + HOUR)
    assert receipt.job is not None
    assert receipt.run == desk.run(run)
    assert receipt.input == desk.work_of(run.job_id)


def test_resending_opens_an_intent_again_that_was_closed(desk: Desk) -> None:
    run = desk.queued()
    desk.do(CloseIntent(at=desk.now(), intent_id=run.id, state=IntentState.FAILED, note="refused"))
    assert desk.open_intents() == set()
    desk.do(ResendRun(at=desk.now(), run_id=run.id, deadline=desk.now() + HOUR))
    assert desk.open_intents() == {run.id}


def test_confirming_notes_the_child_and_ends_the_intent(desk: Desk) -> None:
    run = desk.queued()
    desk.do(ConfirmRun(at=desk.now(), run_id=run.id, nomad_job_id="child-1"))
    assert desk.run(run).nomad_job_id == "child-1"
    assert desk.open_intents() == set()


def test_a_claimed_run_can_still_be_confirmed(desk: Desk) -> None:
    run = desk.claimed()
    desk.do(ConfirmRun(at=desk.now(), run_id=run.id, nomad_job_id="child-1"))
    assert (desk.run(run).nomad_job_id, desk.run(run).claim) == ("child-1", 1)


def test_abandoning_makes_the_job_ready_and_ends_the_run_and_its_intent(desk: Desk) -> None:
    run = desk.queued()
    at = desk.now()
    desk.do(AbandonRun(at=at, run_id=run.id, message="it never showed"))
    job, ended = desk.job(run.job_id), desk.run(run)
    assert (job.status, job.attempt, job.losses) == (Status.READY, 1, 0)
    assert (ended.end, ended.ended_at) == (RunEnd.NOT_DISPATCHED, at)
    assert desk.open_intents() == set()
    assert desk.story(job.id).history[-1].message == "it never showed"
    assert desk.queued(job.id).attempt == 2


# ---- end and resume ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "status", "counter"),
    [
        pytest.param(RunEnd.LOST, Status.EXTERNAL_ERROR, "losses", id="lost"),
        pytest.param(RunEnd.LOST, Status.INTERNAL_ERROR, "losses", id="lost-and-internal"),
        pytest.param(RunEnd.FAILED, Status.EXTERNAL_ERROR, "external_failures", id="external"),
        pytest.param(RunEnd.FAILED, Status.INTERNAL_ERROR, "internal_failures", id="internal"),
    ],
)
def test_the_end_of_a_run_counts_in_the_budget_of_its_class_alone(
    desk: Desk, end: RunEnd, status: Status, counter: str
) -> None:
    run = desk.claimed()
    desk.do(ending(desk, run, end=end, status=status))
    job = desk.job(run.job_id)
    counters = ("losses", "external_failures", "internal_failures")
    assert {name: getattr(job, name) for name in counters} == {
        name: int(name == counter) for name in counters
    }


@pytest.mark.parametrize(
    ("then", "wait", "path"),
    [
        pytest.param(
            Next.REQUEUE,
            None,
            [Status.EXTERNAL_ERROR, Status.ERROR_CHECKED, Status.READY],
            id="requeue",
        ),
        pytest.param(Next.BACK_OFF, MINUTE, [Status.EXTERNAL_ERROR], id="back-off"),
        pytest.param(Next.QUARANTINE, None, [Status.EXTERNAL_ERROR], id="quarantine"),
    ],
)
def test_a_job_whose_run_ended_goes_on_as_decided(
    desk: Desk, then: Next, wait: timedelta | None, path: list[Status]
) -> None:
    run = desk.claimed()
    retry_at = None if wait is None else desk.now() + wait
    change = ending(desk, run, then=then, retry_at=retry_at, exit_code=137)
    receipt = desk.do(change)
    job, ended = desk.job(run.job_id), desk.run(run)
    assert receipt.job == job
    assert receipt.run == ended
    assert desk.path(job.id) == [Status.QUEUED, Status.STARTED, *path]
    assert (job.not_before, job.quarantined) == (retry_at, then is Next.QUARANTINE)
    assert (ended.end, ended.ended_at, ended.exit_code) == (RunEnd.LOST, change.at, 137)
    failure = desk.story(job.id).history[5]
    assert (failure.subtype, failure.message) == ("Worker lost", "its node is gone")


def test_quarantined_jobs_are_out_of_the_errors_and_counted_apart(desk: Desk) -> None:
    resting, quarantined = desk.claimed(), desk.claimed()
    desk.do(ending(desk, resting, then=Next.BACK_OFF, retry_at=desk.now() + HOUR))
    desk.do(ending(desk, quarantined, then=Next.QUARANTINE))
    view = desk.view()
    assert [job.id for job in view.errors] == [resting.job_id]
    [counts] = view.counts
    assert (counts.status, counts.count, counts.quarantined) == (Status.EXTERNAL_ERROR, 2, 1)
    assert desk.doors.reader.totals()["quarantined"] == 1


def test_ending_an_unclaimed_run_refutes_its_dispatch(desk: Desk) -> None:
    run = desk.queued()
    desk.do(ending(desk, run))
    assert desk.open_intents() == set()
    assert desk.run(run).end is RunEnd.LOST


@pytest.mark.parametrize("status", [Status.EXTERNAL_ERROR, Status.INTERNAL_ERROR])
def test_an_error_is_resumed_by_way_of_error_checked(desk: Desk, status: Status) -> None:
    job = desk.failed(status)
    desk.do(resuming(desk, job))
    after = desk.job(job.id)
    assert desk.path(job.id)[-3:] == [status, Status.ERROR_CHECKED, Status.READY]
    assert (after.external_failures, after.internal_failures) == (
        job.external_failures,
        job.internal_failures,
    )
    assert desk.story(job.id).history[-1].message == "again"


@pytest.mark.parametrize("then", [Next.BACK_OFF, Next.QUARANTINE])
def test_a_resumed_job_that_rests_changes_no_status(desk: Desk, then: Next) -> None:
    job = desk.failed()
    until = desk.now() + HOUR if then is Next.BACK_OFF else None
    desk.do(resuming(desk, job, then=then, retry_at=until))
    quarantined = then is Next.QUARANTINE
    assert desk.job(job.id) == replace(job, not_before=until, quarantined=quarantined)


def test_a_job_that_backed_off_is_resumed_without_a_time_to_wait_for(desk: Desk) -> None:
    job = desk.failed()
    desk.do(resuming(desk, job, then=Next.BACK_OFF, retry_at=desk.now() + HOUR))
    desk.do(resuming(desk, job))
    assert desk.job(job.id).not_before is None
    assert desk.view().ready_total == {job.flavor: 1}


# ---- stops ---------------------------------------------------------------------------------------


def test_the_stop_of_a_stuck_run_is_noted_on_it(desk: Desk) -> None:
    run = desk.claimed()
    change = stopping(desk, run, stuck=True)
    desk.do(change)
    noted = desk.run(run)
    assert (noted.stop_reason, noted.stop_asked_at) == ("too slow", change.at)
    assert desk.view().in_flight[0].run == noted
    assert desk.open_intents() == {change.intent.id}


def test_a_stop_that_is_asked_for_again_is_noted_with_its_time(desk: Desk) -> None:
    run = desk.claimed()
    desk.do(stopping(desk, run, stuck=True))
    later = replace(stopping(desk, run, stuck=True), at=desk.now() + timedelta(minutes=1))
    desk.do(later)
    assert desk.run(run).stop_asked_at == later.at


@pytest.mark.parametrize("known", ["a run that is over", "no run", "a run of another store"])
def test_a_child_without_a_current_run_is_stopped(desk: Desk, known: str) -> None:
    run = desk.claimed()
    desk.do(ending(desk, run))
    stop = stopping(desk, run if known == "a run that is over" else None, stuck=False)
    stop = replace(stop, run_id=uuid4()) if known == "a run of another store" else stop
    desk.do(stop)
    assert desk.open_intents() == {stop.intent.id}
    assert desk.run(run).stop_reason is None
    assert desk.run(run).stop_asked_at is None


# ---- guards --------------------------------------------------------------------------------------


def _queued_before(desk: Desk) -> Change:
    return desk.queue_change(desk.queued().job_id)


def _with_the_id_of_another_run(desk: Desk) -> Change:
    other = desk.queued()
    change = desk.queue_change(desk.submit()[0])
    return replace(change, intent=replace(change.intent, id=other.id))


def _resend_claimed(desk: Desk) -> Change:
    return ResendRun(at=desk.now(), run_id=desk.claimed().id, deadline=desk.now())


def _resend_abandoned(desk: Desk) -> Change:
    run = desk.queued()
    desk.do(AbandonRun(at=desk.now(), run_id=run.id, message=""))
    desk.queued(run.job_id)
    return ResendRun(at=desk.now(), run_id=run.id, deadline=desk.now())


def _confirm_ended(desk: Desk) -> Change:
    run = desk.claimed()
    desk.end(run, Status.INTERNAL_ERROR)
    return ConfirmRun(at=desk.now(), run_id=run.id, nomad_job_id="child-1")


def _end_of_an_older_run(desk: Desk) -> Change:
    older = desk.claimed()
    desk.do(ending(desk, older))
    desk.queued(older.job_id)
    return ending(desk, older)


def _end_twice(desk: Desk) -> Change:
    run = desk.claimed()
    desk.do(ending(desk, run, then=Next.BACK_OFF, retry_at=desk.now()))
    return ending(desk, run)


def _end_of_anothers_run(desk: Desk) -> Change:
    return ending(desk, desk.claimed(), run_id=desk.claimed().id)


def _resume_quarantined(desk: Desk) -> Change:
    run = desk.claimed()
    desk.do(ending(desk, run, then=Next.QUARANTINE))
    return resuming(desk, desk.job(run.job_id))


def _resume_ready(desk: Desk) -> Change:
    return resuming(desk, desk.job(desk.submit()[0]))


def _cancelled(desk: Desk) -> Change:
    run = desk.queued()
    desk.doors.operations.cancel([run.job_id], ASKED)
    return stopping(desk, run, stuck=True)


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        pytest.param(_queued_before, Superseded, id="queue-a-job-that-is-queued"),
        pytest.param(lambda d: d.queue_change(NOBODY), Superseded, id="queue-no-job"),
        pytest.param(_with_the_id_of_another_run, Superseded, id="queue-under-a-used-id"),
        pytest.param(_resend_claimed, Superseded, id="resend-a-claimed-run"),
        pytest.param(_resend_abandoned, Superseded, id="resend-a-run-that-is-over"),
        pytest.param(
            lambda d: ResendRun(at=d.now(), run_id=uuid4(), deadline=d.now()),
            Superseded,
            id="resend-no-run",
        ),
        pytest.param(_confirm_ended, Superseded, id="confirm-a-run-that-is-over"),
        pytest.param(
            lambda d: ConfirmRun(at=d.now(), run_id=uuid4(), nomad_job_id="c"),
            Superseded,
            id="confirm-no-run",
        ),
        pytest.param(
            lambda d: AbandonRun(at=d.now(), run_id=d.claimed().id, message=""),
            Superseded,
            id="abandon-a-claimed-run",
        ),
        pytest.param(
            lambda d: AbandonRun(at=d.now(), run_id=uuid4(), message=""),
            Superseded,
            id="abandon-no-run",
        ),
        pytest.param(
            lambda d: ending(d, d.claimed(), expected_seq=4), Superseded, id="end-with-an-old-seq"
        ),
        pytest.param(_end_of_an_older_run, Superseded, id="end-an-older-run"),
        pytest.param(_end_twice, Superseded, id="end-a-run-that-is-over"),
        pytest.param(_end_of_anothers_run, Superseded, id="end-the-run-of-another-job"),
        pytest.param(
            lambda d: replace(ending(d, d.claimed()), job_id=NOBODY), Superseded, id="end-no-job"
        ),
        *(
            pytest.param(
                lambda d, status=status: ending(d, d.claimed(), status=status),
                IllegalTransition,
                id=f"end-in-{status}",
            )
            for status in (Status.READY, Status.PROCESSED, Status.DONE, Status.ERROR_CHECKED)
        ),
        pytest.param(
            lambda d: resuming(d, d.failed(), expected_seq=5), Superseded, id="resume-an-old-seq"
        ),
        pytest.param(_resume_ready, Superseded, id="resume-a-job-without-error"),
        pytest.param(_resume_quarantined, Superseded, id="resume-a-quarantined-job"),
        pytest.param(
            lambda d: replace(resuming(d, d.failed()), job_id=NOBODY),
            Superseded,
            id="resume-no-job",
        ),
        pytest.param(
            lambda d: stopping(d, d.claimed(), stuck=False), Superseded, id="stop-a-current-run"
        ),
        pytest.param(_cancelled, Superseded, id="stop-as-stuck-what-is-over"),
        pytest.param(lambda d: stopping(d, None, stuck=True), Superseded, id="stop-no-run"),
    ],
)
def test_a_guard_that_does_not_hold_refuses_and_writes_nothing(
    desk: Desk, prepare: Callable[[Desk], Change], error: type[Exception]
) -> None:
    desk.refuses(prepare(desk), error)


def test_two_who_queue_the_same_job_cannot_both_win(desk: Desk) -> None:
    [job_id] = desk.submit()
    first, second = desk.queue_change(job_id), desk.queue_change(job_id)
    desk.do(first)
    desk.refuses(second, Superseded)


# ---- intents -------------------------------------------------------------------------------------


def test_closing_an_intent_says_how_it_ended_once(desk: Desk) -> None:
    run = desk.queued()
    desk.do(CloseIntent(at=desk.now(), intent_id=run.id, state=IntentState.DONE))
    with desk.nothing_written():
        desk.do(CloseIntent(at=desk.now(), intent_id=run.id, state=IntentState.FAILED, note="no"))
        desk.do(CloseIntent(at=desk.now(), intent_id=uuid4(), state=IntentState.DONE))


def test_an_ended_run_frees_its_worker(desk: Desk) -> None:
    worker = desk.ready()
    run = desk.queued()
    assert worker.busy_at is None
    desk.doors.reports.claim(run.id, Placement(allocation_id="a", node_id=worker.node_id))
    claimed = desk.run(run)
    assert claimed.server_id == worker.server_id
    assert desk.worker(worker.id).busy_at == claimed.claimed_at
    change = ending(desk, run)
    desk.do(change)
    assert desk.worker(worker.id).busy_at == change.at
