"""What people wish of the pool and of the parameters: retire, order, set.

All of it runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from infra.postgres.rows import WORKER, retirement_values, worker_from
from models.job_types import Registry
from models.parameters import UNSET, Kept, admit
from models.ports import Asked, Verdict
from models.records import (
    ParameterChange,
    Worker,
    WorkerState,
)
from models.tables import parameter_changes, parameters, worker_orders, workers
from models.wishes import (
    retired_by_person,
    what_a_retirement_does,
    what_an_order_does,
    why_not_retired,
)

# A change is checked against all others: changes take turns, readers do not wait.
_CHANGING = text("lock table parameters in share row exclusive mode")
_KEPT = text("""
select p.key, p.value, p.expires_at, case when p.expires_at is not null then (
  select c.new_value from parameter_changes c where c.key = p.key and c.expires_at is null
  order by c.id desc limit 1) end as lasting
from parameters p
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Who wishes, and when, on the store's own clock."""

    asked: Asked
    now: datetime


# ---- workers -------------------------------------------------------------------------------------


def retire(
    connection: Connection, names: Sequence[str], wish: Wish, *, forced: bool
) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.retire`."""
    query = (
        select(*WORKER)
        .where(workers.c.name.in_(names), workers.c.state != WorkerState.CLOSED)
        .order_by(workers.c.id)
        .with_for_update()
    )
    found = {worker.name: worker for worker in map(worker_from, connection.execute(query))}
    verdicts = {
        name: _retired(connection, found, name, wish, forced=forced)
        for name in dict.fromkeys(names)
    }
    return tuple(verdicts[name] for name in names)


def _retired(
    connection: Connection, found: dict[str, Worker], name: str, wish: Wish, *, forced: bool
) -> Verdict:
    worker = found.get(name)
    refusal = why_not_retired(worker, forced=forced)
    if worker is None or refusal is not None:
        return Verdict(subject=f"worker:{name}", done=False, because=refusal or "")
    if not wish.asked.dry_run:
        retirement = retired_by_person(worker, wish.asked.actor, wish.now, forced=forced)
        found[name] = replace(worker, retirement=retirement)
        values = retirement_values(retirement)
        connection.execute(update(workers).where(workers.c.id == worker.id).values(**values))
    told = what_a_retirement_does(worker, forced=forced)
    return Verdict(subject=f"worker:{name}", done=True, because=told)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordered:
    """Workers that a person wants: how many of which flavor, and for how long."""

    flavor: str
    count: int
    keep: timedelta
    outside_pool: bool = False


def order(
    connection: Connection, ordered: Ordered, wish: Wish, registry: Registry
) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.order`."""
    subject = f"flavor:{ordered.flavor}"
    if ordered.flavor not in registry.flavors:
        known = ", ".join(registry.flavors)
        return (Verdict(subject=subject, done=False, because=f"there are: {known}"),)
    if ordered.count < 1:
        because = f"{ordered.count} workers cannot be ordered"
        return (Verdict(subject=subject, done=False, because=because),)
    until = wish.now + ordered.keep
    if not wish.asked.dry_run:
        row = {
            "flavor": ordered.flavor,
            "ordered_by": wish.asked.actor,
            "keep_until": until,
            "outside_pool": ordered.outside_pool,
        }
        connection.execute(insert(worker_orders), [row] * ordered.count)
    because = what_an_order_does(ordered.flavor, until, outside_pool=ordered.outside_pool)
    return (Verdict(subject=subject, done=True, because=because),) * ordered.count


# ---- parameters ----------------------------------------------------------------------------------


def set_parameter(
    connection: Connection, key: str, value: Any, wish: Wish, lasts: timedelta | None
) -> ParameterChange:
    """See `models.ports.Operations.set_parameter`."""
    if not wish.asked.dry_run:
        connection.execute(_CHANGING)
    kept = {
        row.key: Kept(value=row.value, expires_at=row.expires_at, lasting=row.lasting)
        for row in connection.execute(_KEPT)
    }
    change = ParameterChange(
        key=key,
        at=wish.now,
        author=wish.asked.actor,
        reason=wish.asked.reason,
        old=kept.get(key, UNSET).at(wish.now),
        new=value,
        expires_at=None if lasts is None else wish.now + lasts,
    )
    admit(kept, change)
    if not wish.asked.dry_run:
        _write(connection, change)
    return change


def _write(connection: Connection, change: ParameterChange) -> None:
    connection.execute(
        insert(parameter_changes).values(
            key=change.key,
            at=change.at,
            author=change.author,
            reason=change.reason,
            old_value=change.old,
            new_value=change.new,
            expires_at=change.expires_at,
        )
    )
    if change.new is None:
        connection.execute(delete(parameters).where(parameters.c.key == change.key))
        return
    values = {"value": change.new, "expires_at": change.expires_at}
    connection.execute(
        upsert(parameters)
        .values(key=change.key, **values)
        .on_conflict_do_update(index_elements=[parameters.c.key], set_=values)
    )
