"""What operators count: a world and what was decided about it, as figures. Pure.

`controller.metrics` shows them; the names here are those of its gauges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from models.fleet import Demand, demands, join
from models.lifecycle import Status
from models.pauses import paused_types
from models.plan import Decision, Held, Reason, SubjectKind
from models.world import JobCount, StoreView, World

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Counts by label values, in the order of the labels of their gauges."""

    jobs: Mapping[Labels, int]
    quarantined: Mapping[Labels, int]
    workers: Mapping[Labels, int]
    intents: Mapping[Labels, int]
    demand: Mapping[str, Demand]
    pauses: Mapping[Labels, int]


def figures(world: World) -> Figures:
    """Count a world. There is no demand to speak of while Nomad is unknown."""
    return Figures(
        jobs=_jobs(world.store),
        quarantined=_quarantined(world.store),
        workers=Counter[Labels]((w.flavor, w.state.value) for w in world.store.workers),
        intents=Counter[Labels]((i.kind.value,) for i in world.store.intents),
        demand=demands(world, join(world)) if world.nomad is not None else {},
        pauses=Counter[Labels]((pause.target,) for pause in world.store.pauses),
    )


def _jobs(store: StoreView) -> Counter[Labels]:
    counts: Counter[Labels] = Counter()
    for row in store.counts:
        counts[row.type, row.status.value, row.priority.value] += row.count
    return counts


def _quarantined(store: StoreView) -> Counter[Labels]:
    counts: Counter[Labels] = Counter()
    for row in store.counts:
        counts[row.type,] += row.quarantined
    return counts


def oldest_waits(world: World, decisions: Iterable[Decision], now: datetime) -> dict[Reason, float]:
    """For each reason that holds something back, how long the oldest job has waited, in seconds.

    A refusal about a flavor holds back that flavor's ready jobs that are not paused, one about a
    type the jobs of that type, one about a job that job.
    """
    holds = {
        SubjectKind.FLAVOR: _ready_since_by_flavor(world.store),
        SubjectKind.TYPE: _oldest((row.type, row) for row in world.store.counts),
        SubjectKind.JOB: _jobs_since(world.store),
    }
    waits: defaultdict[Reason, float] = defaultdict(float)
    for decision in decisions:
        if not isinstance(decision, Held):
            continue
        began = holds.get(decision.subject.kind, {}).get(decision.subject.id)
        if began is not None:
            waited = max(0.0, (now - began).total_seconds())
            waits[decision.reason] = max(waits[decision.reason], waited)
    return dict(waits)


def _ready_since_by_flavor(store: StoreView) -> dict[str, datetime]:
    paused = paused_types(store.pauses)
    return _oldest((row.flavor, row) for row in store.counts if row.type not in paused)


def _oldest(counts: Iterable[tuple[str, JobCount]]) -> dict[str, datetime]:
    """Since when the oldest ready job has waited, by the key that stands before its count."""
    oldest: dict[str, datetime] = {}
    for key, row in counts:
        if row.status is Status.READY and row.oldest_at is not None:
            oldest[key] = min(row.oldest_at, oldest.get(key, row.oldest_at))
    return oldest


def _jobs_since(store: StoreView) -> dict[str, datetime]:
    jobs = (*store.ready, *(flight.job for flight in store.in_flight), *store.errors)
    return {str(job.id): job.status_at for job in jobs}


def next_due(world: World, now: datetime) -> datetime | None:
    """When the next wait that this world knows of is over: a back-off, a pause, a job held back."""
    times = (
        *(pause.until for pause in world.store.pauses if pause.until is not None),
        *(backoff.until for backoff in world.store.backoffs),
        *(job.not_before for job in world.store.errors if job.not_before is not None),
    )
    return min((at for at in times if at > now), default=None)
