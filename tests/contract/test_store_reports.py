"""What the program on a worker may say: claims, reports, ends; the last claim wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from models.errors import IllegalTransition, Malformed, NotFound, Superseded
from models.lifecycle import Status
from models.ports import Placement, RunResult
from models.records import Run, RunEnd
from tests.plugins.stores import ASKED, STEPS, Desk, Doors, memory_doors, postgres_doors
from tests.plugins.web import ReportsByApi, serving


@pytest.fixture(params=["memory", "postgres", "http"])
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    """Each store, and PostgreSQL behind the HTTP API: a program keeps the same promises there."""
    if request.param == "memory":
        yield memory_doors()
        return
    database = request.getfixturevalue("postgres")
    if request.param == "postgres":
        yield postgres_doors(database)
        return
    with serving(database) as api:
        reports = ReportsByApi(api.url)
        yield replace(postgres_doors(database), reports=reports)
        reports.close()


ENDS = (Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR)


def test_the_first_claim_starts_the_job_and_says_where_it_runs(desk: Desk) -> None:
    run = desk.queued()
    claim = desk.claim(run, node="node-1")
    after = desk.run(run)
    assert (claim.number, claim.attempt, claim.run_id) == (1, 1, run.id)
    assert claim.job == desk.job(run.job_id)
    assert claim.input == desk.work_of(run.job_id)
    assert claim.job.status is Status.STARTED
    assert (after.claim, after.allocation_id, after.node_id) == (1, "allocation-1", "node-1")
    assert (after.node_name, after.address) == ("os-worker-001", "10.0.0.1")
    assert after.claimed_at is not None
    assert desk.story(run.job_id).history[-1].actor == "worker"


def test_a_claim_is_the_proof_that_the_dispatch_was_done(desk: Desk) -> None:
    run = desk.queued()
    assert desk.open_intents() == {run.id}
    desk.claim(run)
    assert desk.open_intents() == set()


def test_the_server_of_a_claim_is_that_of_its_proved_node(desk: Desk) -> None:
    worker = desk.ready()
    run = desk.claimed(node=worker.node_id)
    assert run.server_id == worker.server_id
    assert desk.worker(worker.id).busy_at == run.claimed_at


def test_the_same_allocation_again_gets_the_same_claim_and_writes_nothing(desk: Desk) -> None:
    run = desk.queued()
    first = desk.claim(run)
    desk.advanced(run, Status.PROCESSING)
    with desk.nothing_written():
        again = desk.claim(run)
    assert (again.number, again.attempt) == (first.number, first.attempt)


@pytest.mark.parametrize("reached", [Status.STARTED, *STEPS])
def test_another_allocation_takes_over_by_way_of_worker_lost(desk: Desk, reached: Status) -> None:
    run = desk.claimed()
    if reached is not Status.STARTED:
        desk.advanced(run, reached)
    second = desk.claim(run, "allocation-2")
    job, history = desk.job(run.job_id), desk.story(run.job_id).history
    assert (second.number, second.attempt, job.attempt) == (2, 1, 1)
    assert [row.after for row in history[-3:]] == [reached, Status.EXTERNAL_ERROR, Status.STARTED]
    assert history[-2].subtype == "Worker lost"
    assert (job.losses, job.external_failures, job.internal_failures) == (0, 0, 0)
    assert desk.run(run).allocation_id == "allocation-2"


def test_an_allocation_that_comes_back_claims_anew(desk: Desk) -> None:
    run = desk.claimed()
    desk.claim(run, "allocation-2")
    assert desk.claim(run, "allocation-1").number == 3


def _said(desk: Desk, run: Run, saying: str, claim: int) -> None:
    if saying == "report":
        desk.doors.reports.report(run.id, claim, Status.PRE_PROCESSING)
    else:
        desk.doors.reports.end(run.id, claim, RunResult(status=Status.EXTERNAL_ERROR))


@pytest.mark.parametrize("saying", ["report", "end"])
@pytest.mark.parametrize("claim", [0, 1, 3])
def test_only_the_last_claim_may_speak(desk: Desk, saying: str, claim: int) -> None:
    run = desk.claimed()
    desk.claim(run, "allocation-2")
    with desk.nothing_written(), pytest.raises(Superseded):
        _said(desk, run, saying, claim)
    _said(desk, run, saying, 2)


@pytest.mark.parametrize("saying", ["report", "end"])
def test_nobody_speaks_for_a_run_that_nothing_has_claimed(desk: Desk, saying: str) -> None:
    run = desk.queued()
    with desk.nothing_written(), pytest.raises(Superseded):
        _said(desk, run, saying, 0)


def _ended(desk: Desk, run: Run) -> None:
    desk.end(run, Status.INTERNAL_ERROR)


def _cancelled(desk: Desk, run: Run) -> None:
    desk.doors.operations.cancel([run.job_id], ASKED)


def _relaunched(desk: Desk, run: Run) -> None:
    _cancelled(desk, run)
    desk.doors.operations.relaunch([run.job_id], ASKED)
    desk.queued(run.job_id)


@pytest.mark.parametrize("over", [_ended, _cancelled, _relaunched])
@pytest.mark.parametrize("allocation", ["allocation-1", "allocation-2"])
def test_a_run_that_is_over_cannot_be_claimed(desk: Desk, over: object, allocation: str) -> None:
    run = desk.claimed()
    assert callable(over)
    over(desk, run)
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.reports.claim(run.id, Placement(allocation_id=allocation))


@pytest.mark.parametrize("over", [_ended, _cancelled, _relaunched])
def test_a_run_that_is_over_cannot_be_reported_on(desk: Desk, over: object) -> None:
    run = desk.claimed()
    assert callable(over)
    over(desk, run)
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.reports.report(run.id, 1, Status.PRE_PROCESSING)


def test_a_run_that_there_is_not_is_not_found(desk: Desk) -> None:
    reports, nobody = desk.doors.reports, uuid4()
    with pytest.raises(NotFound):
        reports.claim(nobody, Placement(allocation_id="a"))
    with pytest.raises(NotFound):
        reports.report(nobody, 1, Status.PROCESSING)
    with pytest.raises(NotFound):
        reports.end(nobody, 1, RunResult(status=Status.INTERNAL_ERROR))


# ---- reports -------------------------------------------------------------------------------------


def test_reports_move_the_job_on_step_by_step(desk: Desk) -> None:
    run = desk.claimed()
    for step in STEPS:
        desk.doors.reports.report(run.id, 1, step, "going on")
        newest = desk.story(run.job_id).history[-1]
        assert (newest.after, newest.message, newest.actor) == (step, "going on", "worker")
    assert desk.path(run.job_id) == [Status.QUEUED, Status.STARTED, *STEPS]


def test_saying_the_same_twice_writes_nothing(desk: Desk) -> None:
    run = desk.claimed()
    desk.advanced(run, Status.PROCESSING)
    with desk.nothing_written():
        desk.doors.reports.report(run.id, 1, Status.PROCESSING, "once more")


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        pytest.param(Status.STARTED, Status.PROCESSING, id="one-step-left-out"),
        pytest.param(Status.STARTED, Status.POST_PROCESSING, id="two-steps-left-out"),
        pytest.param(Status.PROCESSING, Status.PRE_PROCESSING, id="backwards"),
        pytest.param(Status.POST_PROCESSING, Status.PROCESSED, id="an-end-as-a-report"),
        pytest.param(Status.STARTED, Status.STARTED, id="what-a-claim-says"),
        pytest.param(Status.STARTED, Status.EXTERNAL_ERROR, id="an-error-as-a-report"),
        pytest.param(Status.STARTED, Status.CANCELLED, id="what-a-person-says"),
    ],
)
def test_a_report_that_may_not_follow_is_refused(desk: Desk, reached: Status, said: Status) -> None:
    run = desk.claimed()
    if reached is not Status.STARTED:
        desk.advanced(run, reached)
    with desk.nothing_written(), pytest.raises(IllegalTransition):
        desk.doors.reports.report(run.id, 1, said)


# ---- ends ----------------------------------------------------------------------------------------


def test_a_run_ends_as_processed_after_its_last_step(desk: Desk) -> None:
    worker = desk.ready()
    run = desk.claimed(node=worker.node_id)
    desk.advanced(run, Status.POST_PROCESSING)
    desk.end(run, Status.PROCESSED, exit_code=0)
    job, ended = desk.job(run.job_id), desk.run(run)
    assert (job.status, job.external_failures) == (Status.PROCESSED, 0)
    assert (ended.end, ended.exit_code) == (RunEnd.PROCESSED, 0)
    assert ended.ended_at is not None
    assert desk.worker(worker.id).busy_at == ended.ended_at
    assert [made.run_id for made in desk.story(run.job_id).manifests] == [run.id]
    assert desk.view().in_flight == ()
    assert desk.view().ended_runs == (ended,)


@pytest.mark.parametrize("doors", ["http"], indirect=True)
@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"status": Status.PROCESSED, "manifest": None}, id="processed-without"),
        pytest.param({"status": Status.PROCESSED, "subtype": "x" * 5000}, id="too-long"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused_by_the_api(
    desk: Desk, result: dict[str, Any]
) -> None:
    run = desk.claimed()
    desk.advanced(run, Status.POST_PROCESSING)
    with desk.nothing_written(), pytest.raises(Malformed):
        desk.end(run, **result)


@pytest.mark.parametrize("reached", [Status.STARTED, *STEPS])
@pytest.mark.parametrize("status", ENDS)
def test_a_run_may_end_in_error_at_any_step_and_counts(
    desk: Desk, reached: Status, status: Status
) -> None:
    run = desk.claimed()
    if reached is not Status.STARTED:
        desk.advanced(run, reached)
    desk.end(run, status, subtype="Download", message="no answer", exit_code=1)
    job, newest = desk.job(run.job_id), desk.story(run.job_id).history[-1]
    assert (job.status, job.error_subtype, newest.message) == (status, "Download", "no answer")
    assert desk.run(run).end is RunEnd.FAILED
    assert (job.external_failures, job.internal_failures) == (
        int(status is Status.EXTERNAL_ERROR),
        int(status is Status.INTERNAL_ERROR),
    )
    assert desk.view().errors == (job,)


@pytest.mark.parametrize("status", ENDS)
def test_the_same_end_twice_writes_nothing(desk: Desk, status: Status) -> None:
    run = desk.claimed()
    desk.end(run, status, exit_code=1)
    with desk.nothing_written():
        desk.end(run, status, exit_code=1)


@pytest.mark.parametrize(
    ("claim", "status", "code"),
    [
        pytest.param(1, Status.INTERNAL_ERROR, 1, id="another-error"),
        pytest.param(1, Status.PROCESSED, 1, id="a-success"),
        pytest.param(1, Status.EXTERNAL_ERROR, 2, id="another-exit-code"),
        pytest.param(2, Status.EXTERNAL_ERROR, 1, id="another-claim"),
    ],
)
def test_anything_else_after_the_end_is_superseded(
    desk: Desk, claim: int, status: Status, code: int
) -> None:
    run = desk.claimed()
    desk.end(run, Status.EXTERNAL_ERROR, exit_code=1)
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.reports.end(run.id, claim, desk.result(run, status, exit_code=code))


@pytest.mark.parametrize(
    ("reached", "status"),
    [
        pytest.param(Status.STARTED, Status.PROCESSED, id="processed-without-the-steps"),
        pytest.param(Status.PROCESSING, Status.PROCESSED, id="processed-before-the-uploads"),
        pytest.param(Status.STARTED, Status.PRE_PROCESSING, id="a-step-is-no-end"),
        pytest.param(Status.STARTED, Status.CANCELLED, id="cancelling-is-for-people"),
        pytest.param(Status.STARTED, Status.ERROR_CHECKED, id="checking-is-for-the-monitor"),
    ],
)
def test_an_end_that_may_not_follow_is_refused(desk: Desk, reached: Status, status: Status) -> None:
    run = desk.claimed()
    if reached is not Status.STARTED:
        desk.advanced(run, reached)
    with desk.nothing_written(), pytest.raises(IllegalTransition):
        desk.doors.reports.end(run.id, 1, desk.result(run, status))
