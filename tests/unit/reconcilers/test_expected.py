"""A day that brings fewer jobs than its weekday does is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.creation import Area, Arrivals
from models.plan import ALARMS, Held, Reason
from models.settings_expected import ExpectedSettings
from models.world import World
from reconcilers.creation.expected import too_few
from simulator.examples import NOW, a_world

DAY = timedelta(days=1)
WHOLE = Area(tiles=tuple(f"{n}" for n in range(1054)), wkt="")
LONG_AGO = NOW - 30 * DAY


def a_day(began: datetime | None = LONG_AGO, area: Area | None = WHOLE, **counts: int) -> World:
    """A world in which the last 24 h brought so many jobs."""
    return replace(a_world(), area=area, arrivals=Arrivals(began=began, counts=counts))


def told(world: World, **settings: Any) -> dict[str, dict[str, Any]]:
    """The types that are told of, with the numbers."""
    found = list(too_few(world, ExpectedSettings(**settings), NOW))
    assert all(isinstance(each, Held) and each.reason is Reason.FEW_PRODUCTS for each in found)
    return {str(each.subject): dict(each.facts) for each in found}


@pytest.mark.parametrize(
    ("world", "settings", "types"),
    [
        pytest.param(a_day(fsc_rlie=400, rlies1=80), {}, [], id="just-enough"),
        pytest.param(a_day(fsc_rlie=399, rlies1=0), {}, ["fsc_rlie", "rlies1"], id="too-few"),
        pytest.param(a_day(fsc_rlie=9000), {}, [], id="many-are-no-harm"),
        pytest.param(a_day(), {}, [], id="a-type-that-never-had-jobs"),
        pytest.param(a_day(test=0), {}, [], id="a-type-of-which-nothing-is-expected"),
        pytest.param(a_day(began=NOW - DAY, gfsc=1), {}, ["gfsc"], id="a-day-was-counted"),
        pytest.param(
            a_day(began=NOW - DAY + timedelta(seconds=1), gfsc=1), {}, [], id="no-whole-day-yet"
        ),
        pytest.param(a_day(began=None), {}, [], id="nothing-was-counted"),
        pytest.param(a_day(fsc_rlie=5), {"fsc_rlie_least": 0}, [], id="turned-off"),
        pytest.param(
            a_day(area=replace(WHOLE, tiles=WHOLE.tiles[:500]), fsc_rlie=1),
            {},
            [],
            id="a-small-area",
        ),
        pytest.param(
            a_day(area=replace(WHOLE, tiles=WHOLE.tiles[:500]), fsc_rlie=1),
            {"tiles": 1000},
            ["fsc_rlie"],
            id="a-small-area-with-ranges-of-its-own",
        ),
        pytest.param(a_day(area=None, fsc_rlie=1), {}, [], id="no-area"),
        pytest.param(replace(a_world(), area=WHOLE), {}, [], id="nobody-looked"),
    ],
)
def test_fewer_than_is_ordinary_is_told(
    world: World, settings: dict[str, Any], types: list[str]
) -> None:
    assert list(told(world, **settings)) == [f"type:{each}" for each in types]


def test_each_weekday_counts_for_as_long_as_it_lasted() -> None:
    # NOW is a Sunday at noon: half of the day was Saturday.
    assert f"{NOW:%A %H:%M}" == "Sunday 12:00"
    poor = {"saturday": 0.5, "sunday": 0.1, "fsc_rlie_least": 1000, "fsc_rlie_most": 2000}
    assert told(a_day(fsc_rlie=300), **poor) == {}
    facts = told(a_day(fsc_rlie=299), **poor)["type:fsc_rlie"]
    assert facts == {"jobs": 299, "least": 300, "most": 600}


def test_the_sentence_says_what_was_expected_of_which_day() -> None:
    (held,) = too_few(a_day(rlies1=12), ExpectedSettings(), NOW)
    assert held.because == (
        "12 rlies1 jobs came of catalogues in the last 24 h, where 80 to 120 are ordinary on a "
        "Sunday"
    )


def test_somebody_has_to_look() -> None:
    assert Reason.FEW_PRODUCTS in ALARMS
