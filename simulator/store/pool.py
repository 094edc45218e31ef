"""Changes of workers, from the wish for a server to the end of its row; nodes and back-offs."""

from __future__ import annotations

from dataclasses import replace

from models.adoption import reopened
from models.changes import (
    AdmitWorker,
    AdoptWorker,
    CancelCreate,
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
    Backoff,
    IntentKind,
    IntentState,
    Lease,
    RetireCause,
    Retirement,
    RetireStep,
    Worker,
    WorkerState,
)
from simulator.store.tables import Tables, is_open

WITHOUT_NODE = frozenset({RetireCause.STALE, RetireCause.SERVER_ERROR, RetireCause.PERSON})
"""Why a worker without a node may be deleted."""


def reserve_worker(tables: Tables, fence: Lease, change: ReserveWorker) -> Receipt:
    """See `models.changes.ReserveWorker`."""
    taken = tables.open_workers.count(True)
    if tables.workers_by_name.one(change.name) is not None or taken >= change.max_workers:
        raise Superseded(f"{change.name} is taken, or {taken} workers are {change.max_workers}")
    worker = Worker(
        id=tables.number("workers"),
        name=change.name,
        flavor=change.flavor,
        state=WorkerState.CREATING,
        intent_id=change.intent.id,
        created_at=change.at,
    )
    if change.order_id is not None:
        order = tables.orders.get(change.order_id)
        if order is None:
            raise Superseded(f"order {change.order_id} is fulfilled, or never was")
        tables.orders.drop(order.id)
        worker = replace(worker, keep_until=order.keep_until, outside_pool=order.outside_pool)
    tables.open_intent(change.intent, fence)
    return stored(tables, worker)


def note_server(tables: Tables, _fence: Lease, change: NoteServer) -> Receipt:
    """See `models.changes.NoteServer`."""
    worker = in_state(tables, change.worker_id, WorkerState.CREATING)
    if tables.workers_by_server.one(change.server_id) is not None:
        raise Superseded(f"server {change.server_id} belongs to another worker")
    tables.close_intent(worker.intent_id, IntentState.DONE)
    worker = replace(
        worker,
        state=WorkerState.BOOTING,
        server_id=change.server_id,
        address=change.address,
        booted_at=change.at,
    )
    return stored(tables, worker)


def adopt_worker(tables: Tables, _fence: Lease, change: AdoptWorker) -> Receipt:
    """See `models.changes.AdoptWorker`."""
    creating = (w for w in tables.open_workers.of(True) if w.state is WorkerState.CREATING)
    if (
        tables.worker_of(change.server_id) is not None
        or tables.workers_by_name.one(change.name) is not None
        or any(worker.intent_id == change.intent_id for worker in creating)
    ):
        raise Superseded(f"server {change.server_id} or the name {change.name} has a worker")
    closed = tables.workers_by_server.one(change.server_id)
    if closed is not None:
        return stored(tables, reopened(closed, change))
    worker = Worker(
        id=tables.number("workers"),
        name=change.name,
        flavor=change.flavor,
        state=WorkerState.BOOTING,
        intent_id=change.intent_id,
        created_at=change.at,
        server_id=change.server_id,
        address=change.address,
        booted_at=change.at,
        outside_pool=change.outside_pool,
    )
    return stored(tables, worker)


def cancel_create(tables: Tables, _fence: Lease, change: CancelCreate) -> Receipt:
    """See `models.changes.CancelCreate`."""
    worker = in_state(tables, change.worker_id, WorkerState.CREATING)
    tables.close_intent(worker.intent_id, change.state, change.note)
    return stored(tables, replace(worker, state=WorkerState.CLOSED))


def note_node(tables: Tables, _fence: Lease, change: NoteNode) -> Receipt:
    """See `models.changes.NoteNode`."""
    known = tables.identities.get(change.identity.node_id)
    if known is None:
        tables.identities.put(change.identity.node_id, change.identity)
    elif known.server_id != change.identity.server_id:
        raise Superseded(f"node {known.node_id} is proved to be server {known.server_id}")
    return Receipt()


def drop_node(tables: Tables, _fence: Lease, change: DropNode) -> Receipt:
    """See `models.changes.DropNode`."""
    tables.identities.drop(change.node_id)
    return Receipt()


def admit_worker(tables: Tables, _fence: Lease, change: AdmitWorker) -> Receipt:
    """See `models.changes.AdmitWorker`."""
    worker = in_state(tables, change.worker_id, WorkerState.BOOTING)
    close_marks(tables, change.node_id)
    worker = replace(
        worker,
        state=WorkerState.READY,
        node_id=change.node_id,
        address=change.address or worker.address,
        admitted_at=change.at,
    )
    return stored(tables, worker)


def commit_deletion(tables: Tables, fence: Lease, change: CommitDeletion) -> Receipt:
    """See `models.changes.CommitDeletion`."""
    worker = in_state(tables, change.worker_id, *IN_SERVICE, WorkerState.DELETING)
    if worker.state is not WorkerState.DELETING:
        if not _may_go(tables, worker, change.cause):
            raise Superseded(f"{worker.name} has not been seen ineligible")
        fresh = Retirement(
            cause=change.cause, by=change.by, step=RetireStep.MARKING, started_at=change.at
        )
        worker = replace(worker, state=WorkerState.DELETING, retirement=worker.retirement or fresh)
    tables.open_intent(change.intent, fence)
    return stored(tables, replace(worker, delete_sent_at=change.at))


def _may_go(tables: Tables, worker: Worker, cause: RetireCause) -> bool:
    retirement = worker.retirement
    if retirement is not None and retirement.step is RetireStep.SEEN:
        return True
    return cause in WITHOUT_NODE and not tables.nodes_of(worker)


def note_gone(tables: Tables, _fence: Lease, change: NoteGone) -> Receipt:
    """See `models.changes.NoteGone`."""
    worker = tables.worker(change.worker_id)
    if not is_open(worker) or worker.server_id is None:
        raise Superseded(f"{worker.name} is {worker.state} and has no server to be gone")
    tables.close_intent(worker.intent_id, IntentState.DONE)
    tables.close_intents(IntentKind.DELETE_SERVER, worker.name, IntentState.DONE)
    gone_at = worker.gone_at or change.at
    return stored(tables, replace(worker, state=WorkerState.DELETING, gone_at=gone_at))


def close_worker_row(tables: Tables, _fence: Lease, change: CloseWorkerRow) -> Receipt:
    """See `models.changes.CloseWorkerRow`."""
    worker = in_state(tables, change.worker_id, WorkerState.DELETING)
    if worker.gone_at is None:
        raise Superseded(f"{worker.name}: its server is not proved gone")
    return stored(tables, replace(worker, state=WorkerState.CLOSED))


def note_failure(tables: Tables, _fence: Lease, change: NoteFailure) -> Receipt:
    """See `models.changes.NoteFailure`."""
    key = change.subject, change.failure
    before = tables.backoffs.get(key)
    backoff = Backoff(
        subject=change.subject,
        failure=change.failure,
        failures=1 + (before.failures if before else 0),
        until=change.until,
        message=change.message,
    )
    tables.backoffs.put(key, backoff)
    return Receipt()


def note_success(tables: Tables, _fence: Lease, change: NoteSuccess) -> Receipt:
    """See `models.changes.NoteSuccess`."""
    for key in [key for key in tables.backoffs if key[0] == change.subject]:
        tables.backoffs.drop(key)
    return Receipt()


def in_state(tables: Tables, worker_id: int, *states: WorkerState) -> Worker:
    """The worker, when it is in one of these states. Raises `Superseded`."""
    worker = tables.worker(worker_id)
    if worker.state not in states:
        raise Superseded(f"{worker.name} is {worker.state}, not {' or '.join(states)}")
    return worker


def close_marks(tables: Tables, *nodes: str) -> None:
    """Close eligibility intents of nodes that are seen eligible."""
    for node in nodes:
        tables.close_intents(IntentKind.SET_ELIGIBLE, node, IntentState.DONE)
        tables.close_intents(IntentKind.SET_INELIGIBLE, node, IntentState.REFUTED)


def stored(tables: Tables, worker: Worker) -> Receipt:
    """Store a worker and hand it back."""
    tables.workers.put(worker.id, worker)
    return Receipt(worker=worker)
