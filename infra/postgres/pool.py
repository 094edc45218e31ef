"""Changes of workers, from the wish for a server to the end of its row; nodes and back-offs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from infra.postgres.intents import close_kind, open_one
from infra.postgres.jobs import close_intent
from infra.postgres.ledger import add_to_counter
from infra.postgres.rows import ORDER, WORKER, order_from, retirement_values, worker_from
from models.adoption import reopened
from models.changes import (
    AdmitWorker,
    AdoptWorker,
    CancelCreate,
    Change,
    CloseWorkerRow,
    CommitDeletion,
    DropNode,
    NoteFailure,
    NoteGone,
    NoteNode,
    NoteServer,
    NoteSuccess,
    ReserveWorker,
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
    WorkerOrder,
    WorkerState,
)
from models.tables import backoffs, node_identities, worker_orders, workers

SERVERS_CREATED, SERVERS_DELETED = "servers.created", "servers.deleted"

_WITHOUT_NODE = frozenset({RetireCause.STALE, RetireCause.SERVER_ERROR, RetireCause.PERSON})

# Reservations take turns, or two of them would both find the last place under the cap free.
_RESERVING = text("select pg_advisory_xact_lock(hashtext('reserve worker'))")


def reserve_worker(connection: Connection, fence: Lease, change: ReserveWorker) -> Receipt:
    """See `models.changes.ReserveWorker`."""
    connection.execute(_RESERVING)
    open_rows = select(func.count(), func.count().filter(workers.c.name == change.name)).where(
        workers.c.state != WorkerState.CLOSED
    )
    total, of_this_name = connection.execute(open_rows).one()
    if of_this_name or total >= change.max_workers:
        raise Superseded(f"{change.name} is taken, or {total} workers are {change.max_workers}")
    values: dict[str, Any] = {
        "name": change.name,
        "flavor": change.flavor,
        "state": WorkerState.CREATING,
        "intent_id": change.intent.id,
        "created_at": change.at,
    }
    if change.order_id is not None:
        order = _fulfilled(connection, change, change.order_id)
        values |= {"keep_until": order.keep_until, "outside_pool": order.outside_pool}
    row = connection.execute(insert(workers).values(**values).returning(*WORKER)).one()
    worker = worker_from(row)
    if change.order_id is not None:
        connection.execute(
            update(worker_orders)
            .where(worker_orders.c.id == change.order_id)
            .values(worker_id=worker.id)
        )
    open_one(connection, fence, change.intent)
    return Receipt(worker=worker)


def _fulfilled(connection: Connection, change: ReserveWorker, order_id: int) -> WorkerOrder:
    row = connection.execute(
        update(worker_orders)
        .where(worker_orders.c.id == order_id, worker_orders.c.closed_at.is_(None))
        .values(closed_at=change.at)
        .returning(*ORDER)
    ).one_or_none()
    if row is None:
        raise Superseded(f"order {order_id} is fulfilled, or never was")
    return order_from(row)


def note_server(connection: Connection, _fence: Lease, change: NoteServer) -> Receipt:
    """See `models.changes.NoteServer`."""
    worker = in_state(connection, change.worker_id, WorkerState.CREATING)
    taken = select(workers.c.name).where(workers.c.server_id == change.server_id)
    owner = connection.execute(taken).scalar_one_or_none()
    if owner is not None:
        raise Superseded(f"server {change.server_id} belongs to {owner}")
    close_intent(connection, worker.intent_id, IntentState.DONE, at=change.at)
    add_to_counter(connection, SERVERS_CREATED)
    return written(
        connection,
        worker,
        state=WorkerState.BOOTING,
        server_id=change.server_id,
        address=change.address,
        booted_at=change.at,
    )


def adopt_worker(connection: Connection, _fence: Lease, change: AdoptWorker) -> Receipt:
    """See `models.changes.AdoptWorker`."""
    connection.execute(_RESERVING)
    creating = (workers.c.state == WorkerState.CREATING) & (workers.c.intent_id == change.intent_id)
    served = workers.c.server_id == change.server_id
    is_open = workers.c.state != WorkerState.CLOSED
    rival = select(workers.c.name).where(
        creating | (is_open & (served | (workers.c.name == change.name)))
    )
    if connection.execute(rival.limit(1)).scalar_one_or_none() is not None:
        raise Superseded(f"server {change.server_id} or the name {change.name} has a worker")
    closed = connection.execute(select(*WORKER).where(served).with_for_update()).one_or_none()
    if closed is not None:
        return _reopened(connection, reopened(worker_from(closed), change))
    row = {
        "name": change.name,
        "flavor": change.flavor,
        "state": WorkerState.BOOTING,
        "intent_id": change.intent_id,
        "created_at": change.at,
        "server_id": change.server_id,
        "address": change.address,
        "booted_at": change.at,
        "outside_pool": change.outside_pool,
    }
    made = connection.execute(insert(workers).values(**row).returning(*WORKER)).one()
    add_to_counter(connection, SERVERS_CREATED)
    return Receipt(worker=worker_from(made))


def _reopened(connection: Connection, worker: Worker) -> Receipt:
    add_to_counter(connection, SERVERS_DELETED, -1)
    return written(
        connection,
        worker,
        name=worker.name,
        flavor=worker.flavor,
        state=worker.state,
        intent_id=worker.intent_id,
        created_at=worker.created_at,
        address=worker.address,
        booted_at=worker.booted_at,
        outside_pool=worker.outside_pool,
        **dict.fromkeys(_OF_A_LIFE),
        **retirement_values(worker.retirement),
    )


_OF_A_LIFE = ("node_id", "admitted_at", "busy_at", "keep_until", "delete_sent_at", "gone_at")
"""Columns of a worker that say what has happened to it since it booted."""


def cancel_create(connection: Connection, _fence: Lease, change: CancelCreate) -> Receipt:
    """See `models.changes.CancelCreate`."""
    worker = in_state(connection, change.worker_id, WorkerState.CREATING)
    close_intent(connection, worker.intent_id, change.state, at=change.at, note=change.note)
    return written(connection, worker, state=WorkerState.CLOSED)


def note_node(connection: Connection, _fence: Lease, change: NoteNode) -> Receipt:
    """See `models.changes.NoteNode`."""
    identity = change.identity
    connection.execute(
        insert(node_identities)
        .values(
            node_id=identity.node_id,
            server_id=identity.server_id,
            name=identity.name,
            node_class=identity.node_class,
        )
        .on_conflict_do_nothing()
    )
    proved = connection.execute(
        select(node_identities.c.server_id).where(node_identities.c.node_id == identity.node_id)
    ).scalar_one()
    if proved != identity.server_id:
        raise Superseded(f"node {identity.node_id} is proved to be server {proved}")
    return Receipt()


def drop_node(connection: Connection, _fence: Lease, change: DropNode) -> Receipt:
    """See `models.changes.DropNode`."""
    connection.execute(delete(node_identities).where(node_identities.c.node_id == change.node_id))
    return Receipt()


def admit_worker(connection: Connection, _fence: Lease, change: AdmitWorker) -> Receipt:
    """See `models.changes.AdmitWorker`."""
    worker = in_state(connection, change.worker_id, WorkerState.BOOTING)
    close_marks(connection, [change.node_id], change)
    return written(
        connection,
        worker,
        state=WorkerState.READY,
        node_id=change.node_id,
        address=change.address or worker.address,
        admitted_at=change.at,
    )


def commit_deletion(connection: Connection, fence: Lease, change: CommitDeletion) -> Receipt:
    """See `models.changes.CommitDeletion`."""
    worker = in_state(connection, change.worker_id, *IN_SERVICE, WorkerState.DELETING)
    values: dict[str, Any] = {"delete_sent_at": change.at}
    if worker.state is not WorkerState.DELETING:
        if not _may_go(connection, worker, change.cause):
            raise Superseded(f"{worker.name} has not been seen ineligible")
        fresh = Retirement(
            cause=change.cause, by=change.by, step=RetireStep.MARKING, started_at=change.at
        )
        values |= retirement_values(worker.retirement or fresh)
        values["state"] = WorkerState.DELETING
    open_one(connection, fence, change.intent)
    return written(connection, worker, **values)


def _may_go(connection: Connection, worker: Worker, cause: RetireCause) -> bool:
    if worker.retirement is not None and worker.retirement.step is RetireStep.SEEN:
        return True
    return cause in _WITHOUT_NODE and not nodes_of(connection, worker)


def note_gone(connection: Connection, _fence: Lease, change: NoteGone) -> Receipt:
    """See `models.changes.NoteGone`."""
    worker = in_state(connection, change.worker_id, *_OPEN)
    if worker.server_id is None:
        raise Superseded(f"{worker.name} is {worker.state} and has no server to be gone")
    close_intent(connection, worker.intent_id, IntentState.DONE, at=change.at)
    close_kind(connection, IntentKind.DELETE_SERVER, [worker.name], IntentState.DONE, change.at)
    if worker.gone_at is None:
        add_to_counter(connection, SERVERS_DELETED)
    gone_at = worker.gone_at or change.at
    return written(connection, worker, state=WorkerState.DELETING, gone_at=gone_at)


def close_worker_row(connection: Connection, _fence: Lease, change: CloseWorkerRow) -> Receipt:
    """See `models.changes.CloseWorkerRow`."""
    worker = in_state(connection, change.worker_id, WorkerState.DELETING)
    if worker.gone_at is None:
        raise Superseded(f"{worker.name}: its server is not proved gone")
    return written(connection, worker, state=WorkerState.CLOSED)


def note_failure(connection: Connection, _fence: Lease, change: NoteFailure) -> Receipt:
    """See `models.changes.NoteFailure`."""
    again = {"until": change.until, "message": change.message}
    connection.execute(
        insert(backoffs)
        .values(subject=change.subject, failure=change.failure, failures=1, **again)
        .on_conflict_do_update(
            index_elements=[backoffs.c.subject, backoffs.c.failure],
            set_={"failures": backoffs.c.failures + 1, **again},
        )
    )
    return Receipt()


def note_success(connection: Connection, _fence: Lease, change: NoteSuccess) -> Receipt:
    """See `models.changes.NoteSuccess`."""
    connection.execute(delete(backoffs).where(backoffs.c.subject == change.subject))
    return Receipt()


# ---- shared with the retirement ------------------------------------------------------------------

_OPEN = frozenset(WorkerState) - {WorkerState.CLOSED}


def locked_worker(connection: Connection, worker_id: int) -> Worker:
    """The worker, locked. Raises `Superseded` when there is none."""
    row = connection.execute(
        select(*WORKER).where(workers.c.id == worker_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise Superseded(f"worker {worker_id} does not exist; nothing was written")
    return worker_from(row)


def in_state(connection: Connection, worker_id: int, *states: WorkerState) -> Worker:
    """The worker, locked, when it is in one of these states. Raises `Superseded`."""
    worker = locked_worker(connection, worker_id)
    if worker.state not in states:
        raise Superseded(f"{worker.name} is {worker.state}, not {' or '.join(sorted(states))}")
    return worker


def written(connection: Connection, worker: Worker, **values: Any) -> Receipt:
    """Change columns of a locked worker, and only these, and hand it back."""
    row = connection.execute(
        update(workers).where(workers.c.id == worker.id).values(**values).returning(*WORKER)
    ).one()
    return Receipt(worker=worker_from(row))


def nodes_of(connection: Connection, worker: Worker) -> list[str]:
    """The nodes whose stored identity names this worker's server."""
    if worker.server_id is None:
        return []
    found = select(node_identities.c.node_id).where(node_identities.c.server_id == worker.server_id)
    return list(connection.execute(found).scalars())


def close_marks(connection: Connection, nodes: list[str], change: Change) -> None:
    """Close eligibility intents of nodes that are seen eligible."""
    close_kind(connection, IntentKind.SET_ELIGIBLE, nodes, IntentState.DONE, change.at)
    close_kind(connection, IntentKind.SET_INELIGIBLE, nodes, IntentState.REFUTED, change.at)
