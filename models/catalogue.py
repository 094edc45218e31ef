"""What a product catalogue says, and the port through which it is read.

A catalogue is read in pages in the order of publication. Every product becomes a
`CatalogueProduct`, whichever protocol told of it; what cannot be understood becomes a
`RejectedEntry` with its text, and the rest of the page goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from models.product_names import ProductType

AttributeValue: TypeAlias = str | int | float | bool | None

TEXT_KEPT = 20_000
"""Characters kept of an entry that cannot be understood; real ones have 3,000 to 6,000."""


class Collection(StrEnum):
    """What a catalogue keeps together, by its name there."""

    SENTINEL_1 = "SENTINEL-1"
    SENTINEL_2 = "SENTINEL-2"
    HRSI = "HRSI"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checksum:
    """A digest of the product's archive, in hexadecimal digits."""

    algorithm: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensing:
    """From when to when the satellite looked."""

    start: datetime
    stop: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Orbit:
    """Where the satellite was: `relative` numbers the orbits of one repeat cycle."""

    absolute: int | None = None
    relative: int | None = None
    direction: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueProduct:
    """One product as a catalogue lists it.

    `id` is the catalogue's own, `name` without suffix. `origin_at` is when the agency that flies
    the satellite published it, `published_at` when this catalogue did: they may be a day apart, and
    only `published_at` orders what a catalogue tells. `footprint` is WKT, longitude before
    latitude, None where the catalogue draws none. `size` is in bytes, None where it does not know
    (it then says 0).
    `attributes` holds all that the catalogue says besides, under its own names, covers in percent.
    """

    id: str
    name: str
    collection: Collection
    type: ProductType
    unit: str
    sensing: Sensing
    published_at: datetime
    footprint: str | None = None
    origin_at: datetime | None = None
    modified_at: datetime | None = None
    path: str | None = None
    size: int | None = None
    online: bool = True
    orbit: Orbit = Orbit()
    tile: str | None = None
    baseline: str | None = None
    made_at: datetime | None = None
    is_cog: bool = False
    checksums: tuple[Checksum, ...] = ()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


class RejectReason(StrEnum):
    """What about an entry could not be understood: its shape as JSON, its name, that it is of
    another type than was asked for, or one of its fields.
    """

    SHAPE = "shape"
    NAME = "name"
    TYPE = "type"
    FIELD = "field"


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedEntry:
    """An entry that could not be understood: `why`, in words, and `text`, at most `TEXT_KEPT`
    characters of what the catalogue sent. `entry` is its name there, as far as it has one, else
    a digest of the text: the same entry, met again, has the same. `type` is that of the product,
    as far as somebody said it; it is not kept with the entry.
    """

    source: str
    collection: Collection
    entry: str
    why: str
    text: str
    reason: RejectReason = RejectReason.FIELD
    type: ProductType | None = field(default=None, compare=False)


class Times(StrEnum):
    """By which of its times a product is asked for: when it was published, or measured."""

    PUBLICATION = "publication"
    SENSING = "sensing"


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueQuery:
    """What is asked for: products of one type whose time is in [`since`, `until`), over an area.
    `besides` are other types of the collection that the same answer is to give; only a catalogue
    of our own products has several in one.

    `by` says which time that is (of a measurement its start), and so the order of the answer.
    `area` is WKT, longitude before latitude; None: everywhere. `limit` bounds a page.
    """

    collection: Collection
    type: ProductType
    since: datetime
    until: datetime
    area: str | None = None
    limit: int = 200
    by: Times = Times.PUBLICATION
    besides: tuple[ProductType, ...] = ()

    @property
    def types(self) -> tuple[ProductType, ...]:
        """All types that are asked for."""
        return (self.type, *self.besides)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageMark:
    """Where the next page begins: at what has the time `since`, less the first `skip` of it.

    `last` is the id of the last entry given before it: met again there, the catalogue goes round
    in circles.
    """

    since: datetime
    skip: int = 0
    last: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CataloguePage:
    """A part of an answer. `next` is None on the last page: the answer is complete then.

    `reached`: whatever the catalogue had of times before that has been given, in this page or in
    one before it; what it publishes late may still come.
    """

    products: tuple[CatalogueProduct, ...]
    rejected: tuple[RejectedEntry, ...]
    reached: datetime
    next: PageMark | None = None

    @property
    def complete(self) -> bool:
        """Nothing that was asked for is left."""
        return self.next is None


def time_of(product: CatalogueProduct, by: Times) -> datetime:
    """The time by which a product was asked for."""
    return product.published_at if by is Times.PUBLICATION else product.sensing.start


class Catalogue(Protocol):
    """One product catalogue."""

    @property
    def name(self) -> str:
        """What this installation calls it; the `source` of whatever it rejects."""

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """One page of the answer, in the order of the times asked for; `mark` is the `next` of
        another.

        Products that share a moment may come in any order and, where pages meet,
        twice. None is left out, unless the catalogue gets it later than it is asked.

        Raises `Throttled` when asked too often (`retry_after` says when to come back),
        `Unavailable` when there is no answer or only a part of one, `Refused` when it wants other
        credentials, `Malformed` when the answer as a whole makes no sense, or goes round in
        circles. Nothing of a page is given then: asking again from the same mark loses nothing.
        """
