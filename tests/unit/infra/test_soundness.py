"""Whatever footprint a catalogue tells: rules compute with it, or it is refused."""

from __future__ import annotations

from math import isfinite

import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from infra.catalogues.soundness import footprint_of
from models.areas import area_of_tiles, tiles_under
from models.slices import crosses, overlap_km2

TILE = "32TLR"
AREA = area_of_tiles((TILE, "32TLS"))
NEAR = st.tuples(st.floats(5, 9), st.floats(44, 48))
ON_A_GRID = st.tuples(st.integers(5, 9).map(float), st.integers(44, 48).map(float))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANYWHERE = st.tuples(FINITE, FINITE)


def rings(points: st.SearchStrategy[tuple[float, float]]) -> st.SearchStrategy[Polygon]:
    """Polygons of these corners, in any order: most cross themselves."""
    return st.lists(points, min_size=3, max_size=9).map(Polygon)


SHAPES = rings(NEAR) | rings(ON_A_GRID) | rings(ANYWHERE)


ALONG_A_LINE_TWICE = Polygon([(6, 45), (5, 44), (6, 44), (6, 45), (7, 44), (6, 44)])


@given(st.lists(SHAPES, min_size=1, max_size=3))
@example([ALONG_A_LINE_TWICE])
def test_what_is_let_through_can_be_computed_with(shapes: list[Polygon]) -> None:
    told: BaseGeometry = shapes[0] if len(shapes) == 1 else MultiPolygon(shapes)
    try:
        found = footprint_of(told)
    except ValueError:
        return
    assert found.is_valid
    assert not told.is_valid or found is told
    assert set(tiles_under(AREA, found.wkt)) <= set(AREA.tiles)
    overlap = overlap_km2(TILE, found.wkt)
    assert isfinite(overlap)
    assert overlap >= 0
    if overlap > 1:
        assert crosses(TILE, found.wkt, northern=True) in {True, False}


@pytest.mark.parametrize(
    ("wkt", "why"),
    [
        pytest.param("POINT (7 45)", "a Point", id="a-point"),
        pytest.param("POLYGON EMPTY", "empty", id="nothing"),
        pytest.param("POLYGON ((7 45, 8 46, 7 45, 7 45))", "no extent", id="a-line"),
        pytest.param("POLYGON ((7 45, 8 96, 7 96, 7 45))", "on earth", id="beyond-the-pole"),
        pytest.param("POLYGON ((inf 45, 8 46, 7 46, inf 45))", "infinity", id="infinite"),
    ],
)
def test_what_lies_nowhere_is_refused(wkt: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        footprint_of(shapely.from_wkt(wkt))
