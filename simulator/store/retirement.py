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
from simulator.store.pool import close_marks, in_state, stored
from simulator.store.tables import Tables


def begin_retirement(tables: Tables, fence: Lease, change: BeginRetirement) -> Receipt:
    """See `models.changes.BeginRetirement`."""
    worker = in_state(tables, change.worker_id, *IN_SERVICE)
    before = worker.retirement
    if before is not None and before.step is not RetireStep.MARKING:
        raise Superseded(f"{worker.name} is retiring and past its mark")
    if change.forced and change.cause is not RetireCause.PERSON:
        raise Superseded(f"{worker.name}: only a person may force a retirement")
    if change.intent is not None:
        tables.open_intent(change.intent, fence)
    return stored(tables, replace(worker, retirement=_begun(before, change)))


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


def note_mark(tables: Tables, _fence: Lease, change: NoteMark) -> Receipt:
    """See `models.changes.NoteMark`."""
    worker = tables.worker(change.worker_id)
    tables.close_intent(change.intent_id, IntentState.DONE)
    retirement = worker.retirement
    if retirement is None or retirement.step is not RetireStep.MARKING or change.index == 0:
        return Receipt(worker=worker)
    return stored(tables, replace(worker, retirement=replace(retirement, index=change.index)))


def note_seen(tables: Tables, _fence: Lease, change: NoteSeen) -> Receipt:
    """See `models.changes.NoteSeen`."""
    worker, retirement = _at(tables, change.worker_id, RetireStep.MARKING)
    kind, nodes = IntentKind.SET_INELIGIBLE, tables.nodes_of(worker)
    marks = [mark for node in nodes for mark in tables.intents_by_subject.of((kind, node))]
    if retirement.index is None and len(marks) == 1:
        tables.close_intent(marks[0].id, IntentState.DONE)
    seen = replace(
        retirement,
        step=RetireStep.SEEN,
        index=change.index,
        modify_index=change.modify_index,
        seen_at=change.at,
    )
    return stored(tables, replace(worker, retirement=seen))


def return_to_mark(tables: Tables, _fence: Lease, change: ReturnToMark) -> Receipt:
    """See `models.changes.ReturnToMark`."""
    worker, retirement = _at(tables, change.worker_id, RetireStep.SEEN)
    marking = replace(
        retirement, step=RetireStep.MARKING, index=None, modify_index=None, seen_at=None
    )
    return stored(tables, replace(worker, retirement=marking))


def begin_undo(tables: Tables, fence: Lease, change: BeginUndo) -> Receipt:
    """See `models.changes.BeginUndo`."""
    worker, retirement = _at(tables, change.worker_id, *RetireStep)
    if retirement.cause is RetireCause.PERSON:
        raise Superseded(f"{worker.name} was retired by {retirement.by}; only a person may undo it")
    tables.open_intent(change.intent, fence)
    undoing = replace(retirement, step=RetireStep.UNDOING)
    return stored(tables, replace(worker, retirement=undoing))


def end_undo(tables: Tables, _fence: Lease, change: EndUndo) -> Receipt:
    """See `models.changes.EndUndo`."""
    worker, _ = _at(tables, change.worker_id, RetireStep.UNDOING)
    close_marks(tables, *tables.nodes_of(worker))
    return stored(tables, replace(worker, retirement=None))


def _at(tables: Tables, worker_id: int, *steps: RetireStep) -> tuple[Worker, Retirement]:
    worker = in_state(tables, worker_id, *IN_SERVICE)
    if worker.retirement is None or worker.retirement.step not in steps:
        raise Superseded(f"{worker.name} is not at this step of its retirement")
    return worker, worker.retirement
