"""Slices of a data take of Sentinel-1 and the tiles under them: how much, and over which edge."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import cos, radians

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from models.tiles import tile_polygon

KM_PER_DEGREE = 111.32
CORNERS = 0.05
"""Degrees by which a side may be bent and still be one side."""


@lru_cache(maxsize=65_536)
def overlap_km2(tile: str, footprint: str) -> float:
    """How much of a tile lies under a footprint (WKT), in km².

    Raises `ValueError` for a tile that is none, and for a text that is no geometry.
    """
    shared = tile_polygon(tile).intersection(_geometry(footprint))
    if shared.is_empty:
        return 0.0
    return float(shared.area * KM_PER_DEGREE**2 * cos(radians(shared.centroid.y)))


@lru_cache(maxsize=65_536)
def crosses(tile: str, footprint: str, *, northern: bool) -> bool:
    """Whether a tile reaches over the northern, or else the southern, edge of a slice: those are
    the edges where the slice before and the one after begin.

    Raises as `overlap_km2`.
    """
    return bool(_edge(footprint, northern=northern).intersects(tile_polygon(tile)))


@lru_cache(maxsize=4096)
def _edge(footprint: str, *, northern: bool) -> LineString:
    outline = _geometry(footprint).simplify(CORNERS)
    ring = shapely.get_coordinates(outline if isinstance(outline, Polygon) else outline.convex_hull)
    sides = [LineString(pair) for pair in pairwise(ring)]
    furthest = max if northern else min
    return furthest(sides, key=lambda side: (side.centroid.y, side.centroid.x))


@lru_cache(maxsize=4096)
def _geometry(footprint: str) -> BaseGeometry:
    try:
        return shapely.from_wkt(footprint)
    except ShapelyError as error:
        raise ValueError(f"{footprint[:60]!r} is no geometry: {error}") from error
