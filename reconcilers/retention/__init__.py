"""Retention: what jobs left in the results bucket goes some time after they are over.

A job that may still move keeps everything. Of one that is over, only what is itself as old goes:
whatever a new run writes after a relaunch is young, so that nothing a run works with is ever
touched, however late a decision is carried out. What belongs to no job that we know is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from models.actions import RemoveResults
from models.lifecycle import FINAL
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.settings_retention import RetentionSettings
from models.wording import job_subject, named
from models.world import Source, World

__all__ = ["decide"]


def decide(world: World, settings: RetentionSettings, now: datetime) -> list[Decision]:
    """Of which jobs the results go. Computes only: reads no clock, calls no one."""
    return [*_blind(world), *islice(_removals(world, settings, now), settings.jobs)]


def _blind(world: World) -> Iterator[Decision]:
    why = world.unknown.get(Source.RESULTS)
    if why is not None:
        yield Held(
            subject=Subject(SubjectKind.SYSTEM, Source.RESULTS.value),
            reason=Reason.SOURCE_UNKNOWN,
            because=f"{why}; nothing in the results bucket is deleted until it answers",
        )


def _removals(world: World, settings: RetentionSettings, now: datetime) -> Iterator[Decision]:
    before, days = now - settings.results, settings.results.days
    for job in world.results or ():
        if (job.status in FINAL or job.quarantined) and job.status_at <= before:
            yield RemoveResults(
                subject=job_subject(job),
                reason=Reason.RESULTS_OLD,
                because=f"{named(job)} is {job.status} since {job.status_at:%Y-%m-%d}, for longer "
                f"than {days} days",
                facts=(("days", days),),
                unique_id=job.unique_id,
                before=before,
            )
