"""Sentinel-2 tiles: from the id of a tile to its place on Earth, by computing alone.

A tile is named by a square of the Military Grid Reference System: `32TLR` is UTM zone 32, latitude
band T, and in it the square LR of 100 km. The tile begins at the upper left corner of its square,
moved outwards to the next multiple of 60 m so that pixels of every size fit, and is 109.8 km wide
and high: neighbours overlap.

PROJ turns metres of the zone into degrees; it needs neither grid nor database for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from pyproj import Proj
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

SIDE = 109_800
"""Metres."""
SQUARE = 100_000
PIXELS = 60
"""Metres: corners are multiples of it."""
POINTS_PER_SIDE = 4
"""A straight side in metres is bent in degrees, by up to 500 m; with three points between the
corners less than 40 m are lost."""

BANDS = "CDEFGHJKLMNPQRSTUVWX"
_SOUTHERN = BANDS[:10]
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_CYCLE = len(_ROWS) * SQUARE
"""After so many metres northwards the letters of rows begin anew."""

_TILE = re.compile(
    r"(?P<zone>\d{2})(?P<band>[C-HJ-NP-X])(?P<column>[A-HJ-NP-Z])(?P<row>[A-HJ-NP-V])"
)

MARGIN = 2 * SQUARE
"""By how much squares of a band may lie beyond where it begins and ends in the middle of its zone:
parallels are bent there."""

# The zones around Norway and Svalbard are not 6 degrees wide, and some do not exist.
_UNUSUAL = {
    (31, "V"): (0.0, 3.0),
    (32, "V"): (3.0, 12.0),
    (31, "X"): (0.0, 9.0),
    (33, "X"): (9.0, 21.0),
    (35, "X"): (21.0, 33.0),
    (37, "X"): (33.0, 42.0),
}
_MISSING = {(32, "X"), (34, "X"), (36, "X")}


@lru_cache(maxsize=4096)
def tile_polygon(tile: str) -> Polygon:
    """Where a tile lies: longitudes and latitudes in degrees, counter-clockwise.

    A tile that the 180th meridian cuts goes on beyond it, to longitudes above 180 or below -180.
    Raises `ValueError` for an id that no tile has.
    """
    match = _TILE.fullmatch(tile)
    if match is None:
        raise ValueError(
            f"{tile!r} is no tile id: expected zone, band and square, as in 32TLR, without T before"
        )
    zone, band, column, row = match.groups()
    corner = _corner(int(zone), band, column, row)
    if corner is None:
        raise ValueError(f"{tile!r} is no tile id: zone {zone}{band} has no square {column}{row}")
    easting, northing = corner
    left = easting // PIXELS * PIXELS
    top = -(-(northing + SQUARE) // PIXELS) * PIXELS
    return _degrees(int(zone), band, left, top - SIDE, SIDE)


def epsg_of(tile: str) -> int:
    """The EPSG code of the UTM zone that a tile, by its id, lies in."""
    return (32_700 if tile[2] in _SOUTHERN else 32_600) + int(tile[:2])


def tiles_in(area: BaseGeometry) -> Iterator[str]:
    """The ids of the tiles that share some of `area` (degrees), by zone, band, column and row.

    Every square that is partly in its own zone and band is a tile here. Sentinel-2 leaves a few of
    them out, which then never have a product, and in the far north makes tiles far out of their
    zone (34WBD), which only a list of tiles can name.
    """
    west, south, east, north = area.bounds
    # A tile reaches out of its zone by its own width at most: in the far north, many degrees.
    near = box(west - 10, south - 1, east + 10, north + 1)
    for zone, band in product(range(1, 61), BANDS):
        bounds = _bounds(zone, band)
        if bounds is not None and bounds.intersects(near):
            yield from _tiles_of(zone, band, bounds, area)


def _tiles_of(zone: int, band: str, bounds: Polygon, area: BaseGeometry) -> Iterator[str]:
    for column, row in product(_COLUMNS[(zone - 1) % 3], _ROWS):
        corner = _corner(zone, band, column, row)
        if corner is None or not _overlaps(_degrees(zone, band, *corner, SQUARE), bounds):
            continue
        tile = f"{zone:02}{band}{column}{row}"
        if _overlaps(tile_polygon(tile), area):
            yield tile


def _overlaps(one: Polygon, other: BaseGeometry) -> bool:
    """They share more than a border."""
    return bool(one.intersects(other) and not one.touches(other))


def _corner(zone: int, band: str, column: str, row: str) -> tuple[int, int] | None:
    """Easting and northing (metres) of a square's lower left corner; None if there is no such."""
    columns = _COLUMNS[(zone - 1) % 3]
    if not 1 <= zone <= 60 or (zone, band) in _MISSING or column not in columns:
        return None
    # Rows begin with A in odd zones and with F in even ones.
    first = 0 if zone % 2 else _ROWS.index("F")
    offset = (_ROWS.index(row) - first) % len(_ROWS) * SQUARE
    lowest, highest = _reach(zone, band)
    northing = offset + (lowest - offset + _CYCLE - 1) // _CYCLE * _CYCLE
    return ((columns.index(column) + 1) * SQUARE, northing) if northing < highest else None


@lru_cache(maxsize=1200)
def _reach(zone: int, band: str) -> tuple[int, int]:
    """Between which northings (metres) the corners of a band's squares lie."""
    project = _projection(zone, southern=band in _SOUTHERN)
    lowest, highest = (project(zone * 6.0 - 183, latitude)[1] for latitude in _latitudes(band))
    return int(lowest) // SQUARE * SQUARE - MARGIN, int(highest) + MARGIN


def _bounds(zone: int, band: str) -> Polygon | None:
    if (zone, band) in _MISSING:
        return None
    west, east = _UNUSUAL.get((zone, band), (zone * 6.0 - 186, zone * 6.0 - 180))
    south, north = _latitudes(band)
    return box(west, south, east, north)


def _latitudes(band: str) -> tuple[float, float]:
    south = BANDS.index(band) * 8.0 - 80
    return south, 84.0 if band == "X" else south + 8


def _degrees(zone: int, band: str, left: int, bottom: int, side: int) -> Polygon:
    steps = [side * step // POINTS_PER_SIDE for step in range(POINTS_PER_SIDE)]
    corners = (
        *((left + step, bottom) for step in steps),
        *((left + side, bottom + step) for step in steps),
        *((left + side - step, bottom + side) for step in steps),
        *((left, bottom + side - step) for step in steps),
    )
    xs, ys = zip(*corners, strict=True)
    projection = _projection(zone, southern=band in _SOUTHERN)
    longitudes, latitudes = projection(xs, ys, inverse=True)
    middle = zone * 6.0 - 183
    turned = (middle + (x - middle + 180) % 360 - 180 for x in longitudes)
    return Polygon(zip(turned, latitudes, strict=True))


@lru_cache(maxsize=120)
def _projection(zone: int, *, southern: bool) -> Proj:
    return Proj(proj="utm", zone=zone, south=southern, ellps="WGS84")
