"""What a simulated catalogue is made of: which tiles, from when to when, how untidy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from shapely import Point
from shapely.geometry import box

from models.ports import Clock
from models.tiles import tile_polygon, tiles_in
from simulator.catalogues.listing import ORDERLY, Disorder, listing
from simulator.catalogues.state import SimulatedCatalogue, outages
from simulator.timeline import EPOCH

NAME = "simulated"


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueOptions:
    """What is measured of `tiles` from `since` on for `lasts`; `with_outages`: now and then nobody
    answers for hours.
    """

    tiles: tuple[str, ...]
    since: datetime = EPOCH
    lasts: timedelta = timedelta(days=365)
    disorder: Disorder = ORDERLY
    with_outages: bool = False


def nearest_tiles(count: int) -> tuple[str, ...]:
    """So many tiles around the Alps, at most those of Europe; nearer ones first."""
    return _around_the_alps()[:count]


@lru_cache(maxsize=1)
def _around_the_alps() -> tuple[str, ...]:
    alps = Point(8.0, 46.5)
    found = tiles_in(box(-12, 35, 32, 71))
    return tuple(sorted(found, key=lambda tile: (tile_polygon(tile).distance(alps), tile)))


def catalogue_of(
    options: CatalogueOptions | None, clock: Clock, seed: int
) -> SimulatedCatalogue | None:
    """The catalogue of these options on a clock. The same seed makes the same."""
    if options is None:
        return None
    until = options.since + options.lasts
    return SimulatedCatalogue(
        NAME,
        clock,
        listing(options.tiles, options.since, until, seed=seed, disorder=options.disorder),
        outages=tuple(outages(seed, options.since, until)) if options.with_outages else (),
    )
