"""Handlers of what the pool decides about servers: creation, deletion, the proof of absence."""

from __future__ import annotations

from controller.act.effects import Acting, Changes, Effect, subject_of
from models.actions import (
    AdoptServer,
    CloseWorker,
    CommitDelete,
    CreateServer,
    DeleteServer,
    ProveGone,
    RecordServer,
    RefuteCreate,
)
from models.adoption import host_name
from models.changes import (
    AdoptWorker,
    CancelCreate,
    Change,
    CloseWorkerRow,
    CommitDeletion,
    NoteGone,
    NoteServer,
    ReserveWorker,
)
from models.errors import HrsiError, NotFound, Superseded, System
from models.fleet import (
    DEPLOYMENT_METADATA,
    FLAVOR_METADATA,
    INTENT_METADATA,
    NO_POOL,
    POOL_METADATA,
)
from models.plan import Subject, SubjectKind
from models.ports import ServerOrder
from models.records import Intent, IntentKind, IntentState, RetireCause, Worker


def create_server(action: CreateServer, acting: Acting) -> Effect:
    """Reserve the row, then ask for the server. What was refused for certain is counted no more;
    without an answer the row stays, and the server is looked for by its intent.
    """
    intent = acting.intent(IntentKind.CREATE_SERVER, action.name)
    reserve = ReserveWorker(
        at=acting.at,
        name=action.name,
        flavor=action.flavor,
        intent=intent,
        max_workers=acting.settings.pool.max_workers,
        order_id=action.order_id,
    )
    worker = acting.commit(reserve).worker
    if worker is None:
        raise Superseded(f"worker {action.name}: the store reserved no row for it")
    order = _order(action, worker, acting)
    flavor = str(Subject(SubjectKind.FLAVOR, action.flavor))

    def send() -> Changes:
        create = acting.tools.cloud.create
        server_id = acting.call(System.CLOUD, "create", lambda: create(order))
        note = NoteServer(at=acting.now(), worker_id=worker.id, server_id=server_id, address=None)
        return (note, *acting.success(flavor))

    return Effect(
        system=System.CLOUD,
        send=send,
        refused=lambda error: (
            _cancelled(worker, error, acting),
            *acting.failure(flavor, error),
        ),
        unanswered=lambda error: acting.failure(flavor, error),
    )


def _order(action: CreateServer, worker: Worker, acting: Acting) -> ServerOrder:
    site = acting.world.site
    pool = {POOL_METADATA: NO_POOL} if worker.outside_pool else {}
    return ServerOrder(
        name=action.name,
        flavor=action.flavor,
        image=action.image,
        networks=site.networks,
        security_groups=site.security_groups,
        key_name=site.key_name,
        metadata={
            DEPLOYMENT_METADATA: site.deployment,
            FLAVOR_METADATA: action.flavor,
            INTENT_METADATA: str(worker.intent_id),
            **pool,
        },
    )


def _cancelled(worker: Worker, error: HrsiError, acting: Acting) -> Change:
    return CancelCreate(
        at=acting.now(), worker_id=worker.id, state=IntentState.FAILED, note=str(error)
    )


def record_server(action: RecordServer, acting: Acting) -> None:
    """A server answers to a create intent: the worker is booting."""
    acting.commit(
        NoteServer(
            at=acting.at,
            worker_id=action.worker_id,
            server_id=action.server_id,
            address=action.address,
        )
    )


def adopt_server(action: AdoptServer, acting: Acting) -> None:
    """A server of ours without a row gets one: its worker is booting."""
    acting.commit(
        AdoptWorker(
            at=acting.at,
            name=action.name,
            flavor=action.flavor,
            server_id=action.server_id,
            address=action.address,
            intent_id=action.intent_id or acting.tools.ids.uuid(),
            outside_pool=action.outside_pool,
        )
    )


def refute_create(action: RefuteCreate, acting: Acting) -> None:
    """The create never showed: its row is closed and counts no more."""
    acting.commit(
        CancelCreate(
            at=acting.at,
            worker_id=action.worker_id,
            state=IntentState.REFUTED,
            note=action.because,
        )
    )


def commit_delete(action: CommitDelete, acting: Acting) -> Effect:
    """Look at Nomad once more, commit `deleting` only if nothing changed, then delete by id.

    The store's guard and this look are the last two steps that can still say no.
    """
    worker = _worker_of(action, acting)
    intent = acting.intent(IntentKind.DELETE_SERVER, worker.name)
    commit = CommitDeletion(
        at=acting.at,
        worker_id=action.worker_id,
        cause=action.cause,
        by=action.by,
        intent=intent,
    )

    def look() -> Changes:
        if action.node_id is None:
            _require_no_node(worker, acting)
        else:
            _require_unchanged(action, action.node_id, acting)
        return (commit,)

    return Effect(system=System.CLOUD, send=look, then=_deletion(action, intent, acting))


def _require_no_node(worker: Worker, acting: Acting) -> None:
    """Raise `Superseded` if a node of a worker that had none is listed after all.

    On a Nomad without `default_ineligible` a node takes work as soon as it joins, so that one that
    joined since the pass looked may be running something already.
    """
    nomad = acting.call(System.NOMAD, "snapshot", acting.tools.orchestrator.snapshot)
    for node in nomad.nodes:
        identity = acting.world.store.identities.get(node.id)
        proved = identity is not None and identity.server_id == worker.server_id
        perhaps = identity is None and node.name == host_name(worker)
        if proved or perhaps or node.id == worker.node_id:
            raise Superseded(
                f"node {node.name} ({node.id}) joined after all, {worker.name} is looked at again; "
                "nothing was deleted"
            )


def _require_unchanged(action: CommitDelete, node_id: str, acting: Acting) -> None:
    """Raise `Superseded` unless the node is as the protocol last saw it."""
    modify_index = acting.tools.orchestrator.modify_index
    try:
        index, eligible = acting.call(System.NOMAD, "modify_index", lambda: modify_index(node_id))
    except NotFound as error:
        raise Superseded(f"node {node_id} is no longer there; looked at again") from error
    if eligible or index != action.modify_index:
        raise Superseded(
            f"node {node_id} changed: modify index {index}, eligible {eligible}, "
            f"but it was seen ineligible at {action.modify_index}; nothing was deleted"
        )


def delete_server(action: DeleteServer, acting: Acting) -> Effect:
    """Ask again for a deletion that is committed already, for the same cause."""
    worker = _worker_of(action, acting)
    intent = acting.intent(IntentKind.DELETE_SERVER, worker.name)
    retirement = worker.retirement
    again = CommitDeletion(
        at=acting.at,
        worker_id=action.worker_id,
        cause=retirement.cause if retirement else RetireCause.VANISHED,
        by=retirement.by if retirement else acting.fence.name,
        intent=intent,
    )
    acting.commit(again)
    return _deletion(action, intent, acting)


def _worker_of(action: CommitDelete | DeleteServer, acting: Acting) -> Worker:
    for worker in acting.world.store.workers:
        if worker.id == action.worker_id:
            return worker
    raise Superseded(f"worker {action.worker_id} has no open row; nothing was deleted")


def _deletion(action: CommitDelete | DeleteServer, intent: Intent, acting: Acting) -> Effect:
    """The call itself. An answer says that it began; the intent is open until the 404."""

    def send() -> Changes:
        delete = acting.tools.cloud.delete
        acting.call(System.CLOUD, "delete", lambda: delete(action.server_id))
        return acting.success(subject_of(action))

    return Effect(
        system=System.CLOUD,
        send=send,
        refused=lambda error: (
            *acting.failed(intent, error),
            *acting.setback(subject_of(action), error),
        ),
    )


def prove_gone(action: ProveGone, acting: Acting) -> Effect:
    """Ask for the server by id; only a 404 is proof, and anything else proves nothing."""

    def send() -> Changes:
        exists = acting.tools.cloud.exists
        if acting.call(System.CLOUD, "exists", lambda: exists(action.server_id)):
            return ()
        return (NoteGone(at=acting.now(), worker_id=action.worker_id),)

    return Effect(
        system=System.CLOUD,
        send=send,
        refused=lambda error: acting.setback(subject_of(action), error),
    )


def close_worker(action: CloseWorker, acting: Acting) -> None:
    """The worker is no more; its name is free."""
    acting.commit(CloseWorkerRow(at=acting.at, worker_id=action.worker_id))
