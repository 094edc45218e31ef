"""Whole worlds: machines, what the store shows, and the three systems together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from models.fleet import DEPLOYMENT_META, FINGERPRINT_META, in_dispatch_order
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.records import Job, NodeIdentity, Priority, Worker
from models.world import JobCount, Node, NomadJob, Server, Site, StoreView, World
from simulator.examples.base import COMMAND, DEPLOYMENT, FLAVOR, NOW
from simulator.examples.nomad import a_node, a_nomad, an_identity
from simulator.examples.openstack import a_cloud, a_server
from simulator.examples.workers import a_worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A worker with its server, its node and the proof that they belong together.

    A part that is None does not exist: a worker without a node has not joined yet.
    """

    worker: Worker
    server: Server | None = None
    node: Node | None = None
    identity: NodeIdentity | None = None


def a_machine(number: int = 1, flavor: str = FLAVOR, **worker: Any) -> Machine:
    """A ready worker with its active server and its eligible node; `worker` changes the row."""
    return Machine(
        worker=a_worker(**{"id": number, "flavor": flavor, **worker}),
        server=a_server(number, flavor=flavor),
        node=a_node(number, node_class=flavor),
        identity=an_identity(number, node_class=flavor),
    )


def a_store(**changes: Any) -> StoreView:
    """What the store shows. `counts` and `ready_total` follow from the jobs unless given."""
    view = replace(StoreView(requested_at=NOW - timedelta(seconds=1)), **changes)
    view = replace(view, ready=tuple(in_dispatch_order(view.ready)))
    if "ready_total" not in changes:
        view = replace(view, ready_total=dict(Counter(job.flavor for job in view.ready)))
    if "counts" not in changes:
        jobs = (*view.ready, *view.errors, *(flight.job for flight in view.in_flight))
        view = replace(view, counts=_counted(jobs))
    return view


def _counted(jobs: Iterable[Job]) -> tuple[JobCount, ...]:
    groups: dict[tuple[str, str, Status, Priority], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.type, job.flavor, job.status, job.priority), []).append(job)
    return tuple(
        JobCount(
            type=type_name,
            flavor=flavor,
            status=status,
            priority=priority,
            count=len(group),
            oldest_at=min(job.status_at for job in group),
            quarantined=sum(job.quarantined for job in group),
        )
        for (type_name, flavor, status, priority), group in sorted(groups.items())
    )


def a_site(**changes: Any) -> Site:
    """The example deployment with all its parents."""
    default = Site(
        deployment=DEPLOYMENT,
        image="os-worker-template",
        networks=("hrsi",),
        security_groups=("default",),
        key_name="hrsi",
        parents=DEFAULT_REGISTRY.parents(DEPLOYMENT, COMMAND),
    )
    return replace(default, **changes)


def parents_in_nomad(site: Site | None = None) -> tuple[NomadJob, ...]:
    """Every parent of a site as Nomad lists it once it is registered in the right version."""
    return tuple(
        NomadJob(
            id=parent.id,
            parent_id="",
            status="running",
            stopped=False,
            meta={DEPLOYMENT_META: DEPLOYMENT, FINGERPRINT_META: parent.fingerprint()},
            create_index=1 + number,
        )
        for number, parent in enumerate((site or a_site()).parents)
    )


def a_world(
    *machines: Machine,
    store: Mapping[str, Any] | None = None,
    nomad: Mapping[str, Any] | None = None,
    **changes: Any,
) -> World:
    """A world in which these machines are all there is, and the parents are registered.

    `store` and `nomad` change their parts by field; nodes, workers, identities and servers are
    added to those of the machines, jobs of `nomad` to the parents. `changes` replace whole fields
    of the world, as `nomad=None` does in `replace(a_world(), nomad=None)`.
    """
    shown, listed = dict(store or {}), dict(nomad or {})
    shown["workers"] = (*(m.worker for m in machines), *shown.get("workers", ()))
    proofs = {m.identity.node_id: m.identity for m in machines if m.identity}
    shown["identities"] = {**proofs, **shown.get("identities", {})}
    listed["nodes"] = (*(m.node for m in machines if m.node), *listed.get("nodes", ()))
    listed["jobs"] = (*parents_in_nomad(), *listed.get("jobs", ()))
    world = World(
        site=a_site(),
        store=a_store(**shown),
        nomad=a_nomad(**listed),
        cloud=a_cloud(*(m.server for m in machines if m.server)),
    )
    return replace(world, **changes)
