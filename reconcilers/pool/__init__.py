"""The worker pool: enough workers for the waiting jobs, none without work, never above the caps.

`decide` surveys the world once (`survey`, `roster`) and asks, in this order: who is who
(`identity`), what workers boot from (`image`), what to create (`grow`, with `capacity`, `limits`
and `backoffs`), what failed (`stale`), whom to take back (`undo`), who is not needed (`shrink`);
and then of each worker not chosen its own next step: `identity`, `admit`, `apart`, `protocol` with
its `barrier`, or `removal`. No worker gets two. What a breaker forbids is then held back
(`breaker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from models.fleet import Member
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import WorkerState
from models.restraint import restrained
from models.settings import BreakerSettings, PoolSettings
from models.world import Source, World
from reconcilers.pool.admit import booting, serving
from reconcilers.pool.apart import apart
from reconcilers.pool.breaker import Alarm, breakers, guarded
from reconcilers.pool.grow import grow
from reconcilers.pool.identity import awaited, nodes, strangers
from reconcilers.pool.image import image
from reconcilers.pool.protocol import retiring
from reconcilers.pool.removal import deleting, left_behind, vanished
from reconcilers.pool.shrink import shrink
from reconcilers.pool.stale import stale
from reconcilers.pool.survey import Survey, worker_subject
from reconcilers.pool.undo import taken_back

UNCHANGED = BreakerSettings()
"""The limits of the breakers unless somebody changed them."""


def decide(
    world: World, settings: PoolSettings, now: datetime, limits: BreakerSettings = UNCHANGED
) -> list[Decision]:
    """What the worker pool needs next. Computes only: reads no clock, calls no one.

    A source that is unknown holds back what needs it, and nothing else. The same world gives the
    same decisions in the same order, however its lists are ordered.
    """
    survey = Survey.of(world, settings, limits, now)
    alarm = Alarm.of(survey)
    decided = chain(breakers(survey, alarm), guarded(survey, alarm, _decisions(survey)))
    return list(restrained(decided, world, now))


def _decisions(survey: Survey) -> Iterator[Decision]:
    yield from _unknown_sources(survey)
    yield from nodes(survey)
    yield from left_behind(survey)
    yield from strangers(survey)
    yield from image(survey)
    growth = grow(survey)
    yield from growth.decisions
    chosen: dict[Subject, Decision] = {}
    for rule in (stale(survey, growth), taken_back(survey), shrink(survey, growth)):
        for decision in rule:
            chosen.setdefault(decision.subject, decision)
    yield from chosen.values()
    for member in survey.roster.unsettled:
        subject = worker_subject(member.worker)
        if subject not in chosen and not survey.is_busy(subject):
            yield from _next_step(survey, member)


def _next_step(survey: Survey, member: Member) -> Iterator[Decision]:
    """The one step that a worker's own state asks for, if any."""
    worker = member.worker
    decision: Decision | None
    if worker.state is WorkerState.DELETING:
        decision = deleting(survey, member)
    elif worker.state is WorkerState.CREATING:
        decision = awaited(survey, member)
    elif survey.is_missing(member):
        decision = vanished(survey, member)
    elif worker.retirement is not None:
        decision = retiring(survey, member)
    elif worker.outside_pool:
        decision = apart(survey, member)
    elif worker.state is WorkerState.BOOTING:
        decision = booting(survey, member)
    else:
        decision = serving(survey, member)
    if decision is not None:
        yield decision


def _unknown_sources(survey: Survey) -> Iterator[Held]:
    for source, snapshot, waits in (
        (Source.NOMAD, survey.nomad, "no worker is created, admitted or retired"),
        (Source.CLOUD, survey.cloud, "no server is recorded, created or deleted"),
    ):
        if snapshot is None:
            why = survey.world.unknown.get(source, "not observed")
            yield Held(
                subject=Subject(SubjectKind.SYSTEM, source.value),
                reason=Reason.SOURCE_UNKNOWN,
                because=f"{source.value} is unknown ({why}): {waits}",
            )
