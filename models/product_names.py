"""Names of Sentinel products: what they say, for submission and, later, for the catalogues.

Patterns: Sentinel-2 L1C `S2x_MSIL1C_<sensing>_N<baseline>_R<orbit>_T<tile>_<creation>`, Sentinel-1
GRD `S1x_IW_GRDH_1S<pol>_<start>_<stop>_<orbit>_<take>_<uid>`; `.SAFE` and `_COG` may follow. Any
unit letter is understood: a new satellite of a mission must stop nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_S2 = re.compile(
    r"(?P<unit>S2[A-Z])_MSIL1C_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R(?P<orbit>\d{3})"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<creation>\d{8}T\d{6})"
)
_S1 = re.compile(
    r"(?P<unit>S1[A-Z])_IW_GRDH_1S(?P<polarisation>DV|DH|SV|SH)_(?P<start>\d{8}T\d{6})"
    r"_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})_(?P<take>[0-9A-F]{6})_(?P<uid>[0-9A-F]{4})"
)
_SUFFIXES = (".SAFE", "_COG")


@dataclass(frozen=True, kw_only=True, slots=True)
class SentinelProduct:
    """What the name of a Sentinel product says. `tile` is None for Sentinel-1."""

    name: str
    unit: str
    sensing_at: datetime
    tile: str | None
    orbit: int


def parse_product_name(text: str) -> SentinelProduct:
    """Read a product name, with or without suffix; a `ValueError` says what was expected."""
    name = text
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    match = _S2.fullmatch(name) or _S1.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{text!r} is no Sentinel product name: expected S2x_MSIL1C_… (Sentinel-2 L1C) or "
            "S1x_IW_GRDH_1S… (Sentinel-1 GRD)"
        )
    parts = match.groupdict()
    return SentinelProduct(
        name=name,
        unit=parts["unit"],
        sensing_at=_time(parts["start"], text),
        tile=parts.get("tile"),
        orbit=int(parts["orbit"]),
    )


def _time(digits: str, name: str) -> datetime:
    try:
        return datetime.strptime(digits, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{name!r}: {digits} is no point in time") from error
