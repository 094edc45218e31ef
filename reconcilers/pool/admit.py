"""Admission: the node of a booting worker becomes eligible once its server is proved to be ours.

The image starts nodes ineligible, so nothing is placed on a node before this module has seen which
server it is. On older Nomad nodes join eligible; then there is only the joining to note.
"""

from __future__ import annotations

from models.actions import AdmitNode, ConfirmAdmitted, MarkWorker
from models.fleet import Member
from models.plan import Decision, Reason
from models.records import IntentKind, RetireCause, Worker
from models.world import Node
from reconcilers.pool.roster import is_broken
from reconcilers.pool.survey import (
    Survey,
    held,
    is_leaving,
    seconds,
    worker_subject,
)

BY_HAND = "person (Nomad)"
"""Who retires a worker whose node somebody made ineligible in Nomad."""

_ELIGIBILITY = (IntentKind.SET_ELIGIBLE, IntentKind.SET_INELIGIBLE)


def booting(survey: Survey, member: Member) -> Decision | None:
    """The next step of a worker that has a server and is not admitted yet."""
    if survey.nomad is None:
        return None
    worker, node = member.worker, member.node
    if node is None or node.status != "ready":
        return _not_joined(survey, member)
    if node.usable:
        return ConfirmAdmitted(
            subject=worker_subject(worker),
            reason=Reason.NODE_ADMITTED,
            because=f"the node of {worker.name} is ready and eligible",
            worker_id=worker.id,
            node_id=node.id,
            address=member.server.address if member.server else None,
        )
    if node.draining:
        # The image starts nodes ineligible, but none is born draining.
        return _given_up(worker, node, "is being drained")
    return _admitted(survey, member, node)


def _not_joined(survey: Survey, member: Member) -> Decision:
    worker, limit = member.worker, survey.settings.boot_limit
    age = seconds(worker.created_at, survey.now)
    facts = (("age_s", age), ("limit_s", int(limit.total_seconds())))
    if is_broken(member.server):
        because = f"the server of {worker.name} is in ERROR; creations of its flavor go first"
        return held(worker, Reason.SERVER_ERROR, because, *facts)
    if survey.now - worker.created_at > limit:
        because = (
            f"{worker.name} has no ready node after {age} s of {limit.total_seconds():g} s; "
            "it waits for its turn to be deleted"
        )
        return held(worker, Reason.STALE, because, *facts)
    because = f"{worker.name} boots for {age} s; it is given {limit.total_seconds():g} s"
    return held(worker, Reason.BOOTING, because, *facts)


def _admitted(survey: Survey, member: Member, node: Node) -> Decision | None:
    worker = member.worker
    if survey.cloud is None:
        return None
    if member.server is None:
        because = f"the server of {worker.name} is younger than the server list"
        return held(worker, Reason.BOOTING, because)
    if is_broken(member.server):
        because = f"the server of {worker.name} is in ERROR; its node is not admitted"
        return held(worker, Reason.SERVER_ERROR, because)
    if is_leaving(member.server):
        because = f"the server of {worker.name} is being deleted, not by us; not admitted"
        return held(worker, Reason.ABSENCE_UNPROVED, because)
    if any(survey.pending(kind, node.id) for kind in _ELIGIBILITY):
        because = f"making node {node.name} eligible has not been answered yet"
        return held(worker, Reason.INTENT_OPEN, because)
    return AdmitNode(
        subject=worker_subject(worker),
        reason=Reason.SERVER_PROVED,
        because=f"the node of {worker.name} is proved to be on its server {worker.server_id}",
        worker_id=worker.id,
        node_id=node.id,
    )


def serving(survey: Survey, member: Member) -> Decision | None:
    """A ready worker: is its node there, and has a person made it ineligible?"""
    nomad, worker, node = survey.nomad, member.worker, member.node
    if nomad is None:
        return None
    if node is None or (node.eligible and node.status != "ready"):
        state = "not listed" if node is None else node.status
        because = f"the node of {worker.name} is {state}, its server is there; nothing is deleted"
        return held(worker, Reason.NODE_DOWN, because)
    listed_since = worker.admitted_at is None or nomad.requested_at > worker.admitted_at
    if node.eligible or not listed_since:
        return None
    if any(survey.may_land(kind, node.id) for kind in _ELIGIBILITY):
        because = f"node {node.name} is ineligible, perhaps by a call of ours without an answer"
        return held(worker, Reason.INTENT_OPEN, because)
    return _given_up(worker, node, "was made ineligible")


def _given_up(worker: Worker, node: Node, how: str) -> MarkWorker:
    return MarkWorker(
        subject=worker_subject(worker),
        reason=Reason.INELIGIBLE_BY_PERSON,
        because=f"node {node.name} {how} by a person; {worker.name} finishes its work and is then "
        "deleted",
        worker_id=worker.id,
        node_id=node.id,
        cause=RetireCause.PERSON,
        by=BY_HAND,
        already=True,
    )
