"""What was decided, who is alive, and what is forgotten in the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from models.plan import Decision
from models.records import Heartbeat, IntentState, LedgerRow
from simulator.store.tables import Tables

DECISIONS = "decisions"

Key: TypeAlias = tuple[str, str, str]
"""Loop, subject and action class."""


def record(tables: Tables, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
    """See `models.ports.JobStore.record`."""
    given: dict[tuple[Key, str], list[Decision]] = {}
    for decision in decisions:
        key = loop, str(decision.subject), type(decision).__name__
        said = given.pop((key, decision.reason.value), [])
        given[key, decision.reason.value] = [*said, decision]
    for key in {key: None for key, _ in given}:
        current = tables.current_decisions.get(key) or {}
        kept = {reason: number for reason, number in current.items() if (key, reason) in given}
        tables.current_decisions.put(key, kept)
    for (key, reason), said in given.items():
        current = tables.current_decisions[key]
        number = _said(tables, key, current.get(reason), said, at)
        tables.current_decisions.put(key, {**current, reason: number})
    tables.totals.put(DECISIONS, (tables.totals.get(DECISIONS) or 0) + len(decisions))


def _said(
    tables: Tables,
    key: Key,
    number: int | None,
    said: Sequence[Decision],
    at: datetime,
) -> int:
    """Let a row grow, or open it; its number. The newest sentence and numbers stay."""
    loop, subject, action = key
    before = None if number is None else tables.ledger.get(number)
    if number is None or before is None:
        number = tables.number("ledger")
    row = LedgerRow(
        subject=subject,
        reason=said[-1].reason.value,
        action=action,
        because=said[-1].because,
        facts=dict(said[-1].facts),
        loop=loop,
        first_at=at if before is None else before.first_at,
        last_at=at,
        count=len(said) + (0 if before is None else before.count),
    )
    tables.ledger.put(number, row)
    return number


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
    silent = [key for key in tables.heartbeats if tables.heartbeats[key].at < before]
    for key in silent:
        tables.heartbeats.drop(key)
    for number in rows:
        tables.ledger.drop(number)
    for intent_id in closed:
        tables.intents.drop(intent_id)
    return len(rows) + len(closed)
