"""From the entries of a page to products: one that cannot be understood stops no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from infra.catalogues.soundness import require_plausible, require_storable
from models.catalogue import (
    TEXT_KEPT,
    CatalogueProduct,
    CatalogueQuery,
    RejectedEntry,
    RejectReason,
)
from models.errors import Malformed
from models.product_names import UnknownName

NO_ENTRY = (msgspec.DecodeError, ValueError, RecursionError)
"""What reading an entry raises that is not as it should be; the last when it has no bottom."""

Page = TypeVar("Page", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries:
    """What the entries of one page came to."""

    products: tuple[CatalogueProduct, ...]
    rejected: tuple[RejectedEntry, ...]


class _Named(msgspec.Struct):
    """The name of an entry, wherever its protocol keeps it."""

    name: str = msgspec.field(name="Name", default="")
    id: str = ""


def read_page(body: bytes, shape: type[Page], entries: str, attempt: str) -> Page:
    """An answer as a page of that shape, whose field `entries` has each entry as its text.

    Where an entry breaks the rules of JSON itself (half a character, a number that is none), it is
    told apart from the others, to be rejected alone: else it would hold them up for as long as it
    is listed. Raises `Malformed` for what is no page at all.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except NO_ENTRY as error:
        try:
            return _taken_apart(body, shape, entries)
        except NO_ENTRY:
            raise Malformed(f"{attempt}: the answer is no page of products: {error}") from error


def _taken_apart(body: bytes, shape: type[Page], entries: str) -> Page:
    """The same, as Python reads it, which overlooks more; what it overlooked stays in the entry."""
    told = msgspec.convert(json.loads(body.decode("utf-8", "replace")), dict[str, Any])
    listed = msgspec.convert(told.get(entries), list[Any])
    page = msgspec.json.decode(json.dumps({**told, entries: []}), type=shape)
    raws = [msgspec.Raw(json.dumps(each).encode()) for each in listed]
    return msgspec.structs.replace(page, **{entries: raws})


def read_entries(
    raws: Iterable[msgspec.Raw],
    understand: Callable[[msgspec.Raw], CatalogueProduct],
    query: CatalogueQuery,
    source: str,
) -> Entries:
    """Every entry as a product of the type that was asked for, or as rejected with its text."""
    products: list[CatalogueProduct] = []
    rejected: list[RejectedEntry] = []
    for raw in raws:
        try:
            require_storable(bytes(raw))
            products.append(require_plausible(_as_asked(understand(raw), query)))
        except NO_ENTRY as error:
            rejected.append(replace(_reject(raw, str(error), query, source), reason=_reason(error)))
    return Entries(products=tuple(products), rejected=tuple(rejected))


def moment(text: str | None) -> datetime | None:
    """A point in time as catalogues write it; None where they write nothing.

    Raises `ValueError` for anything else, a time without zone included.
    """
    if not text:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} does not say in which time zone it is")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is before or after all time") from error


def required_moment(text: str | None, field: str) -> datetime:
    """The same where there must be one. Raises `ValueError` naming the field."""
    try:
        at = moment(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
    if at is None:
        raise ValueError(f"{field} is missing")
    return at


def written(at: datetime) -> str:
    """A point in time as catalogues read it: UTC, milliseconds, rounded down."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _AnotherType(ValueError):
    """The entry is understood, and not what was asked for."""


def _reason(error: Exception) -> RejectReason:
    match error:
        case msgspec.DecodeError() | UnicodeDecodeError() | RecursionError():
            return RejectReason.SHAPE
        case UnknownName():
            return RejectReason.NAME
        case _AnotherType():
            return RejectReason.TYPE
        case _:
            return RejectReason.FIELD


def _as_asked(product: CatalogueProduct, query: CatalogueQuery) -> CatalogueProduct:
    if product.type is not query.type:
        raise _AnotherType(f"{product.name} is {product.type}, asked for was {query.type}")
    return product


def _reject(raw: msgspec.Raw, why: str, query: CatalogueQuery, source: str) -> RejectedEntry:
    text = bytes(raw)
    return RejectedEntry(
        source=source,
        collection=query.collection,
        type=query.type,
        entry=_name_of(text) or hashlib.sha256(text).hexdigest()[:16],
        why=why,
        text=text.decode("utf-8", "replace")[:TEXT_KEPT],
    )


def _name_of(text: bytes) -> str:
    try:
        named = msgspec.json.decode(text, type=_Named)
    except NO_ENTRY:
        return ""
    # Told as it will be found in the table of rejects again: PostgreSQL keeps every character but
    # this one.
    return (named.name or named.id).replace("\x00", "\N{REPLACEMENT CHARACTER}")
