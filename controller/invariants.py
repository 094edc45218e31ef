"""What must never be, looked for in every world and in everything decided about it. Pure.

Production counts what is found, the simulation stops at it. Each finding is a defect of ours or a
hand that went past us, never a matter of tuning. Only what one world can show is here: that a
status change is legal, for instance, the store checks itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from controller.invariants_of_sight import Violation, falsely_published, on_half_a_world
from models.actions import (
    CommitDelete,
    Configure,
    CreateServer,
    DispatchRun,
    MarkWorker,
)
from models.breakers import REMOVAL_CAUSES
from models.fleet import join
from models.job_types import parent_id
from models.lifecycle import IN_FLIGHT, ON_WORKER
from models.pauses import in_words, pause_of_loop, paused_types
from models.plan import Action, Decision, Subject, SubjectKind
from models.records import InFlight, Job, RetireCause, Worker, WorkerState
from models.remembered import remembered
from models.settings import Settings
from models.vanishing import accepted, open_breakers
from models.wording import job_subject
from models.world import Source, World

INVARIANTS = tuple(f"I{number}" for number in range(1, 13))
"""The invariants of the design, as the label of `hrsi_invariant_violations_total` names them."""

EXPLAINED_WITHIN = timedelta(minutes=1)
"""A wait that is longer has a recorded reason."""

_ONLY_EMPTY = {RetireCause.IDLE, RetireCause.PERSON}
"""Causes for which a worker may go only when nothing runs on it; the others have lost theirs."""


def check(world: World) -> list[Violation]:
    """What is broken in this world."""
    return [
        *_deleted_while_busy(world),
        *_false_flights(world.store.in_flight),
        *_twice_in_flight(world.store.in_flight),
        *_same_name(world.store.workers),
        *falsely_published(world.readback),
    ]


def check_decisions(
    world: World, decisions: Sequence[Decision], settings: Settings
) -> list[Violation]:
    """What these decisions would break if they were carried out on this world."""
    return [
        *_deletions_of_busy(world, decisions),
        *_creations_over_caps(world, decisions, settings),
        *on_half_a_world(world, decisions),
        *_despite_a_breaker(world, decisions),
        *_out_of_series(world, decisions),
        *(
            Violation(
                invariant="I10", subject=str(d.subject), what=f"{d.reason} without a sentence"
            )
            for d in decisions
            if not d.because
        ),
    ]


def check_pauses(world: World, decisions: Iterable[Decision], loop: str) -> list[Violation]:
    """I12. A paused loop does nothing, and nothing of a paused type is dispatched."""
    stopped = pause_of_loop(world.store.pauses, loop)
    types, known = paused_types(world.store.pauses), {job.id: job for job in world.store.ready}
    found: list[Violation] = []
    for decision in decisions:
        what = f"{type(decision).__name__} was decided though "
        job = known.get(decision.job_id) if isinstance(decision, DispatchRun) else None
        if stopped is not None and isinstance(decision, Action):
            what += in_words(stopped)
        elif job is not None and job.type in types:
            what += f"type {job.type} is paused"
        else:
            continue
        found.append(Violation(invariant="I12", subject=str(decision.subject), what=what))
    return found


def check_waits(
    world: World, decided: Iterable[Decision], loop: str, now: datetime
) -> list[Violation]:
    """I10. A due job that has been ready for a minute is dispatched, or something is decided about
    it or a group that it belongs to. Only execution decides about ready jobs.
    """
    if loop != "execution":
        return []
    about = {str(decision.subject) for decision in decided} | world.busy
    if str(Subject(SubjectKind.SYSTEM, Source.NOMAD.value)) in about:
        return []
    return [
        Violation(
            invariant="I10",
            subject=str(job_subject(job)),
            what=f"is ready since {job.status_at:%H:%M:%S} UTC, and nothing is decided about it",
        )
        for group, jobs in _by_group(world.store.ready).items()
        if about.isdisjoint(_names_of(world, *group))
        for job in jobs
        if now - job.status_at > EXPLAINED_WITHIN and str(job_subject(job)) not in about
    ]


@remembered
def _by_group(ready: tuple[Job, ...]) -> Mapping[tuple[str, str], Sequence[Job]]:
    groups: defaultdict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in ready:
        groups[job.type, job.flavor].append(job)
    return dict(groups)


def _names_of(world: World, job_type: str, flavor: str) -> Iterator[str]:
    """The subjects by which something may be said of all jobs of a type and flavor."""
    yield str(Subject(SubjectKind.TYPE, job_type))
    yield str(Subject(SubjectKind.FLAVOR, flavor))
    known = world.registry.types.get(job_type)
    if known is not None:
        parent = parent_id(world.site.deployment, known.service, flavor)
        yield str(Subject(SubjectKind.PARENT, parent))


def _deleted_while_busy(world: World) -> list[Violation]:
    """I1. The mark, the barrier and the re-read should have kept the worker empty."""
    # Whoever is seldom deleting need not be joined for it.
    members = join(world) if _any_must_be_empty(world.store.workers) else ()
    return [
        Violation(
            invariant="I1",
            subject=f"worker:{member.worker.name}",
            what=f"is being deleted while {len(member.live)} allocations may run on it",
        )
        for member in members
        if member.live and _must_be_empty(member.worker) and _is_listed_since(world, member.worker)
    ]


def _is_listed_since(world: World, worker: Worker) -> bool:
    """Whether the list that shows what runs was asked for after the deletion was committed. A row
    that another process wrote since may be newer than the list: what ended before is in it still.
    """
    sent = worker.delete_sent_at
    return world.nomad is not None and (sent is None or world.nomad.requested_at > sent)


@remembered
def _any_must_be_empty(workers: tuple[Worker, ...]) -> bool:
    return any(_must_be_empty(worker) for worker in workers)


def _must_be_empty(worker: Worker) -> bool:
    retirement = worker.retirement
    if worker.state is not WorkerState.DELETING or retirement is None:
        return False
    if worker.gone_at is not None:
        return False  # Nomad has yet to notice that what it shows there went with the server
    return retirement.cause in _ONLY_EMPTY and not retirement.forced


@remembered
def _false_flights(flights: tuple[InFlight, ...]) -> tuple[Violation, ...]:
    return tuple(v for flight in flights for v in _not_current(flight))


def _not_current(flight: InFlight) -> list[Violation]:
    """I2. A job in flight has an open run, its newest, which claimed if it is on a worker."""
    job, run = flight.job, flight.run
    wrong: list[str] = []
    if job.status not in IN_FLIGHT:
        wrong.append(f"its status is {job.status}")
    if run.job_id != job.id:
        wrong.append(f"its run is that of job {run.job_id}")
    if run.attempt != job.attempt:
        wrong.append(f"its run is attempt {run.attempt} of {job.attempt}")
    if run.ended_at is not None:
        wrong.append("its run has ended")
    if job.status in ON_WORKER and run.claim < 1:
        wrong.append(f"it is {job.status} and nothing claimed its run")
    return [
        Violation(invariant="I2", subject=f"job:{job.id}", what=f"is in flight but {what}")
        for what in wrong
    ]


@remembered
def _twice_in_flight(flights: tuple[InFlight, ...]) -> tuple[Violation, ...]:
    """I2. One job, one current run."""
    counts = Counter(flight.job.id for flight in flights)
    return tuple(
        Violation(invariant="I2", subject=f"job:{job_id}", what=f"is in flight {count} times")
        for job_id, count in counts.items()
        if count > 1
    )


@remembered
def _same_name(workers: tuple[Worker, ...]) -> tuple[Violation, ...]:
    """I4. Two rows of one name would be counted as one server by those who look."""
    counts = Counter(worker.name for worker in workers)
    return tuple(
        Violation(invariant="I4", subject=f"worker:{name}", what=f"has {count} open rows")
        for name, count in counts.items()
        if count > 1
    )


def _creations_over_caps(
    world: World, decisions: Iterable[Decision], settings: Settings
) -> Iterator[Violation]:
    """I4. All of a pass's creations must fit, not only each of them.

    Judged against the caps that they were decided under: more workers than a cap that was lowered
    since are nobody's mistake.
    """
    wanted = [decision.flavor for decision in decisions if isinstance(decision, CreateServer)]
    if wanted:
        flavors = [*(w.flavor for w in world.store.workers), *wanted]
        yield from _over_caps(len(flavors), _vcpus(world, flavors), settings)


def _over_caps(workers: int, vcpus: int, settings: Settings) -> Iterator[Violation]:
    pool = settings.pool
    for what, used, cap in (
        ("workers", workers, pool.max_workers),
        ("vCPUs", vcpus, pool.vcpu_budget),
    ):
        if used > cap:
            yield Violation(
                invariant="I4", subject="system:openstack", what=f"{used} {what}, the cap is {cap}"
            )


def _vcpus(world: World, flavors: Iterable[str]) -> int:
    known = world.registry.flavors
    return sum(known[flavor].vcpus for flavor in flavors if flavor in known)


def _deletions_of_busy(world: World, decisions: Iterable[Decision]) -> Iterator[Violation]:
    """I1, before it happens."""
    deletions = [d for d in decisions if isinstance(d, CommitDelete) and d.cause in _ONLY_EMPTY]
    members = {member.worker.id: member for member in join(world)} if deletions else {}
    for decision in deletions:
        member = members.get(decision.worker_id)
        retirement = member.worker.retirement if member else None
        forced = retirement is not None and retirement.forced
        if member is not None and member.live and not forced:
            yield Violation(
                invariant="I1",
                subject=f"worker:{member.worker.name}",
                what=f"is to be deleted while {len(member.live)} allocations may run on it",
            )


def _despite_a_breaker(world: World, decisions: Iterable[Decision]) -> Iterator[Violation]:
    """I9. Nobody begins to remove a worker for what lists say of it while a breaker is open, unless
    a person accepted it.
    """
    shown, spared = open_breakers(world), accepted(world)
    servers = {worker.id: worker.server_id for worker in world.store.workers} if shown else {}
    for decision in decisions if shown else ():
        if not isinstance(decision, MarkWorker | CommitDelete):
            continue
        if decision.cause in REMOVAL_CAUSES and servers.get(decision.worker_id) not in spared:
            yield Violation(
                invariant="I9",
                subject=str(decision.subject),
                what=f"{type(decision).__name__} ({decision.cause}) was decided while "
                f"{', '.join(sorted(shown))} is open",
            )


def _out_of_series(world: World, decisions: Iterable[Decision]) -> Iterator[Violation]:
    """I7. A job becomes ready after those before it in its series, or says why not."""
    backlog = world.backlog.jobs if world.backlog is not None else ()
    held = {each.job.id: each.before.id for each in backlog if each.before is not None}
    configured = (d for d in decisions if held and isinstance(d, Configure))
    for job in chain.from_iterable(decision.jobs for decision in configured):
        if job.job_id in held and job.wait is None and not job.config.get("order"):
            yield Violation(
                invariant="I7",
                subject=f"job:{job.job_id}",
                what=f"is to be ready though job {held[job.job_id]} before it is open",
            )
