"""A catalogue to look on at: images of the last day, published one after another from now on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from models.catalogue import CatalogueProduct
from models.ports import Clock, Reader
from simulator.catalogues.listing import Listed, listing
from simulator.catalogues.options import NAME, listing_products, nearest_tiles
from simulator.catalogues.products import Habits, made_by
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.stored import StoredJobs
from simulator.catalogues.web import serve_catalogue

EVERY = timedelta(seconds=0.25)
"""How much time passes between two publications."""

TILES_PER_IMAGE = 4
"""So many tiles are sure to have that many images a day."""

NEWEST = timedelta(hours=3)
"""How long ago the newest image was measured; the oldest is of the beginning of yesterday, so that
there is a whole day of them.
"""

LISTED_WITHIN = timedelta(seconds=2)
"""How soon what jobs made is listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Showing:
    """Where the catalogue is, the tiles of its images, and the images that there will be."""

    url: str
    tiles: tuple[str, ...]
    images: tuple[CatalogueProduct, ...]


@contextmanager
def showing(images: int, seed: int, clock: Clock) -> Iterator[Showing]:
    """Serve a catalogue that will have listed so many images before long."""
    tiles = nearest_tiles(TILES_PER_IMAGE * images)
    now, chance = clock.now(), Random(f"showing:{seed}")
    yesterday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    seen = listing(tiles, yesterday, now - NEWEST, seed=seed)
    chosen = chance.sample(seen, min(images, len(seen)))
    entries = [_published(entry, now + EVERY * n, chance) for n, entry in enumerate(chosen)]
    with serve_catalogue(SimulatedCatalogue(NAME, clock, entries)) as server:
        yield Showing(url=server.url, tiles=tiles, images=tuple(entry.product for entry in entries))


@contextmanager
def showing_products(
    reader: Reader, seed: int, clock: Clock, provide: Callable[[CatalogueProduct], None]
) -> Iterator[str]:
    """Serve a catalogue of what the jobs of a store make, from now on; its address. `provide` puts
    each product where runs will look for it, before it is listed.
    """
    habits = Habits(seed=seed, within=LISTED_WITHIN)
    catalogue = listing_products(clock, made_by(StoredJobs(reader)), habits, provide=provide)
    with serve_catalogue(catalogue) as server:
        yield server.url


def _published(entry: Listed, at: datetime, chance: Random) -> Listed:
    """The same image, published then; the longer it was on its way, the less urgent it is."""
    origin = at - timedelta(hours=chance.uniform(0.2, 4))
    product = replace(entry.product, published_at=at, modified_at=at, origin_at=origin)
    return replace(entry, product=product, visible_at=at)
