"""Ice of both missions: a job per tile and day, once the day is over and nothing is on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.actions import Compose
from models.composing import Due, Group, Ingredient, Material, MovingJob
from models.product_names import ProductType
from models.records import Priority
from reconcilers.creation.compositions import COMPOSITIONS
from reconcilers.creation.groups import of_due
from simulator.examples import a_world
from tests.unit.reconcilers.compositions import (
    AREA,
    DAY,
    HOUR,
    NOON,
    OTHER,
    SETTINGS,
    TILE,
    a_moving_job,
    a_product,
    after,
    composed,
    opened,
)

OVER = datetime(2026, 1, 11, tzinfo=UTC)
GROUP = Group(job_type="rlies1s2", key=f"{TILE}-{DAY}", day=DAY, tiles=(TILE,), due_at=None)
OPTICAL = a_product(ProductType.RLIE)
RADAR = a_product(ProductType.RLIE, "S1A", NOON - 6 * HOUR)
EVENING = a_product(ProductType.RLIE, "S1C", NOON + 5 * HOUR)


@pytest.mark.parametrize(
    ("hours", "moving", "made", "again"),
    [
        pytest.param(7.9, (), False, 8, id="before-eight-hours-nothing"),
        pytest.param(8, (), True, None, id="after-eight-hours-if-nothing-is-on-its-way"),
        pytest.param(8, (TILE,), False, 8 + 1 / 6, id="a-job-of-the-tile-is-waited-for"),
        pytest.param(8, (OTHER,), True, None, id="a-job-of-another-tile-is-not"),
        pytest.param(23.95, (TILE,), False, 24, id="until-a-day-has-passed"),
        pytest.param(24, (TILE,), True, None, id="not-longer"),
    ],
)
def test_the_day_comes_to_its_end_and_jobs_are_waited_for_but_not_for_ever(
    hours: float, moving: tuple[str, ...], *, made: bool, again: float | None
) -> None:
    jobs = tuple(a_moving_job(tile) for tile in moving)
    what = composed(GROUP, (OPTICAL, RADAR), OVER + hours * HOUR, moving=jobs)
    assert bool(what.jobs) is made
    assert what.again_at == (None if again is None else OVER + again * HOUR)
    assert bool(what.waits) is not made


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((OPTICAL,), id="only-sentinel-2"),
        pytest.param((RADAR, EVENING), id="only-sentinel-1"),
        pytest.param((OPTICAL, replace(RADAR, unit="S1-S2")), id="what-is-of-both-already"),
        pytest.param((), id="nothing"),
    ],
)
def test_one_mission_alone_makes_no_job_and_waits_for_a_product_not_for_time(
    parts: tuple[Ingredient, ...],
) -> None:
    what = composed(GROUP, parts, OVER + 30 * HOUR)
    assert (what.jobs, what.again_at) == ((), None)
    assert "no RLIE of Sentinel-" in what.waits


@pytest.mark.parametrize(
    ("others", "unit"),
    [
        pytest.param((EVENING,), "S1C", id="five-hours-later-is-nearer-than-six-before"),
        pytest.param((replace(EVENING, sensing_at=NOON + 7 * HOUR),), "S1A", id="seven-are-not"),
    ],
)
def test_of_sentinel_1_the_satellite_that_came_nearest_is_used(
    others: tuple[Ingredient, ...], unit: str
) -> None:
    what = composed(GROUP, (OPTICAL, RADAR, *others), OVER + 9 * HOUR)
    (job,) = what.jobs
    assert job.input["unit"] == unit
    assert [part["product"] for part in job.input["rlie_s2"]] == [OPTICAL.name]
    assert all(unit in part["product"] for part in job.input["rlie_s1"])


def test_the_job_is_named_after_tile_and_day_and_made_once() -> None:
    what = composed(GROUP, (OPTICAL, RADAR), OVER + 9 * HOUR)
    (job,) = what.jobs
    assert (job.key, job.tile, job.priority) == (f"{TILE}-2026-01-10", TILE, Priority.DELAYED)
    assert job.deadline == OVER + 11 * HOUR
    late = a_product(ProductType.RLIE, at=NOON + HOUR, published_at=OVER + 50 * HOUR)
    again = composed(after(GROUP, what), (OPTICAL, RADAR, late), OVER + 60 * HOUR)
    assert (again.jobs, again.again_at) == ((), None)


def test_of_two_versions_the_newer_one_is_used() -> None:
    newer = a_product(ProductType.RLIE, version=0, published_at=NOON + 9 * HOUR)
    (job,) = composed(GROUP, (newer, OPTICAL, RADAR), OVER + 9 * HOUR).jobs
    assert [part["product"] for part in job.input["rlie_s2"]] == [newer.name]


def test_a_product_opens_the_group_of_its_tile_and_day_for_when_the_wait_is_over() -> None:
    (group,) = opened(OPTICAL, "rlies1s2")
    assert (group.key, group.day, group.tiles) == (GROUP.key, DAY, (TILE,))
    assert group.due_at == OVER + 8 * HOUR


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(replace(OPTICAL, unit="S1-S2"), id="made-of-both"),
        pytest.param(
            replace(OPTICAL, published_at=NOON + timedelta(days=32)), id="of-more-than-a-month-ago"
        ),
    ],
)
def test_what_is_of_no_use_opens_nothing(part: Ingredient) -> None:
    assert opened(part, "rlies1s2") == ()


def test_a_tile_without_ice_has_no_group() -> None:
    dry = replace(AREA, without_rlie=frozenset({TILE}))
    assert COMPOSITIONS["rlies1s2"].opens(OPTICAL, dry, SETTINGS) == ()


def test_a_group_remembers_since_when_it_waits_until_it_waits_no_more() -> None:
    def settled(group: Group, hours: float, *moving: MovingJob) -> Group:
        due = Due(groups=(group,), material=Material(ingredients=(OPTICAL, RADAR), moving=moving))
        world = replace(a_world(), due=due, area=AREA)
        (action,) = of_due(world, SETTINGS, OVER + hours * HOUR)
        assert isinstance(action, Compose)
        return action.groups[0]

    first = settled(GROUP, 9, a_moving_job(TILE))
    assert (bool(first.waits), first.waits_since) == (True, OVER + 9 * HOUR)
    second = settled(first, 10, a_moving_job(TILE))
    assert second.waits_since == first.waits_since
    over = settled(second, 11)
    assert (over.waits, over.waits_since) == ("", None)
