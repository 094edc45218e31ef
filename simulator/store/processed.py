"""Which jobs have made their products since somebody last asked."""

from __future__ import annotations

from datetime import datetime

from models.lifecycle import Status
from models.ports import Clock
from models.records import Job
from simulator.catalogues.products import ProcessedJob
from simulator.store.composing import LISTED
from simulator.store.tables import Tables


class Processed:
    """Watches the jobs of a store in memory; asked by whoever lists what they made."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables, self._clock = tables, clock
        self._since: dict[int, datetime] = {}
        tables.jobs.watch(self)

    def moved(self, before: Job | None, after: Job | None) -> None:
        """See `simulator.store.rows.Watcher`. What is taken back is left out when it is told."""
        was = before is not None and before.status is Status.PROCESSED
        if after is not None and after.status is Status.PROCESSED and not was:
            self._since[after.id] = self._clock.now()

    def __call__(self) -> list[ProcessedJob]:
        """Those that were processed since the last call."""
        since, self._since = self._since, {}
        found = ((self._tables.jobs.get(job_id), at) for job_id, at in since.items())
        return [
            ProcessedJob(type=job.type, key=job.key, input=self._tables.inputs[job.id], at=at)
            for job, at in found
            if job is not None and job.status in LISTED
        ]
