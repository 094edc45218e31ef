"""The queue: which ready jobs are dispatched now, into which slots, and why the rest waits.

Strictly by (priority, deadline, age) within a flavor. What waits is reported per flavor, with the
job that is next, never job by job: thousands may wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.actions import DispatchRun
from models.fleet import Demand, Member, demands, in_dispatch_order, join
from models.lifecycle import Status
from models.pauses import in_words, pause_of_type, paused_types
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Job
from models.remembered import remembered
from models.wording import counted, job_subject, named, wait
from reconcilers.execution.sight import Obstacle, Sight


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """The ready jobs of one flavor in their order; `under_way` more are being dispatched."""

    jobs: Sequence[Job]
    under_way: int
    obstructed: int


def dispatch(sight: Sight) -> Iterator[Decision]:
    """Fill the slots of each flavor in order; report per group what has to wait."""
    lines, obstructed = _lines(sight)
    for obstacle, jobs in obstructed.items():
        yield Held(
            subject=obstacle.subject,
            reason=obstacle.reason,
            because=f"{counted(len(jobs), 'job')} cannot be dispatched, first {named(jobs[0])}: "
            f"{obstacle.because}",
            facts=(("waiting", len(jobs)), ("next_job", jobs[0].id)),
        )
    if not lines:
        return
    members = join(sight.world)
    demand = demands(sight.world, members, sight.share.held)
    crew = _crew(members)
    for flavor in sorted(lines):
        yield from _fill(sight, demand[flavor], lines[flavor], crew.get(flavor, ()))


def paused(sight: Sight) -> Iterator[Decision]:
    """Say of each paused type how many ready jobs wait for it to be resumed."""
    pauses = sight.world.store.pauses
    for name in sorted(paused_types(pauses)):
        pause = pause_of_type(pauses, name)
        counts = (c for c in sight.world.store.counts if c.status is Status.READY)
        waiting = sum(count.count for count in counts if count.type == name)
        if pause is not None and waiting:
            yield Held(
                subject=Subject(SubjectKind.TYPE, name),
                reason=Reason.PAUSED,
                because=f"{counted(waiting, 'job')} cannot be dispatched: {in_words(pause)}",
                facts=(("waiting", waiting),),
            )


def over_share(sight: Sight) -> Iterator[Decision]:
    """Say of each flavor how many jobs of reprocessing wait because others of them run."""
    share = sight.share
    for flavor, waiting in share.held.items():
        yield Held(
            subject=Subject(SubjectKind.FLAVOR, flavor),
            reason=Reason.REPROCESSING_SHARE,
            because=f"{wait(waiting, f'reprocessing {flavor} job')}: reprocessing may take "
            f"{counted(share.workers, 'worker')} and {share.vcpus} vCPUs of the pool, and has "
            f"{share.busy_workers} and {share.busy_vcpus}",
            facts=(
                ("waiting", waiting),
                ("workers", share.workers),
                ("vcpus", share.vcpus),
                ("busy_workers", share.busy_workers),
                ("busy_vcpus", share.busy_vcpus),
            ),
        )


def _lines(sight: Sight) -> tuple[dict[str, _Line], dict[Obstacle, list[Job]]]:
    able: defaultdict[str, list[Job]] = defaultdict(list)
    under_way: defaultdict[str, int] = defaultdict(int)
    stuck_in: defaultdict[str, int] = defaultdict(int)
    obstructed: defaultdict[Obstacle, list[Job]] = defaultdict(list)
    for job in _in_order(sight.world.store.ready):
        obstacle = sight.obstacle(job)
        if str(job_subject(job)) in sight.world.busy:
            under_way[job.flavor] += 1
        elif job.id in sight.share.over:
            continue
        elif obstacle is None:
            able[job.flavor].append(job)
        else:
            obstructed[obstacle].append(job)
            stuck_in[job.flavor] += 1
    lines = {
        flavor: _Line(jobs=jobs, under_way=under_way[flavor], obstructed=stuck_in[flavor])
        for flavor, jobs in able.items()
    }
    return lines, dict(obstructed)


@remembered
def _in_order(ready: tuple[Job, ...]) -> Sequence[Job]:
    return in_dispatch_order(ready)


def _crew(members: Sequence[Member]) -> Mapping[str, Sequence[Member]]:
    crew: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        crew[member.worker.flavor].append(member)
    return crew


def _fill(sight: Sight, demand: Demand, line: _Line, crew: Sequence[Member]) -> Iterator[Decision]:
    # What is being dispatched at this moment takes its slot, though the store may not show it yet.
    room = max(0, demand.slots + sight.settings.lead - line.under_way)
    for place, job in enumerate(line.jobs[:room], start=line.under_way):
        yield _dispatched(sight, job, _reason(demand, place))
    left = line.jobs[room:]
    if left:
        sent = line.under_way + len(line.jobs) - len(left) + line.obstructed
        waiting = max(len(left), demand.waiting - sent)
        yield Held(
            subject=Subject(SubjectKind.FLAVOR, demand.flavor),
            reason=Reason.NO_SLOT,
            because=f"{wait(waiting, f'{demand.flavor} job')}: "
            f"{_workforce(demand, crew)}; next in line is {named(left[0])}",
            facts=(
                ("waiting", waiting),
                ("workers", len(crew)),
                ("free", demand.free),
                ("coming", demand.coming),
                ("unplaced", demand.unplaced),
                ("next_job", left[0].id),
            ),
        )


def _reason(demand: Demand, place: int) -> Reason:
    """Runs dispatched before take the free workers first, then those that are coming."""
    if place < demand.free - demand.unplaced:
        return Reason.SLOT_FREE
    return Reason.SLOT_COMING if place < demand.slots else Reason.LEAD


_WHY = {
    Reason.SLOT_FREE: "a worker is free",
    Reason.SLOT_COMING: "a worker is coming",
    Reason.LEAD: "it is sent ahead, so that the next worker that falls free finds work",
}


def _dispatched(sight: Sight, job: Job, reason: Reason) -> DispatchRun:
    return DispatchRun(
        subject=job_subject(job),
        reason=reason,
        because=f"{named(job)} is next for {job.flavor}: {_WHY[reason]}",
        # The ledger tells the attempts of a job apart by it.
        facts=(("attempt", job.attempt + 1),),
        job_id=job.id,
        parent=sight.parent_of(job),
        nomad_priority=job.priority.nomad,
    )


def _workforce(demand: Demand, crew: Sequence[Member]) -> str:
    if not crew:
        return "no worker yet"
    count = counted(len(crew), "worker")
    if all(member.live for member in crew):
        return f"{count}, all busy"
    return (
        f"{count}, {demand.free} free and {demand.coming} coming for "
        f"{counted(demand.unplaced, 'run')} dispatched before"
    )
