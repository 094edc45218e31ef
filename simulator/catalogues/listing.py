"""What catalogues come to list of what was seen, and when: late, twice, anew, and nonsense.

Drawn from the seed image by image: the same image is listed in the same way whatever else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from models.catalogue import CatalogueProduct, Collection, Orbit, Sensing
from models.product_names import ProductType
from simulator.catalogues.orbits import SLICES, Image, optical, radar

DAY = timedelta(days=1)
BASELINE, NEXT_BASELINE = "0511", "0512"


@dataclass(frozen=True, kw_only=True, slots=True)
class Disorder:
    """How often something is not as it should be, as shares of all images.

    `late`: published one to three days after the others. `lagging`: to be found only minutes to
    hours after the time of publication that it says. `doubled`: listed twice. `renewed`: published
    again under a new baseline, soon or weeks later. `nonsense`: an entry that nobody understands.
    `packed`: a radar image whose cloud-optimised packing is listed as well, before it or after it.
    """

    late: float = 0.02
    lagging: float = 0.03
    doubled: float = 0.02
    renewed: float = 0.01
    nonsense: float = 0.005
    packed: float = 0


ORDERLY = Disorder(late=0, lagging=0, doubled=0, renewed=0, nonsense=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An entry of a catalogue: `title` is its name there, `visible_at` when it can be found."""

    product: CatalogueProduct
    title: str
    visible_at: datetime


def listing(
    tiles: Iterable[str],
    since: datetime,
    until: datetime,
    *,
    seed: int = 0,
    disorder: Disorder = ORDERLY,
) -> list[Listed]:
    """All that is listed of what was seen of tiles in [since, until), by time of publication."""
    wanted = tuple(tiles)
    images = (*optical(wanted, since, until), *radar(wanted, since, until))
    found = (entry for image in images for entry in _entries(image, seed, disorder))
    return sorted(found, key=lambda entry: (entry.product.published_at, entry.product.id))


def _entries(image: Image, seed: int, disorder: Disorder) -> Iterator[Listed]:
    seen = image.seen
    chance = Random(f"{seed}:{seen.unit}:{seen.turn}:{image.orbit}:{image.tile}:{image.number}")
    first = _first(image, chance, late=chance.random() < disorder.late)
    lag = timedelta(minutes=chance.uniform(5, 300))
    if chance.random() >= disorder.lagging:
        lag = timedelta(0)
    entry = Listed(product=first, title=f"{first.name}.SAFE", visible_at=first.published_at + lag)
    yield entry
    if chance.random() < disorder.doubled:
        yield _again(entry, replace(first, id=uuid_of(chance)), chance.uniform(0.01, 0.5))
    if chance.random() < disorder.renewed and first.type is ProductType.L1C:
        yield _again(entry, _renewed(first, chance), chance.choice((0.3, 12)))
    if chance.random() < disorder.nonsense:
        strange = _again(entry, replace(first, id=uuid_of(chance)), chance.uniform(0.01, 0.2))
        yield replace(strange, title=f"{image.seen.unit}_OPER_{chance.randrange(10**6):06}.EOF")
    if first.type is ProductType.GRDH and chance.random() < disorder.packed:
        yield _packed(entry, chance)


def _first(image: Image, chance: Random, *, late: bool) -> CatalogueProduct:
    made = image.stop + timedelta(minutes=chance.uniform(50, 170))
    origin = made + timedelta(minutes=chance.uniform(10, 60))
    published = origin + timedelta(minutes=chance.uniform(5, 100))
    if late:
        published += DAY * chance.uniform(1, 3)
    product = _optical(image, made, chance) if image.tile else _radar(image, chance)
    return replace(product, origin_at=origin, published_at=published, modified_at=published)


def _optical(image: Image, made: datetime, chance: Random) -> CatalogueProduct:
    name = (
        f"{image.seen.unit}_MSIL1C_{image.start:%Y%m%dT%H%M%S}_N{BASELINE}_R{image.orbit:03}"
        f"_T{image.tile}_{made:%Y%m%dT%H%M%S}"
    )
    return CatalogueProduct(
        id=uuid_of(chance),
        name=name,
        collection=Collection.SENTINEL_2,
        type=ProductType.L1C,
        unit=image.seen.unit,
        sensing=Sensing(start=_whole(image.start), stop=_whole(image.stop)),
        published_at=made,
        footprint=image.footprint.wkt,
        path=f"/eodata/Sentinel-2/MSI/L1C/{image.start:%Y/%m/%d}/{name}.SAFE",
        size=chance.randrange(200_000_000, 900_000_000),
        orbit=Orbit(absolute=_absolute(image), relative=image.orbit, direction="DESCENDING"),
        tile=image.tile,
        baseline=BASELINE,
        made_at=_whole(made),
        attributes={"cloudCover": round(chance.uniform(0, 100), 3), "timeliness": "Nominal"},
    )


def _radar(image: Image, chance: Random) -> CatalogueProduct:
    start, stop = _whole(image.start), _whole(image.stop)
    # An orbit is flown in both directions, and each has a data take of its own.
    take = 0x40000 + 2 * _absolute(image) + image.mission.rising
    name = (
        f"{image.seen.unit}_IW_GRDH_1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
        f"_{_absolute(image):06}_{take:06X}_{chance.randrange(0x10000):04X}"
    )
    return CatalogueProduct(
        id=uuid_of(chance),
        name=name,
        collection=Collection.SENTINEL_1,
        type=ProductType.GRDH,
        unit=image.seen.unit,
        sensing=Sensing(start=start, stop=stop),
        published_at=stop,
        footprint=image.footprint.wkt,
        path=f"/eodata/Sentinel-1/SAR/GRD/{start:%Y/%m/%d}/{name}.SAFE",
        size=chance.randrange(800_000_000, 1_100_000_000),
        orbit=Orbit(
            absolute=_absolute(image),
            relative=image.orbit,
            direction="ASCENDING" if image.mission.rising else "DESCENDING",
        ),
        attributes={
            "timeliness": "Fast-24h",
            "sliceNumber": _number_in_take(image),
            "totalSlices": len(SLICES),
        },
    )


def _renewed(product: CatalogueProduct, chance: Random) -> CatalogueProduct:
    """The same image, processed anew."""
    assert product.made_at is not None
    made = product.made_at + DAY * chance.uniform(0.1, 0.2)
    parts = product.name.split("_")
    name = "_".join([*parts[:3], f"N{NEXT_BASELINE}", *parts[4:6], f"{made:%Y%m%dT%H%M%S}"])
    path = (product.path or "").replace(product.name, name)
    return replace(
        product,
        id=uuid_of(chance),
        name=name,
        path=path,
        baseline=NEXT_BASELINE,
        made_at=_whole(made),
    )


def _packed(entry: Listed, chance: Random) -> Listed:
    """The same image in its cloud-optimised packing."""
    product = entry.product
    name = f"{product.name[:-4]}{chance.randrange(0x10000):04X}"
    packing = replace(product, id=uuid_of(chance), name=name, is_cog=True)
    listed = _again(entry, packing, chance.uniform(-0.05, 0.05))
    return replace(listed, title=f"{name}_COG.SAFE")


def _again(entry: Listed, product: CatalogueProduct, days: float) -> Listed:
    """One more entry, published so much later."""
    at = entry.product.published_at + DAY * days
    later = replace(product, published_at=at, modified_at=at)
    return Listed(product=later, title=f"{product.name}.SAFE", visible_at=at)


def _number_in_take(image: Image) -> int:
    """From 1, in the order in which they are measured: downwards the northernmost is first."""
    number = image.number or 0
    return number - SLICES.start + 1 if image.mission.rising else SLICES.stop - number


def _absolute(image: Image) -> int:
    return 50_000 + image.seen.turn * image.mission.orbits + image.orbit


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def uuid_of(chance: Random) -> str:
    """An id as catalogues give them."""
    digits = hashlib.sha256(chance.randbytes(16)).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
