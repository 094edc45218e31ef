"""Tiles are where Sentinel-2 says that they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Proj
from shapely import Point
from shapely.geometry import box

from models.tiles import SIDE, epsg_of, tile_polygon, tiles_in


@pytest.mark.parametrize(
    ("tile", "left", "top"),
    [
        pytest.param("31TCJ", 300_000, 4_900_020, id="top-moved-out-to-the-next-pixel"),
        pytest.param("31UDQ", 399_960, 5_500_020, id="left-side-too"),
        pytest.param("10SEG", 499_980, 4_200_000, id="top-on-a-pixel"),
        pytest.param("32ULU", 300_000, 5_400_000, id="even-zone"),
        pytest.param("28WEU", 499_980, 7_400_040, id="iceland"),
        pytest.param("34WBD", 199_980, 7_900_020, id="far-out-of-its-zone"),
        pytest.param("56HLH", 300_000, 6_300_000, id="southern"),
    ],
)
def test_a_tile_begins_at_the_upper_left_of_its_square(tile: str, left: int, top: int) -> None:
    metres = Proj(proj="utm", zone=int(tile[:2]), south=tile[2] < "N", ellps="WGS84")
    corners = [metres(x, y) for x, y, *_ in tile_polygon(tile).exterior.coords]
    xs, ys = zip(*corners, strict=True)
    assert (min(xs), max(ys)) == (pytest.approx(left, abs=0.01), pytest.approx(top, abs=0.01))
    assert (max(xs) - min(xs), max(ys) - min(ys)) == pytest.approx((SIDE, SIDE), abs=0.01)


@pytest.mark.parametrize(
    ("longitude", "latitude", "tile"),
    [
        pytest.param(7.45, 45.7, "32TLR", id="aosta"),
        pytest.param(1.44, 43.6, "31TCJ", id="toulouse"),
        pytest.param(5.3, 60.4, "32VKN", id="bergen-in-the-wide-zone"),
        pytest.param(15.6, 78.2, "33XWG", id="longyearbyen-in-a-wide-zone"),
        pytest.param(16.5, 68.2, "33WWR", id="lofoten"),
        pytest.param(-17.1, 65.6, "28WDT", id="iceland"),
        pytest.param(151.2, -33.9, "56HLH", id="sydney"),
    ],
)
def test_a_place_lies_in_its_tile(longitude: float, latitude: float, tile: str) -> None:
    assert tile_polygon(tile).contains(Point(longitude, latitude))
    assert tile in list(tiles_in(Point(longitude, latitude).buffer(0.01)))


@pytest.mark.parametrize(
    "tile",
    [
        pytest.param("T32TLR", id="with-the-letter-of-names"),
        pytest.param("32TLI", id="a-letter-that-is-never-used"),
        pytest.param("00TLR", id="zone-0"),
        pytest.param("61TLR", id="zone-61"),
        pytest.param("32XNM", id="a-zone-that-is-not-there"),
        pytest.param("32TAA", id="a-column-of-another-zone"),
        pytest.param("32TLE", id="a-row-of-another-band"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_tile_is_refused_by_name(tile: str) -> None:
    with pytest.raises(ValueError, match="no tile id") as refusal:
        tile_polygon(tile)
    assert repr(tile) in str(refusal.value)


@given(longitude=st.floats(-179.9, 179.9), latitude=st.floats(-79.9, 83.9))
def test_every_place_on_earth_lies_in_a_tile(longitude: float, latitude: float) -> None:
    place = Point(longitude, latitude)
    here = box(longitude - 1e-6, latitude - 1e-6, longitude + 1e-6, latitude + 1e-6)
    found = list(tiles_in(here))
    assert any(tile_polygon(tile).buffer(0.001).contains(place) for tile in found)


def test_neighbours_overlap() -> None:
    west, east = tile_polygon("32TLR"), tile_polygon("32TMR")
    shared = west.intersection(east)
    assert shared.area == pytest.approx(west.area * 9.8 / 109.8, rel=0.02)


@pytest.mark.parametrize(
    ("tile", "epsg"),
    [
        pytest.param("32TLR", 32632, id="the-alps"),
        pytest.param("40KCB", 32740, id="the-south"),
        pytest.param("01NAA", 32601, id="the-first-band-of-the-north"),
        pytest.param("60MZU", 32760, id="the-last-band-of-the-south"),
    ],
)
def test_a_tile_lies_in_a_zone_of_the_north_or_of_the_south(tile: str, epsg: int) -> None:
    assert epsg_of(tile) == epsg
