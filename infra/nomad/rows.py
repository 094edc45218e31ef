"""Nomad's JSON, the few fields of it that count here, and the records made of it.

Decoded by msgspec straight into these, without a dictionary for each row. An answer that lacks a
field without a default is refused: better no snapshot than a wrong one.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from models.logs import TASK
from models.nodes import SERVER_ID_META
from models.records import NodeIdentity
from models.world import Allocation, Evaluation, Node, NomadJob


class NodeStub(Struct, frozen=True, gc=False):
    """A row of GET /v1/nodes."""

    id: str = field(name="ID")
    name: str = field(name="Name")
    node_class: str = field(name="NodeClass")
    status: str = field(name="Status")
    eligibility: str = field(name="SchedulingEligibility")
    draining: bool = field(name="Drain")
    create_index: int = field(name="CreateIndex")
    modify_index: int = field(name="ModifyIndex")
    address: str = field(name="Address", default="")

    def record(self) -> Node:
        """As the world shows it."""
        return Node(
            id=self.id,
            name=self.name,
            node_class=self.node_class,
            status=self.status,
            eligible=self.eligibility == "eligible",
            draining=self.draining,
            create_index=self.create_index,
            modify_index=self.modify_index,
            address=self.address,
        )


class GroupCounts(Struct, frozen=True, gc=False):
    """The counters of one task group that are of interest."""

    failed: int = field(name="Failed", default=0)
    lost: int = field(name="Lost", default=0)


class JobSummary(Struct, frozen=True):
    """The counters of a job by task group."""

    groups: dict[str, GroupCounts] | None = field(name="Summary", default=None)


class JobStub(Struct, frozen=True):
    """A row of GET /v1/jobs with meta=true; jobs without meta have null there."""

    id: str = field(name="ID")
    parent_id: str = field(name="ParentID")
    status: str = field(name="Status")
    stopped: bool = field(name="Stop")
    create_index: int = field(name="CreateIndex")
    meta: dict[str, str] | None = field(name="Meta", default=None)
    summary: JobSummary | None = field(name="JobSummary", default=None)

    def record(self) -> NomadJob:
        """As the world shows it."""
        groups = ((self.summary and self.summary.groups) or {}).values()
        return NomadJob(
            id=self.id,
            parent_id=self.parent_id,
            status=self.status,
            stopped=self.stopped,
            meta=self.meta or {},
            create_index=self.create_index,
            lost=sum(group.lost for group in groups),
            failed=sum(group.failed for group in groups),
        )


class EvaluationRow(Struct, frozen=True, gc=False):
    """A row of GET /v1/evaluations."""

    id: str = field(name="ID")
    job_id: str = field(name="JobID")
    namespace: str = field(name="Namespace")
    status: str = field(name="Status")
    create_index: int = field(name="CreateIndex")

    def record(self) -> Evaluation:
        """As the world shows it."""
        return Evaluation(
            id=self.id,
            job_id=self.job_id,
            namespace=self.namespace,
            status=self.status,
            create_index=self.create_index,
        )


class AllocationStub(Struct, frozen=True, gc=False):
    """A row of GET /v1/allocations."""

    id: str = field(name="ID")
    job_id: str = field(name="JobID")
    namespace: str = field(name="Namespace")
    node_id: str = field(name="NodeID")
    job_type: str = field(name="JobType")
    client_status: str = field(name="ClientStatus")
    desired_status: str = field(name="DesiredStatus")
    create_index: int = field(name="CreateIndex")

    def record(self) -> Allocation:
        """As the world shows it."""
        return Allocation(
            id=self.id,
            job_id=self.job_id,
            namespace=self.namespace,
            node_id=self.node_id,
            job_type=self.job_type,
            client_status=self.client_status,
            desired_status=self.desired_status,
            create_index=self.create_index,
        )


class FullNode(Struct, frozen=True):
    """GET /v1/node/:id."""

    id: str = field(name="ID")
    name: str = field(name="Name")
    node_class: str = field(name="NodeClass")
    eligibility: str = field(name="SchedulingEligibility")
    modify_index: int = field(name="ModifyIndex")
    meta: dict[str, str] | None = field(name="Meta", default=None)
    attributes: dict[str, str] | None = field(name="Attributes", default=None)

    def identity(self) -> NodeIdentity:
        """Which server it says that it is: node meta, else the host id, in lower case."""
        said = (self.meta or {}).get(SERVER_ID_META) or (self.attributes or {}).get(
            "unique.host_id"
        )
        return NodeIdentity(
            node_id=self.id,
            server_id=said.lower() if said else None,
            name=self.name,
            node_class=self.node_class,
        )


class TaskEvent(Struct, frozen=True):
    """Something that happened to a task; `details` holds the exit code of one that ended."""

    type: str = field(name="Type")
    details: dict[str, str] | None = field(name="Details", default=None)


class TaskState(Struct, frozen=True):
    """What became of one task of an allocation; at most its last 10 events."""

    events: list[TaskEvent] | None = field(name="Events", default=None)


class AllocationOfJob(Struct, frozen=True):
    """A row of GET /v1/job/:id/allocations."""

    create_index: int = field(name="CreateIndex")
    tasks: dict[str, TaskState] | None = field(name="TaskStates", default=None)

    def exit_code(self) -> int | None:
        """The newest exit code that the program of the run has; that of others is their affair."""
        state = (self.tasks or {}).get(TASK) or TaskState()
        codes = [
            event.details["exit_code"]
            for event in state.events or ()
            if event.type == "Terminated" and event.details and "exit_code" in event.details
        ]
        return int(codes[-1]) if codes and codes[-1].lstrip("-").isdecimal() else None


class Dispatched(Struct, frozen=True):
    """The answer to a dispatch."""

    job_id: str = field(name="DispatchedJobID")


class Written(Struct, frozen=True):
    """The answer to a write: its Raft index, 0 when there was nothing to write."""

    index: int = field(name="Index")


class EventHead(Struct, frozen=True):
    """An event without its payload."""

    topic: str = field(name="Topic", default="")
    type: str = field(name="Type", default="")
    key: str = field(name="Key", default="")
    filter_keys: list[str] | None = field(name="FilterKeys", default=None)


class EventLine(Struct, frozen=True):
    """A line of the event stream; a heartbeat has nothing in it."""

    events: list[EventHead] | None = field(name="Events", default=None)
    error: str = field(name="Error", default="")


_NODES = msgspec.json.Decoder(list[NodeStub])
_JOBS = msgspec.json.Decoder(list[JobStub])
_EVALUATIONS = msgspec.json.Decoder(list[EvaluationRow])
_ALLOCATIONS = msgspec.json.Decoder(list[AllocationStub])

full_node = msgspec.json.Decoder(FullNode).decode
allocations_of_job = msgspec.json.Decoder(list[AllocationOfJob]).decode
dispatched = msgspec.json.Decoder(Dispatched).decode
written = msgspec.json.Decoder(Written).decode
event_line = msgspec.json.Decoder(EventLine).decode


def nodes(content: bytes) -> tuple[Node, ...]:
    """GET /v1/nodes."""
    return tuple([row.record() for row in _NODES.decode(content)])


def jobs(content: bytes) -> tuple[NomadJob, ...]:
    """GET /v1/jobs."""
    return tuple([row.record() for row in _JOBS.decode(content)])


def evaluations(content: bytes) -> tuple[Evaluation, ...]:
    """GET /v1/evaluations."""
    return tuple([row.record() for row in _EVALUATIONS.decode(content)])


def allocations(content: bytes) -> tuple[Allocation, ...]:
    """GET /v1/allocations."""
    return tuple([row.record() for row in _ALLOCATIONS.decode(content)])
