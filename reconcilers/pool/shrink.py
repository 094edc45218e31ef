"""Shrinking: which workers that nobody needs begin to go, for idleness or to make room.

Nothing here deletes anything that has a node: it begins the delete protocol (`protocol`), which
can be undone until the very end. Two questions are asked, in this order: who has been idle for
long enough; and, when a cap holds back what another flavor needs, who of the others makes room for
it at once, as many as the claim needs and no more. The longest idle go first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.actions import MarkWorker
from models.fleet import Member
from models.plan import Decision, Fact, Held, Reason, Subject, SubjectKind
from models.records import IntentKind, RetireCause
from models.wording import are
from reconcilers.pool.capacity import Limit
from reconcilers.pool.grow import Growth, Shortage
from reconcilers.pool.survey import POOL, Survey, seconds, worker_subject


def shrink(survey: Survey, growth: Growth) -> Iterator[Decision]:
    """Begin to retire workers that nobody needs; say of each flavor what is not idle for long
    enough. Needs the cloud: whether booting workers will come is part of what is surplus, and a
    worker given up now could not be replaced.
    """
    if survey.nomad is None or survey.cloud is None:
        return
    unneeded = _surplus(survey)
    idle = for_idleness(survey, unneeded)
    others = unneeded[len(idle) :]
    leaving = [*survey.roster.leaving, *(idler.member for idler in idle)]
    movers = for_room(survey, growth, leaving, others)
    yield from (_retired_for_idleness(survey, idler) for idler in idle)
    yield from (_retired_for_room(survey, idler, short) for idler, short in movers)
    yield from _too_short(survey, others[len(movers) :])


@dataclass(frozen=True, kw_only=True, slots=True)
class Idler:
    """A worker that nobody needs, and since when it has been free."""

    member: Member
    since: datetime


def for_idleness(survey: Survey, unneeded: Sequence[Idler]) -> Sequence[Idler]:
    """Who of these, longest idle first, has been idle for long enough: the first so many that
    `min_workers` stay.
    """
    spare = max(0, survey.roster.serving - survey.settings.min_workers)
    long_enough = [i for i in unneeded if survey.now - i.since >= survey.settings.idle_for]
    return long_enough[:spare]


def for_room(
    survey: Survey, growth: Growth, leaving: Iterable[Member], others: Sequence[Idler]
) -> Sequence[tuple[Idler, Sequence[Shortage]]]:
    """Who of the others, longest idle first, makes room for what caps hold back, and what for.

    What leaves anyway is room already.
    """
    limits = {short.limit.reason: short.limit for short in growth.short}
    missing: Counter[Reason] = Counter()
    for short in growth.short:
        missing[short.limit.reason] += short.amount
    missing.subtract(_room(survey, limits.values(), leaving))
    movers: list[tuple[Idler, Sequence[Shortage]]] = []
    for idler in others:
        still_short = [short for short in growth.short if missing[short.limit.reason] > 0]
        if not still_short:
            break
        movers.append((idler, still_short))
        missing.subtract(_room(survey, limits.values(), [idler.member]))
    return movers


def _room(survey: Survey, limits: Iterable[Limit], members: Iterable[Member]) -> dict[Reason, int]:
    """What members take of each limit."""
    sizes = [survey.size(member.worker.flavor) for member in members]
    return {limit.reason: sum(limit.cost(size) for size in sizes) for limit in limits}


def _surplus(survey: Survey) -> list[Idler]:
    """Workers that nobody needs, longest idle first, of each flavor as many as are surplus."""
    found: list[Idler] = []
    left = {flavor: demand.surplus for flavor, demand in survey.demands.items()}
    members = survey.roster.free
    free = [(m, since) for m in members if (since := _free_since(survey, m)) is not None]
    for member, since in sorted(free, key=lambda pair: (pair[1], pair[0].worker.name)):
        if left[member.worker.flavor] > 0:
            left[member.worker.flavor] -= 1
            found.append(Idler(member=member, since=since))
    return found


def _free_since(survey: Survey, member: Member) -> datetime | None:
    """Since when a free worker could have been spared; None: it cannot be."""
    worker, node = member.worker, member.node
    kept = worker.keep_until is not None and worker.keep_until > survey.now
    if kept or node is None or survey.is_missing(member):
        return None
    # Whatever may still make the node eligible would do so behind the mark's back.
    unsettled = survey.may_land(IntentKind.SET_ELIGIBLE, node.id)
    if unsettled or survey.live(worker) or survey.is_busy(worker_subject(worker)):
        return None
    return worker.idle_since


def _retired_for_idleness(survey: Survey, idler: Idler) -> MarkWorker:
    worker, idle_s = idler.member.worker, seconds(idler.since, survey.now)
    because = f"{worker.name} is idle for {idle_s} s and no {worker.flavor} job needs it"
    return _marked(idler, Reason.IDLE, because, ("idle_s", idle_s))


def _retired_for_room(survey: Survey, idler: Idler, short: Sequence[Shortage]) -> MarkWorker:
    worker, idle_s = idler.member.worker, seconds(idler.since, survey.now)
    caps = " and ".join(sorted({s.limit.reason.value for s in short}))
    flavors = " and ".join(sorted({s.flavor for s in short}))
    because = (
        f"{worker.name} makes room for {flavors} workers, held back by {caps}; no {worker.flavor} "
        "job needs it"
    )
    return _marked(idler, Reason.ROOM_NEEDED, because, ("idle_s", idle_s), ("caps", caps))


def _marked(idler: Idler, reason: Reason, because: str, *facts: tuple[str, Fact]) -> MarkWorker:
    worker, node = idler.member.worker, idler.member.node
    return MarkWorker(
        subject=worker_subject(worker),
        reason=reason,
        because=because,
        facts=(*facts, ("flavor", worker.flavor)),
        worker_id=worker.id,
        node_id=node.id if node else "",
        cause=RetireCause.IDLE,
        by=POOL,
    )


def _too_short(survey: Survey, others: Sequence[Idler]) -> Iterator[Held]:
    idle_for = survey.settings.idle_for
    limit = int(idle_for.total_seconds())
    waiting = [(i.member.worker.flavor, i.since) for i in others if survey.now - i.since < idle_for]
    for flavor, count in sorted(Counter(flavor for flavor, _ in waiting).items()):
        longest = min(since for its, since in waiting if its == flavor)
        idle_s = seconds(longest, survey.now)
        not_needed = f"{are(count, f'{flavor} worker')} not needed"
        yield Held(
            subject=Subject(SubjectKind.FLAVOR, flavor),
            reason=Reason.IDLE_TOO_SHORT,
            because=f"{not_needed}; the longest idle one for {idle_s} s of {limit} s",
            facts=(("workers", count), ("idle_s", idle_s), ("idle_for_s", limit)),
        )
