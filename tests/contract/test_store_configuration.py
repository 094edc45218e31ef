"""What configuration reads and writes: the same on both stores."""

from __future__ import annotations

from models.configuration import ConfigureJobs
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.records import Priority
from simulator.examples import LONG_AGO, a_new_job, some_new_jobs
from tests.plugins.readiness import a_config, configured
from tests.plugins.stores import ASKED, NOBODY, Desk

TYPES = DEFAULT_REGISTRY.types


def handed_in(desk: Desk, count: int = 1) -> tuple[int, ...]:
    """Jobs that nobody has configured."""
    return desk.doors.operations.submit(some_new_jobs(count), ASKED).added


def waiting(desk: Desk) -> list[int]:
    return [unready.job.id for unready in desk.doors.jobs.backlog(TYPES).jobs]


def test_the_backlog_has_what_was_handed_in_with_all_that_was_said_of_it(desk: Desk) -> None:
    new = a_new_job()
    (job_id,) = desk.doors.operations.submit([new], ASKED).added
    (unready,) = desk.doors.jobs.backlog(TYPES).jobs
    assert unready.job == desk.job(job_id)
    assert (unready.input, unready.sensing_at) == (new.input, new.sensing_at)


def test_jobs_of_other_types_are_not_in_the_backlog(desk: Desk) -> None:
    handed_in(desk)
    assert desk.doors.jobs.backlog(["gfsc"]).jobs == ()


def test_a_configured_job_is_ready_with_what_was_found_out(desk: Desk) -> None:
    (job_id,) = handed_in(desk)
    change = configured(
        desk.job(job_id), priority=Priority.NRT, deadline=LONG_AGO, config=a_config("fsc_rlie")
    )
    receipt = desk.do(ConfigureJobs(at=desk.now(), jobs=(change,)))
    assert receipt.created == 1
    story = desk.story(job_id)
    job = story.job
    assert [row.after for row in story.history] == [
        Status.INITIALIZED,
        Status.CONFIGURED,
        Status.READY,
    ]
    assert {row.actor for row in story.history[1:]} == {desk.lease.name}
    assert (job.priority, job.deadline) == (Priority.NRT, LONG_AGO)
    assert (story.config, story.wait) == (a_config("fsc_rlie"), None)
    assert job.resume_status is Status.READY
    assert waiting(desk) == []


def test_a_job_that_moved_on_is_left_as_it_is_and_the_others_are_configured(desk: Desk) -> None:
    first, second, third = handed_in(desk, 3)
    jobs = [configured(desk.job(number)) for number in (first, second, third)]
    desk.doors.operations.cancel([second], ASKED)
    nobody = configured(desk.job(first), job_id=NOBODY)
    receipt = desk.do(ConfigureJobs(at=desk.now(), jobs=(*jobs, nobody)))
    assert receipt.created == 2
    assert desk.job(second).status is Status.CANCELLED
    assert {desk.job(number).status for number in (first, third)} == {Status.READY}


def test_saying_it_twice_changes_nothing(desk: Desk) -> None:
    (job_id,) = handed_in(desk)
    change = ConfigureJobs(at=desk.now(), jobs=(configured(desk.job(job_id)),))
    desk.do(change)
    with desk.nothing_written():
        assert desk.do(change).created == 0


def test_a_job_that_was_cancelled_before_it_was_ready_is_configured_when_it_comes_back(
    desk: Desk,
) -> None:
    (job_id,) = handed_in(desk)
    desk.doors.operations.cancel([job_id], ASKED)
    assert waiting(desk) == []
    desk.doors.operations.relaunch([job_id], ASKED)
    assert desk.job(job_id).status is Status.INITIALIZED
    assert waiting(desk) == [job_id]
