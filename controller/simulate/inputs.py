"""A simulation that begins at the catalogue: what is listed, and whether all of it was met."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property

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

AWAY_EVERY = timedelta(days=2)
"""How often a faulty catalogue is away for hours: a month of production in two days."""

PARAMETERS: Mapping[str, float] = {"creation.period": 60, "readback.every": 3600}
"""A minute of virtual time instead of five seconds, an hour instead of a quarter of one: a day has
fewer looks that see nothing.
"""


def catalogue_options(jobs_per_day: int, lasts: timedelta, *, faulty: bool) -> CatalogueOptions:
    """Catalogues that come to about so many jobs a day. Faulty ones are untidy, with outages."""
    return CatalogueOptions(
        tiles=nearest_tiles(max(1, min(MOST_TILES, round(jobs_per_day / JOBS_PER_TILE)))),
        lasts=lasts,
        disorder=Disorder() if faulty else ORDERLY,
        outages_every=AWAY_EVERY if faulty else None,
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


class Remaining:
    """What was listed in time, of the days before `until`, and is still to be met or put together.

    It is asked after every round, for a day and longer when a group waits for what does not come:
    it is counted anew only when something that it is made of has moved.
    """

    def __init__(self, systems: Systems, until: datetime) -> None:
        self._systems, self._until = systems, until
        self._moved: tuple[int, ...] = ()
        self._counts: dict[str, int] = {}

    def counts(self) -> dict[str, int]:
        """How much of what, in words; nothing that is 0. A day that is still to come to its end is
        left out.
        """
        tables, products = self._systems.store.tables, self._systems.products
        listed = products.count() if products else 0
        rows = tables.acquired, tables.ingredients, tables.groups
        moved = (listed, *(each.version for each in rows))
        if moved != self._moved:
            self._moved = moved
            left = {
                "images of the catalogue without a job": self._images(),
                "of our products listed and not met": self._products(),
                "groups of products still waiting": self._groups(),
            }
            self._counts = {what: count for what, count in left.items() if count}
        return self._counts

    def _images(self) -> int:
        known = self._systems.store.tables.acquired.values()
        return len(self._listed - {each.acquisition for each in known})

    @cached_property
    def _listed(self) -> frozenset[Acquisition]:
        catalogue = self._systems.catalogue
        return listed_by(catalogue, self._until) if catalogue else frozenset()

    def _products(self) -> int:
        products, kept = self._systems.products, self._systems.store.tables.ingredients.values()
        met = {(part.type, part.name) for part in kept}
        return sum(
            strangeness(each) is None and (each.product.type, each.product.name) not in met
            for each in (products.entries() if products else ())
        )

    def _groups(self) -> int:
        groups = self._systems.store.tables.groups.values()
        return sum(each.due_at is not None and each.day < self._until.date() for each in groups)
