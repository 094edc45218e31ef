"""The resto protocol: GeoJSON by OpenSearch, as the HR-S&I catalogue speaks it.

It does not promise to keep an order, so that pages may shift while they are read; it says that it
has given everything by an empty page. Until then nothing is known of what is left out: `reached`
stays at the beginning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import shapely
from shapely.errors import ShapelyError

from infra.catalogues.entries import (
    NO_ENTRY,
    Entries,
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
    Collection,
    Orbit,
    PageMark,
    Sensing,
    Times,
)
from models.errors import Malformed
from models.product_names import (
    ProductType,
    SentinelProduct,
    SnowProduct,
    parse_product_name,
    parse_snow_name,
)

COLLECTIONS: Mapping[Collection, str] = {
    Collection.SENTINEL_1: "Sentinel1",
    Collection.SENTINEL_2: "Sentinel2",
    Collection.HRSI: "HRSI",
}
TYPES: Mapping[ProductType, str] = {ProductType.L1C: "L1C", ProductType.GRDH: "GRD"}
"""How resto calls a type, where it does not call it as everybody does."""

_FIELDS: Mapping[Times, tuple[str, str, str]] = {
    Times.PUBLICATION: ("publishedAfter", "publishedBefore", "published"),
    Times.SENSING: ("startDate", "completionDate", "startDate"),
}
"""What a question names for a time: from, to, and the order."""

MOST_PAGES = 500
NOTHING = msgspec.Raw(b"null")

Properties = dict[str, AttributeValue | list[Any] | dict[str, Any]]


class _Feature(msgspec.Struct, frozen=True):
    properties: Properties
    id: str = ""
    geometry: msgspec.Raw = NOTHING


class _TypedProperties(msgspec.Struct, rename="camel", frozen=True):
    product_type: str | None = None


class _Typed(msgspec.Struct, frozen=True):
    """What an entry says of its type, whatever else is wrong with it."""

    properties: _TypedProperties


class _PageProperties(msgspec.Struct, rename="camel", frozen=True):
    items_per_page: int | None = None


class _Page(msgspec.Struct, frozen=True):
    features: list[msgspec.Raw]
    properties: _PageProperties = _PageProperties()


class RestoCatalogue(OverHttp):
    """The port `Catalogue` over resto; used by any number of threads."""

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """See `models.catalogue.Catalogue`."""
        mark = mark or PageMark(since=query.since)
        number = mark.skip // query.limit + 1
        ask = Ask(
            name="search",
            attempt=f"reading page {number} of {query.collection} {', '.join(query.types)} of "
            f"{self.name} by time of {query.by} from {written(query.since)}",
            path=f"/api/collections/{COLLECTIONS[query.collection]}/search.json",
            params=_params(query, number),
        )
        page = read_page(self._transport.get(ask), _Page, "features", ask.attempt)
        if not page.features:
            return CataloguePage(products=(), rejected=(), reached=query.until)
        last = bytes(page.features[-1]).decode("utf-8", "replace")
        if last == mark.last or number >= MOST_PAGES:
            raise Malformed(f"{ask.attempt}: the catalogue goes round in circles")
        found = [self._read(raws, kind, query) for kind, raws in _by_type(page.features, query)]
        products = (product for entries in found for product in entries.products)
        return CataloguePage(
            products=tuple(filter(partial(_is_within, query), products)),
            rejected=tuple(entry for entries in found for entry in entries.rejected),
            reached=query.since,
            next=PageMark(since=query.since, skip=mark.skip + query.limit, last=last),
        )

    def _read(
        self, raws: Iterable[msgspec.Raw], kind: ProductType, query: CatalogueQuery
    ) -> Entries:
        """These entries as products of one type."""
        asked = replace(query, type=kind, besides=())
        return read_entries(raws, lambda raw: _product(raw, asked), asked, self.name)


def _by_type(
    raws: list[msgspec.Raw], query: CatalogueQuery
) -> Iterable[tuple[ProductType, list[msgspec.Raw]]]:
    """Entries by the type that was asked for. Where several were, an entry is of the type that it
    says, and what is of another is not ours to read; one that says none is taken for the first's.
    """
    if not query.besides:
        return ((query.type, raws),)
    found: defaultdict[ProductType, list[msgspec.Raw]] = defaultdict(list)
    wanted = {str(kind): kind for kind in query.types}
    for raw in raws:
        said = _type_said(raw)
        if said is None or said in wanted:
            found[wanted.get(said or "", query.type)].append(raw)
    return found.items()


def _type_said(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Typed).properties.product_type
    except NO_ENTRY:
        return None


def _is_within(query: CatalogueQuery, product: CatalogueProduct) -> bool:
    """Whether a product is of the time asked for: resto's bounds are not half-open, and of times of
    sensing it may compare either end.
    """
    if query.by is Times.PUBLICATION:
        return True
    return query.since <= product.sensing.start < query.until


def _params(query: CatalogueQuery, number: int) -> dict[str, str]:
    after, before, sort = _FIELDS[query.by]
    params = {
        **({} if query.besides else {"productType": TYPES.get(query.type, query.type.value)}),
        after: written(query.since),
        before: written(query.until),
        "maxRecords": str(query.limit),
        "page": str(number),
        "sortParam": sort,
        "sortOrder": "ascending",
    }
    if query.area is not None:
        params["geometry"] = query.area
    return params


def _product(raw: msgspec.Raw, query: CatalogueQuery) -> CatalogueProduct:
    feature = msgspec.json.decode(raw, type=_Feature)
    texts = _Texts(feature.properties)
    identifier = texts.required("productIdentifier")
    named = _named(identifier.rstrip("/").rpartition("/")[2], query)
    start = moment(texts.get("startDate")) or named.sensing_at
    stop = moment(texts.get("completionDate")) or start
    sentinel = named if isinstance(named, SentinelProduct) else None
    return CatalogueProduct(
        id=feature.id or identifier,
        name=named.name,
        collection=query.collection,
        type=named.type,
        unit=named.unit,
        # Of our own products `completionDate` is when the processing ended.
        sensing=Sensing(start=start, stop=max(start, stop) if sentinel else start),
        published_at=required_moment(texts.get("published"), "published"),
        origin_at=None,
        footprint=_wkt(feature.geometry),
        path=identifier if identifier.startswith("/") else None,
        orbit=Orbit(
            absolute=texts.number("orbitNumber"),
            relative=texts.number("relativeOrbitNumber"),
            direction=texts.get("orbitDirection"),
        ),
        tile=named.tile,
        baseline=named.baseline,
        made_at=named.made_at,
        is_cog=sentinel is not None and sentinel.is_cog,
        attributes={
            name: value
            for name, value in feature.properties.items()
            if not isinstance(value, list | dict)
        },
    )


def _named(name: str, query: CatalogueQuery) -> SentinelProduct | SnowProduct:
    if query.collection is Collection.HRSI:
        return parse_snow_name(name)
    return parse_product_name(name)


class _Texts:
    """The properties of a feature by type."""

    def __init__(self, properties: Properties) -> None:
        self._properties = properties

    def get(self, name: str) -> str | None:
        value = self._properties.get(name)
        return value if isinstance(value, str) else None

    def required(self, name: str) -> str:
        text = self.get(name)
        if not text:
            raise ValueError(f"properties.{name} is missing")
        return text

    def number(self, name: str) -> int | None:
        value = self._properties.get(name)
        return value if isinstance(value, int) else None


def _wkt(geometry: msgspec.Raw) -> str | None:
    """A polygon, or several, of GeoJSON as WKT."""
    if bytes(geometry) == bytes(NOTHING):
        return None
    try:
        found = shapely.from_geojson(bytes(geometry))
    except ShapelyError as error:
        raise ValueError(f"geometry: {error}") from error
    return footprint_of(found).wkt
