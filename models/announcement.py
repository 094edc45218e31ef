"""What the endpoint is told of one product: the message, its fields, and where the product lies.

The endpoint, and the catalogue behind it, are older than we are: names, types and oddities of the
fields are theirs. The message is a JSON object, encoded once; `SCHEMA` says what it may hold, and
nothing is sent that it does not allow. A product whose message would lack something is an error
that names the field: nothing is ever announced with a hole in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import shapely
from msgspec import Meta, Struct, field
from shapely.errors import ShapelyError

from models.errors import Malformed
from models.manifest import Product, ProductKind
from models.product_names import SnowProduct, parse_snow_name

MOUNTED = "/eodata/HRSI/"
"""How users see the product bucket: this stands before every key."""

_ROOT = "CLMS/Pan-European/High_Resolution_Layers"
_FOLDERS: Mapping[ProductKind, str] = MappingProxyType(
    {
        ProductKind.FSC: "Snow/FSC",
        ProductKind.SWS: "Snow/SWS",
        ProductKind.WDS: "Snow/WDS",
        ProductKind.GFSC: "Snow/GFSC",
        ProductKind.RLIE: "Ice/RLIE",
        ProductKind.RLIE_S1: "Ice/RLIE_S1",
        ProductKind.RLIE_S1S2: "Ice/RLIE_S1S2",
    }
)
_CLOUDS_MATTER = frozenset({ProductKind.FSC, ProductKind.RLIE, ProductKind.GFSC})
"""Their software says how much of them is cloud. The others may say null."""

_KIB = 1024

# ---- the message ---------------------------------------------------------------------------------

Moment: TypeAlias = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")]
"""A time in UTC that does not say so."""

Text: TypeAlias = Annotated[str, Meta(min_length=1)]


class Geometry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the product is, in degrees."""

    wkt: Text


class Properties(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the catalogue will show of the product."""

    product_identifier: Annotated[str, Meta(pattern=r"^/eodata/HRSI/CLMS/[^/]+(/[^/]+)+$")] = field(
        name="productIdentifier"
    )
    title: Text
    resource_size: Annotated[int, Meta(gt=0)] = field(name="resourceSize")
    organisation_name: Literal["EEA"] = field(name="organisationName")
    start_date: Moment = field(name="startDate")
    completion_date: Moment = field(name="completionDate")
    product_type: Literal["FSC", "RLIE", "SWS", "WDS", "GFSC"] = field(name="productType")
    resolution: Literal[20, 60]
    mission: Literal["S2", "S1", "S1-S2"]
    cloud_cover: Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$")] | None = field(name="cloudCover")
    processing_baseline: Annotated[str, Meta(pattern=r"^V\d+$")] = field(name="processingBaseline")
    host_base: Text
    s3_bucket: Text
    thumbnail: Annotated[str, Meta(pattern=r"^Preview/CLMS/.+/thumbnail\.png$")]


class Feature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature as resto has it."""

    type: Literal["Feature"]
    geometry: Geometry
    properties: Properties


class Announcement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole message."""

    collection_name: Literal["HR-S&I"]
    resto: Feature


def schema() -> dict[str, Any]:
    """The JSON schema of the message, as it is published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Announcement of a product",
        **msgspec.json.schema(Announcement),
    }


# ---- what it is made of --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """Where users find products: the bucket, and the host that the message names."""

    bucket: str = "HRSI"
    host: str = "s3.waw2-1.cloudferro.com"


def folder_of(product: Product) -> str:
    """The key below which a product lies in the product bucket, without a slash at its end.

    Raises `Malformed` when its name is not one of its kind.
    """
    return place_of(product.kind, _named(product).name)[0]


def place_of(kind: ProductKind, name: str) -> tuple[str, str]:
    """The folder of a product, and the key of its thumbnail. Raises `ValueError` for a name that is
    not one of ours.
    """
    folder = f"{_ROOT}/{_FOLDERS[kind]}/{parse_snow_name(name).sensing_at:%Y/%m/%d}/{name}"
    return folder, f"Preview/{folder}/thumbnail.png"


def thumbnail_of(product: Product) -> str:
    """The key of its thumbnail. Raises like `folder_of`."""
    return place_of(product.kind, _named(product).name)[1]


def message_of(product: Product, shop: Shop) -> bytes:
    """The message of a product. Raises `Malformed` naming the product and the field at fault."""
    science = product.science
    named = _named(product)
    announcement = Announcement(
        collection_name="HR-S&I",
        resto=Feature(
            type="Feature",
            geometry=Geometry(wkt=_geometry(product)),
            properties=Properties(
                product_identifier=f"{MOUNTED}{folder_of(product)}",
                title=product.name,
                resource_size=_size(product),
                organisation_name="EEA",
                start_date=_moment(science.sensed_from),
                completion_date=_moment(science.completed_at),
                product_type=_typed(named.type.value),
                resolution=_typed(science.resolution),
                mission=_typed(science.mission),
                cloud_cover=_clouds(product),
                processing_baseline=named.baseline,
                host_base=shop.host,
                s3_bucket=shop.bucket,
                thumbnail=thumbnail_of(product),
            ),
        ),
    )
    message = msgspec.json.encode(announcement)
    try:
        msgspec.json.decode(message, type=Announcement)
    except msgspec.ValidationError as error:
        raise Malformed(f"product {product.name} cannot be announced: {error}") from error
    return message


def _typed(value: Any) -> Any:
    """A value of which the schema says whether it may be; the message is checked against it."""
    return value


def _named(product: Product) -> SnowProduct:
    try:
        named = parse_snow_name(product.name)
    except ValueError as error:
        raise Malformed(f"product {product.name} cannot be announced: {error}") from error
    if named.type.value != product.kind.value.removesuffix("s1s2").removesuffix("s1").upper():
        raise Malformed(
            f"product {product.name} cannot be announced: it is said to be a {product.kind}, but "
            f"is named as a {named.type}"
        )
    return named


def _geometry(product: Product) -> str:
    wkt = product.science.geometry
    try:
        shape = shapely.from_wkt(wkt)
    except (ShapelyError, TypeError) as error:
        raise _lacks(product, "geometry", f"{wkt!r} is no WKT") from error
    if shape.is_empty:
        raise _lacks(product, "geometry", "it is empty")
    return wkt


def _clouds(product: Product) -> str | None:
    cover = product.science.cloud_cover
    if cover is None and product.kind in _CLOUDS_MATTER:
        raise _lacks(product, "cloud_cover", "the science software says nothing of it")
    if cover is None:
        return None
    # As people write it: a little haze is 0.00001 and not 1e-05.
    text = f"{Decimal(repr(float(cover))):f}"
    # A gap-filled product's software counts whole percents.
    return text.removesuffix(".0") if product.kind is ProductKind.GFSC else text


def _size(product: Product) -> int:
    """Bytes: those of a gap-filled product as they are, the others in whole KiB, rounded up."""
    if product.kind is ProductKind.GFSC:
        return product.size
    return -(-product.size // _KIB) * _KIB


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _lacks(product: Product, what: str, why: str) -> Malformed:
    return Malformed(f"product {product.name} cannot be announced: {what}: {why}")


def sensed_at(message: bytes) -> datetime | None:
    """Since when the product of a message shows the ground; None: the message does not say so."""
    try:
        found = msgspec.json.decode(message, type=Announcement)
    except msgspec.DecodeError:
        return None
    return datetime.fromisoformat(found.resto.properties.start_date).replace(tzinfo=UTC)
