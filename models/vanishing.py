"""What is missing, and whether so much is missing that it is rather the list that is wrong. Pure.

One machine that is gone from a list is gone, more or less: it is looked for, and removed once that
is proved. Half of them gone at once is an empty answer, another project, a restored database, a
cell of the cloud that is down. The pool, which opens breakers, and the monitor, which must not
requeue what such a list does not show, both go by this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.breakers import Breaker, BreakerName
from models.fleet import nodes_by_server
from models.records import Worker, WorkerState
from models.remembered import remembered
from models.settings import BreakerSettings
from models.wishes import is_by_person
from models.wording import in_utc
from models.world import CloudSnapshot, Node, Server, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one breaker counts in a world: `suspects` (server id to worker name) of `known` workers.

    `pending` are the suspects of which something would still be done.
    """

    name: BreakerName
    suspects: Mapping[str, str]
    pending: frozenset[str]
    known: int
    limit: int
    because: str

    @property
    def is_above(self) -> bool:
        """So many that the breaker opens. That Nomad shows none of our nodes at all is no evidence
        against any of them, however few they are.
        """
        count = len(self.suspects)
        nothing_left = self.name is BreakerName.NODES and count == self.known
        return bool(self.pending) and (count > self.limit or nothing_left)


def allowed(floor: int, share: float, known: int) -> int:
    """How many of `known` may be suspects: so many, or that share, whichever is more."""
    return max(floor, int(known * share))


def open_breakers(world: World) -> dict[BreakerName, Breaker]:
    """The breakers that the store shows open, by name."""
    return {b.name: b for b in world.store.breakers if b.closed_at is None}


def accepted(world: World) -> frozenset[str]:
    """The servers for which a person's word holds: they count for no breaker."""
    return frozenset(server for breaker in world.store.breakers for server in breaker.accepted)


def is_missing(worker: Worker, cloud: CloudSnapshot) -> bool:
    """A complete server list, asked for after the worker's server was seen, lacks it."""
    if worker.server_id is None or worker.server_id in _listed(cloud.servers):
        return False
    return worker.booted_at is None or worker.booted_at < cloud.requested_at


@remembered
def _listed(servers: tuple[Server, ...]) -> frozenset[str]:
    return frozenset(server.id for server in servers)


def missing_servers(world: World, limits: BreakerSettings) -> Finding | None:
    """Servers that nobody took away and that the list lacks; None while the cloud is unknown."""
    if world.cloud is None:
        return None
    known, unlisted = _unlisted(world.store.workers, world.cloud.servers)
    late = (worker for worker in unlisted if is_missing(worker, world.cloud))
    missing = _named(late, accepted(world))
    limit = allowed(limits.missing, limits.missing_share, known)
    return Finding(
        name=BreakerName.SERVERS,
        suspects=missing,
        pending=frozenset(missing),
        known=known,
        limit=limit,
        because=f"{len(missing)} of {known} servers are missing from the list of the cloud "
        f"though nobody deleted them; up to {limit} are looked for one by one",
    )


def missing_nodes(world: World, limits: BreakerSettings) -> Finding | None:
    """Nodes of ready workers that nobody took away and that are not listed; None while Nomad is
    unknown. A node that is listed as down is not missing: Nomad knows it and says so.
    """
    if world.nomad is None:
        return None
    known, nodeless = _nodeless(world.store.workers, nodes_by_server(world))
    missing = _named(nodeless, accepted(world))
    limit = allowed(limits.missing, limits.missing_share, known)
    return Finding(
        name=BreakerName.NODES,
        suspects=missing,
        pending=frozenset(missing),
        known=known,
        limit=limit,
        because=f"{len(missing)} of the {known} nodes of ready workers are missing from the list "
        f"of Nomad though nobody purged them; up to {min(limit, max(0, known - 1))} may be",
    )


def _is_asked_to_go(worker: Worker) -> bool:
    """We delete it, or a person wants it gone: that nobody shows it is no wonder."""
    return is_by_person(worker.retirement) or worker.state is WorkerState.DELETING


@remembered
def _unlisted(
    workers: tuple[Worker, ...], servers: tuple[Server, ...]
) -> tuple[int, tuple[Worker, ...]]:
    """How many servers a list has to show, and the workers of those that it lacks."""
    known = [w for w in workers if w.server_id is not None and not _is_asked_to_go(w)]
    return len(known), tuple(w for w in known if w.server_id not in _listed(servers))


@remembered
def _nodeless(
    workers: tuple[Worker, ...], nodes: Mapping[str, Node]
) -> tuple[int, tuple[Worker, ...]]:
    """How many nodes a list has to show, and the workers of those that it lacks."""
    known = [w for w in workers if w.state is WorkerState.READY and not _is_asked_to_go(w)]
    return len(known), tuple(w for w in known if w.server_id not in nodes)


def _named(workers: Iterable[Worker], spared: frozenset[str]) -> dict[str, str]:
    """The names of workers by server id, without those that a person accepted."""
    found = ((worker.server_id, worker.name) for worker in workers)
    return {server: name for server, name in found if server and server not in spared}


def doubt(world: World, limits: BreakerSettings) -> str | None:
    """Why nothing may be requeued because it is absent, if so: a breaker is open, or opens now."""
    found = open_breakers(world)
    for name in BreakerName:
        if name in found:
            return in_words(found[name])
    nodes = missing_nodes(world, limits)
    return nodes.because if nodes is not None and nodes.is_above else None


def in_words(breaker: Breaker) -> str:
    """An open breaker as a reason: `breaker servers is open since … (12 of 40 …)`."""
    return f"breaker {breaker.name} is open since {in_utc(breaker.opened_at)} ({breaker.because})"
