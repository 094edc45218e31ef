"""A catalogue to look on at: images of the last day, published one after another from now on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from models.catalogue import CatalogueProduct
from models.ports import Clock
from simulator.catalogues.listing import Listed, listing
from simulator.catalogues.options import NAME, nearest_tiles
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue

EVERY = timedelta(seconds=0.25)
"""How much time passes between two publications."""

TILES_PER_IMAGE = 4
"""So many tiles are sure to have that many images a day."""

SPAN = (timedelta(hours=21), timedelta(hours=3))
"""How long ago the oldest and the newest image was measured."""


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
    seen = listing(tiles, now - SPAN[0], now - SPAN[1], seed=seed)
    chosen = chance.sample(seen, min(images, len(seen)))
    entries = [_published(entry, now + EVERY * n, chance) for n, entry in enumerate(chosen)]
    with serve_catalogue(SimulatedCatalogue(NAME, clock, entries)) as server:
        yield Showing(url=server.url, tiles=tiles, images=tuple(entry.product for entry in entries))


def _published(entry: Listed, at: datetime, chance: Random) -> Listed:
    """The same image, published then; the longer it was on its way, the less urgent it is."""
    origin = at - timedelta(hours=chance.uniform(0.2, 4))
    product = replace(entry.product, published_at=at, modified_at=at, origin_at=origin)
    return replace(entry, product=product, visible_at=at)
