"""Names of products: what they say, for submission and for the catalogues.

Inputs, from the Sentinel satellites:

    S2x_MSIL1C_<sensing>_N<baseline>_R<orbit>_T<tile>_<made>                 Sentinel-2 L1C
    S1x_IW_GRDH_1S<pol>_<start>_<stop>_<orbit>_<take>_<uid>                  Sentinel-1 GRD

and our own products, which feed later ones:

    FSC|RLIE|SWS|WDS_<sensing>_<unit>_T<tile>_V<baseline>_<mode>
    GFSC_<day>-<days>_<missions>_T<tile>_V<baseline>_<curation, seconds since 1970>

A unit is a satellite of a mission. Any letter is understood: a new one must stop nothing. `.SAFE`
and `_COG` may follow a Sentinel name; they say how the same image is packed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class UnknownName(ValueError):
    """A name that says nothing to us."""


class ProductType(StrEnum):
    """What a product is, as catalogues call it."""

    L1C = "S2MSI1C"
    GRDH = "IW_GRDH_1S"
    FSC = "FSC"
    RLIE = "RLIE"
    SWS = "SWS"
    WDS = "WDS"
    GFSC = "GFSC"


@dataclass(frozen=True, kw_only=True, slots=True)
class SentinelProduct:
    """What the name of a Sentinel product says; `name` is without suffix.

    `orbit` is the relative orbit of Sentinel-2 and the absolute one of Sentinel-1, which also has
    `stop_at` and `take` but neither `tile` nor `baseline` nor `made_at`. `is_cog`: this is the
    cloud-optimised packing of the image.
    """

    name: str
    type: ProductType
    unit: str
    sensing_at: datetime
    tile: str | None
    orbit: int
    stop_at: datetime | None = None
    baseline: str | None = None
    made_at: datetime | None = None
    take: str | None = None
    is_cog: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SnowProduct:
    """What the name of one of our own products says; `unit` is S1-S2 where both missions fed it."""

    name: str
    type: ProductType
    unit: str
    sensing_at: datetime
    tile: str
    baseline: str
    made_at: datetime | None = None


_S2 = re.compile(
    r"(?P<unit>S2[A-Z])_MSIL1C_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R(?P<orbit>\d{3})"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<made>\d{8}T\d{6})"
)
_S1 = re.compile(
    r"(?P<unit>S1[A-Z])_IW_GRDH_1S(?P<polarisation>DV|DH|SV|SH)_(?P<start>\d{8}T\d{6})"
    r"_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})_(?P<take>[0-9A-F]{6})_(?P<uid>[0-9A-F]{4})"
)
_SNOW = re.compile(
    r"(?P<type>FSC|RLIE|SWS|WDS)_(?P<start>\d{8}T\d{6})_(?P<unit>S[12][A-Z]|S1-S2)"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<baseline>V\d{3})_\d"
)
_GAP_FILLED = re.compile(
    r"(?P<type>GFSC)_(?P<day>\d{8})-\d{3}_(?P<unit>S1-S2|S[12])"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<baseline>V\d{3})_(?P<curation>\d{9,11})"
)
_SAFE, _COG = ".SAFE", "_COG"


def parse_product_name(text: str) -> SentinelProduct:
    """Read a Sentinel product name, with or without suffix; a `ValueError` says what was expected.

    Raises nothing else, whatever the text.
    """
    packed = text.removesuffix(_SAFE)
    name = packed.removesuffix(_COG)
    match = _S2.fullmatch(name) or _S1.fullmatch(name)
    if match is None:
        raise UnknownName(
            f"{text!r} is no Sentinel product name: expected S2x_MSIL1C_… (Sentinel-2 L1C) or "
            "S1x_IW_GRDH_1S… (Sentinel-1 GRD)"
        )
    parts = match.groupdict()
    stop, made = parts.get("stop"), parts.get("made")
    return SentinelProduct(
        name=name,
        type=ProductType.L1C if match.re is _S2 else ProductType.GRDH,
        unit=parts["unit"],
        sensing_at=_time(parts["start"], text),
        tile=parts.get("tile"),
        orbit=int(parts["orbit"]),
        stop_at=_time(stop, text) if stop else None,
        baseline=parts.get("baseline"),
        made_at=_time(made, text) if made else None,
        take=parts.get("take"),
        is_cog=name != packed,
    )


BASELINE = "V102"
"""Of the processing, in the names of what stand-ins make."""

WINDOW_DAYS = 7
"""From how many days a gap-filled product is made."""


def snow_name(kind: ProductType, at: datetime, unit: str, tile: str) -> str:
    """The name of a product of the images of one time; of `at` the seconds count."""
    return f"{kind}_{at:%Y%m%dT%H%M%S}_{unit}_T{tile}_{BASELINE}_1"


def gap_filled_name(day: datetime, unit: str, tile: str, curation: int) -> str:
    """The name of the gap-filled product of a day; `curation` is in seconds since 1970."""
    return f"{ProductType.GFSC}_{day:%Y%m%d}-{WINDOW_DAYS:03}_{unit}_T{tile}_{BASELINE}_{curation}"


def parse_snow_name(text: str) -> SnowProduct:
    """Read the name of one of our own products; a `ValueError` says what was expected."""
    match = _SNOW.fullmatch(text) or _GAP_FILLED.fullmatch(text)
    if match is None:
        raise UnknownName(
            f"{text!r} is no name of a snow or ice product: expected FSC_, RLIE_, SWS_ or "
            "WDS_<time>_<unit>_T<tile>_V<baseline>_<mode>, or GFSC_<day>-<days>_…"
        )
    parts = match.groupdict()
    curation = parts.get("curation")
    return SnowProduct(
        name=text,
        type=ProductType(parts["type"]),
        unit=parts["unit"],
        sensing_at=_time(parts.get("start") or f"{parts['day']}T000000", text),
        tile=parts["tile"],
        baseline=parts["baseline"],
        made_at=datetime.fromtimestamp(int(curation), UTC) if curation else None,
    )


def _time(digits: str, name: str) -> datetime:
    try:
        return datetime.strptime(digits, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{name!r}: {digits} is no point in time") from error
