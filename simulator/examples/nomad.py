"""What Nomad lists: nodes, parents, children, evaluations, allocations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from models.fleet import ATTEMPT_META, DEPLOYMENT_META, JOB_META, RUN_META, UNIQUE_ID_META
from models.records import NodeIdentity, Run
from models.world import Allocation, Evaluation, Node, NomadJob, NomadSnapshot
from simulator.examples.base import (
    DEPLOYMENT,
    FLAVOR,
    NOW,
    a_child_id,
    a_parent_id,
    address_of,
    an_id,
)
from simulator.examples.jobs import a_run


def a_node(number: int = 1, **changes: Any) -> Node:
    """A ready, eligible node on the server of worker `number`."""
    default = Node(
        id=str(an_id("node", number)),
        name=f"os-worker-{number:03d}",
        node_class=FLAVOR,
        status="ready",
        eligible=True,
        draining=False,
        create_index=100 + number,
        modify_index=200 + number,
        address=address_of(number),
    )
    return replace(default, **changes)


def an_identity(number: int = 1, **changes: Any) -> NodeIdentity:
    """The proof that node `number` is server `number`."""
    default = NodeIdentity(
        node_id=str(an_id("node", number)),
        server_id=str(an_id("server", number)),
        name=f"os-worker-{number:03d}",
        node_class=FLAVOR,
    )
    return replace(default, **changes)


def a_child(run: Run | None = None, **changes: Any) -> NomadJob:
    """The running child of a run (the first of job 1), with the meta that says whose it is."""
    run = run or a_run()
    default = NomadJob(
        id=run.nomad_job_id or a_child_id(run.job_id, run.attempt),
        parent_id=a_parent_id(),
        status="running",
        stopped=False,
        meta={
            RUN_META: str(run.id),
            JOB_META: str(run.job_id),
            UNIQUE_ID_META: str(an_id("job", run.job_id)),
            ATTEMPT_META: str(run.attempt),
            DEPLOYMENT_META: DEPLOYMENT,
        },
        create_index=1000 + run.job_id,
    )
    return replace(default, **changes)


def an_allocation(job_id: str | None = None, node: int = 1, **changes: Any) -> Allocation:
    """A running allocation of a Nomad job on node `node`."""
    child = job_id or a_child_id()
    default = Allocation(
        id=str(an_id("allocation", child)),
        job_id=child,
        namespace="default",
        node_id=str(an_id("node", node)),
        job_type="batch",
        client_status="running",
        desired_status="run",
        create_index=2000,
    )
    return replace(default, **changes)


def an_evaluation(job_id: str | None = None, **changes: Any) -> Evaluation:
    """A pending evaluation of a Nomad job."""
    child = job_id or a_child_id()
    default = Evaluation(
        id=str(an_id("evaluation", child)),
        job_id=child,
        namespace="default",
        status="pending",
        create_index=1500,
    )
    return replace(default, **changes)


def a_nomad(**changes: Any) -> NomadSnapshot:
    """What Nomad shows when it is empty; asked for a second ago."""
    default = NomadSnapshot(
        number=1,
        requested_at=NOW - timedelta(seconds=1),
        nodes=(),
        jobs=(),
        evaluations=(),
        allocations=(),
    )
    return replace(default, **changes)
