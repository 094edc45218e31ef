"""Which jobs of a real store have made their products: for a catalogue that is served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from models.listing import JobFilter
from models.ports import Reader
from simulator.catalogues.products import ProcessedJob
from simulator.store.composing import LISTED

MOST = 1000
"""Jobs that are looked at: a demo has fewer."""


class StoredJobs:
    """Tells of each processed job of a store once. Asked by one thread at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._told: set[int] = set()

    def __call__(self) -> Iterator[ProcessedJob]:
        """Those that it has not told of yet. Raises what the store raises."""
        for job in self._reader.jobs(JobFilter(statuses=tuple(LISTED), limit=MOST)):
            if job.id not in self._told:
                story = self._reader.story(str(job.id))
                self._told.add(job.id)
                yield ProcessedJob(type=job.type, key=job.key, input=story.input, at=job.status_at)
