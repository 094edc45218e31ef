"""What satellites saw, as jobs to submit: for the demo, for tests, for trying things out.

The names in `SENTINEL_2` and `SENTINEL_1` are those of real products, as their catalogues list
them. There are few, so that whatever is asked for beyond them is made: later passes over the same
places, at the times at which the same satellite comes by again. Those have the form of real names
and the right tile, orbit and hour; no such image was necessarily ever taken, and the identifiers
that only the ground segment hands out (data take, unique id) are drawn by chance.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from models.product_names import SentinelProduct, parse_product_name
from models.records import Priority

SENTINEL_2 = (
    "S2A_MSIL1C_20160528T104032_N0202_R008_T31TGL_20160528T104248",
    "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117",
    "S2A_MSIL1C_20220906T130311_N0400_R038_T28WEU_20220906T182127",
    "S2B_MSIL1C_20220829T125259_N0400_R138_T28WEU_20220829T145121",
    "S2B_MSIL1C_20210325T102639_N0209_R108_T32ULU_20210325T141549",
)
"""Real Sentinel-2 L1C products."""

SENTINEL_1 = (
    "S1A_IW_GRDH_1SDV_20210412T151111_20210412T151136_037419_046917_218A",
    "S1A_IW_GRDH_1SDV_20210414T051842_20210414T051907_037442_0469EF_804E",
    "S1A_IW_GRDH_1SSV_20141004T005844_20141004T005913_002673_002FAB_4FCD",
    "S1A_IW_GRDH_1SSV_20141004T005913_20141004T005938_002673_002FAB_1265",
    "S1A_IW_GRDH_1SSV_20141004T005938_20141004T010003_002673_002FAB_53D4",
)
"""Real Sentinel-1 GRD products."""

S2_REPEATS = timedelta(days=10)
S1_REPEATS = timedelta(days=12)
"""After which one satellite of a mission flies over the same place again, at the same hour."""
S1_ORBITS_PER_REPEAT = 175

TURNAROUND = timedelta(hours=3)
"""How soon after an image was made its products are due."""

_TIME = re.compile(r"\d{8}T\d{6}")
_TIME_FORMAT = "%Y%m%dT%H%M%S"


_TYPES = "fsc_rlie fsc_rlie rlies1 fsc_rlie gfsc fsc_rlie fsc_rlie test sws_wds fsc_rlie".split()
_PRIORITIES = (*[Priority.NRT] * 3, Priority.DELAYED, Priority.REPROCESSING)


def acquisitions(count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` jobs as JSON Lines for `hrsi job submit`, no two of one key; same seed, same jobs.

    First one job per real product, then made ones of all types in a fixed mix, mostly fsc_rlie.
    """
    chance = Random(seed)
    real = itertools.chain(
        (_of_image("fsc_rlie", name, chance) for name in SENTINEL_2),
        (_of_image("rlies1", name, chance) for name in SENTINEL_1),
    )
    for job in itertools.islice(itertools.chain(real, _made(chance)), count):
        yield json.dumps(job).encode()


def _made(chance: Random) -> Iterator[dict[str, Any]]:
    optical, radar = _later(SENTINEL_2, chance), _later(SENTINEL_1, chance)
    for number, type_ in enumerate(itertools.cycle(_TYPES), start=1):
        if type_ == "test":
            yield {"type": type_, "name": f"test-{number:04}"}
        elif type_ == "gfsc":
            yield _of_tile_day(type_, next(optical), chance)
        else:
            yield _of_image(type_, next(radar if type_ != "fsc_rlie" else optical), chance)


def _of_image(type_: str, name: str, chance: Random) -> dict[str, Any]:
    return {
        "type": type_,
        "product": name,
        "priority": chance.choice(_PRIORITIES),
        "deadline": _due(name).isoformat(),
    }


def _of_tile_day(type_: str, name: str, chance: Random) -> dict[str, Any]:
    """A product of one tile and day, made from that day's other products: not from one image."""
    seen = parse_product_name(name)
    return {
        "type": type_,
        "name": f"{seen.tile}-{seen.sensing_at:%Y-%m-%d}",
        "tile": seen.tile,
        "priority": chance.choice(_PRIORITIES),
        "deadline": _due(name).isoformat(),
    }


def _due(name: str) -> datetime:
    """The turnaround counts from when the image was made, which a Sentinel-2 name says last."""
    newest = max(_TIME.findall(name))
    sensed = parse_product_name(name).sensing_at
    made = datetime.strptime(newest, _TIME_FORMAT).replace(tzinfo=sensed.tzinfo)
    return made + TURNAROUND


def _later(names: tuple[str, ...], chance: Random) -> Iterator[str]:
    """The next pass over each place, then the one after it, and so on."""
    newest = {}
    for product in sorted(map(parse_product_name, names), key=lambda p: p.sensing_at):
        newest[product.unit, product.tile or product.orbit, f"{product.sensing_at:%H%M}"] = product
    for repeats in itertools.count(1):
        for product in newest.values():
            yield later_pass(product, repeats, chance)


def later_pass(product: SentinelProduct, repeats: int, chance: Random) -> str:
    """The name that an image of the same place has `repeats` repeat cycles later."""
    if product.tile is not None:
        return _moved(product.name, S2_REPEATS * repeats)
    head, take, _ = _moved(product.name, S1_REPEATS * repeats).rsplit("_", 2)
    orbit = product.orbit + S1_ORBITS_PER_REPEAT * repeats
    made_take = (int(take, 16) + chance.randrange(0x100, 0x1000) * repeats) % 0x1000000
    return f"{head.rsplit('_', 1)[0]}_{orbit:06}_{made_take:06X}_{chance.randrange(0x10000):04X}"


def _moved(name: str, by: timedelta) -> str:
    def later(found: re.Match[str]) -> str:
        at = datetime.strptime(found[0], _TIME_FORMAT)  # noqa: DTZ007 - only shifted, never compared
        return f"{at + by:{_TIME_FORMAT}}"

    return _TIME.sub(later, name)
