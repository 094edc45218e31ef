"""The delete protocol, one function per step; docs/delete-protocol.md says why each is where it is.

Where a worker stands is in its row (`Worker.retirement`), so a crash between any two steps loses
nothing. A step goes by a snapshot that was asked for after the step it relies on was committed; an
older one proves nothing and the worker waits for the next.
"""

from __future__ import annotations

from models.actions import (
    CommitDelete,
    ConfirmUnmarked,
    MarkWorker,
    RecordSeen,
    RestartMark,
    UnmarkWorker,
)
from models.fleet import Member
from models.plan import Decision, Reason
from models.records import IntentKind, RetireCause, Retirement, RetireStep
from models.world import Node, NomadSnapshot
from reconcilers.pool.barrier import barrier
from reconcilers.pool.survey import Survey, held, worker_subject


def retiring(survey: Survey, member: Member) -> Decision | None:
    """The next step of a worker on its way out, before `deleting` is committed."""
    retirement, nomad = member.worker.retirement, survey.nomad
    if retirement is None or nomad is None:
        return None
    if member.node is None:
        return _without_node(survey, member, retirement, nomad)
    match retirement.step:
        case RetireStep.MARKING:
            return _marking(survey, member, member.node, nomad)
        case RetireStep.SEEN:
            return _seen(survey, member, member.node, nomad)
        case RetireStep.UNDOING:
            return _undoing(survey, member, member.node)


def _marking(survey: Survey, member: Member, node: Node, nomad: NomadSnapshot) -> Decision:
    worker, retirement = member.worker, _retirement(member)
    if _shows_the_mark(survey, retirement, node, nomad):
        index = retirement.index or node.modify_index
        return RecordSeen(
            subject=worker_subject(worker),
            reason=Reason.MARK_SEEN,
            because=f"node {node.name} is listed ineligible; nothing that is evaluated after "
            f"index {index} can be placed on it",
            facts=(("index", index), ("modify_index", node.modify_index)),
            worker_id=worker.id,
            index=index,
            modify_index=node.modify_index,
        )
    if survey.pending(IntentKind.SET_INELIGIBLE, node.id):
        because = f"making node {node.name} ineligible has not been answered yet"
        return held(worker, Reason.INTENT_OPEN, because)
    if nomad.requested_at <= retirement.started_at and retirement.cause is not RetireCause.PERSON:
        because = f"the mark of {worker.name} is younger than the node list"
        return held(worker, Reason.MARK_NOT_SEEN, because)
    return _mark(survey, member, node)


def _shows_the_mark(
    survey: Survey, retirement: Retirement, node: Node, nomad: NomadSnapshot
) -> bool:
    """The node is listed ineligible at or after the mark. An index that no list reaches for long
    is that of a Nomad that was restored since: then the younger list is proof enough.
    """
    if node.eligible or nomad.requested_at <= retirement.started_at:
        return False
    waited = nomad.requested_at - retirement.started_at > survey.settings.barrier_for
    return waited or node.modify_index >= (retirement.index or 0)


def _mark(survey: Survey, member: Member, node: Node) -> MarkWorker:
    worker, retirement = member.worker, _retirement(member)
    sent = survey.may_land(IntentKind.SET_INELIGIBLE, node.id) or retirement.index is not None
    first = retirement.cause is RetireCause.PERSON and not sent
    return MarkWorker(
        subject=worker_subject(worker),
        reason=Reason.ASKED_BY_PERSON if first else Reason.MARK_NOT_SEEN,
        because=f"{retirement.by} wants {worker.name} gone; its node gets nothing new from now on"
        if first
        else f"node {node.name} is not listed ineligible; {worker.name} is marked again",
        worker_id=worker.id,
        node_id=node.id,
        cause=retirement.cause,
        by=retirement.by,
    )


def _seen(survey: Survey, member: Member, node: Node, nomad: NomadSnapshot) -> Decision | None:
    worker, retirement = member.worker, _retirement(member)
    if retirement.seen_at is None or nomad.requested_at <= retirement.seen_at:
        because = f"{worker.name} waits for lists asked for after its mark was seen"
        return held(worker, Reason.BARRIER, because)
    if node.eligible or node.modify_index != retirement.modify_index:
        return RestartMark(
            subject=worker_subject(worker),
            reason=Reason.NODE_CHANGED,
            because=f"node {node.name} changed since it was seen ineligible (index "
            f"{retirement.modify_index} then, {node.modify_index} now); the mark starts again",
            facts=(("then", retirement.modify_index), ("now", node.modify_index)),
            worker_id=worker.id,
        )
    if retirement.forced:
        return _commit(survey, member, Reason.ASKED_BY_PERSON, node)
    return _guarded(survey, member, node, nomad)


def _guarded(survey: Survey, member: Member, node: Node, nomad: NomadSnapshot) -> Decision | None:
    """Nothing may be running, nothing may be placed any more, nothing may undo the mark."""
    worker, retirement = member.worker, _retirement(member)
    live = survey.live(worker)
    if live:
        because = f"{worker.name} still runs {len(live)} allocations; it is deleted after them"
        return held(worker, Reason.RUNS_STILL, because, ("live", len(live)))
    if survey.may_land(IntentKind.SET_ELIGIBLE, node.id):
        because = f"a call that makes node {node.name} eligible may still take effect"
        return held(worker, Reason.INTENT_OPEN, because)
    verdict = barrier(survey, retirement, node, nomad)
    if not verdict.passed:
        return held(worker, verdict.reason, f"{worker.name}: {verdict.because}", *verdict.facts)
    return _commit(survey, member, verdict.reason, node)


def _commit(survey: Survey, member: Member, reason: Reason, node: Node | None) -> Decision | None:
    """Deleting needs the cloud: what it does not list is absence's business, not ours."""
    worker, retirement = member.worker, _retirement(member)
    if survey.cloud is None or member.server is None or worker.server_id is None:
        return None
    why = "by force" if retirement.forced else "nothing runs on it and nothing can be placed"
    return CommitDelete(
        subject=worker_subject(worker),
        reason=reason,
        because=f"{worker.name} goes ({retirement.cause} by {retirement.by}): {why}",
        facts=(("flavor", worker.flavor), ("index", retirement.index)),
        worker_id=worker.id,
        server_id=worker.server_id,
        cause=retirement.cause,
        by=retirement.by,
        node_id=None if node is None else node.id,
        modify_index=None if node is None else node.modify_index,
    )


def _undoing(survey: Survey, member: Member, node: Node) -> Decision:
    worker = member.worker
    if node.eligible:
        return ConfirmUnmarked(
            subject=worker_subject(worker),
            reason=Reason.NODE_ADMITTED,
            because=f"node {node.name} is eligible again",
            worker_id=worker.id,
        )
    if survey.pending(IntentKind.SET_ELIGIBLE, node.id):
        because = f"making node {node.name} eligible again has not been answered yet"
        return held(worker, Reason.INTENT_OPEN, because)
    return unmark(member, node, f"node {node.name} is not listed eligible again yet")


def unmark(member: Member, node: Node, because: str) -> UnmarkWorker:
    """Take a worker back from retirement."""
    return UnmarkWorker(
        subject=worker_subject(member.worker),
        reason=Reason.DEMAND_RETURNED,
        because=because,
        worker_id=member.worker.id,
        node_id=node.id,
    )


def _without_node(
    survey: Survey, member: Member, retirement: Retirement, nomad: NomadSnapshot
) -> Decision | None:
    """A worker whose node is not listed: it never had one, or somebody removed it from Nomad.

    Nothing can be placed on a node that Nomad does not list, but one list is no proof that it
    stays away: without force the worker waits as long as barrier and quarantine would take.
    """
    worker = member.worker
    live = survey.live(worker)
    if live and not retirement.forced:
        because = f"the node of {worker.name} is not listed, but {len(live)} allocations are"
        return held(worker, Reason.RUNS_STILL, because, ("live", len(live)))
    if survey.node_id(worker) is None:
        if survey.is_unproved(worker):
            because = f"a node named {worker.name} is not identified yet"
            return held(worker, Reason.BOOTING, because)
        return _commit(survey, member, Reason.EMPTY, None)
    if retirement.step is RetireStep.MARKING and nomad.requested_at > retirement.started_at:
        return RecordSeen(
            subject=worker_subject(worker),
            reason=Reason.MARK_SEEN,
            because=f"the node of {worker.name} is not listed: nothing can be placed on it",
            worker_id=worker.id,
            index=retirement.index or nomad.index,
            modify_index=0,
        )
    if retirement.step is RetireStep.SEEN and _stayed_away(survey, retirement, nomad):
        reason = Reason.ASKED_BY_PERSON if retirement.forced else Reason.NODE_GONE
        return _commit(survey, member, reason, None)
    because = f"the node of {worker.name} is not listed; it may come back"
    return held(worker, Reason.NODE_DOWN, because)


def _stayed_away(survey: Survey, retirement: Retirement, nomad: NomadSnapshot) -> bool:
    if retirement.seen_at is None or nomad.requested_at <= retirement.seen_at:
        return False
    limit = survey.settings.barrier_for + survey.settings.quarantine_for
    return retirement.forced or nomad.requested_at - retirement.seen_at >= limit


def _retirement(member: Member) -> Retirement:
    retirement = member.worker.retirement
    if retirement is None:
        raise ValueError(f"{member.worker.name} is not retiring")
    return retirement
