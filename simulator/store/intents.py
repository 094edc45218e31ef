"""Changes of intents that belong to no other row, and the stop of a child."""

from __future__ import annotations

from dataclasses import replace

from models.changes import AskStop, CloseIntent, OpenIntent
from models.errors import Superseded
from models.ports import Receipt
from models.records import Lease
from simulator.store.tables import Tables


def ask_stop(tables: Tables, fence: Lease, change: AskStop) -> Receipt:
    """See `models.changes.AskStop`."""
    run = tables.runs.get(change.run_id) if change.run_id is not None else None
    current = run is not None and tables.current_run(tables.jobs[run.job_id]) == run
    if current is not change.stuck:
        raise Superseded(f"run {change.run_id} is {'' if current else 'not '}current")
    tables.open_intent(change.intent, fence)
    if run is None or not change.stuck:
        return Receipt(run=run)
    run = replace(run, stop_reason=change.why, stop_asked_at=change.at)
    tables.runs.put(run.id, run)
    return Receipt(run=run)


def open_intent(tables: Tables, fence: Lease, change: OpenIntent) -> Receipt:
    """See `models.changes.OpenIntent`."""
    tables.open_intent(change.intent, fence)
    return Receipt()


def close_intent(tables: Tables, _fence: Lease, change: CloseIntent) -> Receipt:
    """See `models.changes.CloseIntent`."""
    tables.close_intent(change.intent_id, change.state, change.note)
    return Receipt()
