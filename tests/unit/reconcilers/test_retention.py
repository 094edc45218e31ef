"""Of which jobs the results go: of those that are over for long enough, and of no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import RemoveL2a, RemoveResults
from models.l2a import L2a, L2aState
from models.lifecycle import FINAL, Status
from models.plan import Held, Reason
from models.records import Job
from models.settings_retention import RetentionSettings
from models.world import Source, World
from reconcilers.retention import decide
from simulator.examples import NOW, a_job, a_world

KEPT = timedelta(days=30)
SETTINGS = RetentionSettings(results=KEPT)
OLD = NOW - KEPT


def left_by(*jobs: Job) -> World:
    """A world in which these jobs have left something."""
    return replace(a_world(), results=jobs)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("quarantined", [False, True])
def test_only_a_job_that_nobody_moves_any_more_loses_its_results(
    status: Status, quarantined: bool
) -> None:
    job = a_job(status=status, status_at=OLD, quarantined=quarantined)
    found = decide(left_by(job), SETTINGS, NOW)
    assert bool(found) is (quarantined or status in {Status.DONE, Status.CANCELLED})


@pytest.mark.parametrize(
    ("age", "goes"),
    [
        pytest.param(KEPT - timedelta(seconds=1), False, id="a-moment-too-young"),
        pytest.param(KEPT, True, id="just-old-enough"),
        pytest.param(10 * KEPT, True, id="long-forgotten"),
        pytest.param(-KEPT, False, id="a-clock-that-was-wrong"),
    ],
)
def test_it_loses_them_when_it_is_over_for_long_enough(age: timedelta, goes: bool) -> None:
    job = a_job(status=Status.DONE, status_at=NOW - age)
    assert bool(decide(left_by(job), SETTINGS, NOW)) is goes


@given(st.sampled_from(Status), st.timedeltas(timedelta(), 3 * KEPT), st.timedeltas(KEPT, 2 * KEPT))
def test_nothing_that_is_written_while_it_is_kept_is_ever_deleted(
    status: Status, age: timedelta, kept: timedelta
) -> None:
    job = a_job(status=status, status_at=NOW - age)
    for removal in decide(left_by(job), RetentionSettings(results=kept), NOW):
        assert isinstance(removal, RemoveResults)
        assert removal.unique_id == job.unique_id
        assert removal.before == NOW - kept
        assert job.status in FINAL


def test_so_many_jobs_lose_theirs_at_once_and_each_says_why() -> None:
    jobs = [a_job(id=number, status=Status.DONE, status_at=OLD) for number in range(1, 6)]
    found = decide(left_by(*jobs), replace(SETTINGS, jobs=3), NOW)
    assert [str(each.subject) for each in found] == ["job:1", "job:2", "job:3"]
    assert {each.reason for each in found} == {Reason.RESULTS_OLD}
    assert all("longer than 30 days" in each.because for each in found)


def test_while_the_bucket_is_unknown_nothing_goes_and_it_is_said() -> None:
    world = replace(a_world(), results=None, unknown={Source.RESULTS: "no answer for 30 s"})
    [held] = decide(world, SETTINGS, NOW)
    assert isinstance(held, Held)
    assert (str(held.subject), held.reason) == ("system:results", Reason.SOURCE_UNKNOWN)


def test_a_world_without_a_look_at_the_bucket_asks_for_nothing() -> None:
    assert decide(a_world(), SETTINGS, NOW) == []


# ---- L2A -----------------------------------------------------------------------------------------

YOUNG = NOW - timedelta(days=59)
"""An image of that day may still be the one that the next begins with."""


def an_l2a(**changes: Any) -> L2a:
    """The L2A of a job that is over for long enough; a later job has made another."""
    default = L2a(
        job=a_job(status=Status.DONE, status_at=OLD),
        sensing_at=YOUNG,
        path="32TLR/L2A/reference/x/init",
        state=L2aState.KEPT,
        made=True,
        later=2,
    )
    return replace(default, **changes)


def removed(*there: L2a, settings: RetentionSettings = SETTINGS) -> list[RemoveL2a]:
    found = decide(replace(a_world(), l2as=there), settings, NOW)
    return [each for each in found if isinstance(each, RemoveL2a)]


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        pytest.param({}, "job 2 made a later one", id="a-later-one"),
        pytest.param({"later": None}, None, id="the-newest-of-a-tile"),
        pytest.param(
            {"later": None, "sensing_at": NOW - timedelta(days=61)},
            "more than 60 days ago",
            id="too-old-to-begin-with",
        ),
        pytest.param(
            {"later": None, "made": False}, "did not come to a good end", id="none-was-made"
        ),
        pytest.param(
            {"later": None, "state": L2aState.GOING}, "not all of it is deleted", id="going"
        ),
        pytest.param({"wanted_by": 7}, None, id="an-open-job-begins-with-it"),
        pytest.param({"state": L2aState.GOING, "wanted_by": 7}, None, id="going-and-wanted"),
    ],
)
def test_an_l2a_goes_once_no_image_is_to_begin_with_it(
    changes: dict[str, Any], because: str | None
) -> None:
    found = removed(an_l2a(**changes))
    assert bool(found) is (because is not None)
    for each in found:
        assert (each.reason, each.job_id) == (Reason.L2A_OLD, 1)
        assert (because or "") in each.because
        assert (each.path, each.before) == ("32TLR/L2A/reference/x/init", OLD)


@given(
    status=st.sampled_from(Status),
    quarantined=st.booleans(),
    age=st.timedeltas(timedelta(), 3 * KEPT),
    kept=st.timedeltas(KEPT, 2 * KEPT),
)
def test_an_l2a_goes_with_a_job_that_is_over_for_long_enough_and_no_other(
    status: Status, quarantined: bool, age: timedelta, kept: timedelta
) -> None:
    job = a_job(status=status, status_at=NOW - age, quarantined=quarantined)
    found = removed(an_l2a(job=job), settings=RetentionSettings(l2a=kept))
    assert bool(found) is ((status in FINAL or quarantined) and age >= kept)


def test_so_many_l2a_go_at_once() -> None:
    there = [an_l2a(job=a_job(id=each, status=Status.DONE, status_at=OLD)) for each in range(1, 6)]
    found = removed(*there, settings=replace(SETTINGS, jobs=3))
    assert [each.job_id for each in found] == [1, 2, 3]
