"""What stands behind publication in a simulated world: buckets, a broker, and the endpoint.

`make` plays the end of a run as the program on a worker does it: the files of its products come to
the results bucket, and it is told what they are. What the catalogue knew of the images of a job
names its products; one that was handed in without that has products of its own number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from models.announcement import Shop
from models.expected_products import expected_products
from models.job_types import DEFAULT_REGISTRY
from models.manifest import Manifest, Product, ProductFile, ProductKind, Science, prefix_of
from models.objects import Place
from models.product_names import (
    ProductType,
    SnowProduct,
    gap_filled_name,
    parse_snow_name,
    snow_name,
)
from models.reports import Claim
from simulator.broker import SimulatedBroker
from simulator.broker.endpoint import Endpoint
from simulator.objects import SimulatedBuckets
from simulator.timeline import EPOCH, Timeline

RESULTS, SHOP = "results", Shop()
TILE = "32TLR"
"""Of a job that says none, or one that is no tile."""

_UNITS = {"fsc_rlie": "S2A", "rlies1": "S1A", "sws_wds": "S1A"}
_FOOTPRINT = "POLYGON((7 46,8 46,8 47,7 47,7 46))"


@dataclass(frozen=True, kw_only=True, slots=True)
class PressOptions:
    """How the endpoint behaves: it looks `looks_every` so often, and refuses this share of what is
    announced.
    """

    refused: float = 0.0
    looks_every: timedelta = timedelta(seconds=20)


class SimulatedPress:
    """Buckets, broker and endpoint of one world, on its time."""

    def __init__(self, options: PressOptions, timeline: Timeline, seed: int = 0) -> None:
        self.buckets = SimulatedBuckets(timeline)
        self.buckets.make(RESULTS, SHOP.bucket)
        self.broker = SimulatedBroker()
        self.endpoint = Endpoint(
            self.broker, share=options.refused, chance=Random(f"endpoint:{seed}")
        )
        self._timeline, self._options = timeline, options
        self._look()

    @property
    def is_quiet(self) -> bool:
        """The endpoint has taken all that was announced, and nothing that it refused waits."""
        return not self.broker.announced and not self.broker.failures

    @property
    def stamp(self) -> tuple[int, ...]:
        """Another one when a call would be answered differently than before."""
        return (*self.broker.stamp, self.buckets.reachable)

    def calm(self) -> None:
        """Nothing is away any more, and nothing is refused from here on."""
        self.broker.set_right()
        self.buckets.reachable = True
        self.endpoint.opens_at, self.endpoint.share = None, 0.0

    def make(self, claim: Claim) -> Manifest:
        """Upload what a run made; what it says of that."""
        prefix = prefix_of(claim.job.unique_id, claim.attempt, claim.number)
        products = tuple(_product(named, claim) for named in _named(claim))
        for product in products:
            for file in product.files:
                place = Place(bucket=RESULTS, key=f"{prefix}{file.key}")
                self.buckets.write(place, content_of(file.key), sha256=file.sha256)
        return Manifest(
            unique_id=claim.job.unique_id,
            run_id=claim.run_id,
            attempt=claim.attempt,
            claim=claim.number,
            prefix=prefix,
            products=products,
        )

    def _look(self) -> None:
        self.endpoint.work(self._timeline.now())
        self._timeline.after(self._options.looks_every, self._look)


def content_of(key: str) -> bytes:
    """What a file of this key holds, whichever run made it."""
    return f"{key} ".encode() * 3


def _named(claim: Claim) -> Iterator[SnowProduct]:
    found = {named.name: named for named in expected_products(claim.job.type, claim.input)}
    yield from found.values() or _numbered(claim)


def _numbered(claim: Claim) -> Iterator[SnowProduct]:
    """Products of a time that no other job has."""
    job = claim.job
    at = EPOCH + timedelta(seconds=job.id)
    unit, tile = _UNITS.get(job.type, "S1-S2"), job.tile or TILE
    for word in DEFAULT_REGISTRY.types[job.type].products:
        kind = ProductType(word.removesuffix("s1s2").removesuffix("s1").upper())
        name = snow_name(kind, at, unit, tile)
        if kind is ProductType.GFSC:
            name = gap_filled_name(at, unit, tile, int(at.timestamp()))
        yield parse_snow_name(name)


def _kind(named: SnowProduct, job_type: str) -> ProductKind:
    by_radar = {"rlies1": ProductKind.RLIE_S1, "rlies1s2": ProductKind.RLIE_S1S2}
    return by_radar.get(job_type) or ProductKind(named.type.lower())


def _product(named: SnowProduct, claim: Claim) -> Product:
    image, quicklook = (f"{named.name}/{named.name}_{what}" for what in ("DATA.tif", "QLK.png"))
    unit = named.unit
    return Product(
        name=named.name,
        kind=_kind(named, claim.job.type),
        files=tuple(_file(key) for key in (image, quicklook)),
        science=Science(
            geometry=_FOOTPRINT,
            mission=unit if unit == "S1-S2" else unit[:2],
            resolution=20 if unit.startswith("S2") else 60,
            sensed_from=named.sensing_at,
            completed_at=claim.job.status_at,
            cloud_cover=12.5,
        ),
        quicklook=quicklook,
    )


def _file(key: str) -> ProductFile:
    content = content_of(key)
    digest = hashlib.sha256(content).hexdigest()
    return ProductFile(key=key, size=len(content), sha256=digest)
