"""The OData protocol of CREODIAS and of the Copernicus Data Space: one schema, two addresses.

Pages are not followed by their links, which end at 10,000 entries: each asks for what has a time
from the last moment of the page before on. Only when a whole page shares one moment is it skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import shapely
from shapely.errors import ShapelyError

from infra.catalogues.entries import (
    NO_ENTRY,
    moment,
    read_entries,
    read_page,
    required_moment,
    written,
)
from infra.catalogues.soundness import footprint_of
from infra.catalogues.transport import Ask, OverHttp
from models.catalogue import (
    AttributeValue,
    CataloguePage,
    CatalogueProduct,
    CatalogueQuery,
    Checksum,
    Orbit,
    PageMark,
    Sensing,
    Times,
)
from models.errors import Malformed
from models.product_names import ProductType, parse_product_name

PATH = "/odata/v1/Products"
MOST_PER_PAGE = 1000
MOST_SKIPPED = 10_000
"""What the service allows; above it answers 422."""

DISORDER = timedelta(seconds=1)
"""By how much entries may come out of the order that was asked for: what is told in milliseconds
may be ordered by something finer, or coarser."""

_FIELDS: Mapping[Times, str] = {
    Times.PUBLICATION: "PublicationDate",
    Times.SENSING: "ContentDate/Start",
}

_PRODUCTS: Mapping[ProductType, str] = {
    ProductType.L1C: (
        "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType' and "
        "att/OData.CSC.StringAttribute/Value eq 'S2MSI1C')"
    ),
    # By name: what productType says of these differs between the two services.
    ProductType.GRDH: "contains(Name,'_IW_GRDH_')",
}


class _Attribute(msgspec.Struct, rename="pascal", frozen=True):
    name: str
    value: str | int | float | bool | None = None


class _Checksum(msgspec.Struct, rename="pascal", frozen=True):
    value: str = ""
    algorithm: str = ""


class _ContentDate(msgspec.Struct, rename="pascal", frozen=True):
    start: str
    end: str


class _Entity(msgspec.Struct, rename="pascal", frozen=True):
    id: str
    name: str
    publication_date: str
    content_date: _ContentDate
    content_length: int | None = 0
    origin_date: str | None = None
    modification_date: str | None = None
    online: bool = True
    s3_path: str | None = msgspec.field(name="S3Path", default=None)
    footprint: str | None = None
    checksum: list[_Checksum] | None = None
    attributes: list[_Attribute] | None = None


class _Told(msgspec.Struct, rename="pascal", frozen=True):
    """What must be told of an entry to know its place, whatever else is wrong with it."""

    publication_date: str = ""
    content_date: _ContentDate = _ContentDate(start="", end="")
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where an entry stands in the order that was asked for."""

    id: str
    at: datetime


class _Page(msgspec.Struct, frozen=True):
    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


class ODataCatalogue(OverHttp):
    """The port `Catalogue` over OData; used by any number of threads."""

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """See `models.catalogue.Catalogue`. `Malformed` for a type that no input product has."""
        mark = mark or PageMark(since=query.since)
        ask = Ask(
            name="products",
            attempt=f"reading {query.collection} {query.type} of {self.name} "
            f"by time of {query.by} from {written(mark.since)}",
            path=PATH,
            params=_params(query, mark),
        )
        page = read_page(self._transport.get(ask), _Page, "value", ask.attempt)
        entries = read_entries(page.value, lambda raw: _product(raw, query), query, self.name)
        following = _next(page, query, mark, ask.attempt)
        return CataloguePage(
            products=entries.products,
            rejected=entries.rejected,
            reached=following.since if following else query.until,
            next=following,
        )


def _params(query: CatalogueQuery, mark: PageMark) -> dict[str, str]:
    wanted = None if query.besides else _PRODUCTS.get(query.type)
    if wanted is None:
        kinds = ", ".join(query.types)
        raise Malformed(f"{kinds}: no product type that can be asked for in OData by itself")
    field = _FIELDS[query.by]
    filters = [
        f"Collection/Name eq '{query.collection}'",
        wanted,
        f"{field} ge {written(mark.since)}",
        f"{field} lt {written(query.until)}",
    ]
    if query.area is not None:
        filters.append(f"OData.CSC.Intersects(area=geography'SRID=4326;{query.area}')")
    return {
        "$filter": " and ".join(filters),
        "$orderby": f"{field} asc",
        "$top": str(_per_page(query)),
        "$skip": str(mark.skip),
        "$expand": "Attributes",
    }


def _per_page(query: CatalogueQuery) -> int:
    return min(query.limit, MOST_PER_PAGE)


def _next(page: _Page, query: CatalogueQuery, mark: PageMark, attempt: str) -> PageMark | None:
    """Where to go on; None when the answer is complete. Raises `Malformed` rather than go round."""
    count = len(page.value)
    if count == 0 or (count < _per_page(query) and not page.next_link):
        return None
    places = [place for raw in page.value if (place := _place(raw, query)) is not None]
    last = places[-1].id if places else ""
    moments = [place.at for place in places]
    _require_order(moments, mark, attempt)
    newest = _rounded(max(moments, default=mark.since), query.by)
    if newest > mark.since:
        return PageMark(since=newest)
    following = PageMark(since=mark.since, skip=mark.skip + count, last=last)
    _require_progress(mark, following, attempt)
    return following


def _require_progress(mark: PageMark, following: PageMark, attempt: str) -> None:
    again = following.last and following.last == mark.last
    if again or following.skip > MOST_SKIPPED:
        raise Malformed(
            f"{attempt}: the catalogue goes round in circles: after {following.skip} entries of "
            f"one moment it ends with {following.last or 'nothing new'} again"
        )


def _require_order(moments: list[datetime], mark: PageMark, attempt: str) -> None:
    """Nothing could be said of what is left out if the order asked for were not kept."""
    for before, after in zip([mark.since, *moments], moments, strict=False):
        if after < before - DISORDER:
            raise Malformed(
                f"{attempt}: the answer is not in the order that was asked for: "
                f"{written(after)} after {written(before)}"
            )


def _place(raw: msgspec.Raw, query: CatalogueQuery) -> _Place | None:
    """None for an entry of which not even that can be read, and for one that was not asked for: it
    must not lead on beyond what was.
    """
    by = query.by
    try:
        told = msgspec.json.decode(raw, type=_Told)
        text = told.publication_date if by is Times.PUBLICATION else told.content_date.start
        at = required_moment(text, _FIELDS[by])
    except NO_ENTRY:
        return None
    return _Place(id=told.id, at=at) if at < query.until else None


def _rounded(at: datetime, by: Times) -> datetime:
    """As it will be asked for: `written` rounds down to milliseconds.

    Times of sensing are gone back to their second, within which they may come in any order: no
    overlap of looks makes up for what is passed over there.
    """
    kept = at.microsecond // 1000 * 1000 if by is Times.PUBLICATION else 0
    return at.replace(microsecond=kept)


def _product(raw: msgspec.Raw, query: CatalogueQuery) -> CatalogueProduct:
    entity = msgspec.json.decode(raw, type=_Entity)
    named = parse_product_name(entity.name)
    attributes: dict[str, AttributeValue] = {
        attribute.name: attribute.value for attribute in entity.attributes or ()
    }
    return CatalogueProduct(
        id=entity.id,
        name=named.name,
        collection=query.collection,
        type=named.type,
        unit=named.unit,
        sensing=Sensing(
            start=required_moment(entity.content_date.start, "ContentDate/Start"),
            stop=required_moment(entity.content_date.end, "ContentDate/End"),
        ),
        published_at=required_moment(entity.publication_date, "PublicationDate"),
        origin_at=moment(entity.origin_date),
        modified_at=moment(entity.modification_date),
        footprint=_wkt(entity.footprint),
        path=entity.s3_path or None,
        size=entity.content_length or None,
        online=entity.online,
        orbit=_orbit(attributes),
        tile=named.tile,
        baseline=named.baseline,
        made_at=named.made_at,
        is_cog=named.is_cog,
        checksums=tuple(
            Checksum(algorithm=each.algorithm, value=each.value)
            for each in entity.checksum or ()
            if each.value
        ),
        attributes=attributes,
    )


def _orbit(attributes: Mapping[str, AttributeValue]) -> Orbit:
    def number(name: str) -> int | None:
        value: Any = attributes.get(name)
        return value if isinstance(value, int) else None

    direction = attributes.get("orbitDirection")
    return Orbit(
        absolute=number("orbitNumber"),
        relative=number("relativeOrbitNumber"),
        direction=direction if isinstance(direction, str) else None,
    )


def _wkt(footprint: str | None) -> str | None:
    """The WKT in `geography'SRID=4326;POLYGON ((…))'`."""
    if not footprint:
        return None
    inner = footprint.removeprefix("geography'").removesuffix("'")
    reference, _, wkt = inner.rpartition(";")
    if reference not in {"", "SRID=4326"}:
        raise ValueError(f"Footprint is in {reference}, not in longitude and latitude (SRID=4326)")
    try:
        told = shapely.from_wkt(wkt)
    except ShapelyError as error:
        raise ValueError(f"Footprint is no geometry: {error}") from error
    found = footprint_of(told)
    return wkt if found is told else found.wkt
