"""Breakers of the pool: when one opens, when it closes by itself, and what an open one holds back.

The numbers behind it are counted anew in every pass, and what they forbid is held back in that very
pass, whether the store knows the breaker yet or not. What is held back goes on by itself once the
breaker is closed: nothing is forgotten, no protocol begins again.

What an open breaker holds back of the deletions depends on what is in doubt:

- `removals`: so many removals are suspicious, each by itself is as well proved as ever. Held back
  are the removals that are counted: stale, in ERROR, vanished. Idle workers go on leaving.
- `servers`, `nodes`: a list is in doubt, and every deletion goes by the lists: Nomad's for whether
  a node is empty, the cloud's for whether a server is gone. All are held back, those of idle
  workers at their commit: the steps before it can be undone and go on.

What a person wished, and workers for which a person's word holds, are never held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from models.actions import (
    CloseBreaker,
    CommitDelete,
    DeleteImage,
    DeleteServer,
    EndAcceptance,
    MarkWorker,
    OpenBreaker,
    ProveGone,
    PurgeNode,
)
from models.breakers import Breaker, BreakerName
from models.fleet import Member
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import RetireCause, Worker
from models.remembered import remembered
from models.vanishing import (
    Finding,
    accepted,
    allowed,
    in_words,
    missing_nodes,
    missing_servers,
    open_breakers,
)
from models.wishes import is_by_person
from models.wording import counted
from reconcilers.pool.removal import is_absent
from reconcilers.pool.roster import is_broken
from reconcilers.pool.stale import failed
from reconcilers.pool.survey import Survey

_REASONS = {
    BreakerName.REMOVALS: Reason.MANY_REMOVALS,
    BreakerName.SERVERS: Reason.SERVERS_MISSING,
    BreakerName.NODES: Reason.NODES_MISSING,
}

_LISTS = frozenset({BreakerName.SERVERS, BreakerName.NODES})
"""Breakers that are about a list in doubt."""

_GUARDED = MarkWorker | CommitDelete | DeleteServer | ProveGone | PurgeNode
"""Steps that end a worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """What the breakers count in one world, and which the store shows open."""

    findings: Mapping[BreakerName, Finding]
    shown: Mapping[BreakerName, Breaker]
    spared: frozenset[str]

    @classmethod
    def of(cls, survey: Survey) -> Alarm:
        """Count; what an unknown source would have to show is not counted."""
        world, limits = survey.world, survey.limits
        shown, spared = open_breakers(world), accepted(world)
        lists = [f for f in (missing_servers(world, limits), missing_nodes(world, limits)) if f]
        # What a list in doubt does not show is held back by that list's breaker already.
        doubted = frozenset(s for f in lists if f.is_above or f.name in shown for s in f.suspects)
        named = shown[BreakerName.REMOVALS].suspects if BreakerName.REMOVALS in shown else {}
        removals = _removals(survey, spared | doubted.difference(named))
        return cls(
            findings={f.name: f for f in (*lists, removals) if f is not None},
            shown=shown,
            spared=spared,
        )

    @property
    def tripped(self) -> dict[BreakerName, str]:
        """The breakers that hold back now, each with why; those that the store shows open first."""
        shown = {name: in_words(self.shown[name]) for name in BreakerName if name in self.shown}
        above = {name: f.because for name, f in self.findings.items() if f.is_above}
        return shown | {name: why for name, why in above.items() if name not in shown}


def _removals(survey: Survey, spared: frozenset[str]) -> Finding | None:
    """Removals that began lately, and those that would begin, but for those of the servers spared;
    None while a source is unknown.
    """
    world, limits = survey.world, survey.limits
    if survey.nomad is None or survey.cloud is None:
        return None
    begun, coming = _by_server(world.store.removed), _by_server(_to_be_removed(survey))
    suspects = {s: name for s, name in {**begun, **coming}.items() if s not in spared}
    known = {*_servers(world.store.workers), *begun}
    limit = allowed(limits.removals, limits.removal_share, len(known))
    window_s = int(limits.window.total_seconds())
    return Finding(
        name=BreakerName.REMOVALS,
        suspects=suspects,
        pending=frozenset(coming) - spared,
        known=len(known),
        limit=limit,
        because=f"{len(suspects)} of {counted(len(known), 'worker')} were removed within "
        f"{window_s} s, or are to be, because they are stale, in ERROR or gone; up to {limit} may",
    )


def _to_be_removed(survey: Survey) -> Iterator[Worker]:
    """Whom the rules would remove, whether it is their turn or not."""
    yield from (member.worker for member, _ in failed(survey))
    yield from (member.worker for member in survey.roster.unsettled if is_absent(survey, member))


@remembered
def _servers(workers: tuple[Worker, ...]) -> frozenset[str]:
    return frozenset(_by_server(workers))


def _by_server(workers: Iterable[Worker]) -> dict[str, str]:
    """The names of workers that have a server, by its id."""
    return {worker.server_id: worker.name for worker in workers if worker.server_id}


def breakers(survey: Survey, alarm: Alarm) -> Iterator[Decision]:
    """Open what counts too much, close what is explained, and say of each that is open why."""
    for name in BreakerName:
        breaker, finding = alarm.shown.get(name), alarm.findings.get(name)
        if breaker is None and finding is not None and finding.is_above:
            yield _opened(finding, finding.suspects)
        elif breaker is not None:
            yield _still_open(breaker, finding)
    yield from _no_longer_accepted(survey)


def _opened(finding: Finding, suspects: Mapping[str, str]) -> OpenBreaker:
    return OpenBreaker(
        subject=_subject(finding.name),
        reason=_REASONS[finding.name],
        because=finding.because,
        facts=(
            ("suspects", len(finding.suspects)),
            ("known", finding.known),
            ("limit", finding.limit),
        ),
        name=finding.name,
        suspects=suspects,
    )


def _still_open(breaker: Breaker, finding: Finding | None) -> Decision:
    if finding is not None:
        more = {s: name for s, name in finding.suspects.items() if s not in breaker.suspects}
        if not finding.pending.isdisjoint(more):
            return _opened(finding, more)
        if not finding.pending:
            return CloseBreaker(
                subject=_subject(breaker.name),
                reason=Reason.BREAKER_EXPLAINED,
                because=f"{in_words(breaker)}; all of it is explained: nothing that it named is "
                "missing, or waits for its removal, any more",
                name=breaker.name,
                breaker_id=breaker.id,
            )
    left = len(breaker.suspects if finding is None else finding.pending)
    return Held(
        subject=_subject(breaker.name),
        reason=Reason.BREAKER_OPEN,
        because=f"{in_words(breaker)}; {counted(left, 'worker')} left unexplained. Deletions, "
        "purges and requeues for absence are held back until they are back, or a person runs "
        f"`hrsi breaker close {breaker.name}`",
        facts=(("unexplained", left), ("suspects", len(breaker.suspects))),
    )


def _subject(name: BreakerName) -> Subject:
    return Subject(SubjectKind.BREAKER, name.value)


def _no_longer_accepted(survey: Survey) -> Iterator[EndAcceptance]:
    """A person's word ends with what it was about: when the worker is well, or long gone."""
    if survey.nomad is None or survey.cloud is None:
        return
    members = {m.worker.server_id: m for m in survey.members}
    lately = {worker.server_id for worker in survey.world.store.removed}
    for breaker in survey.world.store.breakers:
        over = tuple(
            server
            for server in sorted(breaker.accepted)
            if (_is_well(members[server]) if server in members else server not in lately)
        )
        if over:
            yield EndAcceptance(
                subject=_subject(breaker.name),
                reason=Reason.BREAKER_EXPLAINED,
                because=f"{counted(len(over), 'worker')} that {breaker.closed_by} accepted as gone "
                "or failed are well again, or closed: they count again",
                facts=(("over", len(over)), ("left", len(breaker.accepted) - len(over))),
                breaker_id=breaker.id,
                server_ids=over,
            )


def _is_well(member: Member) -> bool:
    server, node = member.server, member.node
    joined = node is not None and node.status == "ready"
    return server is not None and not is_broken(server) and joined


# ---- holding back --------------------------------------------------------------------------------


def guarded(survey: Survey, alarm: Alarm, decisions: Iterable[Decision]) -> Iterator[Decision]:
    """The decisions as far as no breaker forbids them; a refusal takes the place of the others."""
    tripped = alarm.tripped
    if not tripped:
        yield from decisions
        return
    workers = {member.worker.id: member.worker for member in survey.members}
    for decision in decisions:
        if isinstance(decision, _GUARDED) and decision.worker_id is not None:
            worker = workers.get(decision.worker_id)
            name = _holder(decision, worker, tripped)
            if name is not None and (worker is None or worker.server_id not in alarm.spared):
                yield _held_back(decision, name, tripped[name])
                continue
        doubt = next((name for name in tripped if name in _doubts(decision)), None)
        if doubt is not None:
            yield _held_back(decision, doubt, tripped[doubt])
            continue
        yield decision


def _doubts(decision: Decision) -> frozenset[BreakerName]:
    """Breakers that forbid what ends no worker, and yet goes by the lists."""
    if isinstance(decision, DeleteImage):
        return frozenset({BreakerName.SERVERS})
    no_workers = isinstance(decision, PurgeNode) and decision.worker_id is None
    return _LISTS if no_workers else frozenset()


def _holder(
    step: _GUARDED, worker: Worker | None, tripped: Mapping[BreakerName, str]
) -> BreakerName | None:
    """Which breaker forbids this step, if one does."""
    retirement = worker.retirement if worker is not None else None
    cause = _cause(step, worker)
    if cause is RetireCause.PERSON or is_by_person(retirement):
        return None
    if cause is RetireCause.IDLE:
        # Marking is safe: it can be undone, and nothing is deleted by it.
        doubts = () if isinstance(step, MarkWorker) else (n for n in tripped if n in _LISTS)
        return next(iter(doubts), None)
    return next(iter(tripped))


def _cause(step: _GUARDED, worker: Worker | None) -> RetireCause:
    """Why this step would end its worker. What was never asked to go has vanished."""
    if isinstance(step, MarkWorker | CommitDelete):
        return step.cause
    retirement = worker.retirement if worker is not None else None
    if retirement is None:
        return RetireCause.VANISHED
    asked_for = worker is not None and worker.delete_sent_at is not None
    return retirement.cause if asked_for else RetireCause.VANISHED


def _held_back(decision: Decision, name: BreakerName, why: str) -> Held:
    return Held(
        subject=decision.subject,
        reason=Reason.BREAKER_OPEN,
        because=f"{decision.because}; held back: {why}",
        facts=(*decision.facts, ("breaker", name.value), ("would_be", decision.reason.value)),
    )
