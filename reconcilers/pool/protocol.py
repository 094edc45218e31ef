"""The delete protocol, one function per step; docs/delete-protocol.md says why each is where it is.

Where a worker stands is in its row (`Worker.retirement`), so a crash between any two steps loses
nothing. A step goes by a snapshot that was asked for after the step it relies on was committed; an
older one proves nothing and the worker waits for the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.actions import (
    CommitDelete,
    ConfirmUnmarked,
    MarkWorker,
    RecordSeen,
    RestartMark,
    UnmarkWorker,
)
from models.fleet import Member
from models.plan import Decision, Fact, Held, Reason, Subject
from models.records import IntentKind, RetireCause, Retirement, RetireStep, Worker
from models.wording import are, counted
from models.world import Node, NomadSnapshot
from reconcilers.pool.barrier import barrier
from reconcilers.pool.survey import Survey, held, worker_subject


@dataclass(frozen=True, kw_only=True, slots=True)
class _Leaver:
    """A worker on its way out."""

    survey: Survey
    member: Member
    worker: Worker
    retirement: Retirement

    @property
    def subject(self) -> Subject:
        return worker_subject(self.worker)

    def waits(self, reason: Reason, because: str, *facts: tuple[str, Fact]) -> Held:
        return held(self.worker, reason, because, *facts)


def retiring(survey: Survey, member: Member) -> Decision | None:
    """The next step of a worker on its way out, before `deleting` is committed."""
    worker, nomad, node = member.worker, survey.nomad, member.node
    if worker.retirement is None or nomad is None:
        return None
    leaver = _Leaver(survey=survey, member=member, worker=worker, retirement=worker.retirement)
    if node is None:
        return _without_node(leaver, nomad)
    if worker.retirement.step is RetireStep.MARKING:
        return _marking(leaver, node, nomad)
    if worker.retirement.step is RetireStep.SEEN:
        return _seen(leaver, node, nomad)
    return _undoing(leaver, node)


def _marking(leaver: _Leaver, node: Node, nomad: NomadSnapshot) -> Decision:
    worker, retirement = leaver.worker, leaver.retirement
    if _shows_the_mark(leaver, node, nomad):
        # The later of the two: whoever changed the node since may have opened it in between.
        index = max(retirement.index or 0, node.modify_index)
        return RecordSeen(
            subject=leaver.subject,
            reason=Reason.MARK_SEEN,
            because=f"node {node.name} is listed ineligible; nothing that is evaluated after "
            f"index {index} can be placed on it",
            facts=(("index", index), ("modify_index", node.modify_index)),
            worker_id=worker.id,
            index=index,
            modify_index=node.modify_index,
        )
    if leaver.survey.pending(IntentKind.SET_INELIGIBLE, node.id):
        because = f"making node {node.name} ineligible has not been answered yet"
        return leaver.waits(Reason.INTENT_OPEN, because)
    unsent = node.eligible and retirement.cause is RetireCause.PERSON
    if nomad.requested_at <= retirement.started_at and not unsent:
        because = f"the mark of {worker.name} is younger than the node list"
        return leaver.waits(Reason.MARK_NOT_SEEN, because)
    return _mark(leaver, node)


def _shows_the_mark(leaver: _Leaver, node: Node, nomad: NomadSnapshot) -> bool:
    """The node is listed ineligible at or after the mark. An index that no list reaches for long
    is that of a Nomad that was restored since: then the younger list is proof enough.
    """
    retirement = leaver.retirement
    if node.eligible or nomad.requested_at <= retirement.started_at:
        return False
    waited = nomad.requested_at - retirement.started_at > leaver.survey.settings.barrier_for
    return waited or node.modify_index >= (retirement.index or 0)


def _mark(leaver: _Leaver, node: Node) -> MarkWorker:
    worker, retirement = leaver.worker, leaver.retirement
    sent = (
        leaver.survey.may_land(IntentKind.SET_INELIGIBLE, node.id) or retirement.index is not None
    )
    first = retirement.cause is RetireCause.PERSON and not sent
    return MarkWorker(
        subject=leaver.subject,
        reason=Reason.ASKED_BY_PERSON if first else Reason.MARK_NOT_SEEN,
        because=f"{retirement.by} wants {worker.name} gone; its node gets nothing new from now on"
        if first
        else f"node {node.name} is not listed ineligible; {worker.name} is marked again",
        worker_id=worker.id,
        node_id=node.id,
        cause=retirement.cause,
        by=retirement.by,
    )


def _seen(leaver: _Leaver, node: Node, nomad: NomadSnapshot) -> Decision | None:
    worker, retirement = leaver.worker, leaver.retirement
    if retirement.seen_at is None or nomad.requested_at <= retirement.seen_at:
        because = f"{worker.name} waits for lists asked for after its mark was seen"
        return leaver.waits(Reason.BARRIER, because)
    if node.eligible or node.modify_index != retirement.modify_index:
        return RestartMark(
            subject=leaver.subject,
            reason=Reason.NODE_CHANGED,
            because=f"node {node.name} changed since it was seen ineligible (index "
            f"{retirement.modify_index} then, {node.modify_index} now); the mark starts again",
            facts=(("then", retirement.modify_index), ("now", node.modify_index)),
            worker_id=worker.id,
        )
    if retirement.forced:
        return _commit(leaver, Reason.ASKED_BY_PERSON, node)
    return _guarded(leaver, node, nomad)


def _guarded(leaver: _Leaver, node: Node, nomad: NomadSnapshot) -> Decision | None:
    """Nothing may be running, nothing may be placed any more, nothing may undo the mark."""
    worker, retirement = leaver.worker, leaver.retirement
    live = leaver.survey.live(worker)
    if live:
        running = counted(len(live), "allocation")
        because = f"{worker.name} still runs {running}; it is deleted after that"
        return leaver.waits(Reason.RUNS_STILL, because, ("live", len(live)))
    if leaver.survey.is_unproved(worker):
        return leaver.waits(Reason.NODE_NEW, _unproved(worker))
    if leaver.survey.may_land(IntentKind.SET_ELIGIBLE, node.id):
        because = f"a call that makes node {node.name} eligible may still take effect"
        return leaver.waits(Reason.INTENT_OPEN, because)
    verdict = barrier(leaver.survey, retirement, node, nomad)
    if not verdict.passed:
        return leaver.waits(verdict.reason, f"{worker.name}: {verdict.because}", *verdict.facts)
    return _commit(leaver, verdict.reason, node)


def _commit(leaver: _Leaver, reason: Reason, node: Node | None) -> Decision | None:
    """Deleting needs the cloud: what it does not list is absence's business, not ours."""
    worker, retirement = leaver.worker, leaver.retirement
    if leaver.survey.cloud is None or leaver.member.server is None or worker.server_id is None:
        return None
    why = "by force" if retirement.forced else "nothing runs on it and nothing can be placed"
    return CommitDelete(
        subject=leaver.subject,
        reason=reason,
        because=f"{worker.name} is deleted: {why}; it was retired by {retirement.by} "
        f"({retirement.cause})",
        facts=(("flavor", worker.flavor), ("index", retirement.index)),
        worker_id=worker.id,
        server_id=worker.server_id,
        cause=retirement.cause,
        by=retirement.by,
        node_id=None if node is None else node.id,
        modify_index=None if node is None else node.modify_index,
    )


def _undoing(leaver: _Leaver, node: Node) -> Decision:
    worker = leaver.worker
    if node.eligible:
        return ConfirmUnmarked(
            subject=leaver.subject,
            reason=Reason.NODE_ADMITTED,
            because=f"node {node.name} is eligible again",
            worker_id=worker.id,
        )
    if leaver.survey.pending(IntentKind.SET_ELIGIBLE, node.id):
        because = f"making node {node.name} eligible again has not been answered yet"
        return leaver.waits(Reason.INTENT_OPEN, because)
    return unmark(leaver.member, node, f"node {node.name} is not listed eligible again yet")


def unmark(member: Member, node: Node, because: str) -> UnmarkWorker:
    """Take a worker back from retirement."""
    return UnmarkWorker(
        subject=worker_subject(member.worker),
        reason=Reason.DEMAND_RETURNED,
        because=because,
        worker_id=member.worker.id,
        node_id=node.id,
    )


def _without_node(leaver: _Leaver, nomad: NomadSnapshot) -> Decision | None:
    """A worker whose node is not listed: it never had one, or somebody removed it from Nomad.

    Nothing can be placed on a node that Nomad does not list, but one list is no proof that it
    stays away: without force the worker waits as long as barrier and quarantine would take.
    """
    worker, retirement = leaver.worker, leaver.retirement
    live = leaver.survey.live(worker)
    if live and not retirement.forced:
        because = f"the node of {worker.name} is not listed, but {are(len(live), 'allocation')}"
        return leaver.waits(Reason.RUNS_STILL, because, ("live", len(live)))
    if leaver.survey.is_unproved(worker):
        return leaver.waits(Reason.NODE_NEW, _unproved(worker))
    if leaver.survey.node_id(worker) is None:
        return _commit(leaver, Reason.EMPTY, None)
    if retirement.step is RetireStep.MARKING and nomad.requested_at > retirement.started_at:
        return RecordSeen(
            subject=leaver.subject,
            reason=Reason.MARK_SEEN,
            because=f"the node of {worker.name} is not listed: nothing can be placed on it",
            worker_id=worker.id,
            index=retirement.index or nomad.index,
            modify_index=0,
        )
    if retirement.step is RetireStep.SEEN and _stayed_away(leaver, nomad):
        reason = Reason.ASKED_BY_PERSON if retirement.forced else Reason.NODE_GONE
        return _commit(leaver, reason, None)
    because = f"the node of {worker.name} is not listed; it may come back"
    return leaver.waits(Reason.NODE_DOWN, because)


def _stayed_away(leaver: _Leaver, nomad: NomadSnapshot) -> bool:
    settings, retirement = leaver.survey.settings, leaver.retirement
    if retirement.seen_at is None or nomad.requested_at <= retirement.seen_at:
        return False
    limit = settings.barrier_for + settings.quarantine_for
    return retirement.forced or nomad.requested_at - retirement.seen_at >= limit


def _unproved(worker: Worker) -> str:
    return f"a node named {worker.name} is not identified yet; it may run something on its server"
