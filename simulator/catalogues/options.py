"""What a simulated catalogue is made of: which tiles, from when to when, how untidy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from shapely import Point
from shapely.geometry import box

from models.areas import area_of_tiles
from models.catalogue import CatalogueProduct
from models.creation import Area
from models.ports import Clock
from models.tiles import tile_polygon, tiles_in
from simulator.catalogues.listing import ORDERLY, Disorder, Listed, listing
from simulator.catalogues.products import Habits, News
from simulator.catalogues.state import Outage, SimulatedCatalogue, outages
from simulator.timeline import EPOCH

NAME = "simulated"
PRODUCTS = "hrsi"
"""What the simulated catalogues are called: that of images, and that of our own products."""

MOUNTAINS = 165 / 1054
"""The share of tiles of which SWS are made, as in the system that we replace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueOptions:
    """What is measured of `tiles` from `since` on for `lasts`; about once in `outages_every` nobody
    answers for hours (None: never). `with_products`: there is another one, which lists what jobs
    made.
    """

    tiles: tuple[str, ...]
    since: datetime = EPOCH
    lasts: timedelta = timedelta(days=365)
    disorder: Disorder = ORDERLY
    outages_every: timedelta | None = None
    with_products: bool = False


def nearest_tiles(count: int) -> tuple[str, ...]:
    """So many tiles around the Alps, at most those of Europe; nearer ones first."""
    return _around_the_alps()[:count]


def area_around(tiles: tuple[str, ...]) -> Area:
    """The area of these tiles; the nearest to the Alps are the mountains."""
    mountains = tiles[: max(1, round(len(tiles) * MOUNTAINS))]
    return replace(area_of_tiles(tiles), mountains=frozenset(mountains))


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
        outages=_outages(options, seed),
    )


def products_of(
    options: CatalogueOptions | None,
    clock: Clock,
    seed: int,
    news: News,
) -> SimulatedCatalogue | None:
    """The catalogue of the products that `news` tells of, each once."""
    if options is None or not options.with_products:
        return None
    habits = Habits(seed=seed, disorder=options.disorder)
    return listing_products(clock, news, habits, _outages(options, seed + 1))


def _outages(options: CatalogueOptions, seed: int) -> tuple[Outage, ...]:
    if options.outages_every is None:
        return ()
    until = options.since + options.lasts
    return tuple(outages(seed, options.since, until, options.outages_every))


def listing_products(
    clock: Clock,
    news: News,
    habits: Habits,
    away: Sequence[Outage] = (),
    provide: Callable[[CatalogueProduct], None] = lambda _: None,
) -> SimulatedCatalogue:
    """A catalogue that lists the products that `news` tells of; `provide` hears of each before."""

    def entries() -> Iterator[Listed]:
        for entry in news(habits):
            provide(entry.product)
            yield entry

    return SimulatedCatalogue(PRODUCTS, clock, outages=away, news=entries, ordered=False)
