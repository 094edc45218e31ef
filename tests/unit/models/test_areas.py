"""An area of interest is checked as a whole, and what is asked for covers all of it."""

import json
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from models.areas import area_of_tiles, covering, read_area, tiles_under
from models.errors import ConfigurationError
from models.tiles import tile_polygon

ALPS = [[6.5, 45.2], [8.0, 45.2], [8.0, 46.2], [6.5, 46.2], [6.5, 45.2]]
TESTED = "30TYN 32TLR 32TMS 33WWR 33WXS 34WBD 32TLS 32TLT 38SLJ 38SMJ 38TMK 25SFD".split()


def geojson(*geometries: Any, **feature: Any) -> bytes:
    """A collection with a feature per geometry."""
    features = [{"type": "Feature", "geometry": each, **feature} for each in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def a_polygon(*ring: list[float]) -> dict[str, Any]:
    """A polygon of GeoJSON."""
    return {"type": "Polygon", "coordinates": [list(ring)]}


def test_a_list_of_tiles_is_an_area() -> None:
    area = read_area(b"# the Alps\n32TLR\n\n32TMS  # and east of it\n32TLR\n", "tiles.txt")
    assert area.tiles == ("32TLR", "32TMS")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(geojson(a_polygon(*ALPS)), id="collection"),
        pytest.param(
            json.dumps({"type": "Feature", "geometry": a_polygon(*ALPS)}).encode(), id="feature"
        ),
        pytest.param(json.dumps(a_polygon(*ALPS)).encode(), id="geometry"),
    ],
)
def test_geojson_names_every_tile_that_it_meets(content: bytes) -> None:
    area = read_area(content, "alps.geojson")
    assert {"31TGL", "32TLR", "32TLS", "32TMR", "32TMS"} <= set(area.tiles)
    assert all(tile_polygon(tile).intersects(shapely.Polygon(ALPS)) for tile in area.tiles)
    assert shapely.from_wkt(area.wkt).covers(shapely.Polygon(ALPS))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf32TLR\r\n32TMS\r\n", id="tiles-after-a-mark-of-utf-8"),
        pytest.param("# Zürich\n32TLR\n32TMS\n".encode("latin-1"), id="a-comment-in-latin-1"),
    ],
)
def test_tiles_are_read_however_an_editor_saved_them(content: bytes) -> None:
    assert read_area(content, "tiles.txt").tiles == ("32TLR", "32TMS")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf" + geojson(a_polygon(*ALPS)), id="after-a-mark-of-utf-8"),
        pytest.param(
            geojson(a_polygon(*ALPS), id="Zurich").replace(b"Zurich", b"Z\xfcrich"),
            id="a-name-in-latin-1",
        ),
    ],
)
def test_geojson_is_read_however_an_editor_saved_it(content: bytes) -> None:
    assert "32TLR" in read_area(content, "alps.geojson").tiles


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no tile in it", id="empty"),
        pytest.param(b"# nothing yet\n", "no tile in it", id="comments-alone"),
        pytest.param(b"32TLR\nT32TLS\n", "area, line 2: 'T32TLS' is no tile id", id="bad-tile"),
        pytest.param(b'{"type": "Featu', "no JSON", id="cut-short"),
        pytest.param(b"[" * 100_000, "no JSON", id="nested-deeper-than-anybody-reads"),
        pytest.param(b'{"type": "Topology"}', "it is a Topology", id="another-format"),
        pytest.param(b"[1, 2]", "it is a list", id="a-list"),
        pytest.param(geojson(), "no feature in it", id="no-feature"),
        pytest.param(
            geojson(None, name="x"), "area, feature 1: it has no geometry", id="no-geometry"
        ),
        pytest.param(
            geojson(a_polygon(*ALPS), {"type": "Point", "coordinates": [7, 45]}, id="b"),
            "area, feature 2 (b): it is a Point",
            id="a-point",
        ),
        pytest.param(
            geojson(a_polygon(*ALPS[:2]), properties={"name": "Alps"}),
            "area, feature 1 (Alps): it has no geometry",
            id="too-few-points",
        ),
        pytest.param(
            geojson(a_polygon(ALPS[0], ALPS[2], ALPS[1], ALPS[3], ALPS[0])),
            "not valid: Self-intersection",
            id="crosses-itself",
        ),
        pytest.param(
            geojson(a_polygon([3e5, 5e6], [4e5, 5e6], [4e5, 5.1e6], [3e5, 5e6])),
            "must be degrees",
            id="metres",
        ),
        pytest.param(
            geojson(a_polygon([0, -89], [10, -89], [10, -85], [0, -89])),
            "no Sentinel-2 tile lies there",
            id="the-south-pole",
        ),
        pytest.param(b'{"type": "FeatureCollection", "features": [7]}', "feature 1", id="number"),
    ],
)
def test_an_area_that_cannot_be_is_refused_with_file_and_feature(content: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_area(content, "area")
    assert "area" in str(refusal.value)
    assert says in str(refusal.value)


@given(
    tiles=st.lists(st.sampled_from(TESTED), min_size=1, unique=True),
    limit=st.sampled_from([120, 200, 400, 1500]),
)
def test_what_is_asked_for_covers_every_tile_within_the_limit(tiles: list[str], limit: int) -> None:
    area = area_of_tiles(tiles, limit)
    asked = shapely.from_wkt(area.wkt)
    assert isinstance(asked, shapely.Polygon)
    assert len(area.wkt) <= limit
    assert asked.is_valid
    assert asked.exterior.is_ccw
    assert not asked.interiors
    for tile in tiles:
        assert asked.covers(tile_polygon(tile))


def test_the_polygon_is_as_close_as_the_limit_allows() -> None:
    tiles = [tile_polygon(tile) for tile in TESTED]
    whole = shapely.union_all(tiles)
    sizes = [shapely.from_wkt(covering(whole, limit)).area for limit in (1500, 200, 120)]
    assert sizes == sorted(sizes)
    near = shapely.from_wkt(area_of_tiles(["32TLR"]).wkt)
    assert near.area < 1.15 * tile_polygon("32TLR").area


def test_a_limit_that_no_polygon_fits_into_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        covering(box(6, 45, 7, 46), 20)


def test_an_area_needs_a_tile() -> None:
    with pytest.raises(ValueError, match="no tile"):
        area_of_tiles([])


def test_a_footprint_meets_the_tiles_under_it() -> None:
    area = area_of_tiles(["32TLR", "32TMS", "38TMK"])
    assert tiles_under(area, "POLYGON ((6 45, 9 45, 9 47, 6 45))") == ("32TLR", "32TMS")
    assert tiles_under(area, "POLYGON ((0 0, 1 0, 1 1, 0 0))") == ()
    with pytest.raises(ValueError, match="no geometry"):
        tiles_under(area, "somewhere")
