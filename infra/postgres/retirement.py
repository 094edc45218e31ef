"""Changes that lead a worker through the delete protocol, up to but not including the deletion."""

from __future__ import annotations

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
from models.ports import Receipt
from models.records import (
    IN_SERVICE,
    IntentKind,
    IntentState,
    Lease,
    Retirement,
    RetireStep,
    Worker,
)
from models.retiring import at_step, back_at_mark, begun, marked, seen, undoing


def begin_retirement(connection: Connection, fence: Lease, change: BeginRetirement) -> Receipt:
    """See `models.changes.BeginRetirement`."""
    worker = in_state(connection, change.worker_id, *IN_SERVICE)
    receipt = _stored(connection, worker, begun(worker, change))
    if change.intent is not None:
        open_one(connection, fence, change.intent)
    return receipt


def note_mark(connection: Connection, _fence: Lease, change: NoteMark) -> Receipt:
    """See `models.changes.NoteMark`."""
    worker = locked_worker(connection, change.worker_id)
    close_intent(connection, change.intent_id, IntentState.DONE, at=change.at)
    after = marked(worker.retirement, change)
    return Receipt(worker=worker) if after is None else _stored(connection, worker, after)


def note_seen(connection: Connection, _fence: Lease, change: NoteSeen) -> Receipt:
    """See `models.changes.NoteSeen`."""
    worker, retirement = _at(connection, change.worker_id, RetireStep.MARKING)
    kind, nodes = IntentKind.SET_INELIGIBLE, nodes_of(connection, worker)
    if retirement.index is None and open_kind(connection, kind, nodes) == 1:
        close_kind(connection, kind, nodes, IntentState.DONE, change.at)
    return _stored(connection, worker, seen(retirement, change))


def return_to_mark(connection: Connection, _fence: Lease, change: ReturnToMark) -> Receipt:
    """See `models.changes.ReturnToMark`."""
    worker, retirement = _at(connection, change.worker_id, RetireStep.SEEN)
    return _stored(connection, worker, back_at_mark(retirement))


def begin_undo(connection: Connection, fence: Lease, change: BeginUndo) -> Receipt:
    """See `models.changes.BeginUndo`."""
    worker, retirement = _at(connection, change.worker_id, *RetireStep)
    receipt = _stored(connection, worker, undoing(worker, retirement))
    open_one(connection, fence, change.intent)
    return receipt


def end_undo(connection: Connection, _fence: Lease, change: EndUndo) -> Receipt:
    """See `models.changes.EndUndo`."""
    worker, _ = _at(connection, change.worker_id, RetireStep.UNDOING)
    close_marks(connection, nodes_of(connection, worker), change)
    return _stored(connection, worker, None)


def _at(connection: Connection, worker_id: int, *steps: RetireStep) -> tuple[Worker, Retirement]:
    worker = in_state(connection, worker_id, *IN_SERVICE)
    return worker, at_step(worker, *steps)


def _stored(connection: Connection, worker: Worker, retirement: Retirement | None) -> Receipt:
    return written(connection, worker, **retirement_values(retirement))
