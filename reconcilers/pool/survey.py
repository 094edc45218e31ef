"""The world as the pool reads it: workers joined, demand counted, a few questions answered.

Made once per pass by `Survey.of` and handed to every rule. Rules ask it and decide; nothing here
decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.adoption import host_name
from models.fleet import Demand, Member, demands, join, live_by_node
from models.job_types import Flavor
from models.plan import Fact, Held, Reason, Subject, SubjectKind
from models.records import (
    Intent,
    IntentKind,
    NodeIdentity,
    RetireCause,
    RetireStep,
    Worker,
    WorkerState,
)
from models.remembered import remembered
from models.reprocessing import share_of
from models.settings import BreakerSettings, PoolSettings
from models.vanishing import is_missing
from models.world import Allocation, CloudSnapshot, Node, NomadSnapshot, Server, World
from reconcilers.pool.roster import Roster, is_broken, roster

POOL = "worker-pool"
"""Who retires workers when nobody asked for it."""

LEAVING = frozenset({"DELETED", "SOFT_DELETED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """One pass's world, indexed. `members` are the open workers by name."""

    world: World
    settings: PoolSettings
    limits: BreakerSettings
    now: datetime
    members: tuple[Member, ...]
    roster: Roster
    demands: Mapping[str, Demand]
    node_ids: Mapping[str, frozenset[str]]
    nodes: Mapping[str, Node]
    live_on: Mapping[str, Sequence[Allocation]]
    intents: Mapping[tuple[IntentKind, str], tuple[Intent, ...]]
    strangers: frozenset[str]

    @classmethod
    def of(
        cls, world: World, settings: PoolSettings, limits: BreakerSettings, now: datetime
    ) -> Survey:
        """Index a world."""
        members = _by_name(join(world))
        nodes = world.nomad.nodes if world.nomad else ()
        return cls(
            world=world,
            settings=settings,
            limits=limits,
            now=now,
            members=members,
            roster=roster(members),
            demands={
                **_unknown_demands(world, members),
                **demands(world, members, share_of(world, settings).held),
            },
            node_ids=_node_ids(world.store.identities),
            nodes=_by_id(nodes),
            live_on=live_by_node(world.nomad) if world.nomad else {},
            intents=_by_target(world.store.intents),
            strangers=_strangers(nodes, world.store.identities),
        )

    @property
    def nomad(self) -> NomadSnapshot | None:
        """What Nomad shows; None: unknown."""
        return self.world.nomad

    @property
    def cloud(self) -> CloudSnapshot | None:
        """What the cloud shows; None: unknown."""
        return self.world.cloud

    def is_busy(self, subject: Subject) -> bool:
        """An action on this target is in flight in this process."""
        return bool(self.world.busy) and str(subject) in self.world.busy

    def is_missing(self, member: Member) -> bool:
        """A complete server list, asked for after its server was seen, lacks it."""
        return self.world.cloud is not None and is_missing(member.worker, self.world.cloud)

    def nodes_of(self, worker: Worker) -> tuple[Node, ...]:
        """The listed nodes that are this worker's server, by id."""
        return tuple(self.nodes[i] for i in sorted(self._ids(worker)) if i in self.nodes)

    def live(self, worker: Worker) -> tuple[Allocation, ...]:
        """What may be running on any node of this worker, listed or not."""
        return tuple(a for i in sorted(self._ids(worker)) for a in self.live_on.get(i, ()))

    def _ids(self, worker: Worker) -> frozenset[str]:
        known = self.node_ids.get(worker.server_id or "", frozenset())
        return known | {worker.node_id} if worker.node_id else known

    def node_id(self, worker: Worker) -> str | None:
        """The node that was proved to be its server, a listed one if there is; None: it has none.

        Of several listed ones it is the same one that `Member.node` shows.
        """
        joined = _by_row(self.members).get(worker.id)
        known = sorted(self._ids(worker), key=lambda i: (i not in self.nodes, i))
        return joined.node.id if joined and joined.node else next(iter(known), None)

    def is_unproved(self, worker: Worker) -> bool:
        """A listed node that nobody has identified yet may be its node, by name or by id: its agent
        may have registered anew, and what that node runs would be overlooked.
        """
        return host_name(worker) in self.strangers or worker.node_id in self.strangers

    def pending(self, kind: IntentKind, node_id: str) -> Intent | None:
        """An open intent of this kind for a node, whose call may still be running."""
        return next((i for i in self._open(kind, node_id) if i.deadline > self.now), None)

    def may_land(self, kind: IntentKind, node_id: str) -> bool:
        """An open intent of this kind may still take effect: its answer was lost."""
        limit = self.settings.refute_after
        return any(i.deadline + limit > self.now for i in self._open(kind, node_id))

    def _open(self, kind: IntentKind, subject: str) -> tuple[Intent, ...]:
        return self.intents.get((kind, subject), ())

    def is_overdue(self, member: Member) -> bool:
        """Its server is up for longer than a boot may take, and no ready node of it is listed."""
        if member.server is None:
            return False
        # A create that was answered late is not overdue at once: its server may be younger.
        born = max(member.worker.created_at, member.server.created_at)
        joined = any(node.status == "ready" for node in self.nodes_of(member.worker))
        return not joined and self.now - born > self.settings.boot_limit

    def unseen_creations(self) -> list[str]:
        """Creations in flight whose rows the store does not show yet: nobody counts them."""
        prefix = f"{SubjectKind.WORKER}:{self.world.site.worker_prefix}"
        busy = {s.partition(":")[2] for s in self.world.busy if s.startswith(prefix)}
        return sorted(busy - {m.worker.name for m in self.members}) if busy else []

    def size(self, flavor: str) -> Flavor:
        """A flavor's size; one that the registry does not know counts as large as the largest."""
        known = self.world.registry.flavors
        if flavor in known:
            return known[flavor]
        return Flavor(
            name=flavor,
            vcpus=max((f.vcpus for f in known.values()), default=1),
            memory_mb=max((f.memory_mb for f in known.values()), default=1),
            disk_gb=0,
        )


@remembered
def _by_name(members: tuple[Member, ...]) -> tuple[Member, ...]:
    found = (m for m in members if m.worker.state is not WorkerState.CLOSED)
    return tuple(sorted(found, key=lambda m: m.worker.name))


@remembered
def _by_row(members: tuple[Member, ...]) -> Mapping[int, Member]:
    return {member.worker.id: member for member in members}


@remembered
def _by_id(nodes: tuple[Node, ...]) -> Mapping[str, Node]:
    return {node.id: node for node in nodes}


@remembered
def _strangers(nodes: tuple[Node, ...], identities: Mapping[str, NodeIdentity]) -> frozenset[str]:
    """Ids and names of the nodes that nobody has identified yet."""
    unknown = (node for node in nodes if node.id not in identities)
    return frozenset(name for node in unknown for name in (node.id, node.name))


@remembered
def _node_ids(identities: Mapping[str, NodeIdentity]) -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for identity in identities.values():
        if identity.server_id is not None:
            found[identity.server_id].add(identity.node_id)
    return {server: frozenset(nodes) for server, nodes in found.items()}


@remembered
def _by_target(
    intents: tuple[Intent, ...],
) -> Mapping[tuple[IntentKind, str], tuple[Intent, ...]]:
    found: defaultdict[tuple[IntentKind, str], list[Intent]] = defaultdict(list)
    for intent in intents:
        found[intent.kind, intent.subject].append(intent)
    return {target: tuple(group) for target, group in found.items()}


def _unknown_demands(world: World, members: tuple[Member, ...]) -> dict[str, Demand]:
    """Flavors that jobs, orders or workers name and the registry lacks: asked for, never met."""
    waiting = world.store.ready_total
    ordered = {order.flavor for order in world.store.orders}
    named = {*roster(members).flavors, *(f for f, n in waiting.items() if n), *ordered}
    return {
        flavor: Demand(
            flavor=flavor,
            waiting=waiting.get(flavor, 0),
            unplaced=0,
            free=sum(m.is_free for m in members if m.worker.flavor == flavor),
            coming=sum(m.is_coming for m in members if m.worker.flavor == flavor),
        )
        for flavor in sorted(named - set(world.registry.flavors))
    }


def worker_subject(worker: Worker) -> Subject:
    """A worker as the ledger names it."""
    return Subject(SubjectKind.WORKER, worker.name)


def held(worker: Worker, reason: Reason, because: str, *facts: tuple[str, Fact]) -> Held:
    """A refusal to act on a worker for now."""
    return Held(subject=worker_subject(worker), reason=reason, because=because, facts=facts)


def is_leaving(server: Server | None) -> bool:
    """Somebody is deleting this server: an ACTIVE that it shows meanwhile is no boot."""
    return server is not None and (server.status in LEAVING or server.task_state == "deleting")


def comes_back(survey: Survey, member: Member) -> bool:
    """It is on its way out for idleness alone, can be taken back, and could take a run then."""
    retirement, node = member.worker.retirement, member.node
    if retirement is None or member.worker.state is not WorkerState.READY:
        return False
    ours = retirement.cause is RetireCause.IDLE or retirement.step is RetireStep.UNDOING
    usable = node is not None and node.status == "ready" and not node.draining
    lost = survey.is_missing(member) or is_broken(member.server) or is_leaving(member.server)
    return ours and usable and not lost and not survey.live(member.worker)


def seconds(start: datetime, end: datetime) -> int:
    """Whole seconds between two moments, for sentences and facts."""
    return int((end - start).total_seconds())
