"""Configuration: every job that is handed in gets what its processing needs, and becomes ready.

One action a pass and type: what became of all jobs of that type that a pass looked at. Each of them
is judged by itself, by what the world shows of its neighbours; one that makes no sense is put
aside, and the others go on. What a job waits for is settled at last, or its patience is: then it
goes on, and says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from models.actions import Configure
from models.configuration import Unready, Wait
from models.lifecycle import UNREADY
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.settings_configuration import ConfigurationSettings
from models.wording import counted
from models.world import Source, World
from reconcilers.configuration.judgement import Outcome, judge

__all__ = ["decide"]


def decide(world: World, settings: ConfigurationSettings, now: datetime) -> list[Decision]:
    """What becomes of the jobs that are not ready. Computes only: reads no clock, calls no one."""
    if world.backlog is None:
        return _blind(world)
    by_type: defaultdict[str, list[Unready]] = defaultdict(list)
    for unready in world.backlog.jobs:
        by_type[unready.job.type].append(unready)
    found = (_of_type(name, judge(jobs, settings, now)) for name, jobs in by_type.items())
    return [*_unknown_types(world), *found]


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


def _of_type(name: str, outcome: Outcome) -> Decision:
    waits = [each.wait for each in outcome.jobs if each.wait is not None]
    ready = len(outcome.jobs) - len(waits)
    numbers = {
        "ready": ready,
        "waiting": len(waits),
        "unfit": len(outcome.unfit),
        "futile": len(outcome.futile),
        "again": len(outcome.again),
    }
    return Configure(
        subject=Subject(SubjectKind.TYPE, name),
        reason=Reason.CONFIGURED,
        because=_because(ready, waits, outcome),
        facts=tuple(numbers.items()),
        jobs=tuple(outcome.jobs),
        unfit=tuple(outcome.unfit),
        futile=tuple(outcome.futile),
        again=tuple(outcome.again),
    )


def _because(ready: int, waits: Sequence[Wait], outcome: Outcome) -> str:
    """What became of the jobs, in one sentence."""
    unfit, futile, again = outcome.unfit, outcome.futile, outcome.again
    parts = [f"{counted(ready, 'job')} ready"]
    if waits:
        parts.append(f"{len(waits)} configured; of the first: {waits[0].why}")
    if unfit:
        parts.append(f"{len(unfit)} put aside; job {unfit[0].job_id}: {unfit[0].why}")
    if futile:
        parts.append(f"{len(futile)} cancelled; job {futile[0].job_id}: {futile[0].why}")
    if again:
        parts.append(f"{counted(len(again), 'image')} to be done again, backward")
    return "; ".join(parts)
