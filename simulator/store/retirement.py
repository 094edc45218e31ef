"""Changes that lead a worker through the delete protocol, up to but not including the deletion."""

from __future__ import annotations

from dataclasses import replace

from models.changes import (
    BeginRetirement,
    BeginUndo,
    EndUndo,
    NoteMark,
    NoteSeen,
    ReturnToMark,
)
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
from simulator.store.pool import close_marks, in_state, stored
from simulator.store.tables import Tables


def begin_retirement(tables: Tables, fence: Lease, change: BeginRetirement) -> Receipt:
    """See `models.changes.BeginRetirement`."""
    worker = in_state(tables, change.worker_id, *IN_SERVICE)
    begins = begun(worker, change)
    if change.intent is not None:
        tables.open_intent(change.intent, fence)
    return _stored(tables, worker, begins)


def note_mark(tables: Tables, _fence: Lease, change: NoteMark) -> Receipt:
    """See `models.changes.NoteMark`."""
    worker = tables.worker(change.worker_id)
    tables.close_intent(change.intent_id, IntentState.DONE)
    after = marked(worker.retirement, change)
    return Receipt(worker=worker) if after is None else _stored(tables, worker, after)


def note_seen(tables: Tables, _fence: Lease, change: NoteSeen) -> Receipt:
    """See `models.changes.NoteSeen`."""
    worker, retirement = _at(tables, change.worker_id, RetireStep.MARKING)
    kind, nodes = IntentKind.SET_INELIGIBLE, tables.nodes_of(worker)
    marks = [mark for node in nodes for mark in tables.intents_by_subject.of((kind, node))]
    if retirement.index is None and len(marks) == 1:
        tables.close_intent(marks[0].id, IntentState.DONE)
    return _stored(tables, worker, seen(retirement, change))


def return_to_mark(tables: Tables, _fence: Lease, change: ReturnToMark) -> Receipt:
    """See `models.changes.ReturnToMark`."""
    worker, retirement = _at(tables, change.worker_id, RetireStep.SEEN)
    return _stored(tables, worker, back_at_mark(retirement))


def begin_undo(tables: Tables, fence: Lease, change: BeginUndo) -> Receipt:
    """See `models.changes.BeginUndo`."""
    worker, retirement = _at(tables, change.worker_id, *RetireStep)
    undone = undoing(worker, retirement)
    tables.open_intent(change.intent, fence)
    return _stored(tables, worker, undone)


def end_undo(tables: Tables, _fence: Lease, change: EndUndo) -> Receipt:
    """See `models.changes.EndUndo`."""
    worker, _ = _at(tables, change.worker_id, RetireStep.UNDOING)
    close_marks(tables, *tables.nodes_of(worker))
    return _stored(tables, worker, None)


def _at(tables: Tables, worker_id: int, *steps: RetireStep) -> tuple[Worker, Retirement]:
    worker = in_state(tables, worker_id, *IN_SERVICE)
    return worker, at_step(worker, *steps)


def _stored(tables: Tables, worker: Worker, retirement: Retirement | None) -> Receipt:
    return stored(tables, replace(worker, retirement=retirement))
