"""What people pause and resume, and what the view of a pass leaves out then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from models.errors import ConfigurationError
from models.pauses import EVERYTHING, loop_target, type_target
from simulator.examples import FLAVOR
from tests.plugins.stores import ASKED, HOUR, Desk

DRY = replace(ASKED, dry_run=True)
LOOP, GFSC, FSC = loop_target("worker-pool"), type_target("gfsc"), type_target("fsc_rlie")
SOON = timedelta(seconds=1.5)


def test_what_is_paused_is_shown_with_who_and_why_until_it_is_resumed(desk: Desk) -> None:
    operations = desk.doors.operations
    verdicts = operations.pause([LOOP, EVERYTHING], ASKED)
    assert [(verdict.subject, verdict.done) for verdict in verdicts] == [
        (LOOP, True),
        (EVERYTHING, True),
    ]
    shown = desk.view().pauses
    assert [pause.target for pause in shown] == [EVERYTHING, LOOP]
    assert {(pause.by, pause.reason, pause.until) for pause in shown} == {
        (ASKED.actor, ASKED.reason, None)
    }
    assert all(abs(desk.now() - pause.since) < HOUR for pause in shown)
    assert desk.doors.reader.pauses() == shown
    [verdict] = operations.resume([EVERYTHING], ASKED)
    assert (verdict.subject, verdict.done) == (EVERYTHING, True)
    assert [pause.target for pause in desk.view().pauses] == [LOOP]
    assert desk.audit() == [(ASKED.actor, target) for target in (LOOP, EVERYTHING, EVERYTHING)]


def test_a_pause_for_a_while_is_over_by_itself(desk: Desk) -> None:
    desk.doors.operations.pause([LOOP], ASKED, lasts=SOON)
    [pause] = desk.view().pauses
    assert pause.until == pause.since + SOON
    desk.doors.pass_time(SOON)
    assert desk.view().pauses == desk.doors.reader.pauses() == ()
    [verdict] = desk.doors.operations.resume([LOOP], ASKED)
    assert not verdict.done


def test_a_new_pause_takes_the_place_of_the_old_one(desk: Desk) -> None:
    desk.doors.operations.pause([LOOP], ASKED)
    desk.doors.operations.pause([LOOP], replace(ASKED, actor="bob", reason="mine"), lasts=HOUR)
    [pause] = desk.view().pauses
    assert (pause.by, pause.reason, pause.until) == ("bob", "mine", pause.since + HOUR)


@pytest.mark.parametrize("target", ["type:fsc", "gfsc", ""])
def test_what_cannot_rest_is_refused(desk: Desk, target: str) -> None:
    with desk.nothing_written():
        [verdict] = desk.doors.operations.pause([target], ASKED)
    assert (verdict.subject, verdict.done) == (target, False)


def test_what_is_not_paused_cannot_be_resumed(desk: Desk) -> None:
    desk.doors.operations.pause([EVERYTHING], ASKED)
    with desk.nothing_written():
        [verdict] = desk.doors.operations.resume([LOOP], ASKED)
    assert (verdict.subject, verdict.done) == (LOOP, False)


@pytest.mark.parametrize("lasts", [timedelta(0), -HOUR])
def test_a_pause_of_no_time_is_refused(desk: Desk, lasts: timedelta) -> None:
    with desk.nothing_written(), pytest.raises(ConfigurationError):
        desk.doors.operations.pause([LOOP], ASKED, lasts=lasts)


def test_trying_writes_nothing_and_answers_the_same(desk: Desk) -> None:
    operations = desk.doors.operations
    with desk.nothing_written():
        tried = operations.pause([LOOP, "x"], DRY)
    assert tried == operations.pause([LOOP, "x"], ASKED)
    with desk.nothing_written():
        tried = operations.resume([LOOP, GFSC], DRY)
    assert tried == operations.resume([LOOP, GFSC], ASKED)


def test_jobs_of_a_paused_type_are_in_no_queue_and_still_counted(desk: Desk) -> None:
    jobs = desk.submit(2)
    others = desk.submit(1, type="gfsc")
    counted = desk.view().counts
    desk.doors.operations.pause([FSC], ASKED)
    view = desk.view()
    assert [job.id for job in view.ready] == list(others)
    assert FLAVOR not in view.ready_total
    assert sum(view.ready_total.values()) == 1
    assert view.counts == counted
    desk.doors.operations.resume([FSC], ASKED)
    assert desk.view().ready_total[FLAVOR] == 2
    assert {job.id for job in desk.view().ready} == {*jobs, *others}


def test_paused_jobs_do_not_keep_others_of_their_flavor_out_of_the_view(desk: Desk) -> None:
    desk.submit(3)
    (last,) = desk.submit(1, type="rlies1s2")
    flavor = desk.job(last).flavor
    before = desk.view(ready=1)
    desk.doors.operations.pause([FSC], ASKED)
    view = desk.view(ready=1)
    assert [job.id for job in view.ready if job.flavor == flavor] == [last]
    assert view.ready_total[flavor] == 1
    assert before.ready_total[flavor] == (4 if flavor == FLAVOR else 1)


def test_a_paused_job_that_is_not_due_is_not_left_out_twice(desk: Desk) -> None:
    run = desk.claimed()
    desk.submit(1)
    desk.do(desk.requeued(run, desk.now() + HOUR))
    assert desk.view().ready_total == {FLAVOR: 1}
    desk.doors.operations.pause([FSC], ASKED)
    assert desk.view().ready_total == {}


def test_a_run_that_is_out_goes_on_while_its_type_is_paused(desk: Desk) -> None:
    run = desk.queued()
    desk.doors.operations.pause([FSC, EVERYTHING], ASKED)
    desk.claim(run)
    assert [flight.run.claim for flight in desk.view().in_flight] == [1]
