"""Handlers of what the pool decides about nodes: identity, eligibility, marks, purges."""

from __future__ import annotations

from controller.act.effects import Acting, Changes, Effect, repeatable, subject_of
from models.actions import (
    AdmitNode,
    ConfirmAdmitted,
    ConfirmUnmarked,
    ForgetNode,
    IdentifyNode,
    MarkWorker,
    PurgeNode,
    RecordSeen,
    RestartMark,
    UnmarkWorker,
)
from models.changes import (
    AdmitWorker,
    BeginRetirement,
    BeginUndo,
    DropNode,
    EndUndo,
    NoteMark,
    NoteNode,
    NoteSeen,
    OpenIntent,
    ReturnToMark,
)
from models.errors import NotFound, System
from models.records import IntentKind


def identify_node(action: IdentifyNode, acting: Acting) -> Effect:
    """Read a node once and store which server it is. A node that is gone is forgotten about."""

    def send() -> Changes:
        identify = acting.tools.orchestrator.identify
        identity = acting.call(System.NOMAD, "identify", lambda: identify(action.node_id))
        return (NoteNode(at=acting.now(), identity=identity), *acting.success(subject_of(action)))

    return Effect(
        system=System.NOMAD,
        send=send,
        refused=lambda error: (
            () if isinstance(error, NotFound) else acting.setback(subject_of(action), error)
        ),
    )


def forget_node(action: ForgetNode, acting: Acting) -> None:
    """Drop an identity nobody needs any more."""
    acting.commit(DropNode(at=acting.at, node_id=action.identity.node_id))


def admit_node(action: AdmitNode, acting: Acting) -> Effect:
    """Make the node eligible; that it is, the next node list has to show."""
    intent = acting.intent(IntentKind.SET_ELIGIBLE, action.node_id)
    acting.commit(OpenIntent(at=acting.at, intent=intent))
    mark = acting.tools.orchestrator.set_eligibility
    return repeatable(action, acting, intent, lambda: mark(action.node_id, eligible=True))


def confirm_admitted(action: ConfirmAdmitted, acting: Acting) -> None:
    """The worker is ready."""
    acting.commit(
        AdmitWorker(
            at=acting.at,
            worker_id=action.worker_id,
            node_id=action.node_id,
            address=action.address,
        )
    )


def mark_worker(action: MarkWorker, acting: Acting) -> Effect | None:
    """Begin the delete protocol; the index of the answer is what the barrier waits for."""
    intent = None if action.already else acting.intent(IntentKind.SET_INELIGIBLE, action.node_id)
    acting.commit(
        BeginRetirement(
            at=acting.at,
            worker_id=action.worker_id,
            cause=action.cause,
            by=action.by,
            intent=intent,
        )
    )
    if intent is None:
        return None
    mark = acting.tools.orchestrator.set_eligibility

    def send() -> Changes:
        index = acting.call(
            System.NOMAD, intent.kind.value, lambda: mark(action.node_id, eligible=False)
        )
        note = NoteMark(
            at=acting.now(), worker_id=action.worker_id, intent_id=intent.id, index=index
        )
        return (note, *acting.success(subject_of(action)))

    return Effect(
        system=System.NOMAD,
        send=send,
        refused=lambda error: (
            *acting.failed(intent, error),
            *acting.setback(subject_of(action), error),
        ),
    )


def record_seen(action: RecordSeen, acting: Acting) -> None:
    """The mark was seen; the index of the barrier is frozen."""
    acting.commit(
        NoteSeen(
            at=acting.at,
            worker_id=action.worker_id,
            index=action.index,
            modify_index=action.modify_index,
        )
    )


def restart_mark(action: RestartMark, acting: Acting) -> None:
    """The node changed: the protocol begins again."""
    acting.commit(ReturnToMark(at=acting.at, worker_id=action.worker_id))


def unmark_worker(action: UnmarkWorker, acting: Acting) -> Effect:
    """Demand came back: make the node eligible again."""
    intent = acting.intent(IntentKind.SET_ELIGIBLE, action.node_id)
    acting.commit(BeginUndo(at=acting.at, worker_id=action.worker_id, intent=intent))
    mark = acting.tools.orchestrator.set_eligibility
    return repeatable(action, acting, intent, lambda: mark(action.node_id, eligible=True))


def confirm_unmarked(action: ConfirmUnmarked, acting: Acting) -> None:
    """The retirement is over."""
    acting.commit(EndUndo(at=acting.at, worker_id=action.worker_id))


def purge_node(action: PurgeNode, acting: Acting) -> Effect:
    """Remove the node; one that is gone is no error."""
    intent = acting.intent(IntentKind.PURGE_NODE, action.node_id)
    acting.commit(OpenIntent(at=acting.at, intent=intent))
    purge = acting.tools.orchestrator.purge
    return repeatable(action, acting, intent, lambda: purge(action.node_id))
