"""Breakers: opened and found explained by the pool, closed by people.

All of it runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, text, update

from infra.postgres.rows import BREAKER, breaker_from
from infra.postgres.wishes import Wish
from models.breakers import Breaker, subject_of, what_closing_does, why_not_closed
from models.changes import SettleBreaker, TripBreaker, WithdrawAcceptance
from models.errors import Superseded
from models.ports import Receipt, Verdict
from models.records import Lease
from models.tables import breakers

# Two that open the same one at once would both find none.
_TRIPPING = text("select pg_advisory_xact_lock(hashtext('trip breaker'))")


def trip_breaker(connection: Connection, _fence: Lease, change: TripBreaker) -> Receipt:
    """See `models.changes.TripBreaker`."""
    connection.execute(_TRIPPING)
    found = _locked(connection, [change.name]).get(change.name)
    named = {**(found.suspects if found else {}), **change.suspects}
    values = {"because": change.because, "suspects": named}
    if found is None:
        row = {"name": change.name, "opened_at": change.at, **values}
        connection.execute(insert(breakers).values(**row))
    else:
        connection.execute(update(breakers).where(breakers.c.id == found.id).values(**values))
    return Receipt()


def settle_breaker(connection: Connection, fence: Lease, change: SettleBreaker) -> Receipt:
    """See `models.changes.SettleBreaker`."""
    closed = {"closed_at": change.at, "closed_by": fence.name, "close_reason": change.message}
    settled = connection.execute(
        update(breakers)
        .where(breakers.c.id == change.breaker_id, breakers.c.closed_at.is_(None))
        .values(**closed)
        .returning(breakers.c.id)
    )
    if settled.one_or_none() is None:
        raise Superseded(f"breaker {change.breaker_id} is not open; nothing was written")
    return Receipt()


def withdraw_acceptance(
    connection: Connection, _fence: Lease, change: WithdrawAcceptance
) -> Receipt:
    """See `models.changes.WithdrawAcceptance`."""
    mine = breakers.c.id == change.breaker_id
    query = select(breakers.c.accepted).where(mine).with_for_update()
    accepted = connection.execute(query).scalar_one_or_none()
    if accepted is None:
        raise Superseded(f"breaker {change.breaker_id} does not exist; nothing was written")
    left = [server for server in accepted if server not in change.server_ids]
    connection.execute(update(breakers).where(mine).values(accepted=left))
    return Receipt()


def close(connection: Connection, names: Sequence[str], wish: Wish) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.close_breaker`."""
    found = _locked(connection, names)
    verdicts = {name: _closed(connection, name, found.get(name), wish) for name in names}
    return tuple(verdicts[name] for name in names)


def _closed(connection: Connection, name: str, found: Breaker | None, wish: Wish) -> Verdict:
    refusal = why_not_closed(name, found)
    if found is None or refusal is not None:
        return Verdict(subject=subject_of(name), done=False, because=refusal or "")
    if not wish.asked.dry_run:
        connection.execute(
            update(breakers)
            .where(breakers.c.id == found.id)
            .values(
                closed_at=wish.now,
                closed_by=wish.asked.actor,
                close_reason=wish.asked.reason,
                accepted=sorted(found.suspects),
            )
        )
    return Verdict(subject=subject_of(name), done=True, because=what_closing_does(found))


def _locked(connection: Connection, names: Sequence[str]) -> dict[str, Breaker]:
    """The open breakers of these names, locked."""
    query = (
        select(*BREAKER)
        .where(breakers.c.name.in_(names), breakers.c.closed_at.is_(None))
        .order_by(breakers.c.id)
        .with_for_update()
    )
    return {found.name: found for found in map(breaker_from, connection.execute(query))}
