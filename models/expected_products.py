"""What a job is going to make, by name: from what it was handed in with alone. Pure.

The names follow from the images that the job is about. Whoever plays the science software, and
whoever plays the catalogue in which its products turn up, go by the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from models.product_names import (
    ProductType,
    SnowProduct,
    gap_filled_name,
    parse_snow_name,
    snow_name,
)


def expected_products(job_type: str, given: Mapping[str, Any]) -> tuple[SnowProduct, ...]:
    """The products of a job of this type. None of one that was handed in without what a catalogue
    knew of its images, and of a type that makes none.
    """
    name_all = _NAMES.get(job_type)
    if name_all is None or not given.get("tiles"):
        return ()
    return tuple(parse_snow_name(name) for name in name_all(given))


def _of_optical(given: Mapping[str, Any]) -> Iterator[str]:
    (tile,) = given["tiles"]
    at = _moment(given["sensing_start"])
    for kind in (ProductType.FSC, ProductType.RLIE):
        yield snow_name(kind, at, given["unit"], tile)


def _of_radar(given: Mapping[str, Any]) -> Iterator[str]:
    at = _moment(given["sensing_start"])
    for tile in given["tiles"]:
        yield snow_name(ProductType.RLIE, at, given["unit"], tile)


def _of_both(given: Mapping[str, Any]) -> Iterator[str]:
    (tile,) = given["tiles"]
    yield snow_name(ProductType.RLIE, _midnight(given["day"]), "S1-S2", tile)


def _of_slices(given: Mapping[str, Any]) -> Iterator[str]:
    (tile,) = given["tiles"]
    at = _moment(given["slices"][0]["sensing_start"])
    for kind in given["products"]:
        yield snow_name(ProductType(kind), at, given["unit"], tile)


def _of_snow(given: Mapping[str, Any]) -> Iterator[str]:
    (tile,) = given["tiles"]
    yield gap_filled_name(_midnight(given["day"]), given["unit"], tile, given["curation"])


_NAMES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = MappingProxyType(
    {
        "fsc_rlie": _of_optical,
        "rlies1": _of_radar,
        "rlies1s2": _of_both,
        "sws_wds": _of_slices,
        "gfsc": _of_snow,
    }
)


def _midnight(day: str) -> datetime:
    return _moment(f"{day}T00:00:00+00:00")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
