"""The rows of the simulated Nomad's tables: frozen, replaced as a whole by each Raft write.

Times are aware UTC datetimes, sizes are MB and MHz. `create_index` and `modify_index` are Raft
indexes. What a job submitted beyond what scheduling needs is kept as it came, in `JobRow.spec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.world import TERMINAL_CLIENT_STATUSES

NAMESPACE = "default"
REGION = "global"
DATACENTER = "dc1"
POOL = "default"
VERSION = "2.0.5"


class NomadError(Exception):
    """What Nomad says instead of an answer: an HTTP status and a bare sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Drain:
    """How a node is being drained: what runs there is left to finish, until `force_at` if any."""

    started_at: datetime
    force_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRow:
    """A client agent as the servers know it. `server_id` is what it says of its machine."""

    id: str
    name: str
    node_class: str
    server_id: str
    address: str
    memory_mb: int
    cpu_mhz: int
    status: str
    eligible: bool
    status_at: datetime
    create_index: int
    modify_index: int
    identified_by: str = "meta"
    drain: Drain | None = None
    drained_at: datetime | None = None

    @property
    def usable(self) -> bool:
        """Whether the scheduler may choose it now."""
        return self.status == "ready" and self.eligible and self.drain is None

    @property
    def meta(self) -> dict[str, str]:
        """Node meta, as cloud-init writes it."""
        return {"openstack_server_id": self.server_id} if self.identified_by == "meta" else {}

    @property
    def attributes(self) -> dict[str, str]:
        """Fingerprinted attributes; the host id is the DMI product UUID."""
        return {
            "unique.hostname": self.name,
            "unique.host_id": self.server_id if self.identified_by != "nothing" else "",
            "unique.network.ip-address": self.address,
            "nomad.version": VERSION,
            "kernel.name": "linux",
            "os.name": "debian",
        }

    def interpolation(self) -> dict[str, str]:
        """What `${…}` may name in constraints and task environments."""
        values = {
            "node.unique.id": self.id,
            "node.unique.name": self.name,
            "node.class": self.node_class,
            "node.datacenter": DATACENTER,
            "node.region": REGION,
            "node.pool": POOL,
        }
        values.update({f"attr.{key}": value for key, value in self.attributes.items()})
        values.update({f"meta.{key}": value for key, value in self.meta.items()})
        return values


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """What scheduling and running need to know of a job's first task, which leads the `others` of
    its group: they run as long as it does, and what they take counts besides.

    The defaults of restart and reschedule are Nomad's for batch jobs that say nothing: a failing
    task is started up to 8 times.
    """

    group: str = "main"
    task: str = "main"
    driver: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    payload_file: str = ""
    constraints: tuple[tuple[str, str], ...] = ()
    memory_mb: int = 300
    cpu_mhz: int = 100
    kill_timeout: timedelta = timedelta(seconds=5)
    kill_signal: str = "SIGINT"
    restarts: int = 3
    restart_delay: timedelta = timedelta(seconds=15)
    reschedules: int = 1
    reschedule_delay: timedelta = timedelta(seconds=5)
    others: tuple[TaskSpec, ...] = ()

    @property
    def group_memory_mb(self) -> int:
        """What all tasks of the group take."""
        return self.memory_mb + sum(other.memory_mb for other in self.others)

    @property
    def group_cpu_mhz(self) -> int:
        """What all tasks of the group take."""
        return self.cpu_mhz + sum(other.cpu_mhz for other in self.others)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameterized:
    """What a dispatch of this job must and may bring."""

    payload: str = "optional"
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Counters of one job. Complete and failed only ever grow."""

    create_index: int = 0
    modify_index: int = 0
    queued: int = 0
    starting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """A job: a parameterized parent, one of its dispatched children, or a plain batch job."""

    id: str
    type: str
    priority: int
    task: TaskSpec
    spec: Mapping[str, Any]
    status: str
    create_index: int
    modify_index: int
    job_modify_index: int
    submit_at: datetime
    parent_id: str = ""
    namespace: str = NAMESPACE
    meta: Mapping[str, str] = field(default_factory=dict)
    payload: bytes = b""
    token: str = ""
    stopped: bool = False
    version: int = 0
    parameterized: Parameterized | None = None
    summary: Summary = Summary()

    @property
    def dispatched(self) -> bool:
        """Whether it is a child."""
        return self.parent_id != ""

    @property
    def dispatchable(self) -> bool:
        """Whether it is a parent: children keep the parameters, but cannot be dispatched."""
        return self.parameterized is not None and not self.dispatched


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementFailure:
    """Why nothing was placed: how many nodes were looked at and what each lacked."""

    evaluated: int = 0
    filtered: int = 0
    exhausted: int = 0
    in_pool: int = 0
    class_filtered: Mapping[str, int] = field(default_factory=dict)
    constraint_filtered: Mapping[str, int] = field(default_factory=dict)
    class_exhausted: Mapping[str, int] = field(default_factory=dict)
    dimension_exhausted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalRow:
    """An evaluation: Nomad's note to itself to look at a job."""

    id: str
    job_id: str
    type: str
    priority: int
    triggered_by: str
    status: str
    create_index: int
    modify_index: int
    created_at: datetime
    modified_at: datetime
    job_modify_index: int = 0
    namespace: str = NAMESPACE
    node_id: str = ""
    node_modify_index: int = 0
    description: str = ""
    previous_eval: str = ""
    blocked_eval: str = ""
    failure: PlacementFailure | None = None
    queued: Mapping[str, int] = field(default_factory=dict)
    snapshot_index: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it may still place something."""
        return self.status in {"pending", "blocked"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocRow:
    """An allocation: one execution of a job on one node, as wished and as it is."""

    id: str
    eval_id: str
    name: str
    node_id: str
    node_name: str
    job_id: str
    job_type: str
    group: str
    memory_mb: int
    cpu_mhz: int
    desired: str
    client_status: str
    create_index: int
    modify_index: int
    created_at: datetime
    modified_at: datetime
    namespace: str = NAMESPACE
    desired_description: str = ""
    client_description: str = ""
    previous: str = ""
    next: str = ""
    restarts: int = 0
    reschedules: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None

    @property
    def client_terminal(self) -> bool:
        """Whether its machine is done with it."""
        return self.client_status in TERMINAL_CLIENT_STATUSES

    @property
    def terminal(self) -> bool:
        """Whether the job counts it as over, which a mere order to stop is enough for."""
        return self.desired != "run" or self.client_terminal


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How this cluster is set up and how fast it is. Waits are virtual time."""

    default_ineligible: bool = True
    """Whether new nodes join ineligible (client option, since 2.0.3)."""

    scheduling_delay: timedelta = timedelta(milliseconds=50)
    """From an evaluation's write to its scheduling; dispatch answers before."""

    ready_delay: timedelta = timedelta(seconds=2)
    """From a node's registration to `ready`."""

    registers_again: timedelta = timedelta(seconds=7)
    """From the start of an agent to its second registration, which moves its ModifyIndex."""

    start_delay: timedelta = timedelta(milliseconds=200)
    """From a placement to the task's start on its node."""

    heartbeat_min: timedelta = timedelta(seconds=10)
    """The least heartbeat interval; it grows with nodes / 50 per second."""

    heartbeat_grace: timedelta = timedelta(seconds=10)
    """How much later than its interval a heartbeat may come."""

    job_gc_threshold: timedelta = timedelta(hours=4)
    eval_gc_threshold: timedelta = timedelta(hours=1)
    node_gc_threshold: timedelta = timedelta(hours=24)
    gc_period: timedelta = timedelta(minutes=5)

    late_effect: timedelta = timedelta()
    """How much later a write whose reply is lost takes effect."""

    job_max_priority: int = 100
    payload_limit: int = 16_384
    event_buffer: int = 100
