"""What was decided, who is alive, and what is forgotten in the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from models.plan import Decision, Held
from models.records import HOLDS_FOR, Heartbeat, IntentState, LedgerRow
from simulator.store import feeds
from simulator.store.tables import Tables

DECISIONS = "decisions"

Key: TypeAlias = tuple[str, str, str]
"""Loop, subject and action class."""


def record(tables: Tables, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
    """See `models.ports.JobStore.record`."""
    given: dict[Key, dict[str, None]] = {}
    for decision in decisions:
        key = loop, str(decision.subject), type(decision).__name__
        given.setdefault(key, {})[decision.reason.value] = None
    for key, reasons in given.items():
        current = tables.current_decisions.get(key) or {}
        kept = {reason: number for reason, number in current.items() if reason in reasons}
        tables.current_decisions.put(key, kept)
    for decision in decisions:
        key = loop, str(decision.subject), type(decision).__name__
        current = tables.current_decisions[key]
        number = _written(tables, key, current.get(decision.reason.value), decision, at)
        tables.current_decisions.put(key, {**current, decision.reason.value: number})
    tables.totals.put(DECISIONS, (tables.totals.get(DECISIONS) or 0) + len(decisions))


def end_refusals(tables: Tables, loop: str, ended: Sequence[Decision]) -> None:
    """See `models.ports.JobStore.end_refusals`."""
    for decision in ended:
        key = loop, str(decision.subject), Held.__name__
        current = dict(tables.current_decisions.get(key) or {})
        current.pop(decision.reason.value, None)
        tables.current_decisions.put(key, current)


def standing(tables: Tables, limit: int) -> tuple[LedgerRow, ...]:
    """See `models.ports.Reader.standing`."""
    numbers = (
        number
        for key in tables.current_decisions
        if key[2] == Held.__name__
        for number in tables.current_decisions[key].values()
    )
    rows = [
        tables.ledger[number] for number in sorted(numbers, reverse=True) if number in tables.ledger
    ]
    return tuple(sorted(rows, key=lambda row: row.last_at, reverse=True)[:limit])


def _written(tables: Tables, key: Key, number: int | None, decision: Decision, at: datetime) -> int:
    """Let the row of this number grow if the decision goes on with it, or open one; its number."""
    loop, subject, action = key
    before = None if number is None else tables.ledger.get(number)
    if before is not None and not _goes_on(decision, before, at):
        before = None
    if number is None or before is None:
        number = tables.number("ledger")
    row = LedgerRow(
        subject=subject,
        reason=decision.reason.value,
        action=action,
        because=decision.because,
        facts=dict(decision.facts),
        loop=loop,
        first_at=at if before is None else before.first_at,
        last_at=at,
        count=1 if before is None else before.count + 1,
    )
    tables.ledger.put(number, row)
    return number


def _goes_on(decision: Decision, row: LedgerRow, at: datetime) -> bool:
    same = decision.because == row.because and dict(decision.facts) == row.facts
    return row.last_at + HOLDS_FOR > at and (same or isinstance(decision, Held))


def beat(tables: Tables, heartbeat: Heartbeat) -> None:
    """See `models.ports.JobStore.beat`."""
    tables.heartbeats.put((heartbeat.loop, heartbeat.holder), heartbeat)


def prune(tables: Tables, before: datetime) -> int:
    """See `models.ports.JobStore.prune`."""
    feeds.prune(tables, before)
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
