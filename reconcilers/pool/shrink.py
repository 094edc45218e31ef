"""Shrinking: which workers begin to go, for idleness or because they never came up.

Nothing here deletes anything that has a node: it begins the delete protocol (`protocol`), which
can be undone until the very end. Idle workers go longest idle first. When a cap holds back what
another flavor needs, those that nobody needs make room at once, without the idle wait, as many as
the claim needs and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from models.actions import MarkWorker
from models.fleet import Member
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import IntentKind, RetireCause, RetireStep, WorkerState
from reconcilers.pool.capacity import Limit
from reconcilers.pool.grow import Growth
from reconcilers.pool.survey import POOL, Survey, seconds, worker_subject


def idle(survey: Survey, growth: Growth) -> Iterator[Decision]:
    """Begin to retire workers that nobody needs; say of each flavor what is not idle for long
    enough. Needs the cloud: whether booting workers will come is part of what is surplus, and a
    worker given up now could not be replaced.
    """
    if survey.nomad is None or survey.cloud is None:
        return
    spare = _serving(survey) - survey.settings.min_workers
    claims = _Claims(survey, growth)
    waiting: list[tuple[Member, datetime]] = []
    for member, since in _surplus(survey):
        long_enough = survey.now - since >= survey.settings.idle_for
        if (long_enough and spare > 0) or claims.open:
            spare -= 1
            claims.make_room(member)
            yield _marked(survey, member, since)
        elif not long_enough:
            waiting.append((member, since))
    yield from _too_short(survey, waiting)


class _Claims:
    """What capped flavors still wait for, beyond what is on its way out already."""

    def __init__(self, survey: Survey, growth: Growth) -> None:
        self._survey = survey
        self._limits: dict[Reason, Limit] = {limit.reason: limit for limit, _ in growth.short}
        self._missing: Counter[Reason] = Counter()
        for limit, amount in growth.short:
            self._missing[limit.reason] += amount
        for member in survey.members:
            if _is_leaving(member):
                self.make_room(member)

    @property
    def open(self) -> bool:
        """Something is still missing."""
        return any(amount > 0 for amount in self._missing.values())

    def make_room(self, member: Member) -> None:
        """One more worker goes."""
        size = self._survey.size(member.worker.flavor)
        for reason, limit in self._limits.items():
            self._missing[reason] -= limit.cost(size)


def _is_leaving(member: Member) -> bool:
    retirement = member.worker.retirement
    going = retirement is not None and retirement.step is not RetireStep.UNDOING
    return going or member.worker.state is WorkerState.DELETING


def _serving(survey: Survey) -> int:
    """Workers in all that are there to work: `min_workers` of them stay."""
    return sum(
        m.worker.state is WorkerState.READY and m.worker.retirement is None for m in survey.members
    )


def _surplus(survey: Survey) -> Iterator[tuple[Member, datetime]]:
    """Workers that nobody needs, longest idle first, of each flavor as many as are surplus."""
    left = {flavor: demand.surplus for flavor, demand in survey.demands.items()}
    free = [(m, since) for m in survey.members if (since := _free_since(survey, m)) is not None]
    for member, since in sorted(free, key=lambda pair: (pair[1], pair[0].worker.name)):
        if left[member.worker.flavor] > 0:
            left[member.worker.flavor] -= 1
            yield member, since


def _free_since(survey: Survey, member: Member) -> datetime | None:
    """Since when a worker could have been spared; None: it cannot be."""
    worker, node = member.worker, member.node
    kept = worker.keep_until is not None and worker.keep_until > survey.now
    if kept or node is None or not member.is_free or survey.is_missing(member):
        return None
    # Whatever may still make the node eligible would do so behind the mark's back.
    unsettled = survey.may_land(IntentKind.SET_ELIGIBLE, node.id)
    if unsettled or survey.live(worker) or survey.is_busy(worker_subject(worker)):
        return None
    return worker.idle_since


def _marked(survey: Survey, member: Member, since: datetime) -> MarkWorker:
    worker, idle_s = member.worker, seconds(since, survey.now)
    return MarkWorker(
        subject=worker_subject(worker),
        reason=Reason.IDLE,
        because=f"{worker.name} is idle for {idle_s} s and no {worker.flavor} job needs it",
        facts=(("idle_s", idle_s), ("flavor", worker.flavor)),
        worker_id=worker.id,
        node_id=member.node.id if member.node else "",
        cause=RetireCause.IDLE,
        by=POOL,
    )


def _too_short(survey: Survey, waiting: Sequence[tuple[Member, datetime]]) -> Iterator[Held]:
    limit = int(survey.settings.idle_for.total_seconds())
    for flavor, count in sorted(Counter(m.worker.flavor for m, _ in waiting).items()):
        longest = min(since for m, since in waiting if m.worker.flavor == flavor)
        idle_s = seconds(longest, survey.now)
        yield Held(
            subject=Subject(SubjectKind.FLAVOR, flavor),
            reason=Reason.IDLE_TOO_SHORT,
            because=f"{count} {flavor} workers are not needed; the longest idle one for {idle_s} s "
            f"of {limit} s",
            facts=(("workers", count), ("idle_s", idle_s), ("idle_for_s", limit)),
        )
