"""Catalogues as they list a time long past: images, and all products that jobs made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from models.areas import area_of_tiles
from models.creation import JOB_TYPES_OF, Area
from models.records import NewJob
from reconcilers.creation.rules import RULES
from simulator.catalogues.listing import Listed
from simulator.catalogues.products import Habits, ProcessedJob, entries_of

HOUR = timedelta(hours=1)


def area_with_mountains(tiles: tuple[str, ...], *mountains: str) -> Area:
    """These tiles, of which SWS are made of some."""
    return replace(area_of_tiles(tiles), mountains=frozenset(mountains))


def jobs_of(images: Iterable[Listed], area: Area) -> list[NewJob]:
    """The jobs that are for one image each."""
    return [
        RULES[job_type].job(entry.product, tiles)
        for entry in images
        for job_type in JOB_TYPES_OF[entry.product.type]
        if (tiles := RULES[job_type].tiles(entry.product, area))
    ]


def products_of(jobs: Iterable[NewJob], after: timedelta = 3 * HOUR) -> list[Listed]:
    """What the catalogue of our own products lists of jobs that were processed so long after the
    measurement.
    """
    return [
        entry
        for job in jobs
        for entry in entries_of(
            ProcessedJob(type=job.type, key=job.key, input=job.input, at=_at(job) + after),
            Habits(),
        )
    ]


def _at(job: NewJob) -> datetime:
    assert job.sensing_at is not None
    return job.sensing_at
