"""Which L2A there are, and how one is given up: the same on both stores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.errors import Superseded
from models.l2a import ForgetL2a, GiveUpL2a, L2a, L2aState
from models.lifecycle import Status
from models.publication import FinishJob
from models.records import IntentKind
from tests.plugins.readiness import a_config, configured
from tests.plugins.series import become, handed_in, processed, ready, seen
from tests.plugins.stores import ASKED, HOUR, Desk


def done(desk: Desk, job_id: int, exit_code: int = 0, **config: object) -> None:
    """Let it leave an L2A and be over."""
    ready(desk, job_id, l2a_path_out=f"l2a/{job_id}", **config)
    processed(desk, job_id, exit_code)
    finished(desk, job_id)


def finished(desk: Desk, job_id: int) -> None:
    seq = desk.job(job_id).seq
    desk.do(FinishJob(at=desk.now(), job_id=job_id, expected_seq=seq, message="no product"))


def there(desk: Desk) -> dict[int, L2a]:
    return {each.job.id: each for each in desk.doors.jobs.l2as(0, 1000)}


def giving_up(desk: Desk, job_id: int) -> GiveUpL2a:
    at = desk.now()
    intent = desk.intent(IntentKind.REMOVE_L2A, str(job_id))
    return GiveUpL2a(at=at, job_id=job_id, before=at + HOUR, intent=intent)


def test_an_l2a_is_there_once_its_job_is_settled_until_it_is_forgotten(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    ready(desk, first, l2a_path_out="l2a/1")
    assert there(desk) == {}
    processed(desk, first)
    assert there(desk)[first].state is L2aState.KEPT
    finished(desk, first)
    done(desk, second)
    found = there(desk)
    assert [found[first].path, found[first].later, found[first].wanted_by] == [
        "l2a/1",
        second,
        None,
    ]
    assert (found[second].made, found[second].later) == (True, None)
    desk.do(giving_up(desk, first))
    assert there(desk)[first].state is L2aState.GOING
    desk.do(ForgetL2a(at=desk.now(), job_id=first))
    assert list(there(desk)) == [second]


def test_they_are_listed_a_part_at_a_time(desk: Desk) -> None:
    ids = handed_in(desk, 1, 2, 3)
    for each in ids:
        done(desk, each)
    listed = desk.doors.jobs.l2as
    assert [each.job.id for each in listed(0, 2)] == ids[:2]
    assert [each.job.id for each in listed(ids[1], 2)] == ids[2:]


def test_what_made_none_or_came_to_no_end_is_begun_with_by_nobody(desk: Desk) -> None:
    cloudy, cancelled, last = handed_in(desk, 1, 2, 3)
    done(desk, cloudy, exit_code=200)
    ready(desk, cancelled, l2a_path_out="l2a/2")
    desk.doors.operations.cancel([cancelled], ASKED)
    found = there(desk)
    assert [found[each].made for each in (cloudy, cancelled)] == [False, False]
    assert found[cloudy].wanted_by is None, f"job {last} begins with neither"


def test_of_two_jobs_of_one_image_the_newest_counts(desk: Desk) -> None:
    former, again = handed_in(desk, 1, 1)
    for each in (former, again):
        done(desk, each)
    found = there(desk)
    assert (found[former].later, found[again].later) == (again, None)


def waiting(desk: Desk, job_id: int, reference: int) -> None:
    """It is not configured yet."""


def begun(desk: Desk, job_id: int, reference: int) -> None:
    ready(desk, job_id, reference_job=reference, l2a_path_in="l2a/1")


@pytest.mark.parametrize("becomes", [waiting, begun])
def test_one_that_an_open_job_begins_with_stays(
    desk: Desk, becomes: Callable[[Desk, int, int], None]
) -> None:
    first, user = handed_in(desk, 1, 2)
    done(desk, first)
    becomes(desk, user, first)
    assert there(desk)[first].wanted_by == user
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.jobs.commit(desk.lease, giving_up(desk, first))
    desk.doors.operations.cancel([user], ASKED)
    assert there(desk)[first].wanted_by is None
    desk.do(giving_up(desk, first))


def test_a_job_that_would_begin_with_a_later_one_keeps_none_before_it(desk: Desk) -> None:
    first, second, user, far = handed_in(desk, 1, 2, 3, 90)
    for each in (first, second):
        done(desk, each)
    found = there(desk)
    assert (found[first].wanted_by, found[second].wanted_by) == (None, user)
    desk.doors.operations.cancel([user], ASKED)
    assert there(desk)[second].wanted_by is None, f"job {far} is too long after it"


def test_one_is_not_given_up_before_its_job_is_over_for_long_enough(desk: Desk) -> None:
    [job_id] = handed_in(desk, 1)
    ready(desk, job_id, l2a_path_out="l2a/1")
    processed(desk, job_id)
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.jobs.commit(desk.lease, giving_up(desk, job_id))
    finished(desk, job_id)
    early = GiveUpL2a(
        at=desk.now(),
        job_id=job_id,
        before=desk.job(job_id).status_at - HOUR,
        intent=desk.intent(IntentKind.REMOVE_L2A, str(job_id)),
    )
    with desk.nothing_written(), pytest.raises(Superseded):
        desk.doors.jobs.commit(desk.lease, early)
    desk.do(giving_up(desk, job_id))


def test_nobody_begins_with_one_that_is_going_or_gone(desk: Desk) -> None:
    first, second = handed_in(desk, 1, 2)
    done(desk, first)
    [late] = handed_in(desk, 1.5)
    assert seen(desk)[late].reference is not None
    begins = configured(
        desk.job(late),
        config=a_config("fsc_rlie", reference_job=first, l2a_path_in="l2a/1"),
        overtakes=True,
    )
    desk.doors.operations.cancel([late], ASKED)
    desk.doors.operations.cancel([second], ASKED)
    desk.do(giving_up(desk, first))
    desk.doors.operations.relaunch([late], ASKED)
    assert seen(desk)[late].reference is None
    raced = configured(desk.job(late), config=begins.config, overtakes=True)
    with desk.nothing_written():
        assert become(desk, raced) == 0, "it was given up meanwhile: it is looked at again"
    assert late in seen(desk)


def test_one_that_is_made_anew_is_kept_and_what_was_published_again_is_not(desk: Desk) -> None:
    [job_id] = handed_in(desk, 1)
    done(desk, job_id)
    desk.do(giving_up(desk, job_id))
    desk.doors.operations.relaunch([job_id], ASKED)
    processed(desk, job_id)
    assert there(desk)[job_id].state is L2aState.KEPT
    desk.do(ForgetL2a(at=desk.now(), job_id=job_id))
    assert there(desk)[job_id].state is L2aState.KEPT, "it is another one"
    finished(desk, job_id)
    desk.do(giving_up(desk, job_id))
    desk.do(ForgetL2a(at=desk.now(), job_id=job_id))
    desk.doors.operations.relaunch([job_id], ASKED)
    desk.doors.operations.cancel([job_id], ASKED)
    assert desk.job(job_id).status is Status.CANCELLED
    assert there(desk) == {}, "no run has left anything since"
