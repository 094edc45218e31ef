"""A simulation that begins at the catalogue: what is listed, and whether all of it was met."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from models.creation import JOB_TYPES_OF, Acquisition, acquisition_of
from simulator.catalogues.listing import ORDERLY, Disorder
from simulator.catalogues.memory import strangeness
from simulator.catalogues.options import CatalogueOptions, nearest_tiles
from simulator.catalogues.state import SimulatedCatalogue
from simulator.systems import Systems

MOST_TILES = 1054
"""As many as the area of the system that we replace has."""
JOBS_PER_TILE = 2.4
"""A day, of all types: what the orbits of `simulator.catalogues.orbits` come to."""

PARAMETERS: Mapping[str, float] = {"creation.period": 60}
"""A minute of virtual time instead of five seconds: a day has fewer looks that see nothing."""


def catalogue_options(jobs_per_day: int, lasts: timedelta, *, faulty: bool) -> CatalogueOptions:
    """Catalogues that come to about so many jobs a day. Faulty ones are untidy, with outages."""
    return CatalogueOptions(
        tiles=nearest_tiles(max(1, min(MOST_TILES, round(jobs_per_day / JOBS_PER_TILE)))),
        lasts=lasts,
        disorder=Disorder() if faulty else ORDERLY,
        with_outages=faulty,
        with_products=True,
    )


def listed_by(catalogue: SimulatedCatalogue, until: datetime) -> frozenset[Acquisition]:
    """What can be found in the catalogue by then and is understood: each must have its job."""
    return frozenset(
        acquisition_of(entry.product, job_type)
        for entry in catalogue.entries()
        if entry.visible_at <= until and strangeness(entry) is None
        for job_type in JOB_TYPES_OF[entry.product.type]
    )


def left_of(systems: Systems, until: datetime) -> dict[str, int]:
    """What is still to be met or put together of the days before `until`, in words; nothing that is
    0. A day that is still to come to its end is left out.
    """
    tables, products = systems.store.tables, systems.products
    if products is None:
        return {}
    kept = {(part.type, part.name) for part in tables.ingredients.values()}
    met = [
        (each.product.type, each.product.name)
        for each in products.entries()
        if strangeness(each) is None
    ]
    due = [g for g in tables.groups.values() if g.due_at is not None and g.day < until.date()]
    left = {
        "of our products listed and not met": sum(each not in kept for each in met),
        "groups of products still waiting": len(due),
    }
    return {what: count for what, count in left.items() if count}
