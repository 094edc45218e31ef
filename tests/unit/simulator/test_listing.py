"""What simulated catalogues list is plausible, and the same for the same seed."""

from datetime import timedelta
from itertools import pairwise

import pytest
import shapely

from models.product_names import ProductType, parse_product_name
from models.tiles import tile_polygon
from simulator.catalogues.listing import ORDERLY, Disorder, Listed, listing
from simulator.catalogues.memory import strangeness
from simulator.catalogues.orbits import BEGINNING, SLICE
from simulator.catalogues.state import MONTH, outages

TILES = ("32TLR", "33WXS")
YEAR = timedelta(days=365)


def a_year(seed: int = 0, disorder: Disorder = ORDERLY) -> list[Listed]:
    """Everything that is listed of a year."""
    return listing(TILES, BEGINNING, BEGINNING + YEAR, seed=seed, disorder=disorder)


def test_two_units_of_sentinel_2_take_turns_every_five_days_at_half_past_ten() -> None:
    images = [e.product for e in a_year() if e.product.tile == "32TLR"]
    orbits = {product.orbit.relative for product in images}
    assert orbits
    for orbit in orbits:
        mine = sorted(
            (p for p in images if p.orbit.relative == orbit), key=lambda p: p.sensing.start
        )
        assert len(mine) == pytest.approx(73, abs=1)
        for one, other in pairwise(mine):
            assert abs(other.sensing.start - one.sensing.start - timedelta(days=5)) < SLICE
            assert one.unit != other.unit
        # Local time at 7 degrees east is 28 minutes ahead of UTC.
        local = mine[0].sensing.start + timedelta(minutes=28)
        assert local.hour * 60 + local.minute == pytest.approx(10 * 60 + 30, abs=12)


def test_a_unit_of_sentinel_1_comes_back_after_twelve_days() -> None:
    slices = [e.product for e in a_year() if e.product.type is ProductType.GRDH]
    tracks = {(p.unit, p.orbit.relative, p.footprint) for p in slices}
    for unit, orbit, footprint in sorted(tracks, key=str)[:20]:
        times = sorted(
            p.sensing.start
            for p in slices
            if (p.unit, p.orbit.relative, p.footprint) == (unit, orbit, footprint)
        )
        assert all(abs(b - a - timedelta(days=12)) < SLICE for a, b in pairwise(times))
        assert shapely.from_wkt(footprint or "").is_valid
    assert {p.orbit.direction for p in slices} == {"ASCENDING", "DESCENDING"}


def test_every_name_says_what_the_record_says() -> None:
    for entry in a_year()[:300]:
        product, named = entry.product, parse_product_name(entry.title)
        assert (named.name, named.unit, named.tile) == (product.name, product.unit, product.tile)
        assert named.sensing_at == product.sensing.start
        assert product.origin_at is not None
        assert product.sensing.stop < product.origin_at < product.published_at == entry.visible_at
        if product.tile is None:
            footprint = shapely.from_wkt(product.footprint or "")
            assert any(footprint.intersects(tile_polygon(tile)) for tile in TILES)


def test_the_same_seed_lists_the_same_and_another_does_not() -> None:
    assert a_year(1, Disorder()) == a_year(1, Disorder())
    assert a_year(1) != a_year(2)


def test_disorder_comes_as_often_as_it_is_said() -> None:
    orderly, entries = a_year(3), a_year(3, Disorder(doubled=0.1, renewed=0.1, nonsense=0.1))
    images = len(orderly)
    names = [entry.product.name for entry in entries if strangeness(entry) is None]
    renewed = [e for e in entries if e.product.baseline == "0512"]
    optical = sum(entry.product.tile is not None for entry in orderly)
    assert len(names) - len(set(names)) == pytest.approx(0.1 * images, rel=0.3)
    assert len(renewed) == pytest.approx(0.1 * optical, rel=0.4)
    assert len(entries) - len(names) == pytest.approx(0.1 * images, rel=0.3)
    late = [
        e for e in entries if e.product.published_at - e.product.sensing.stop > 1.2 * YEAR / 365
    ]
    assert late
    assert any(entry.visible_at > entry.product.published_at for entry in entries)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("every", "lasts", "least", "most"),
    [
        pytest.param(MONTH, YEAR, 6, 18, id="a-year"),
        pytest.param(timedelta(days=1), timedelta(days=4), 1, 8, id="the-four-days-of-a-life"),
    ],
)
def test_outages_come_as_often_as_is_said_and_end(
    seed: int, every: timedelta, lasts: timedelta, least: int, most: int
) -> None:
    found = list(outages(seed, BEGINNING, BEGINNING + lasts, every))
    assert least <= len(found) <= most
    assert all(
        timedelta(hours=1) <= each.until - each.since <= timedelta(hours=12) for each in found
    )
    assert all(one.until < other.since for one, other in pairwise(found))
