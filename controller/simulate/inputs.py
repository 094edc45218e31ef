"""A simulation that begins at the catalogue: what is listed, and whether all of it was met."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from models.creation import JOB_TYPES_OF, Acquisition, acquisition_of
from simulator.catalogues.listing import ORDERLY, Disorder
from simulator.catalogues.memory import strangeness
from simulator.catalogues.options import CatalogueOptions, nearest_tiles
from simulator.catalogues.state import SimulatedCatalogue

MOST_TILES = 1054
"""As many as the area of the system that we replace has."""
JOBS_PER_TILE = 0.8
"""A day, of both missions: what the orbits of `simulator.catalogues.orbits` come to."""

PARAMETERS: Mapping[str, float] = {"creation.period": 60}
"""A minute of virtual time instead of five seconds: a day has fewer looks that see nothing."""


def catalogue_options(jobs_per_day: int, lasts: timedelta, *, faulty: bool) -> CatalogueOptions:
    """A catalogue that lists about so many images a day. A faulty one is untidy and has outages."""
    return CatalogueOptions(
        tiles=nearest_tiles(max(1, min(MOST_TILES, round(jobs_per_day / JOBS_PER_TILE)))),
        lasts=lasts,
        disorder=Disorder() if faulty else ORDERLY,
        with_outages=faulty,
    )


def listed_by(catalogue: SimulatedCatalogue, until: datetime) -> frozenset[Acquisition]:
    """What can be found in the catalogue by then and is understood: each must have its job."""
    return frozenset(
        acquisition_of(entry.product, job_type)
        for entry in catalogue.entries()
        if entry.visible_at <= until and strangeness(entry) is None
        for job_type in JOB_TYPES_OF[entry.product.type]
    )
