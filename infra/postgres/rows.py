"""Rows of the tables as records: which columns a record is made of, and in which order.

Reads happen in every pass, hence plain tuples with one constructor call each and no mapping layer.
The columns are asked for by name, so that a table may have more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Column, Table

from models import tables
from models.breakers import Breaker, BreakerName
from models.errors import FailureClass
from models.lifecycle import Status
from models.records import (
    Backoff,
    Intent,
    IntentKind,
    IntentState,
    Job,
    LedgerRow,
    NodeIdentity,
    Pause,
    Priority,
    RetireCause,
    Retirement,
    RetireStep,
    Run,
    RunEnd,
    StatusChange,
    Worker,
    WorkerOrder,
    WorkerState,
)

Row: TypeAlias = Sequence[Any]
Columns: TypeAlias = tuple[Column[Any], ...]


def _of(table: Table, names: str) -> Columns:
    return tuple(table.c[name] for name in names.split())


JOB = _of(
    tables.jobs,
    "id unique_id type key name tile flavor priority deadline status status_at seq resume_status "
    "attempt created_at internal_failures external_failures losses not_before quarantined "
    "error_subtype",
)

RUN = _of(
    tables.runs,
    "id job_id attempt claim created_at sent_at nomad_job_id allocation_id node_id node_name "
    "server_id address claimed_at ended_at ended_as exit_code stop_reason stop_asked_at",
)

WORKER = _of(
    tables.workers,
    "id name flavor state intent_id created_at server_id node_id address booted_at admitted_at "
    "busy_at keep_until delete_sent_at gone_at outside_pool retire_cause retire_by retire_step "
    "retire_started_at retire_index retire_modify_index retire_seen_at retire_forced",
)

INTENT = _of(tables.intents, "id kind subject opened_at deadline lease epoch state note")
ORDER = _of(tables.worker_orders, "id flavor ordered_by keep_until outside_pool")
IDENTITY = _of(tables.node_identities, "node_id server_id name node_class")
BACKOFF = _of(tables.backoffs, "subject failure failures until message")
BREAKER = _of(
    tables.breakers,
    "id name opened_at because suspects closed_at closed_by close_reason accepted",
)
PAUSE = _of(tables.pauses, "target paused_by reason since until")
CHANGE = _of(tables.status_changes, "job_id seq at before after subtype message actor attempt")
DECISION = _of(tables.decisions, "subject reason action because facts loop first_at last_at count")


def job_from(row: Row) -> Job:
    """A job from the columns `JOB`."""
    return Job(
        id=row[0],
        unique_id=row[1],
        type=row[2],
        key=row[3],
        name=row[4],
        tile=row[5],
        flavor=row[6],
        priority=Priority(row[7]),
        deadline=row[8],
        status=Status(row[9]),
        status_at=row[10],
        seq=row[11],
        resume_status=Status(row[12]),
        attempt=row[13],
        created_at=row[14],
        internal_failures=row[15],
        external_failures=row[16],
        losses=row[17],
        not_before=row[18],
        quarantined=row[19],
        error_subtype=row[20],
    )


def run_from(row: Row) -> Run:
    """A run from the columns `RUN`."""
    return Run(
        id=row[0],
        job_id=row[1],
        attempt=row[2],
        claim=row[3],
        created_at=row[4],
        sent_at=row[5],
        nomad_job_id=row[6],
        allocation_id=row[7],
        node_id=row[8],
        node_name=row[9],
        server_id=row[10],
        address=row[11],
        claimed_at=row[12],
        ended_at=row[13],
        end=None if row[14] is None else RunEnd(row[14]),
        exit_code=row[15],
        stop_reason=row[16],
        stop_asked_at=row[17],
    )


def worker_from(row: Row) -> Worker:
    """A worker from the columns `WORKER`."""
    return Worker(
        id=row[0],
        name=row[1],
        flavor=row[2],
        state=WorkerState(row[3]),
        intent_id=row[4],
        created_at=row[5],
        server_id=row[6],
        node_id=row[7],
        address=row[8],
        booted_at=row[9],
        admitted_at=row[10],
        busy_at=row[11],
        keep_until=row[12],
        delete_sent_at=row[13],
        gone_at=row[14],
        outside_pool=row[15],
        retirement=None if row[16] is None else _retirement_from(row[16:]),
    )


def _retirement_from(row: Row) -> Retirement:
    return Retirement(
        cause=RetireCause(row[0]),
        by=row[1],
        step=RetireStep(row[2]),
        started_at=row[3],
        index=row[4],
        modify_index=row[5],
        seen_at=row[6],
        forced=row[7],
    )


def retirement_values(retirement: Retirement | None) -> dict[str, Any]:
    """The columns of a worker that hold its retirement."""
    if retirement is None:
        return {**dict.fromkeys(column.name for column in WORKER[16:-1]), "retire_forced": False}
    return {
        "retire_cause": retirement.cause,
        "retire_by": retirement.by,
        "retire_step": int(retirement.step),
        "retire_started_at": retirement.started_at,
        "retire_index": retirement.index,
        "retire_modify_index": retirement.modify_index,
        "retire_seen_at": retirement.seen_at,
        "retire_forced": retirement.forced,
    }


def intent_from(row: Row) -> Intent:
    """An intent from the columns `INTENT`."""
    return Intent(
        id=row[0],
        kind=IntentKind(row[1]),
        subject=row[2],
        opened_at=row[3],
        deadline=row[4],
        lease=row[5],
        epoch=row[6],
        state=IntentState(row[7]),
        note=row[8],
    )


def order_from(row: Row) -> WorkerOrder:
    """An order from the columns `ORDER`."""
    return WorkerOrder(id=row[0], flavor=row[1], by=row[2], keep_until=row[3], outside_pool=row[4])


def identity_from(row: Row) -> NodeIdentity:
    """A node's identity from the columns `IDENTITY`."""
    return NodeIdentity(node_id=row[0], server_id=row[1], name=row[2], node_class=row[3])


def backoff_from(row: Row) -> Backoff:
    """A back-off from the columns `BACKOFF`."""
    return Backoff(
        subject=row[0],
        failure=FailureClass(row[1]),
        failures=row[2],
        until=row[3],
        message=row[4],
    )


def pause_from(row: Row) -> Pause:
    """A pause from the columns `PAUSE`."""
    return Pause(target=row[0], by=row[1], reason=row[2], since=row[3], until=row[4])


def breaker_from(row: Row) -> Breaker:
    """A breaker from the columns `BREAKER`."""
    return Breaker(
        id=row[0],
        name=BreakerName(row[1]),
        opened_at=row[2],
        because=row[3],
        suspects=row[4],
        closed_at=row[5],
        closed_by=row[6],
        close_reason=row[7],
        accepted=frozenset(row[8]),
    )


def change_from(row: Row) -> StatusChange:
    """A history row from the columns `CHANGE`."""
    return StatusChange(
        job_id=row[0],
        seq=row[1],
        at=row[2],
        before=None if row[3] is None else Status(row[3]),
        after=Status(row[4]),
        subtype=row[5],
        message=row[6],
        actor=row[7],
        attempt=row[8],
    )


def decision_from(row: Row) -> LedgerRow:
    """A ledger row from the columns `DECISION`."""
    return LedgerRow(
        subject=row[0],
        reason=row[1],
        action=row[2],
        because=row[3],
        facts=row[4],
        loop=row[5],
        first_at=row[6],
        last_at=row[7],
        count=row[8],
    )
