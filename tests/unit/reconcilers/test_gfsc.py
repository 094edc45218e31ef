"""Gap-filled snow: per tile and day, made anew with whatever is new; the newest one counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from models.composing import Group, Ingredient
from models.product_names import ProductType
from models.records import Priority
from tests.unit.reconcilers.compositions import (
    DAY,
    HOUR,
    NOON,
    TILE,
    a_product,
    after,
    composed,
    measured_on,
    opened,
)

OVER = datetime(2026, 1, 11, tzinfo=UTC)
GROUP = Group(job_type="gfsc", key=f"{TILE}-{DAY}", day=DAY, tiles=(TILE,), due_at=None)
SNOW = a_product(ProductType.FSC)
RADAR = a_product(ProductType.SWS, "S1A", NOON - 6 * HOUR)
WET = a_product(ProductType.WDS, "S1A", NOON - 6 * HOUR)
BEFORE = a_product(ProductType.FSC, at=NOON - timedelta(days=3))
LISTED_AT = SNOW.published_at


@pytest.mark.parametrize(
    ("parts", "waited", "made"),
    [
        pytest.param((SNOW,), 0, False, id="an-fsc-alone-waits-for-the-radar-of-its-day"),
        pytest.param((SNOW,), 2.99, False, id="for-three-hours"),
        pytest.param((SNOW,), 3, True, id="not-longer"),
        pytest.param((SNOW, WET), 0, True, id="with-a-wds-at-once"),
        pytest.param((SNOW, RADAR), 0, True, id="with-an-sws-at-once"),
        pytest.param((RADAR,), 0, True, id="an-sws-alone-at-once"),
        pytest.param(
            (SNOW, replace(WET, sensing_at=NOON - timedelta(days=1))),
            0,
            False,
            id="the-wds-of-the-day-before-does-not-count",
        ),
    ],
)
def test_an_fsc_waits_three_hours_for_what_the_radar_saw_that_day(
    parts: tuple[Ingredient, ...], waited: float, *, made: bool
) -> None:
    what = composed(GROUP, parts, LISTED_AT + waited * HOUR)
    assert bool(what.jobs) is made
    assert what.again_at == (None if made else LISTED_AT + 3 * HOUR)


def test_the_job_has_all_of_the_seven_days_and_the_last_of_its_kind() -> None:
    former = [
        a_product(ProductType.GFSC, "S1-S2", datetime(2026, 1, day, tzinfo=UTC), version=day)
        for day in (8, 9, 7)
    ]
    what = composed(GROUP, (SNOW, RADAR, WET, BEFORE, *former), LISTED_AT)
    (job,) = what.jobs
    curation = int(LISTED_AT.timestamp())
    assert (job.key, job.name, job.tile) == (f"{GROUP.key}-{curation}", GROUP.key, TILE)
    assert job.priority is Priority.NRT
    assert [part["product"] for part in job.input["fsc"]] == [BEFORE.name, SNOW.name]
    assert [part["product"] for part in job.input["sws"]] == [RADAR.name]
    assert [part["product"] for part in job.input["wds"]] == [WET.name]
    assert job.input["former"]["product"] == former[1].name
    assert (job.input["curation"], job.input["unit"]) == (curation, "S1-S2")


def test_what_is_new_of_the_day_makes_it_anew_with_a_newer_curation() -> None:
    first = composed(GROUP, (RADAR,), NOON)
    group = after(GROUP, first)
    assert composed(group, (RADAR,), NOON + 9 * HOUR).jobs == ()
    second = composed(group, (RADAR, SNOW), LISTED_AT)
    (old,), (new,) = first.jobs, second.jobs
    assert new.input["curation"] > old.input["curation"]
    assert second.overridden == (old.key,)
    assert composed(after(group, second), (RADAR, SNOW), OVER + 9 * HOUR).jobs == ()


def test_what_is_listed_late_under_an_older_time_still_makes_a_newer_curation() -> None:
    first = composed(GROUP, (SNOW, WET), LISTED_AT)
    second = composed(after(GROUP, first), (SNOW, WET, RADAR), LISTED_AT + HOUR)
    assert second.jobs[0].input["curation"] == first.jobs[0].input["curation"] + 1


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(BEFORE, id="something-of-a-day-before"),
        pytest.param(
            a_product(ProductType.FSC, version=0, published_at=NOON + 30 * HOUR),
            id="the-nominal-version-of-what-was-used",
        ),
    ],
)
def test_only_new_measurements_of_the_day_make_it_anew(late: Ingredient) -> None:
    group = after(GROUP, composed(GROUP, (SNOW, WET), LISTED_AT))
    assert composed(group, (SNOW, WET, late), OVER + 40 * HOUR).jobs == ()


@pytest.mark.parametrize(
    ("now", "active", "made", "again"),
    [
        pytest.param(OVER + HOUR, True, False, OVER + 2 * HOUR, id="the-day-is-let-end"),
        pytest.param(OVER + 2 * HOUR, True, True, None, id="then-the-gap-is-filled"),
        pytest.param(
            OVER + 2 * HOUR, False, False, OVER + 4 * HOUR, id="not-while-nobody-has-anything"
        ),
        pytest.param(OVER + 100 * HOUR, True, True, None, id="late-when-something-comes-late"),
        pytest.param(OVER + 144 * HOUR, False, False, None, id="given-up-after-a-week"),
    ],
)
def test_a_tile_that_nobody_saw_gets_its_day_from_the_days_before(
    now: datetime, *, active: bool, made: bool, again: datetime | None
) -> None:
    seen = measured_on(DAY) if active else frozenset()
    what = composed(GROUP, (BEFORE,), now, active=seen)
    assert bool(what.jobs) is made
    assert what.again_at == again
    if made:
        assert what.jobs[0].priority is Priority.DELAYED
        assert composed(after(GROUP, what), (BEFORE,), now, active=seen).jobs == ()
        assert composed(after(GROUP, what), (BEFORE, RADAR), now, active=seen).jobs


def test_a_tile_without_anything_for_a_week_gets_nothing() -> None:
    what = composed(GROUP, (), OVER + 9 * HOUR, active=measured_on(DAY))
    assert (what.jobs, what.again_at) == ((), None)


def test_a_product_opens_its_day_at_once_and_the_six_days_after_it_when_they_are_over() -> None:
    groups = opened(SNOW, "gfsc")
    assert [group.day for group in groups] == [DAY + timedelta(days=n) for n in range(7)]
    assert groups[0].due_at == SNOW.published_at
    assert groups[1].due_at == datetime(2026, 1, 12, 2, tzinfo=UTC)
    assert groups[6].due_at == datetime(2026, 1, 17, 2, tzinfo=UTC)
    late = opened(replace(SNOW, published_at=OVER + 80 * HOUR), "gfsc")
    assert late[1].due_at == OVER + 80 * HOUR
    assert [group.day for group in late][-1] == date(2026, 1, 16)


def test_other_products_open_nothing() -> None:
    assert opened(a_product(ProductType.GFSC, "S1-S2"), "gfsc") == ()
