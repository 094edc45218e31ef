"""Places in series and waits for other jobs, which follow the jobs by themselves.

In PostgreSQL triggers do this. Here it is done wherever a job's row is written: in the same
transaction, and taken back with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from models.configuration import MADE, Wait
from models.l2a import L2aState
from models.lifecycle import Status
from models.records import Job
from simulator.store.rows import Index, Rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A job's place in its series; `l2a_of` is the attempt that left the `l2a`."""

    job_id: int
    type: str
    tile: str
    sensing_at: datetime
    is_open: bool
    reprocessing: bool = False
    l2a: L2aState | None = None
    l2a_of: int | None = None

    def is_held_up_by(self, other: Place) -> bool:
        """Whether another one of its series must be settled before this one."""
        early = other.is_open and other.sensing_at < self.sensing_at
        return early and (self.reprocessing or not other.reprocessing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What a configured job waits for, and whether that is settled."""

    job_id: int
    wait: Wait
    is_over: bool


def is_settled(job: Job) -> bool:
    """Nobody waits for it any longer."""
    return job.quarantined or job.status is Status.CANCELLED or job.status in MADE


class Followers:
    """Marks what is settled and ends waits."""

    def __init__(
        self,
        series: Rows[int, Place],
        waits: Rows[int, Waiting],
        configs: Rows[int, Mapping[str, Any]],
    ) -> None:
        self._series, self._waits, self._configs = series, waits, configs
        self._waits_for = Index(waits, lambda w: w.wait.for_job, lambda w: w.job_id)

    def wrote(self, before: Job | None, after: Job) -> None:
        """A job's row was written."""
        if before is None:
            return
        if before.status is Status.CONFIGURED and after.status is not Status.CONFIGURED:
            self._waits.drop(after.id)
        if is_settled(after) and not is_settled(before):
            self._settle(after)

    def _settle(self, job: Job) -> None:
        place = self._series.get(job.id)
        if place is not None:
            settled = replace(place, is_open=False)
            leaves = "l2a_path_out" in (self._configs.get(job.id) or {})
            if leaves and (place.is_open or place.l2a_of != job.attempt):
                settled = replace(settled, l2a=L2aState.KEPT, l2a_of=job.attempt)
            if settled != place:
                self._series.put(job.id, settled)
        for waiting in self._waits_for.of(job.id):
            if not waiting.is_over:
                self._waits.put(waiting.job_id, replace(waiting, is_over=True))
