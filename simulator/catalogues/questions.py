"""The questions of both protocols, as what is looked for: the part of each language that is used.

Whatever is not understood is refused, as the real services do, rather than passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import shapely
from shapely.errors import ShapelyError

from models.catalogue import Collection, Times
from models.product_names import ProductType
from simulator.catalogues.state import Wanted

MOMENT = r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z)"
TICK = timedelta(microseconds=1)

_COLLECTION = re.compile(r"Collection/Name eq '([A-Z0-9-]+)'")
_TIME = re.compile(rf"(PublicationDate|ContentDate/Start) (gt|ge|lt|le) {MOMENT}")
_TYPE = re.compile(
    r"Attributes/OData\.CSC\.StringAttribute/any\(att:att/Name eq 'productType' and "
    r"att/OData\.CSC\.StringAttribute/Value eq '([A-Z0-9_-]+)'\)"
)
_NAMED = re.compile(r"contains\(Name,'([^']+)'\)")
_AREA = re.compile(r"OData\.CSC\.Intersects\(area=geography'SRID=4326;([^']+)'\)")
_NAMED_TYPES: Mapping[str, ProductType] = {
    "_IW_GRDH_": ProductType.GRDH,
    "_MSIL1C_": ProductType.L1C,
}
_RESTO_TYPES: Mapping[str, ProductType] = {"L1C": ProductType.L1C, "GRD": ProductType.GRDH}
_RESTO_COLLECTIONS: Mapping[str, Collection] = {
    "Sentinel1": Collection.SENTINEL_1,
    "Sentinel2": Collection.SENTINEL_2,
    "HRSI": Collection.HRSI,
}


_RESTO_TIMES: Mapping[Times, tuple[str, str]] = {
    Times.PUBLICATION: ("publishedAfter", "publishedBefore"),
    Times.SENSING: ("startDate", "completionDate"),
}
ODATA_TIMES: Mapping[str, Times] = {
    "PublicationDate": Times.PUBLICATION,
    "ContentDate/Start": Times.SENSING,
}


def of_odata(text: str) -> Wanted:
    """What a `$filter` looks for. Raises `ValueError` for a part that is not understood."""
    wanted = Wanted()
    rest = text.strip()
    while rest:
        wanted, rest = _term(wanted, rest)
        if rest and not rest.startswith(" and "):
            raise ValueError(f"Invalid filter at: {rest[:80]}")
        rest = rest.removeprefix(" and ")
    return wanted


def of_resto(collection: str, params: Mapping[str, str]) -> Wanted:
    """What the parameters of a search look for. Raises `ValueError`, `KeyError` for a collection
    that is not there.
    """
    kind = params.get("productType")
    by = Times.SENSING if "startDate" in params else Times.PUBLICATION
    after, before = _RESTO_TIMES[by]
    return Wanted(
        collection=_RESTO_COLLECTIONS[collection],
        types=(_RESTO_TYPES.get(kind) or ProductType(kind),) if kind else (),
        by=by,
        since=_moment(params[after]) if after in params else None,
        until=_moment(params[before]) if before in params else None,
        area=_area(params["geometry"]) if "geometry" in params else None,
    )


def _term(wanted: Wanted, text: str) -> tuple[Wanted, str]:
    """The first condition of a text, added to what is looked for, and the rest of the text."""
    if match := _COLLECTION.match(text):
        wanted = replace(wanted, collection=Collection(match[1]))
    elif match := _TIME.match(text):
        wanted = _timed(wanted, ODATA_TIMES[match[1]], match[2], _moment(match[3]))
    elif match := _TYPE.match(text):
        wanted = replace(wanted, types=(ProductType(match[1]),))
    elif match := _NAMED.match(text):
        wanted = replace(wanted, types=(_NAMED_TYPES[match[1]],))
    elif match := _AREA.match(text):
        wanted = replace(wanted, area=_area(match[1]))
    else:
        raise ValueError(f"Invalid filter at: {text[:80]}")
    return wanted, text[match.end() :]


def _timed(wanted: Wanted, by: Times, comparison: str, at: datetime) -> Wanted:
    if by is not wanted.by and (wanted.since or wanted.until):
        raise ValueError("Filters by two times at once are not simulated")
    wanted = replace(wanted, by=by)
    if comparison in {"gt", "ge"}:
        return replace(wanted, since=at + TICK if comparison == "gt" else at)
    return replace(wanted, until=at + TICK if comparison == "le" else at)


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"Invalid date: {text}")
    return at


def _area(wkt: str) -> str:
    try:
        shapely.from_wkt(wkt)
    except ShapelyError as error:
        raise ValueError(f"Invalid geometry: {wkt[:80]}") from error
    return wkt
