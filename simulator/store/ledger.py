"""What was decided, who is alive, and what is forgotten in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from models.plan import Decision
from models.records import Heartbeat, IntentState, LedgerRow
from simulator.store.tables import Tables

DECISIONS = "decisions"


def record(tables: Tables, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
    """See `models.ports.JobStore.record`."""
    for decision in decisions:
        action, subject = type(decision).__name__, str(decision.subject)
        number = tables.last_decision.get((loop, subject, action))
        row = None if number is None else tables.ledger.get(number)
        if number is None or row is None or row.reason != decision.reason:
            number = tables.number("ledger")
            row = LedgerRow(
                subject=subject,
                reason=decision.reason.value,
                action=action,
                because=decision.because,
                facts={},
                loop=loop,
                first_at=at,
                last_at=at,
                count=0,
            )
            tables.last_decision.put((loop, subject, action), number)
        newest = replace(
            row,
            because=decision.because,
            facts=dict(decision.facts),
            last_at=at,
            count=row.count + 1,
        )
        tables.ledger.put(number, newest)
        tables.totals.put(DECISIONS, (tables.totals.get(DECISIONS) or 0) + 1)


def beat(tables: Tables, heartbeat: Heartbeat) -> None:
    """See `models.ports.JobStore.beat`."""
    tables.heartbeats.put((heartbeat.loop, heartbeat.holder), heartbeat)


def prune(tables: Tables, before: datetime) -> int:
    """See `models.ports.JobStore.prune`."""
    rows = [number for number in tables.ledger if tables.ledger[number].last_at < before]
    closed = [
        intent.id
        for intent in tables.intents.values()
        if intent.state is not IntentState.OPEN and intent.opened_at < before
    ]
    for number in rows:
        tables.ledger.drop(number)
    for intent_id in closed:
        tables.intents.drop(intent_id)
    return len(rows) + len(closed)
