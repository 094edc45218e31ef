"""What a simulated catalogue is made of: which tiles, from when to when, how untidy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.ports import Clock
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
