"""Breakers: opened and found explained by the pool, closed by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.breakers import Breaker, subject_of, what_closing_does, why_not_closed
from models.changes import SettleBreaker, TripBreaker, WithdrawAcceptance
from models.errors import Superseded
from models.ports import Receipt, Verdict
from models.records import Lease
from simulator.store.people import Asking
from simulator.store.tables import Tables


def trip_breaker(tables: Tables, _fence: Lease, change: TripBreaker) -> Receipt:
    """See `models.changes.TripBreaker`."""
    found = tables.open_breakers.one(change.name) or Breaker(
        id=tables.number("breakers"),
        name=change.name,
        opened_at=change.at,
        because=change.because,
        suspects={},
    )
    named = {**found.suspects, **change.suspects}
    tables.breakers.put(found.id, replace(found, because=change.because, suspects=named))
    return Receipt()


def settle_breaker(tables: Tables, fence: Lease, change: SettleBreaker) -> Receipt:
    """See `models.changes.SettleBreaker`."""
    found = tables.breakers.get(change.breaker_id)
    if found is None or found.closed_at is not None:
        raise Superseded(f"breaker {change.breaker_id} is not open; nothing was written")
    closed = replace(found, closed_at=change.at, closed_by=fence.name, close_reason=change.message)
    tables.breakers.put(found.id, closed)
    return Receipt()


def withdraw_acceptance(tables: Tables, _fence: Lease, change: WithdrawAcceptance) -> Receipt:
    """See `models.changes.WithdrawAcceptance`."""
    found = tables.breakers.get(change.breaker_id)
    if found is None:
        raise Superseded(f"breaker {change.breaker_id} does not exist; nothing was written")
    left = found.accepted - set(change.server_ids)
    tables.breakers.put(found.id, replace(found, accepted=left))
    return Receipt()


def close(asking: Asking, names: Sequence[str]) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.close_breaker`."""
    verdicts = {name: _closed(asking, name) for name in dict.fromkeys(names)}
    return tuple(verdicts[name] for name in names)


def _closed(asking: Asking, name: str) -> Verdict:
    tables, subject = asking.tables, subject_of(name)
    found = tables.open_breakers.one(name)
    refusal = why_not_closed(name, found)
    if found is None or refusal is not None:
        return Verdict(subject=subject, done=False, because=refusal or "")

    def do() -> None:
        closed = replace(
            found,
            closed_at=asking.now,
            closed_by=asking.asked.actor,
            close_reason=asking.asked.reason,
            accepted=frozenset(found.suspects),
        )
        tables.breakers.put(found.id, closed)
        asking.audit("close_breaker", [subject])

    return asking.decided(subject, what_closing_does(found), do)
