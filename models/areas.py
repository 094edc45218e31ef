"""The area of interest: which tiles are processed, and the polygon that catalogues are asked for.

It comes as a list of tiles or as polygons in GeoJSON; either is checked as a whole before anything
is asked for, and an error names the file and the feature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from models.creation import Area
from models.errors import ConfigurationError
from models.tiles import tile_polygon, tiles_in

WKT_LIMIT = 1500
"""Characters: with the rest of a question, and with blanks and commas as three characters each,
a URL stays below 4,000, of which every web server takes twice as much."""

TOLERANCES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Degrees by which the polygon that is asked for may be wider, tried one after the other."""

DECIMALS = 3
"""Of a degree: 100 m."""

_EARTH = box(-180, -90, 180, 90)
_COMMENT = re.compile(r"#.*")


def tiles_under(area: Area, footprint: str) -> tuple[str, ...]:
    """The tiles of the area that a footprint (WKT) meets, in the order of the area's.

    Raises `ValueError` for a text that is no geometry.
    """
    try:
        found = _tree(area.tiles).query(shapely.from_wkt(footprint), predicate="intersects")
    except ShapelyError as error:
        raise ValueError(f"{footprint[:60]!r} is no geometry: {error}") from error
    return tuple(area.tiles[number] for number in sorted(found))


@lru_cache(maxsize=8)
def _tree(tiles: tuple[str, ...]) -> shapely.STRtree:
    return shapely.STRtree([tile_polygon(tile) for tile in tiles])


def area_of_tiles(tiles: Sequence[str], limit: int = WKT_LIMIT) -> Area:
    """The area of these tiles, each once, with a polygon of at most `limit` characters.

    Raises `ValueError` for an id that no tile has, and for no tile at all.
    """
    if not tiles:
        raise ValueError("names no tile")
    polygons = [tile_polygon(tile) for tile in tiles]
    return Area(tiles=tuple(dict.fromkeys(tiles)), wkt=covering(shapely.union_all(polygons), limit))


def read_area(content: bytes, source: str, limit: int = WKT_LIMIT) -> Area:
    """The area in a file: GeoJSON, or one tile per line, with `#` before comments.

    Raises `ConfigurationError` naming `source`, the line or feature, what is wrong and the remedy.
    """
    # Only names and comments can have other than plain letters: they are for people.
    told = content.decode("utf-8-sig", "replace")
    if told.lstrip()[:1] in {"{", "["}:
        return _of_geojson(told, source, limit)
    tiles: list[str] = []
    for number, line in enumerate(told.splitlines(), start=1):
        tile = _COMMENT.sub("", line).strip()
        if not tile:
            continue
        try:
            tile_polygon(tile)
        except ValueError as error:
            raise ConfigurationError(f"{source}, line {number}: {error}") from error
        tiles.append(tile)
    if not tiles:
        raise ConfigurationError(
            f"{source}: no tile in it; put one id per line, such as 32TLR, or a GeoJSON polygon"
        )
    return area_of_tiles(tiles, limit)


def covering(geometry: BaseGeometry, limit: int) -> str:
    """A polygon without holes, as WKT of at most `limit` characters, that covers a geometry.

    As close as one of the `TOLERANCES` allows; where none fits, the rectangle around it. Raises
    `ValueError` when not even that fits.
    """
    for tolerance in TOLERANCES:
        found = _wider(geometry, tolerance)
        if found is not None and len(found) <= limit:
            return found
    west, south, east, north = geometry.bounds
    step = 10**-DECIMALS
    rectangle = _text(box(west - step, south - step, east + step, north + step))
    if len(rectangle) > limit:
        raise ValueError(f"{limit} characters are too few for any polygon; allow {len(rectangle)}")
    return rectangle


def _wider(geometry: BaseGeometry, tolerance: float) -> str | None:
    """A polygon that is wider by about `tolerance`; None if, once rounded, it covers not all."""
    wide = geometry.buffer(tolerance, join_style="mitre").simplify(tolerance / 2)
    whole = wide if isinstance(wide, Polygon) else wide.convex_hull
    if not isinstance(whole, Polygon):
        return None
    text = _text(Polygon(whole.exterior))
    rounded = shapely.from_wkt(text)
    return text if rounded.is_valid and rounded.covers(geometry) else None


def _text(polygon: Polygon) -> str:
    ring = orient(polygon).exterior.coords
    points = (f"{round(x, DECIMALS):g} {round(y, DECIMALS):g}" for x, y in ring)
    return f"POLYGON (({', '.join(points)}))"


# ---- GeoJSON -------------------------------------------------------------------------------------


def _of_geojson(told: str, source: str, limit: int) -> Area:
    try:
        document = msgspec.json.decode(told)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source}: it is no JSON: {error}") from error
    parts = [_polygon_of(where, value) for where, value in _geometries(document, source)]
    if not parts:
        raise ConfigurationError(f"{source}: no feature in it; it needs at least one polygon")
    tiles = tuple(tiles_in(shapely.union_all(parts)))
    if not tiles:
        raise ConfigurationError(f"{source}: no Sentinel-2 tile lies there")
    return area_of_tiles(tiles, limit)


def _geometries(document: Any, source: str) -> Iterator[tuple[str, Any]]:
    """Every geometry with where it stands, for people."""
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        for number, feature in enumerate(document["features"], start=1):
            yield from _of_feature(feature, f"{source}, feature {number}")
    elif kind == "Feature":
        yield from _of_feature(document, f"{source}, feature 1")
    elif kind in {"Polygon", "MultiPolygon"}:
        yield source, document
    else:
        raise ConfigurationError(
            f"{source}: it is a {kind or type(document).__name__}, expected a GeoJSON "
            "FeatureCollection, Feature, Polygon or MultiPolygon"
        )


def _of_feature(feature: Any, where: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise ConfigurationError(f"{where}: it is no GeoJSON Feature")
    properties = feature.get("properties")
    named = properties if isinstance(properties, dict) else {}
    name = feature.get("id") or named.get("name") or named.get("Name")
    yield (f"{where} ({name})" if name else where), feature.get("geometry")


def _polygon_of(where: str, geometry: Any) -> BaseGeometry:
    try:
        found = shapely.from_geojson(msgspec.json.encode(geometry))
    except ShapelyError as error:
        raise ConfigurationError(f"{where}: it has no geometry: {error}") from error
    if not isinstance(found, Polygon | MultiPolygon):
        kind = getattr(found, "geom_type", "nothing")
        raise ConfigurationError(f"{where}: it is a {kind}, expected a Polygon or a MultiPolygon")
    if found.is_empty or not found.is_valid:
        reason = "it is empty" if found.is_empty else shapely.is_valid_reason(found)
        raise ConfigurationError(f"{where}: the polygon is not valid: {reason}; mend it")
    if not _EARTH.covers(found):
        raise ConfigurationError(
            f"{where}: it lies outside of longitudes -180 to 180 and latitudes -90 to 90; "
            "coordinates must be degrees (EPSG:4326), longitude first"
        )
    return found
