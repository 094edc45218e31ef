"""What was seen in several snapshots in a row, behind the rule "missing once is not gone".

`advance` is told the memory so far and the world of this pass and gives the memory after it. A key
that does not hold in this world is forgotten, and a source that is unknown adds nothing: its keys
stay as they were, neither older nor gone. The memory lives in one process; losing it only delays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from models.fleet import (
    DEPLOYMENT_METADATA,
    INTENT_METADATA,
    Tracked,
    live_by_job,
    live_by_node,
    nodes_by_server,
    our_children,
    tracked,
)
from models.records import IntentKind, Run, Worker, WorkerState
from models.remembered import remembered
from models.world import (
    Allocation,
    CloudSnapshot,
    Evaluation,
    ImageList,
    Node,
    NomadJob,
    NomadSnapshot,
    Server,
    Sighting,
    World,
)


class SightingKind(StrEnum):
    """What is counted; a key is its kind and an id. A reconciler remembers the kinds that it reads
    (`controller.reconcilers`): what it does not read must not keep it busy.
    """

    CHILD_MISSING = "child-missing"
    CHILD_UNEVALUATED = "child-unevaluated"
    CHILD_UNCLAIMED = "child-unclaimed"
    NODE_QUIET = "node-quiet"
    NODE_AWAY = "node-away"
    SERVER_MISSING = "server-missing"
    SERVER_UNCLAIMED = "server-unclaimed"
    CREATE_MISSING = "create-missing"
    IMAGE_MISSING = "image-missing"

    def of(self, identity: UUID | str) -> str:
        """The key of this kind for one thing."""
        return f"{self.value}:{identity}"


EVERY_KIND = frozenset(SightingKind)


def child_missing(run_id: UUID) -> str:
    """Key: Nomad lists no child of this run and nothing live of it."""
    return SightingKind.CHILD_MISSING.of(run_id)


def child_unevaluated(nomad_job_id: str) -> str:
    """Key: a pending child with neither an allocation nor an open evaluation."""
    return SightingKind.CHILD_UNEVALUATED.of(nomad_job_id)


def child_unclaimed(allocation_id: str) -> str:
    """Key: a live allocation of a current run that is not the one that claimed it."""
    return SightingKind.CHILD_UNCLAIMED.of(allocation_id)


def node_quiet(node_id: str) -> str:
    """Key: an ineligible node on which nothing is live."""
    return SightingKind.NODE_QUIET.of(node_id)


def node_away(server_id: str) -> str:
    """Key: the node of this server, which served already, is down or not listed."""
    return SightingKind.NODE_AWAY.of(server_id)


def server_missing(server_id: str) -> str:
    """Key: a complete server list lacks the server of an open worker."""
    return SightingKind.SERVER_MISSING.of(server_id)


def server_unclaimed(server_id: str) -> str:
    """Key: a complete server list has a server of our deployment that is no open worker's."""
    return SightingKind.SERVER_UNCLAIMED.of(server_id)


def create_missing(intent_id: UUID) -> str:
    """Key: a complete server list, asked for after the create's deadline, lacks its server."""
    return SightingKind.CREATE_MISSING.of(intent_id)


def image_missing(intent_id: UUID) -> str:
    """Key: a list of images, asked for after the deadline of its making, lacks an image."""
    return SightingKind.IMAGE_MISSING.of(intent_id)


def advance(
    previous: Mapping[str, Sighting], world: World, kinds: frozenset[SightingKind] = EVERY_KIND
) -> dict[str, Sighting]:
    """The memory after this world: what holds now, and since how many different snapshots."""
    nomad, cloud = world.nomad, world.cloud
    found: dict[str, Sighting] = {}
    if nomad is None:
        found.update(_kept(previous, _IN_NOMAD))
    else:
        keys = (key for kind in _IN_NOMAD if kind in kinds for key in _IN_NOMAD[kind](world, nomad))
        found.update(_counted(keys, previous, nomad))
    if cloud is None:
        found.update(_kept(previous, (*_IN_CLOUD, SightingKind.IMAGE_MISSING)))
    else:
        keys = (key for kind in _IN_CLOUD if kind in kinds for key in _IN_CLOUD[kind](world, cloud))
        found.update(_counted(keys, previous, cloud))
        if SightingKind.IMAGE_MISSING in kinds:
            # A list of images may be older than the list of servers that it comes with.
            images = cloud.worker_images
            found.update(_counted(_missing_images(world, images), previous, images))
    return found


def _kept(previous: Mapping[str, Sighting], kinds: Iterable[SightingKind]) -> dict[str, Sighting]:
    prefixes = tuple(kind.of("") for kind in kinds)
    return {key: seen for key, seen in previous.items() if key.startswith(prefixes)}


def _counted(
    keys: Iterable[str],
    previous: Mapping[str, Sighting],
    seen: NomadSnapshot | CloudSnapshot | ImageList,
) -> Iterator[tuple[str, Sighting]]:
    for key in keys:
        before = previous.get(key)
        if before is None:
            yield key, Sighting(count=1, first_at=seen.requested_at, snapshot=seen.number)
        elif before.snapshot == seen.number:
            yield key, before
        else:
            yield (
                key,
                Sighting(count=before.count + 1, first_at=before.first_at, snapshot=seen.number),
            )


# ---- in Nomad ------------------------------------------------------------------------------------


def _missing_children(world: World, nomad: NomadSnapshot) -> Iterator[str]:
    for run in _unseen(tracked(world, nomad)):
        if run.sent_at is None or run.sent_at < nomad.requested_at:
            yield child_missing(run.id)


@remembered
def _unseen(flights: tuple[Tracked, ...]) -> tuple[Run, ...]:
    return tuple(flight.run for flight in flights if not flight.children and not flight.live)


def _unclaimed_children(world: World, nomad: NomadSnapshot) -> Iterable[str]:
    return _unclaimed(tracked(world, nomad))


@remembered
def _unclaimed(flights: tuple[Tracked, ...]) -> tuple[str, ...]:
    return tuple(child_unclaimed(a.id) for flight in flights for a in flight.unclaimed)


def _unevaluated_children(world: World, nomad: NomadSnapshot) -> Iterable[str]:
    pending = _pending(our_children(world))
    return _unevaluated(pending, live_by_job(nomad), nomad.evaluations)


@remembered
def _pending(children: Mapping[str, NomadJob]) -> tuple[NomadJob, ...]:
    return tuple(child for child in children.values() if child.status == "pending")


@remembered
def _unevaluated(
    children: tuple[NomadJob, ...],
    placed: Mapping[str, Sequence[Allocation]],
    evaluations: tuple[Evaluation, ...],
) -> tuple[str, ...]:
    evaluated = {evaluation.job_id for evaluation in evaluations}
    ids = (child.id for child in children)
    return tuple(child_unevaluated(i) for i in ids if i not in placed and i not in evaluated)


def _quiet_nodes(world: World, nomad: NomadSnapshot) -> Iterable[str]:
    return _quiet(nodes_by_server(world), live_by_node(nomad))


@remembered
def _quiet(nodes: Mapping[str, Node], busy: Mapping[str, Sequence[Allocation]]) -> tuple[str, ...]:
    marked = (node.id for node in nodes.values() if not node.eligible)
    return tuple(node_quiet(i) for i in marked if i not in busy)


def _nodes_away(world: World, _nomad: NomadSnapshot) -> Iterable[str]:
    return _away(world.store.workers, nodes_by_server(world))


@remembered
def _away(workers: tuple[Worker, ...], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    found: list[str] = []
    for worker in workers:
        if worker.server_id is not None and worker.state is WorkerState.READY:
            node = nodes.get(worker.server_id)
            if node is None or node.status != "ready":
                found.append(node_away(worker.server_id))
    return tuple(found)


_IN_NOMAD: Mapping[SightingKind, Callable[[World, NomadSnapshot], Iterable[str]]] = {
    SightingKind.CHILD_MISSING: _missing_children,
    SightingKind.CHILD_UNEVALUATED: _unevaluated_children,
    SightingKind.CHILD_UNCLAIMED: _unclaimed_children,
    SightingKind.NODE_QUIET: _quiet_nodes,
    SightingKind.NODE_AWAY: _nodes_away,
}


# ---- in the cloud --------------------------------------------------------------------------------


def _missing_servers(world: World, cloud: CloudSnapshot) -> Iterable[str]:
    return _unlisted(world.store.workers, cloud.servers)


@remembered
def _unlisted(workers: tuple[Worker, ...], servers: tuple[Server, ...]) -> tuple[str, ...]:
    listed = {server.id for server in servers}
    ids = (worker.server_id for worker in workers)
    return tuple(server_missing(i) for i in ids if i is not None and i not in listed)


def _unclaimed_servers(world: World, cloud: CloudSnapshot) -> Iterable[str]:
    return _nobodys(world.store.workers, cloud.servers, world.site.deployment)


@remembered
def _nobodys(
    workers: tuple[Worker, ...], servers: tuple[Server, ...], deployment: str
) -> tuple[str, ...]:
    known = {worker.server_id for worker in workers}
    awaited = {str(worker.intent_id) for worker in workers if worker.server_id is None}
    found: list[str] = []
    for server in servers:
        ours = server.metadata.get(DEPLOYMENT_METADATA) == deployment
        if ours and server.id not in known and server.metadata.get(INTENT_METADATA) not in awaited:
            found.append(server_unclaimed(server.id))
    return tuple(found)


def _missing_creates(world: World, cloud: CloudSnapshot) -> Iterator[str]:
    waiting = [
        worker
        for worker in world.store.workers
        if worker.server_id is None and worker.state is WorkerState.CREATING
    ]
    if not waiting:
        return
    intents = {server.metadata.get(INTENT_METADATA) for server in cloud.servers}
    deadlines = {intent.id: intent.deadline for intent in world.store.intents}
    for worker in waiting:
        deadline = deadlines.get(worker.intent_id)
        late = deadline is None or deadline < cloud.requested_at
        if late and str(worker.intent_id) not in intents:
            yield create_missing(worker.intent_id)


def _missing_images(world: World, images: ImageList) -> Iterator[str]:
    listed = {image.metadata.get(INTENT_METADATA) for image in images.images}
    for intent in world.store.intents:
        due = intent.kind is IntentKind.MAKE_IMAGE and intent.deadline < images.requested_at
        if due and str(intent.id) not in listed:
            yield image_missing(intent.id)


_IN_CLOUD: Mapping[SightingKind, Callable[[World, CloudSnapshot], Iterable[str]]] = {
    SightingKind.SERVER_MISSING: _missing_servers,
    SightingKind.SERVER_UNCLAIMED: _unclaimed_servers,
    SightingKind.CREATE_MISSING: _missing_creates,
}
