"""Retention: what jobs left in buckets goes some time after they are over.

A job that may still move keeps everything. Of one that is over, only what is itself as old goes:
whatever a new run writes after a relaunch is young, so that nothing a run works with is ever
touched, however late a decision is carried out. What belongs to no job that we know is not ours.

An L2A goes once no image is to begin with it: a later one of its tile has an L2A, or it is too old
for any image that is still to be measured. One that an open job begins with stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from models.actions import RemoveL2a, RemoveResults
from models.configuration import REFERENCE_AGE
from models.l2a import L2a, L2aState
from models.lifecycle import FINAL
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.settings_retention import RetentionSettings
from models.wording import job_subject, named
from models.world import Source, World

__all__ = ["decide"]


def decide(world: World, settings: RetentionSettings, now: datetime) -> list[Decision]:
    """Of which jobs the results go. Computes only: reads no clock, calls no one."""
    return [
        *_blind(world),
        *islice(_removals(world, settings, now), settings.jobs),
        *islice(_l2a_removals(world, settings, now), settings.jobs),
    ]


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


def _l2a_removals(world: World, settings: RetentionSettings, now: datetime) -> Iterator[Decision]:
    before = now - settings.l2a
    for each in world.l2as:
        why = _why_useless(each, now)
        if why is not None and each.may_go(before):
            yield RemoveL2a(
                subject=job_subject(each.job),
                reason=Reason.L2A_OLD,
                because=f"{named(each.job)} is {each.job.status} since "
                f"{each.job.status_at:%Y-%m-%d}, for longer than {settings.l2a.days} days, and no "
                f"image is to begin with its L2A: {why}",
                facts=(("days", settings.l2a.days),),
                job_id=each.job.id,
                path=each.path,
                before=before,
            )


def _why_useless(each: L2a, now: datetime) -> str | None:
    """Why no image that is still to come begins with it; None while one may."""
    if each.state is L2aState.GOING:
        return "it was given up, and not all of it is deleted yet"
    if not each.made:
        return "the job did not come to a good end with one"
    if each.later is not None:
        return f"job {each.later} made a later one"
    if each.sensing_at + REFERENCE_AGE < now:
        return f"it was measured more than {REFERENCE_AGE.days} days ago"
    return None
