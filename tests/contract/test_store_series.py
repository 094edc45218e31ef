"""Series, and waits for other jobs: the same on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.configuration import MADE, UNFIT, Aside, ConfigureJobs, Wait
from models.errors import Malformed
from models.lifecycle import Status
from models.records import NewJob, Priority
from simulator.examples import NOW
from tests.plugins.readiness import a_config, configured
from tests.plugins.series import DAY, TYPES, become, handed_in, processed, ready, seen
from tests.plugins.stores import ASKED, HOUR, Desk


def a_wait(desk: Desk, for_job: int, lasts: timedelta = 2 * DAY) -> Wait:
    now = desk.now().replace(microsecond=0)
    return Wait(for_job=for_job, since=now, until=now + lasts, why=f"it waits for job {for_job}")


def waits(desk: Desk, job_id: int, for_job: int, lasts: timedelta = 2 * DAY) -> None:
    assert become(desk, configured(desk.job(job_id), wait=a_wait(desk, for_job, lasts))) == 1


def test_a_job_sees_the_nearest_open_one_before_it(desk: Desk) -> None:
    late, first, middle, same = handed_in(desk, 9, 1, 5, 5)
    handed_in(desk, 8, job_type="gfsc")
    found = seen(desk)
    assert found[first].before is None
    assert [found[each].before.id for each in (middle, same)] == [first, first]  # type: ignore[union-attr]
    nearest = found[late].before
    assert nearest is not None
    assert (nearest.id, nearest.key) == (same, desk.job(same).key)
    assert nearest.sensing_at == NOW + 5 * DAY


def test_a_job_begins_with_the_nearest_l2a_before_it(desk: Desk) -> None:
    old, good, cloudy, broken, late = handed_in(desk, -70, 1, 2, 3, 4)
    for each, code in ((old, 0), (good, 0), (cloudy, 200)):
        ready(desk, each, l2a_path_out=f"l2a/{each}")
        processed(desk, each, code)
    desk.doors.operations.cancel([broken], ASKED)
    found = seen(desk)[late]
    assert found.before is None
    assert found.reference is not None
    assert (found.reference.id, found.between) == (good, 1)
    assert found.reference.config["l2a_path_out"] == f"l2a/{good}"
    assert found.reference.status in MADE


def test_a_job_sees_the_images_after_it_that_made_an_l2a(desk: Desk) -> None:
    first, *later = handed_in(desk, *range(10))
    for each in later:
        ready(desk, each)
        processed(desk, each)
    found = seen(desk)[first]
    assert [each.id for each in found.after] == later[:7]
    assert found.after[0].input["path"] == "/eodata/1"


def test_a_job_sees_the_master_that_it_names(desk: Desk) -> None:
    (master,) = handed_in(desk, 1, job_type="sws_wds")
    (slave,) = handed_in(desk, 1, job_type="sws_wds", master=desk.job(master).key)
    found = seen(desk)
    assert found[master].master is None
    named = found[slave].master
    assert named is not None
    assert named.id == master


def test_a_job_that_waits_costs_nothing_until_the_other_one_is_settled(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    waits(desk, second, first)
    ready(desk, first)
    story = desk.story(second)
    assert (story.job.status, story.job.resume_status) == (Status.CONFIGURED, Status.INITIALIZED)
    assert story.wait is not None
    assert story.wait.for_job == first
    assert seen(desk) == {}
    processed(desk, first)
    woken = seen(desk)[second]
    assert woken.wait == story.wait
    assert woken.before is None
    ready(desk, second)
    assert (desk.job(second).status, desk.story(second).wait) == (Status.READY, None)


def cancelled(desk: Desk, job_id: int) -> None:
    desk.doors.operations.cancel([job_id], ASKED)


def put_aside(desk: Desk, job_id: int) -> None:
    unfit = Aside(job_id=job_id, expected_seq=desk.job(job_id).seq, why="input: no")
    become(desk, unfit=[unfit])


@pytest.mark.parametrize("settle", [cancelled, put_aside], ids=["cancelled", "quarantined"])
def test_what_can_never_finish_does_not_block(desk: Desk, settle: Any) -> None:
    first, second = handed_in(desk, 1, 2)
    waits(desk, second, first)
    settle(desk, first)
    assert seen(desk)[second].before is None


def test_a_wait_for_what_was_settled_meanwhile_is_over_at_once(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    change = configured(desk.job(second), wait=a_wait(desk, first))
    cancelled(desk, first)
    assert become(desk, change) == 1
    assert second in seen(desk)


def test_a_wait_that_lasted_too_long_is_looked_at(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    waits(desk, second, first, lasts=timedelta(0))
    desk.doors.pass_time(timedelta(seconds=1.1))
    found = seen(desk)[second]
    assert found.before is not None
    assert found.before.id == first


def test_a_wait_that_goes_on_for_another_job_keeps_its_status(desk: Desk) -> None:
    first, second, third = handed_in(desk, 1, 2, 3)
    waits(desk, third, second)
    cancelled(desk, second)
    before = desk.job(third)
    waits(desk, third, first)
    assert desk.job(third).seq == before.seq
    wait = desk.story(third).wait
    assert wait is not None
    assert wait.for_job == first
    assert seen(desk).keys() == {first}


def test_an_earlier_job_that_came_meanwhile_holds_a_job_up(desk: Desk) -> None:
    (late,) = handed_in(desk, 2)
    change = configured(desk.job(late))
    handed_in(desk, 1)
    with desk.nothing_written():
        assert become(desk, change) == 0
    assert become(desk, configured(desk.job(late), overtakes=True)) == 1


def test_a_cancelled_job_waits_for_nothing_any_more(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    waits(desk, second, first)
    cancelled(desk, second)
    assert desk.story(second).wait is None
    cancelled(desk, first)
    assert seen(desk) == {}


def test_a_job_that_makes_no_sense_rests_and_says_why(desk: Desk) -> None:
    (job_id,) = handed_in(desk, 1)
    unfit = Aside(job_id=job_id, expected_seq=desk.job(job_id).seq, why="input: $.path is no text")
    assert become(desk, unfit=[unfit]) == 1
    story = desk.story(job_id)
    assert (story.job.status, story.job.quarantined) == (Status.INTERNAL_ERROR, True)
    assert (story.job.error_subtype, story.history[-1].message) == (UNFIT, unfit.why)
    desk.doors.operations.relaunch([job_id], ASKED)
    assert desk.job(job_id).status is Status.INITIALIZED


def test_a_configuration_that_does_not_fit_its_schema_is_refused_by_its_field(desk: Desk) -> None:
    (job_id,) = handed_in(desk, 1)
    wrong = configured(desk.job(job_id), config=a_config("fsc_rlie", maja_mode="sideways"))
    with desk.nothing_written(), pytest.raises(Malformed, match="maja_mode"):
        desk.doors.jobs.commit(desk.lease, ConfigureJobs(at=desk.now(), jobs=(wrong,)))


def test_a_job_that_was_processed_once_never_blocks_again(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    ready(desk, first)
    processed(desk, first)
    desk.doors.operations.relaunch([first], ASKED)
    desk.doors.pass_time(HOUR * 0)
    assert seen(desk)[second].before is None


# ---- doing again ---------------------------------------------------------------------------------


FLAVORS = {name: found.flavor for name, found in TYPES.items()}


def a_chain(desk: Desk, ids: Sequence[int]) -> None:
    """These jobs made an L2A each, one upon the other."""
    for place, each in enumerate(ids):
        first = {"first_job": ids[0]} if place else {}
        ready(desk, each, n_l2a_produced_since_last_init=place, **first)
        processed(desk, each)


def again(desk: Desk, *job_ids: int) -> tuple[NewJob, ...]:
    """Jobs that do those again."""
    jobs = (desk.job(job_id) for job_id in job_ids)
    return tuple(
        NewJob(
            type=job.type,
            key=f"{job.key}@backward",
            name=job.name,
            tile=job.tile,
            priority=Priority.REPROCESSING,
            sensing_at=NOW + (number + 1) * DAY,
        )
        for number, job in enumerate(jobs)
    )


def test_the_ninth_of_a_chain_sees_the_eight_before_it_until_they_are_done_again(
    desk: Desk,
) -> None:
    *chain, eighth, ninth = handed_in(desk, *range(1, 10))
    a_chain(desk, chain)
    assert seen(desk)[eighth].chain == (), "seven are too few"
    ready(desk, eighth, n_l2a_produced_since_last_init=7, first_job=chain[0])
    processed(desk, eighth)
    assert [each.id for each in seen(desk)[ninth].chain] == [*chain, eighth]
    new = again(desk, *chain, eighth)
    change = ConfigureJobs(at=desk.now(), jobs=(), again=new, flavors=FLAVORS)
    assert desk.do(change).created == 0
    assert desk.do(change).created == 0, "twice adds nothing"
    found = seen(desk)
    assert found[ninth].chain == ()
    assert len(found) == 1 + len(new)
    assert desk.story(max(found)).job.priority is Priority.REPROCESSING


def test_what_was_done_again_is_what_counts_of_an_image(desk: Desk) -> None:
    first, second, third = handed_in(desk, 1, 2, 3)
    a_chain(desk, [first, second])
    desk.do(ConfigureJobs(at=desk.now(), jobs=(), again=again(desk, first), flavors=FLAVORS))
    (twin,) = set(seen(desk)) - {third}
    assert [each.id for each in seen(desk)[twin].after] == [second]
    ready(desk, twin, n_l2a_produced_since_last_init=8)
    processed(desk, twin)
    (early,) = handed_in(desk, 0)
    assert [each.id for each in seen(desk)[early].after] == [twin, second]


def test_what_is_for_reprocessing_holds_up_no_new_image(desk: Desk) -> None:
    first, old, new = handed_in(desk, 1, 2, 9)
    ready(desk, first)
    desk.do(ConfigureJobs(at=desk.now(), jobs=(), again=again(desk, first, old), flavors=FLAVORS))
    twins = sorted(set(seen(desk)) - {old, new})
    found = seen(desk)
    for each, earlier in ((new, old), (twins[1], twins[0])):
        before = found[each].before
        assert before is not None
        assert before.id == earlier
    cancelled(desk, old)
    processed(desk, first)
    assert seen(desk)[new].before is None
    assert become(desk, configured(desk.job(new))) == 1, "nobody before it holds it up"
    late = configured(desk.job(twins[1]))
    assert become(desk, late) == 0, "another one for reprocessing is before it"


def test_a_job_of_which_nothing_would_come_is_cancelled_with_the_reason(desk: Desk) -> None:
    (job_id, other) = handed_in(desk, 1, 2)
    waits(desk, other, job_id)
    job = desk.job(job_id)
    left = Aside(job_id=job_id, expected_seq=job.seq, why="its assembly shows nothing")
    stale = replace(left, expected_seq=job.seq + 1)
    assert desk.do(ConfigureJobs(at=desk.now(), jobs=(), futile=(stale,))).created == 0
    assert desk.do(ConfigureJobs(at=desk.now(), jobs=(), futile=(left,))).created == 1
    story = desk.story(job_id)
    assert story.job.status is Status.CANCELLED
    assert story.history[-1].message == "its assembly shows nothing"
    assert other in seen(desk), "whoever waited for it is looked at"
