"""Changes that lead a worker through the delete protocol, up to but not including the deletion."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from infra.postgres.intents import close_kind, open_kind, open_one
from infra.postgres.jobs import close_intent
from infra.postgres.pool import (
    close_marks,
    in_state,
    locked_worker,
    nodes_of,
    written,
)
from infra.postgres.rows import retirement_values
from models.changes import BeginRetirement, BeginUndo, EndUndo, NoteMark, NoteSeen, ReturnToMark
from models.errors import Superseded
from models.ports import Receipt
from models.records import (
    IN_SERVICE,
    IntentKind,
    IntentState,
    Lease,
    RetireCause,
    Retirement,
    RetireStep,
    Worker,
)


def begin_retirement(connection: Connection, fence: Lease, change: BeginRetirement) -> Receipt:
    """See `models.changes.BeginRetirement`."""
    worker = in_state(connection, change.worker_id, *IN_SERVICE)
    before = worker.retirement
    if before is not None and before.step is not RetireStep.MARKING:
        raise Superseded(f"{worker.name} is retiring and past its mark")
    if change.forced and change.cause is not RetireCause.PERSON:
        raise Superseded(f"{worker.name}: only a person may force a retirement")
    receipt = _stored(connection, worker, _begun(before, change))
    if change.intent is not None:
        open_one(connection, fence, change.intent)
    return receipt


def _begun(before: Retirement | None, change: BeginRetirement) -> Retirement:
    fresh = Retirement(
        cause=change.cause,
        by=change.by,
        step=RetireStep.MARKING,
        started_at=change.at,
        forced=change.forced,
    )
    if before is None:
        return fresh
    if change.cause is RetireCause.PERSON and before.cause is not RetireCause.PERSON:
        return replace(before, cause=fresh.cause, by=fresh.by, forced=fresh.forced)
    return before


def note_mark(connection: Connection, _fence: Lease, change: NoteMark) -> Receipt:
    """See `models.changes.NoteMark`."""
    worker = locked_worker(connection, change.worker_id)
    close_intent(connection, change.intent_id, IntentState.DONE, at=change.at)
    retirement = worker.retirement
    if retirement is None or retirement.step is not RetireStep.MARKING or change.index == 0:
        return Receipt(worker=worker)
    return _stored(connection, worker, replace(retirement, index=change.index))


def note_seen(connection: Connection, _fence: Lease, change: NoteSeen) -> Receipt:
    """See `models.changes.NoteSeen`."""
    worker, retirement = _at(connection, change.worker_id, RetireStep.MARKING)
    kind, nodes = IntentKind.SET_INELIGIBLE, nodes_of(connection, worker)
    if retirement.index is None and open_kind(connection, kind, nodes) == 1:
        close_kind(connection, kind, nodes, IntentState.DONE, change.at)
    seen = replace(
        retirement,
        step=RetireStep.SEEN,
        index=change.index,
        modify_index=change.modify_index,
        seen_at=change.at,
    )
    return _stored(connection, worker, seen)


def return_to_mark(connection: Connection, _fence: Lease, change: ReturnToMark) -> Receipt:
    """See `models.changes.ReturnToMark`."""
    worker, retirement = _at(connection, change.worker_id, RetireStep.SEEN)
    marking = replace(
        retirement, step=RetireStep.MARKING, index=None, modify_index=None, seen_at=None
    )
    return _stored(connection, worker, marking)


def begin_undo(connection: Connection, fence: Lease, change: BeginUndo) -> Receipt:
    """See `models.changes.BeginUndo`."""
    worker, retirement = _at(connection, change.worker_id, *RetireStep)
    if retirement.cause is RetireCause.PERSON:
        raise Superseded(f"{worker.name} was retired by {retirement.by}; only a person may undo it")
    receipt = _stored(connection, worker, replace(retirement, step=RetireStep.UNDOING))
    open_one(connection, fence, change.intent)
    return receipt


def end_undo(connection: Connection, _fence: Lease, change: EndUndo) -> Receipt:
    """See `models.changes.EndUndo`."""
    worker, _ = _at(connection, change.worker_id, RetireStep.UNDOING)
    close_marks(connection, nodes_of(connection, worker), change)
    return _stored(connection, worker, None)


def _at(connection: Connection, worker_id: int, *steps: RetireStep) -> tuple[Worker, Retirement]:
    worker = in_state(connection, worker_id, *IN_SERVICE)
    if worker.retirement is None or worker.retirement.step not in steps:
        raise Superseded(f"{worker.name} is not at this step of its retirement")
    return worker, worker.retirement


def _stored(connection: Connection, worker: Worker, retirement: Retirement | None) -> Receipt:
    return written(connection, worker, **retirement_values(retirement))
