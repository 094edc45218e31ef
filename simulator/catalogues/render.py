"""Entries as the two protocols tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import shapely

from models.catalogue import CatalogueProduct, Collection
from simulator.catalogues.listing import Listed


def as_entity(entry: Listed, *, attributes: bool) -> dict[str, Any]:
    """An OData entity; its attributes only where they are asked for."""
    product = entry.product
    entity: dict[str, Any] = {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": product.id,
        "Name": entry.title,
        "ContentType": "application/octet-stream",
        "ContentLength": product.size or 0,
        "OriginDate": _written(product.origin_at),
        "PublicationDate": _written(product.published_at),
        "ModificationDate": _written(product.modified_at),
        "Online": product.online,
        "EvictionDate": "",
        "S3Path": product.path or "",
        "Checksum": [{"Algorithm": c.algorithm, "Value": c.value} for c in product.checksums],
        "ContentDate": {
            "Start": _written(product.sensing.start),
            "End": _written(product.sensing.stop),
        },
        "Footprint": f"geography'SRID=4326;{product.footprint}'",
    }
    if attributes:
        entity["Attributes"] = [
            _attribute(name, value) for name, value in _attributes(product).items()
        ]
    return entity


def as_feature(entry: Listed) -> dict[str, Any]:
    """A GeoJSON feature of resto."""
    product = entry.product
    folder = (product.path or "/eodata").rpartition("/")[0]
    title = entry.title
    if product.collection is Collection.HRSI:
        title = title.removesuffix(".SAFE")
    geometry = shapely.to_geojson(shapely.from_wkt(product.footprint)) if product.footprint else ""
    return {
        "type": "Feature",
        "id": product.id,
        "geometry": msgspec.json.decode(geometry) if geometry else None,
        "properties": {
            **_attributes(product),
            "collection": product.collection.value,
            "productIdentifier": f"{folder}/{title}",
            "startDate": _written(product.sensing.start),
            "completionDate": _written(product.sensing.stop),
            "published": _written(product.published_at),
        },
    }


def _attributes(product: CatalogueProduct) -> dict[str, Any]:
    return {
        **product.attributes,
        "productType": product.type.value,
        "orbitNumber": product.orbit.absolute,
        "relativeOrbitNumber": product.orbit.relative,
        "orbitDirection": product.orbit.direction,
        "platform": product.unit[-1],
        **({"tileId": product.tile} if product.tile else {}),
    }


def _attribute(name: str, value: Any) -> dict[str, Any]:
    kind = {int: "Integer", float: "Double"}.get(type(value), "String")
    return {
        "@odata.type": f"#OData.CSC.{kind}Attribute",
        "Name": name,
        "Value": value,
        "ValueType": kind,
    }


def _written(at: datetime | None) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z") if at else ""
