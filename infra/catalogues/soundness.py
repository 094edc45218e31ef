"""What of an entry can be worked with: places that have an extent, times that can be reckoned with,
texts that can be stored.

Rules compute with what passed here, and the store keeps it, for all entries of a look at once: what
cannot be computed with or kept would fail that look for as long as the entry is listed.
"""

from __future__ import annotations

from math import isfinite

import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from models.catalogue import CatalogueProduct
from models.urgency import is_plausible

NUL = (b"\x00", rb"\u0000")
"""The one character that PostgreSQL cannot keep, as JSON may have it."""


def require_storable(text: bytes) -> None:
    """Raises `ValueError` for an entry that no table can keep."""
    if any(each in text for each in NUL):
        raise ValueError("it has a NUL character, which cannot be stored")


def require_plausible(product: CatalogueProduct) -> CatalogueProduct:
    """The product. Raises `ValueError` naming a time at which nothing can have been."""
    times = {
        "the beginning of its measurement": product.sensing.start,
        "the end of its measurement": product.sensing.stop,
        "its publication": product.published_at,
        "its publication at the origin": product.origin_at,
        "its last change": product.modified_at,
    }
    for what, at in times.items():
        if at is not None and not is_plausible(at):
            raise ValueError(f"{what} is at {at:%Y-%m-%d}, which cannot be")
    return product


def footprint_of(found: BaseGeometry) -> BaseGeometry:
    """The polygons of a footprint; where sides cross, with each crossing a corner.

    Raises `ValueError` for what is no polygon, has no extent, or lies nowhere on earth.
    """
    if found.geom_type not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"the footprint is a {found.geom_type}, not a polygon")
    if not all(map(isfinite, shapely.get_coordinates(found).flat)):
        raise ValueError("the footprint lies nowhere: it has a corner at infinity")
    if found.is_empty:
        raise ValueError("the footprint is empty")
    west, south, east, north = found.bounds
    if west < -360 or east > 360 or south < -90 or north > 90:
        raise ValueError(f"the footprint lies nowhere on earth, between {found.bounds} degrees")
    if found.is_valid:
        return found
    mended = _mended(found)
    if mended.is_empty:
        raise ValueError("the footprint has no extent")
    if not mended.is_valid:
        raise ValueError(f"the footprint crosses itself: {shapely.is_valid_reason(found)}")
    return mended


def _mended(found: BaseGeometry) -> BaseGeometry:
    """The same with each crossing a corner. Raises `ValueError` when that cannot be computed."""
    try:
        mended = shapely.make_valid(found, method="structure", keep_collapsed=False)
        # A line that is gone along twice is left as a side of two parts; together they are one.
        return mended if mended.is_valid else shapely.union_all(shapely.get_parts(mended))
    except ShapelyError as error:
        raise ValueError(f"the footprint crosses itself: {error}") from error
