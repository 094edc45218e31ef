"""A day that brings fewer jobs than its weekday does is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.areas import area_of_tiles
from models.catalogue import Collection
from models.creation import Area, Arrivals, Feed, FeedDay
from models.plan import ALARMS, Held, Reason
from models.product_names import ProductType
from models.settings_expected import ExpectedSettings
from models.world import World
from reconcilers.creation.expected import day_of, too_few
from simulator.catalogues.listing import listing
from simulator.catalogues.orbits import BEGINNING
from simulator.examples import NOW, a_world
from tests.plugins.archive import jobs_of, products_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
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


CREODIAS, OTHER = (
    Feed(source=name, collection=Collection.SENTINEL_2, type=ProductType.L1C)
    for name in ("creodias", "cdse")
)


def a_day_of(feed: Feed, number: int) -> FeedDay:
    """A feed that listed so many images of the area."""
    return FeedDay(feed=feed, at=NOW, counts={"fsc_rlie": number})


def test_of_two_catalogues_the_one_that_falls_silent_is_named() -> None:
    world = a_day(fsc_rlie=450)
    world = replace(world, days=(a_day_of(CREODIAS, 450), a_day_of(OTHER, 3)))
    (held,) = too_few(world, ExpectedSettings(), NOW)
    assert (str(held.subject), held.reason) == (f"source:{OTHER}", Reason.FEW_PRODUCTS)
    assert held.because == (
        f"it lists 3 products of the area as published in the 24 h before {NOW:%Y-%m-%d %H:%M} "
        "UTC, where 400 to 600 are ordinary on a Sunday; what other catalogues list is processed"
    )
    assert dict(held.facts) == {"products": 3, "least": 400, "most": 600}


@pytest.mark.parametrize(
    ("world", "settings", "subjects"),
    [
        pytest.param(
            a_day(fsc_rlie=450),
            {"fsc_rlie_sunday": 0.1, "fsc_rlie_saturday": 0.1},
            0,
            id="a-lean-weekday",
        ),
        pytest.param(
            a_day(fsc_rlie=450), {"rlies1_sunday": 0, "rlies1_saturday": 0}, 1, id="of-another-type"
        ),
        pytest.param(a_day(fsc_rlie=450), {"fsc_rlie_least": 0}, 0, id="turned-off"),
        pytest.param(a_day(rlies1=100), {}, 0, id="a-type-that-never-had-jobs"),
        pytest.param(a_day(began=NOW - HOUR, fsc_rlie=450), {}, 0, id="no-whole-day-yet"),
        pytest.param(
            a_day(area=replace(WHOLE, tiles=("1",)), fsc_rlie=1), {}, 0, id="a-small-area"
        ),
        pytest.param(a_day(fsc_rlie=450), {}, 1, id="silent"),
    ],
)
def test_a_feed_is_judged_where_its_type_is(
    world: World, settings: dict[str, Any], subjects: int
) -> None:
    silent = replace(world, days=(a_day_of(OTHER, 50),))
    assert len(list(too_few(silent, ExpectedSettings(**settings), NOW))) == subjects


def test_a_feed_that_never_listed_anything_is_not_missed() -> None:
    never = replace(a_day_of(OTHER, 0), yielded=False)
    world = replace(a_day(fsc_rlie=450), days=(a_day_of(CREODIAS, 450), never))
    assert list(too_few(world, ExpectedSettings(), NOW)) == []
    again = replace(world, days=(a_day_of(OTHER, 0),))
    assert len(list(too_few(again, ExpectedSettings(), NOW))) == 1


def test_a_day_has_each_measurement_of_the_area_once_and_none_of_another_day() -> None:
    area = area_of_tiles(("32TLR",))
    listed = listing(("32TLR", "33TUM"), BEGINNING, BEGINNING + 12 * DAY)
    images = [e.product for e in listed if e.product.type is ProductType.L1C]
    mine = [each for each in images if each.tile == "32TLR"]
    now = mine[-1].published_at + HOUR
    young = [each for each in mine if each.published_at >= now - DAY]
    again = [replace(each, id="again", published_at=now - HOUR) for each in young]
    found = day_of(CREODIAS, [*images, *again, replace(young[0], published_at=now)], area, now)
    assert found == FeedDay(feed=CREODIAS, at=now, counts={"fsc_rlie": len(young)})
    assert len(young) < len(mine)


def test_a_feed_of_our_own_products_is_judged_by_the_jobs_that_make_one_each() -> None:
    area = area_of_tiles(("32TLR",))
    jobs = jobs_of(listing(("32TLR",), BEGINNING, BEGINNING + 12 * DAY), area)
    snow = [entry.product for entry in products_of(jobs) if entry.product.type is ProductType.FSC]
    now = snow[-1].published_at + HOUR
    feed = Feed(source="hrsi", collection=Collection.HRSI, type=ProductType.FSC)
    assert day_of(feed, snow, area, now).counts == {"fsc_rlie": 1}
    ice = replace(feed, type=ProductType.RLIE)
    assert day_of(ice, snow, area, now).counts == {}


def test_each_weekday_counts_for_as_long_as_it_lasted() -> None:
    # NOW is a Sunday at noon: half of the day was Saturday.
    assert f"{NOW:%A %H:%M}" == "Sunday 12:00"
    poor = {
        "fsc_rlie_saturday": 0.5,
        "fsc_rlie_sunday": 0.1,
        "fsc_rlie_least": 1000,
        "fsc_rlie_most": 2000,
    }
    assert told(a_day(fsc_rlie=300), **poor) == {}
    assert list(told(a_day(gfsc=849), **poor)) == ["type:gfsc"], "each type has its own weekdays"
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
