"""The three worlds joined: which worker is which server is which node, and what runs there.

One join for everybody: execution counts slots with it, the pool grows and shrinks by it, the
metrics and views show it. Node and server are joined by the proved server id alone, never by name
or address.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from models.lifecycle import Status
from models.records import InFlight, Job, NodeIdentity, Run, Worker, WorkerState
from models.remembered import remembered
from models.world import Allocation, Node, NomadJob, NomadSnapshot, Server, World

RUN_META = "run"
JOB_META = "job"
UNIQUE_ID_META = "unique_id"
ATTEMPT_META = "attempt"
DEPLOYMENT_META = "deployment"
"""Keys in the meta of a child, which say whose it is."""

FINGERPRINT_META = "fingerprint"
"""Key in the meta of a parent, which also carries `DEPLOYMENT_META`: see `Parent.fingerprint`."""

INTENT_METADATA = "hrsi_intent"
FLAVOR_METADATA = "hrsi_flavor"
DEPLOYMENT_METADATA = "hrsi_deployment"
"""Keys in the metadata of a server, which say whose it is."""

POOL_METADATA = "hrsi_pool"
NO_POOL = "none"
"""Key and value in the metadata of a server outside the pool: its machine joins no Nomad."""

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id as we write it outside; anything else there is not of our making."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One open worker row with what the cloud and Nomad show of it."""

    worker: Worker
    server: Server | None = None
    node: Node | None = None
    live: tuple[Allocation, ...] = ()

    @property
    def is_coming(self) -> bool:
        """It will take a run soon: wished for or booting, not in error and not going."""
        failed = self.server is not None and self.server.status in {"ERROR", "DELETED"}
        coming = self.worker.state in {WorkerState.CREATING, WorkerState.BOOTING}
        joins = self.worker.retirement is None and not self.worker.outside_pool
        return coming and joins and not failed

    @property
    def is_free(self) -> bool:
        """It can take a run now."""
        return (
            self.worker.state is WorkerState.READY
            and self.worker.retirement is None
            and self.node is not None
            and self.node.usable
            and not self.live
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What one flavor is asked for and what it has, in runs (one run fills one worker)."""

    flavor: str
    waiting: int
    unplaced: int
    free: int
    coming: int

    @property
    def slots(self) -> int:
        """Dispatches that would find a worker, there or coming; negative: already too many."""
        return self.free + self.coming - self.unplaced

    @property
    def need(self) -> int:
        """Workers to create. The surplus of one flavor never counts for another."""
        return max(0, self.waiting - self.slots)

    @property
    def surplus(self) -> int:
        """Free workers that nothing dispatched or waiting will take."""
        return max(0, min(self.free, self.slots - self.waiting))


def join(world: World) -> tuple[Member, ...]:
    """Join every open worker row with its server, its node and what runs there."""
    servers = world.cloud.servers if world.cloud else ()
    live = live_by_node(world.nomad) if world.nomad else _NOTHING_LIVE
    return _joined(world.store.workers, servers, nodes_by_server(world), live)


_NOTHING_LIVE: Mapping[str, Sequence[Allocation]] = MappingProxyType({})


@remembered
def _joined(
    workers: tuple[Worker, ...],
    servers: tuple[Server, ...],
    nodes: Mapping[str, Node],
    live: Mapping[str, Sequence[Allocation]],
) -> tuple[Member, ...]:
    by_id = {server.id: server for server in servers}
    return tuple(_member(worker, by_id, nodes, live) for worker in workers)


def _member(
    worker: Worker,
    servers: Mapping[str, Server],
    nodes: Mapping[str, Node],
    live: Mapping[str, Sequence[Allocation]],
) -> Member:
    server_id = worker.server_id or ""
    node = nodes.get(server_id)
    return Member(
        worker=worker,
        server=servers.get(server_id),
        node=node,
        live=tuple(live.get(node.id, ())) if node else (),
    )


def nodes_by_server(world: World) -> Mapping[str, Node]:
    """The node of each proved server id; of several, a ready one, then the newest registration."""
    return _nodes_by_server(world.nomad.nodes if world.nomad else (), world.store.identities)


@remembered
def _nodes_by_server(
    nodes: tuple[Node, ...], identities: Mapping[str, NodeIdentity]
) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        identity = identities.get(node.id)
        if identity is None or identity.server_id is None:
            continue
        rival = found.get(identity.server_id)
        if rival is None or _rank(node) > _rank(rival):
            found[identity.server_id] = node
    return found


def _rank(node: Node) -> tuple[bool, int]:
    return node.status == "ready", node.create_index


def live_by_node(nomad: NomadSnapshot) -> Mapping[str, Sequence[Allocation]]:
    """What may be running on each node, in any namespace."""
    return _by_node(nomad.allocations)


def live_by_job(nomad: NomadSnapshot) -> Mapping[str, Sequence[Allocation]]:
    """What may be running for each Nomad job."""
    return _by_job(nomad.allocations)


@remembered
def _by_node(allocations: tuple[Allocation, ...]) -> Mapping[str, Sequence[Allocation]]:
    return _grouped((a.node_id, a) for a in allocations)


@remembered
def _by_job(allocations: tuple[Allocation, ...]) -> Mapping[str, Sequence[Allocation]]:
    return _grouped((a.job_id, a) for a in allocations)


def _grouped(keyed: Iterable[tuple[str, Allocation]]) -> dict[str, list[Allocation]]:
    groups: defaultdict[str, list[Allocation]] = defaultdict(list)
    for key, allocation in keyed:
        if allocation.occupies:
            groups[key].append(allocation)
    return dict(groups)


def our_children(world: World) -> Mapping[str, NomadJob]:
    """Children of this deployment by Nomad job id; a child of another deployment is not ours."""
    return _our_children(world.nomad.jobs if world.nomad else (), world.site.deployment)


@remembered
def _our_children(jobs: tuple[NomadJob, ...], deployment: str) -> Mapping[str, NomadJob]:
    return {
        job.id: job for job in jobs if job.parent_id and job.meta.get(DEPLOYMENT_META) == deployment
    }


def unfinished_children(world: World) -> Sequence[NomadJob]:
    """Our children that Nomad may still place something of, by id. It lists those that are over
    for hours: most of the list is of no concern to whoever asks for these.
    """
    return _unfinished(our_children(world))


@remembered
def _unfinished(children: Mapping[str, NomadJob]) -> Sequence[NomadJob]:
    return sorted((c for c in children.values() if not c.over), key=lambda c: c.id)


def children_by_run(world: World) -> Mapping[str, Sequence[NomadJob]]:
    """Our children by the run uuid in their meta, the oldest first."""
    return _by_run(our_children(world))


@remembered
def _by_run(children: Mapping[str, NomadJob]) -> Mapping[str, Sequence[NomadJob]]:
    runs = [child.meta.get(RUN_META, "") for child in children.values()]
    # Nearly always each run of the last hours has one child.
    found: dict[str, Sequence[NomadJob]] = dict(zip(runs, zip(children.values()), strict=True))
    if len(found) < len(runs):
        groups: defaultdict[str, list[NomadJob]] = defaultdict(list)
        for child in sorted(children.values(), key=lambda c: c.create_index):
            groups[child.meta.get(RUN_META, "")].append(child)
        found.update(groups)
    return found


def run_of(child: NomadJob) -> UUID | None:
    """The run that a child names in its meta; None when it names none that we could have made."""
    text = child.meta.get(RUN_META, "")
    return UUID(text) if UUID_TEXT.fullmatch(text) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What may be running, found by Nomad job and by allocation."""

    by_job: Mapping[str, Sequence[Allocation]]
    by_id: Mapping[str, Allocation]

    @staticmethod
    def among(nomad: NomadSnapshot) -> Live:
        """Index the allocations of a snapshot."""
        return _live(nomad.allocations)

    def of(self, run: Run, children: Iterable[NomadJob] = ()) -> tuple[Allocation, ...]:
        """What may be running of a run: its listed children's, and, since a purged child leaves
        its allocations behind, that of its confirmed name and the one that claimed last.
        """
        names = {run.nomad_job_id or "", *[child.id for child in children]}
        found = [a for name in names for a in self.by_job.get(name, ())]
        claimed = self.by_id.get(run.allocation_id or "")
        if claimed is not None and claimed.job_id not in names:
            found.append(claimed)
        if len(found) > 1:
            found.sort(key=lambda a: (a.create_index, a.id))
        return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracked:
    """A job in flight with what Nomad shows of its run: its children, those of them of which Nomad
    may still place something, and what may be running, with or without the run's claim.
    """

    job: Job
    run: Run
    children: Sequence[NomadJob]
    unfinished: Sequence[NomadJob]
    live: Sequence[Allocation]
    unclaimed: Sequence[Allocation]

    @property
    def claimed_is_live(self) -> bool:
        """Whether the program that claimed the run may be running."""
        return len(self.unclaimed) < len(self.live)

    @property
    def kept(self) -> NomadJob | None:
        """Of the run's children the one that counts: it claimed, else is confirmed, else is older;
        None while it has none.
        """
        if len(self.children) < 2:
            return self.children[0] if self.children else None
        claimed = {a.job_id for a in self.live if a.id == self.run.allocation_id}

        def rank(child: NomadJob) -> tuple[bool, bool, int, str]:
            unconfirmed = child.id != self.run.nomad_job_id
            return child.id not in claimed, unconfirmed, child.create_index, child.id

        return min(self.children, key=rank)


def tracked(world: World, nomad: NomadSnapshot) -> tuple[Tracked, ...]:
    """Every job in flight with what Nomad shows of its run, by job id."""
    return _tracked(world.store.in_flight, children_by_run(world), Live.among(nomad))


@remembered
def _tracked(
    flights: tuple[InFlight, ...], children: Mapping[str, Sequence[NomadJob]], live: Live
) -> tuple[Tracked, ...]:
    return tuple(
        _track(flight, children.get(str(flight.run.id), ()), live)
        for flight in sorted(flights, key=lambda f: f.job.id)
    )


def _track(flight: InFlight, children: Sequence[NomadJob], live: Live) -> Tracked:
    run, placed = flight.run, live.of(flight.run, children)
    return Tracked(
        job=flight.job,
        run=run,
        children=children,
        unfinished=[child for child in children if not child.over],
        live=placed,
        unclaimed=[a for a in placed if a.id != run.allocation_id],
    )


@remembered
def _live(allocations: tuple[Allocation, ...]) -> Live:
    by_id = {a.id: a for a in allocations if a.occupies}
    return Live(by_job=_by_job(allocations), by_id=by_id)


_NOTHING_HELD: Mapping[str, int] = MappingProxyType({})


def demands(
    world: World, members: Iterable[Member], held: Mapping[str, int] = _NOTHING_HELD
) -> dict[str, Demand]:
    """Demand and supply per flavor: the one count that execution and the pool both go by.

    `held` counts due jobs that nobody is to serve now (`models.reprocessing`).
    """
    unplaced = _unplaced(world)
    free, coming = _supply(tuple(members))
    return {
        flavor: Demand(
            flavor=flavor,
            waiting=max(0, world.store.ready_total.get(flavor, 0) - held.get(flavor, 0)),
            unplaced=unplaced.get(flavor, 0),
            free=free.get(flavor, 0),
            coming=coming.get(flavor, 0),
        )
        for flavor in world.registry.flavors
    }


@remembered
def _supply(members: tuple[Member, ...]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """How many of each flavor are free, and how many are coming."""
    return (
        _by_flavor(m.worker.flavor for m in members if m.is_free),
        _by_flavor(m.worker.flavor for m in members if m.is_coming),
    )


def _by_flavor(flavors: Iterable[str]) -> Mapping[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for flavor in flavors:
        counts[flavor] += 1
    return dict(counts)


def _unplaced(world: World) -> Mapping[str, int]:
    """Runs handed to Nomad that hold no worker: not placed yet, or lost and waiting again."""
    if world.nomad is None:
        return {}
    return _not_placed(tracked(world, world.nomad), live_by_job(world.nomad))


@remembered
def _not_placed(
    flights: tuple[Tracked, ...], live: Mapping[str, Sequence[Allocation]]
) -> Mapping[str, int]:
    return _by_flavor(
        flight.job.flavor
        for flight in flights
        if _wants_a_slot(flight) and not any(child.id in live for child in flight.children)
    )


def _wants_a_slot(flight: Tracked) -> bool:
    if flight.job.status is Status.QUEUED and not flight.children:
        return True
    return any(child.status == "pending" for child in flight.children)


def in_dispatch_order(jobs: Iterable[Job]) -> list[Job]:
    """Ready jobs in the order in which they are served: (priority, deadline, age)."""
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(jobs, key=lambda j: (j.priority.rank, j.deadline or last, j.created_at, j.id))
