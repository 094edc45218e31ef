"""What operators count: a world and what was decided about it, as figures. Pure.

`controller.metrics` shows them; the names here are those of its gauges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from models.breakers import BreakerName
from models.fleet import Demand, demands, join
from models.job_types import parent_id
from models.lifecycle import Status
from models.pauses import paused_types
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Priority
from models.reprocessing import share_of
from models.settings import DEFAULT_SETTINGS, PoolSettings
from models.vanishing import open_breakers
from models.wording import job_subject
from models.world import JobCount, Source, StoreView, World

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Counts by label values, in the order of the labels of their gauges."""

    jobs: Mapping[Labels, int]
    standing: Mapping[Labels, float]
    quarantined: Mapping[Labels, int]
    workers: Mapping[Labels, int]
    intents: Mapping[Labels, int]
    waiting: Mapping[Labels, int]
    demand: Mapping[str, Demand]
    pauses: Mapping[Labels, int]
    breakers: Mapping[Labels, int]
    suspects: Mapping[Labels, int]


def figures(world: World, pool: PoolSettings = DEFAULT_SETTINGS.pool) -> Figures:
    """Count a world. There is no demand to speak of while Nomad is unknown."""
    shown = open_breakers(world)
    held = share_of(world, pool).held
    return Figures(
        jobs=_jobs(world.store),
        standing=_standing(world.store),
        quarantined=_quarantined(world.store),
        workers=Counter[Labels]((w.flavor, w.state.value) for w in world.store.workers),
        intents=Counter[Labels]((i.kind.value,) for i in world.store.intents),
        waiting=_waiting(world),
        demand=demands(world, join(world), held) if world.nomad is not None else {},
        pauses=Counter[Labels]((pause.target,) for pause in world.store.pauses),
        breakers={(name.value,): int(name in shown) for name in BreakerName},
        suspects={
            (name.value,): len(shown[name].suspects) if name in shown else 0 for name in BreakerName
        },
    )


def _waiting(world: World) -> dict[Labels, int]:
    """Ready jobs that are due, by flavor: the store knows them whatever else is unknown."""
    found = {**dict.fromkeys(world.registry.flavors, 0), **world.store.ready_total}
    return {(flavor,): number for flavor, number in found.items()}


def _jobs(store: StoreView) -> Counter[Labels]:
    counts: Counter[Labels] = Counter()
    for row in store.counts:
        counts[row.type, row.status.value, row.priority.value] += row.count
    return counts


def _standing(store: StoreView) -> dict[Labels, float]:
    """For how many seconds the job has stood there that has stood longest in a status."""
    found: dict[Labels, float] = {}
    for row in store.counts:
        if row.oldest_at is not None:
            labels = (row.type, row.status.value)
            age = max(0.0, (store.requested_at - row.oldest_at).total_seconds())
            found[labels] = max(age, found.get(labels, 0.0))
    return found


def _quarantined(store: StoreView) -> Counter[Labels]:
    counts: Counter[Labels] = Counter()
    for row in store.counts:
        counts[row.type,] += row.quarantined
    return counts


def oldest_waits(world: World, decisions: Iterable[Decision], now: datetime) -> dict[Reason, float]:
    """For each reason that holds something back, how long the oldest job has waited, in seconds.

    A refusal about a system that is unknown holds back every ready job that is not paused, one
    about a flavor or a parent those of them that belong to it, one about a type the jobs of that
    type, one about a job that job. One for the share of reprocessing holds back only such jobs.
    """
    # A bad parameter is told about a system too, but nothing waits for it.
    refusals = [
        decision
        for decision in decisions
        if isinstance(decision, Held) and decision.reason is not Reason.BAD_PARAMETER
    ]
    holds = _holds(world, {refusal.subject.kind for refusal in refusals})
    waits: defaultdict[Reason, float] = defaultdict(float)
    for decision in refusals:
        began = holds.get(_held_by(decision.subject, decision.reason))
        if began is not None:
            waited = max(0.0, (now - began).total_seconds())
            waits[decision.reason] = max(waits[decision.reason], waited)
    return dict(waits)


def _holds(world: World, kinds: set[SubjectKind]) -> dict[str, datetime]:
    """Since when the oldest job has waited that a refusal about each subject holds back. Only when
    jobs are among the `kinds` of subjects, each of them is looked at.
    """
    ready = [row for row in world.store.counts if row.status is Status.READY]
    paused = paused_types(world.store.pauses)
    due = [row for row in ready if row.type not in paused]
    groups = (
        *((Subject(SubjectKind.SYSTEM, source.value), row) for source in Source for row in due),
        *((Subject(SubjectKind.FLAVOR, row.flavor), row) for row in due),
        *((Subject(SubjectKind.PARENT, parent), row) for parent, row in _by_parent(world, due)),
        *((Subject(SubjectKind.TYPE, row.type), row) for row in ready),
    )
    oldest = _oldest((*((str(subject), row) for subject, row in groups), *_shared(due)))
    return {**oldest, **_jobs_since(world.store)} if SubjectKind.JOB in kinds else oldest


def _shared(due: Iterable[JobCount]) -> Iterator[tuple[str, JobCount]]:
    for row in due:
        if row.priority is Priority.REPROCESSING:
            subject = Subject(SubjectKind.FLAVOR, row.flavor)
            yield _held_by(subject, Reason.REPROCESSING_SHARE), row


def _held_by(subject: Subject, reason: Reason) -> str:
    """What of a subject a refusal holds back."""
    return f"{reason} {subject}" if reason is Reason.REPROCESSING_SHARE else str(subject)


def _by_parent(world: World, rows: Iterable[JobCount]) -> Iterator[tuple[str, JobCount]]:
    for row in rows:
        found = world.registry.types.get(row.type)
        if found is not None:
            yield parent_id(world.site.deployment, found.service, row.flavor), row


def _oldest(counts: Iterable[tuple[str, JobCount]]) -> dict[str, datetime]:
    """Since when the oldest job has waited, by the key that stands before its count."""
    oldest: dict[str, datetime] = {}
    for key, row in counts:
        if row.oldest_at is not None:
            oldest[key] = min(row.oldest_at, oldest.get(key, row.oldest_at))
    return oldest


def _jobs_since(store: StoreView) -> dict[str, datetime]:
    jobs = (*store.ready, *(flight.job for flight in store.in_flight), *store.errors)
    return {str(job_subject(job)): job.status_at for job in jobs}


def next_due(world: World, now: datetime) -> datetime | None:
    """When the next wait that this world knows of is over: a back-off, a pause, a job held back."""
    times = (
        *(pause.until for pause in world.store.pauses if pause.until is not None),
        *(backoff.until for backoff in world.store.backoffs),
        *(job.not_before for job in world.store.errors if job.not_before is not None),
        *(
            p.not_before
            for each in world.publishing or ()
            for p in each.publications
            if p.not_before
        ),
    )
    return min((at for at in times if at > now), default=None)
