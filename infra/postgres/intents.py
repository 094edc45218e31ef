"""Changes of intents that belong to no other row, and the stop of a child."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from infra.postgres.jobs import close_intent, current_run, job_of_run, locked_job, write_run
from models.changes import AskStop, CloseIntent, OpenIntent
from models.errors import Superseded
from models.ports import Receipt
from models.records import Intent, IntentKind, IntentState, Lease
from models.tables import intents


def open_one(connection: Connection, fence: Lease, intent: Intent) -> None:
    """Store an intent under the lease. Raises `Superseded` when its id is there already."""
    stored = connection.execute(
        insert(intents)
        .values(
            id=intent.id,
            kind=intent.kind,
            subject=intent.subject,
            opened_at=intent.opened_at,
            deadline=intent.deadline,
            lease=fence.name,
            epoch=fence.epoch,
            note=intent.note,
        )
        .on_conflict_do_nothing()
        .returning(intents.c.id)
    )
    if stored.one_or_none() is None:
        raise Superseded(f"intent {intent.id} exists already; nothing was written")


def open_kind(connection: Connection, kind: IntentKind, subjects: list[str]) -> int:
    """How many intents of this kind on these subjects are open."""
    found = select(func.count()).where(
        intents.c.state == IntentState.OPEN,
        intents.c.kind == kind,
        intents.c.subject.in_(subjects),
    )
    return connection.execute(found).scalar_one()


def close_kind(
    connection: Connection, kind: IntentKind, subjects: list[str], state: IntentState, at: datetime
) -> None:
    """Close every open intent of this kind on these subjects."""
    connection.execute(
        update(intents)
        .where(
            intents.c.state == IntentState.OPEN,
            intents.c.kind == kind,
            intents.c.subject.in_(subjects),
        )
        .values(state=state, closed_at=at)
    )


def ask_stop(connection: Connection, fence: Lease, change: AskStop) -> Receipt:
    """See `models.changes.AskStop`."""
    run_id = change.run_id
    job_id = None if run_id is None else job_of_run(connection, run_id)
    job = None if job_id is None else locked_job(connection, job_id)
    run = None if job is None else current_run(connection, job)
    is_current = run is not None and run.id == run_id
    if is_current is not change.stuck:
        raise Superseded(f"run {run_id} is {'' if is_current else 'not '}current")
    if run is not None and change.stuck:
        run = write_run(connection, run, stop_reason=change.why, stop_asked_at=change.at)
    open_one(connection, fence, change.intent)
    return Receipt(run=run if change.stuck else None)


def open_intent(connection: Connection, fence: Lease, change: OpenIntent) -> Receipt:
    """See `models.changes.OpenIntent`."""
    open_one(connection, fence, change.intent)
    return Receipt()


def close_one(connection: Connection, _fence: Lease, change: CloseIntent) -> Receipt:
    """See `models.changes.CloseIntent`."""
    close_intent(connection, change.intent_id, change.state, at=change.at, note=change.note)
    return Receipt()
