"""What jobs made, as the HR-S&I catalogue comes to list it: a while after each was announced.

`News` is where such a catalogue gets its entries from: in a world that publishes, what the endpoint
has accepted; in one that does not, and over HTTP, what jobs made that came to their end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Any, TypeAlias

from models.catalogue import CatalogueProduct, Collection, Sensing
from models.expected_products import expected_products
from models.product_names import SnowProduct, parse_snow_name
from models.tiles import tile_polygon
from simulator.broker.endpoint import Endpoint
from simulator.catalogues.listing import ORDERLY, Disorder, Listed, uuid_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessedJob:
    """A job that made its products, with what it was handed in with; `at` is when."""

    type: str
    key: str
    input: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """How a catalogue lists what jobs made: `within` so much after that, how untidily, and drawn
    from which seed.
    """

    seed: int = 0
    disorder: Disorder = ORDERLY
    within: timedelta = timedelta(minutes=2)


News: TypeAlias = Callable[[Habits], Iterable[Listed]]
"""The entries that are new since it was last asked."""


def entries_of(job: ProcessedJob, habits: Habits) -> Iterator[Listed]:
    """The entries of what a job made. The same job gives the same, whatever else is listed."""
    for named in expected_products(job.type, job.input):
        yield from entries_of_product(named, job.at, f"{job.key}:{named.name}", habits)


def entries_of_product(
    named: SnowProduct, at: datetime, key: str, habits: Habits
) -> Iterator[Listed]:
    """The entries of a product that is there since `at`; the same of the same `key`."""
    chance = Random(f"{habits.seed}:{key}")
    published = at + habits.within * chance.random()
    yield from _listed(named, published, chance, habits.disorder)


def made_by(processed: Callable[[], Iterable[ProcessedJob]]) -> News:
    """What these jobs made, each told of once."""

    def news(habits: Habits) -> Iterator[Listed]:
        for job in processed():
            yield from entries_of(job, habits)

    return news


class Accepted:
    """What an endpoint has accepted since it was last asked; each product once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._told = 0

    def __call__(self, habits: Habits) -> Iterator[Listed]:
        """Their entries."""
        new = [*islice(self._endpoint.accepted_at.items(), self._told, None)]
        self._told += len(new)
        for name, at in new:
            yield from entries_of_product(parse_snow_name(name), at, name, habits)


def _listed(
    named: SnowProduct, published: datetime, chance: Random, disorder: Disorder
) -> Iterator[Listed]:
    if chance.random() < disorder.late:
        published += timedelta(hours=chance.uniform(1, 12))
    lag = timedelta(minutes=chance.uniform(5, 300))
    if chance.random() >= disorder.lagging:
        lag = timedelta(0)
    product = CatalogueProduct(
        id=uuid_of(chance),
        name=named.name,
        collection=Collection.HRSI,
        type=named.type,
        unit=named.unit,
        sensing=Sensing(start=named.sensing_at, stop=named.sensing_at),
        published_at=published,
        footprint=tile_polygon(named.tile).wkt,
        path=f"/eodata/HRSI/simulated/{named.type}/{named.sensing_at:%Y/%m/%d}/{named.name}",
        tile=named.tile,
    )
    entry = Listed(product=product, title=named.name, visible_at=published + lag)
    yield entry
    if chance.random() < disorder.doubled:
        later = published + timedelta(hours=chance.uniform(0.1, 3))
        again = replace(product, id=uuid_of(chance), published_at=later)
        yield replace(entry, product=again, visible_at=later)
    if chance.random() < disorder.nonsense:
        odd = replace(product, id=uuid_of(chance))
        yield replace(entry, product=odd, title=f"{named.type}_{chance.randrange(10**6):06}.tmp")
