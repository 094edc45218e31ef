"""Snow from Sentinel-1: which slices show a tile, who makes the assembly, and what for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.composing import Group, Ingredient
from models.product_names import ProductType
from models.records import Priority
from models.tiles import tile_polygon
from reconcilers.creation.compositions import COMPOSITIONS
from tests.unit.reconcilers.compositions import (
    AREA,
    HOUR,
    OTHER,
    TILE,
    a_product,
    after,
    composed,
    opened,
)

DAWN = datetime(2026, 1, 10, 5, 30, tzinfo=UTC)
SLICE = timedelta(seconds=25)
TAKE = "S1A_046917"
WEST, SOUTH, EAST, NORTH = tile_polygon(TILE).bounds
MIDDLE = (SOUTH + NORTH) / 2
GROUP = Group(job_type="sws_wds", key=TAKE, day=DAWN.date(), tiles=(TILE, OTHER), due_at=None)
LATITUDES = (MIDDLE - 3, MIDDLE - 1.5, MIDDLE, MIDDLE + 1.5, MIDDLE + 3)
"""Where the slices of an ascending take meet, from south to north: the tile lies in the middle."""


def a_slice(number: int, **facts: Any) -> Ingredient:
    """One of the four slices of a take that goes up over both tiles."""
    south, north = LATITUDES[number - 1 : number + 1]
    start = DAWN + SLICE * number
    west, east = WEST - 1, EAST + 2
    known: dict[str, Any] = {
        "path": f"/eodata/slice-{number}",
        "tiles": [OTHER, TILE],
        "footprint": f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, "
        f"{west} {south}))",
        "sensing_stop": (start + SLICE).isoformat(),
        "origin_at": None,
        "priority": "nrt",
        "relative_orbit": 88,
        "direction": "ASCENDING",
        "slice": number,
        "slices": 4,
    }
    return Ingredient(
        place=TAKE,
        type=ProductType.GRDH,
        name=f"S1A_slice_{number}",
        unit="S1A",
        sensing_at=start,
        published_at=start + 2 * HOUR,
        facts=known | facts,
    )


LOWER, UPPER = a_slice(2), a_slice(3)
SNOW = a_product(ProductType.FSC, at=DAWN + 5 * HOUR)
NOW = UPPER.published_at
PATIENCE = UPPER.published_at + 6 * HOUR


def keys(what: Any) -> list[str]:
    """Of the jobs, without the take."""
    return [job.key.replace(f"_{TAKE}", "") for job in what.jobs]


@pytest.mark.parametrize(
    ("parts", "keys_made"),
    [
        pytest.param((LOWER, UPPER), [f"{TILE}_SWS"], id="sws-in-the-mountains-alone"),
        pytest.param((LOWER, UPPER, SNOW), [f"{TILE}_SWS_WDS"], id="and-wds-with-an-fsc"),
        pytest.param(
            (LOWER, UPPER, replace(SNOW, place=OTHER)),
            [f"{TILE}_SWS", f"{OTHER}_WDS"],
            id="wds-of-another-tile-with-its-fsc",
        ),
        pytest.param(
            (LOWER, UPPER, replace(SNOW, sensing_at=DAWN - timedelta(days=1))),
            [f"{TILE}_SWS"],
            id="not-with-that-of-the-day-before",
        ),
        pytest.param((SNOW,), [], id="nothing-without-a-slice"),
    ],
)
def test_what_is_made_depends_on_mountains_and_on_the_snow_of_the_day(
    parts: tuple[Ingredient, ...], keys_made: list[str]
) -> None:
    assert keys(composed(GROUP, parts, NOW)) == keys_made


@pytest.mark.parametrize(
    ("parts", "slices", "is_open"),
    [
        pytest.param((UPPER, LOWER), (2, 3), False, id="two-that-follow-one-another"),
        pytest.param((LOWER, UPPER, a_slice(1), a_slice(4)), (2, 3), False, id="no-others"),
        pytest.param((LOWER,), (2,), True, id="one-and-the-next-is-not-listed"),
        pytest.param((UPPER,), (3,), True, id="one-and-the-one-before-is-not"),
        pytest.param((a_slice(2, slices=2),), (2,), False, id="the-last-of-its-take"),
        pytest.param((a_slice(3, slice=1),), (3,), False, id="the-first-of-its-take"),
        pytest.param(
            (a_slice(2, slice=None, slices=None),), (2,), True, id="of-nobody-knows-how-many"
        ),
        pytest.param((LOWER, replace(LOWER, name="again"), UPPER), (2, 3), False, id="one-twice"),
    ],
)
def test_a_tile_that_reaches_into_a_slice_waits_for_it_but_not_for_ever(
    parts: tuple[Ingredient, ...], slices: tuple[int, ...], *, is_open: bool
) -> None:
    now = composed(GROUP, parts, NOW)
    assert bool(now.jobs) is not is_open
    patience = max(part.published_at for part in parts) + 6 * HOUR
    assert now.again_at == (patience if is_open else None)
    (job,) = composed(GROUP, parts, PATIENCE).jobs
    assert job.input["is_open"] is is_open
    paths = [f"/eodata/slice-{number}" for number in slices]
    assert [part["path"] for part in job.input["slices"]] == paths


def test_an_edge_that_no_tile_reaches_over_is_of_no_interest() -> None:
    elsewhere = replace(GROUP, tiles=(TILE,))
    whole = a_slice(2)
    wide = whole.facts["footprint"].replace(str(LATITUDES[2]), str(NORTH + 0.2))
    alone = replace(whole, facts={**whole.facts, "footprint": wide})
    assert composed(elsewhere, (alone,), NOW).jobs


@pytest.mark.parametrize(
    ("degrees", "made"),
    [
        pytest.param(0.0005, [], id="next-to-nothing"),
        pytest.param(0.1, [f"{TILE}_SWS"], id="a-strip"),
    ],
)
def test_a_slice_that_shows_next_to_nothing_of_a_tile_is_none_of_its(
    degrees: float, made: list[str]
) -> None:
    above = a_slice(4)
    touching = above.facts["footprint"].replace(str(LATITUDES[3]), f"{NORTH - degrees:.4f}")
    part = replace(above, facts={**above.facts, "footprint": touching})
    # The slice that is missing below it is waited for no longer.
    now = part.published_at + 6 * HOUR
    assert keys(composed(replace(GROUP, tiles=(TILE,)), (part,), now)) == made


def test_the_first_job_of_an_assembly_is_the_master_of_all_later_ones() -> None:
    first = composed(GROUP, (LOWER, UPPER), NOW)
    (job,) = first.jobs
    assert job.input["master"] == job.key
    assert job.input["siblings"] == [TILE, OTHER]
    assert job.input["assembly"] == f"{TAKE}_32632_20260110T053050_20260110T053140"
    snow = (SNOW, replace(SNOW, place=OTHER))
    second = composed(after(GROUP, first), (LOWER, UPPER, *snow), NOW + 9 * HOUR)
    assert keys(second) == [f"{TILE}_WDS", f"{OTHER}_WDS"]
    assert {each.input["master"] for each in second.jobs} == {job.key}
    third = composed(after(after(GROUP, first), second), (LOWER, UPPER, *snow), NOW + 10 * HOUR)
    assert third.jobs == ()


def test_the_priority_is_that_of_the_slower_slice() -> None:
    slow = a_slice(3, priority="delayed")
    (job,) = composed(GROUP, (LOWER, slow), NOW).jobs
    assert job.priority is Priority.DELAYED
    assert job.deadline == slow.published_at + 3 * HOUR
    assert (job.tile, job.name) == (TILE, f"{TILE}_{TAKE}")


def test_a_slice_opens_the_group_of_its_take_and_an_fsc_looks_at_those_of_its_day() -> None:
    (group,) = opened(UPPER, "sws_wds")
    assert (group.key, group.day, group.tiles) == (TAKE, DAWN.date(), (TILE, OTHER))
    assert group.due_at == UPPER.published_at
    assert opened(SNOW, "sws_wds") == ()
    assert ProductType.FSC in COMPOSITIONS["sws_wds"].touched_by


def test_no_tile_of_the_plain_has_sws() -> None:
    plain = replace(AREA, mountains=frozenset())
    assert composed(GROUP, (LOWER, UPPER), NOW, area=plain).jobs == ()
