"""Retention: what jobs left in the results bucket goes some time after they are over.

A job that may still move keeps everything. Of one that is over, only what is itself as old goes:
whatever a new run writes after a relaunch is young, so that nothing a run works with is ever
touched, however late a decision is carried out. What belongs to no job that we know is not ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.lifecycle import FINAL
from models.records import Job
from models.settings_retention import RetentionSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What lies at the place of a job and was written at or before `before` is to be deleted."""

    unique_id: UUID
    before: datetime
    because: str


def decide(jobs: Iterable[Job], settings: RetentionSettings, now: datetime) -> list[Removal]:
    """Of which of these jobs the results go. Computes only: reads no clock, calls no one."""
    before = now - settings.results
    return [
        Removal(
            unique_id=job.unique_id,
            before=before,
            because=f"job {job.id} is {job.status} since {job.status_at:%Y-%m-%d}, for longer than "
            f"{settings.results.days} days",
        )
        for job in jobs
        if (job.status in FINAL or job.quarantined) and job.status_at <= before
    ]
