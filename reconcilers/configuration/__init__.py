"""Configuration: every job that is handed in gets what its processing needs, and becomes ready.

One action a pass and type: what became of all jobs of that type that a pass looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from models.actions import Configure
from models.configuration import Configured, Unready
from models.lifecycle import UNREADY
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.wording import counted
from models.world import Source, World

__all__ = ["decide"]


def decide(world: World, settings: object, now: datetime) -> list[Decision]:
    """What becomes of the jobs that are not ready. Computes only: reads no clock, calls no one."""
    del settings, now
    if world.backlog is None:
        return _blind(world)
    by_type: defaultdict[str, list[Unready]] = defaultdict(list)
    for unready in world.backlog.jobs:
        by_type[unready.job.type].append(unready)
    return [*_unknown_types(world), *(_of_type(name, jobs) for name, jobs in by_type.items())]


def _blind(world: World) -> list[Decision]:
    why = world.unknown.get(Source.BACKLOG)
    if why is None:
        return []
    return [
        Held(
            subject=Subject(SubjectKind.SYSTEM, Source.BACKLOG.value),
            reason=Reason.SOURCE_UNKNOWN,
            because=f"the jobs that are to be configured cannot be read: {why}; "
            "none becomes ready until they can",
        )
    ]


def _unknown_types(world: World) -> list[Decision]:
    """Types that were set up once: their jobs are not in the backlog."""
    found = Counter[str]()
    for row in world.store.counts:
        if row.status in UNREADY and row.type not in world.registry.types:
            found[row.type] += row.count
    return [
        Held(
            subject=Subject(SubjectKind.TYPE, name),
            reason=Reason.TYPE_UNKNOWN,
            because=f"{counted(number, 'job')} of type {name} cannot be configured: it is not set "
            "up here",
            facts=(("jobs", number),),
        )
        for name, number in found.items()
    ]


def _of_type(name: str, jobs: Sequence[Unready]) -> Decision:
    return Configure(
        subject=Subject(SubjectKind.TYPE, name),
        reason=Reason.CONFIGURED,
        because=f"{counted(len(jobs), 'new job')} configured, all ready",
        facts=(("jobs", len(jobs)),),
        jobs=tuple(map(_configured, jobs)),
    )


def _configured(unready: Unready) -> Configured:
    job = unready.job
    return Configured(
        job_id=job.id,
        expected_seq=job.seq,
        priority=job.priority,
        deadline=job.deadline,
        config={},
    )
