"""What was seen in several snapshots in a row, behind the rule "missing once is not gone".

`advance` is told the memory so far and the world of this pass and gives the memory after it. A key
that does not hold in this world is forgotten, and a source that is unknown adds nothing: its keys
stay as they were, neither older nor gone. The memory lives in one process; losing it only delays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from models.fleet import (
    DEPLOYMENT_METADATA,
    INTENT_METADATA,
    Live,
    children_by_run,
    live_by_job,
    live_by_node,
    nodes_by_server,
    our_children,
)
from models.records import InFlight, Run, Worker, WorkerState
from models.remembered import remembered
from models.world import CloudSnapshot, NomadJob, NomadSnapshot, Sighting, World


def child_missing(run_id: UUID) -> str:
    """Key: Nomad lists no child of this run and nothing live of it."""
    return f"child-missing:{run_id}"


def child_unevaluated(nomad_job_id: str) -> str:
    """Key: a pending child with neither an allocation nor an open evaluation."""
    return f"child-unevaluated:{nomad_job_id}"


def child_unclaimed(allocation_id: str) -> str:
    """Key: a live allocation of a current run that is not the one that claimed it."""
    return f"child-unclaimed:{allocation_id}"


def node_quiet(node_id: str) -> str:
    """Key: an ineligible node on which nothing is live."""
    return f"node-quiet:{node_id}"


def node_away(server_id: str) -> str:
    """Key: the node of this server, which served already, is down or not listed."""
    return f"node-away:{server_id}"


def server_missing(server_id: str) -> str:
    """Key: a complete server list lacks the server of an open worker."""
    return f"server-missing:{server_id}"


def server_unclaimed(server_id: str) -> str:
    """Key: a complete server list has a server of our deployment that is no open worker's."""
    return f"server-unclaimed:{server_id}"


def create_missing(intent_id: UUID) -> str:
    """Key: a complete server list, asked for after the create's deadline, lacks its server."""
    return f"create-missing:{intent_id}"


def advance(previous: Mapping[str, Sighting], world: World) -> dict[str, Sighting]:
    """The memory after this world: what holds now, and since how many different snapshots."""
    nomad, cloud = world.nomad, world.cloud
    found: dict[str, Sighting] = {}
    if nomad is None:
        found.update(_kept(previous, ("child-", "node-")))
    else:
        found.update(_counted(_nomad_keys(world, nomad), previous, nomad))
    if cloud is None:
        found.update(_kept(previous, ("server-", "create-")))
    else:
        found.update(_counted(_cloud_keys(world, cloud), previous, cloud))
    return found


def _kept(previous: Mapping[str, Sighting], prefixes: tuple[str, ...]) -> dict[str, Sighting]:
    return {key: seen for key, seen in previous.items() if key.startswith(prefixes)}


def _counted(
    keys: Iterable[str], previous: Mapping[str, Sighting], seen: NomadSnapshot | CloudSnapshot
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


def _nomad_keys(world: World, nomad: NomadSnapshot) -> Iterator[str]:
    yield from _current_runs(world, nomad)
    yield from _unevaluated_children(world, nomad)
    busy, nodes = live_by_node(nomad), nodes_by_server(world)
    for node in nodes.values():
        if not node.eligible and node.id not in busy:
            yield node_quiet(node.id)
    for worker in world.store.workers:
        node_of = nodes.get(worker.server_id or "")
        served = worker.server_id is not None and worker.state is WorkerState.READY
        if served and (node_of is None or node_of.status != "ready"):
            yield node_away(worker.server_id or "")


def _current_runs(world: World, nomad: NomadSnapshot) -> Iterator[str]:
    unseen, unclaimed = _loose(world.store.in_flight, children_by_run(world), Live.among(nomad))
    for run in unseen:
        if run.sent_at is None or run.sent_at < nomad.requested_at:
            yield child_missing(run.id)
    yield from unclaimed


@remembered
def _loose(
    flights: tuple[InFlight, ...], children: Mapping[str, list[NomadJob]], live: Live
) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Runs of which Nomad shows nothing, and the keys of what is live without a claim."""
    unseen: list[Run] = []
    unclaimed: list[str] = []
    for run in (flight.run for flight in flights):
        mine = children.get(str(run.id), [])
        placed = live.of(run, mine)
        if not mine and not placed:
            unseen.append(run)
        unclaimed.extend(child_unclaimed(a.id) for a in placed if a.id != run.allocation_id)
    return tuple(unseen), tuple(unclaimed)


def _unevaluated_children(world: World, nomad: NomadSnapshot) -> Iterator[str]:
    placed = live_by_job(nomad)
    evaluated = {evaluation.job_id for evaluation in nomad.evaluations}
    for child in our_children(world).values():
        if child.status == "pending" and child.id not in placed and child.id not in evaluated:
            yield child_unevaluated(child.id)


def _cloud_keys(world: World, cloud: CloudSnapshot) -> Iterator[str]:
    yield from _unclaimed(world, cloud)
    listed = {server.id for server in cloud.servers}
    intents = {server.metadata.get(INTENT_METADATA) for server in cloud.servers}
    deadlines = {intent.id: intent.deadline for intent in world.store.intents}
    for worker in world.store.workers:
        if worker.server_id is not None and worker.server_id not in listed:
            yield server_missing(worker.server_id)
        elif _is_unanswered(worker, deadlines.get(worker.intent_id), cloud.requested_at) and (
            str(worker.intent_id) not in intents
        ):
            yield create_missing(worker.intent_id)


def _unclaimed(world: World, cloud: CloudSnapshot) -> Iterator[str]:
    workers = world.store.workers
    known = {worker.server_id for worker in workers}
    awaited = {str(worker.intent_id) for worker in workers if worker.server_id is None}
    for server in cloud.servers:
        ours = server.metadata.get(DEPLOYMENT_METADATA) == world.site.deployment
        if ours and server.id not in known and server.metadata.get(INTENT_METADATA) not in awaited:
            yield server_unclaimed(server.id)


def _is_unanswered(worker: Worker, deadline: datetime | None, asked_at: datetime) -> bool:
    waiting = worker.server_id is None and worker.state is WorkerState.CREATING
    return waiting and (deadline is None or deadline < asked_at)
