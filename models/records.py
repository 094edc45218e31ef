"""What there is in the store: jobs, runs, workers, intents, leases; frozen, no behaviour.

Times are aware UTC datetimes. Identities that the database hands out are `int`, those that we hand
out beforehand are `UUID`, those of outside systems are `str`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from models.errors import FailureClass
from models.lifecycle import Status


class Priority(StrEnum):
    """How urgent a job is; `rank` orders them and `nomad` is what Nomad is told."""

    NRT = "nrt"
    DELAYED = "delayed"
    REPROCESSING = "reprocessing"

    @property
    def rank(self) -> int:
        """0 is served first."""
        return list(Priority).index(self)

    @property
    def nomad(self) -> int:
        """The Nomad job priority, 1 to 100, higher first."""
        return (80, 60, 40)[self.rank]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job as somebody hands it in. `key` makes it unique within its type: twice adds nothing."""

    type: str
    key: str
    name: str
    tile: str | None = None
    priority: Priority = Priority.DELAYED
    deadline: datetime | None = None
    sensing_at: datetime | None = None
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One unit of scientific processing: a row of our table.

    `seq` is the number of its newest history row, `attempt` that of its newest run (0: none yet).
    The three counters are failures since the attempt budget was last opened. `not_before` holds
    the job back until then. `quarantined` jobs rest in their error status until a person acts.
    """

    id: int
    unique_id: UUID
    type: str
    key: str
    name: str
    tile: str | None
    flavor: str
    priority: Priority
    deadline: datetime | None
    status: Status
    status_at: datetime
    seq: int
    resume_status: Status
    attempt: int
    created_at: datetime
    internal_failures: int = 0
    external_failures: int = 0
    losses: int = 0
    not_before: datetime | None = None
    quarantined: bool = False
    error_subtype: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChange:
    """One row of a job's history. The newest is the one with the highest `seq`, never by time."""

    job_id: int
    seq: int
    at: datetime
    before: Status | None
    after: Status
    subtype: str | None
    message: str | None
    actor: str
    attempt: int


class RunEnd(StrEnum):
    """How a run came to its end; an open run has none."""

    PROCESSED = "processed"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"
    NOT_DISPATCHED = "not_dispatched"

    @property
    def winds_down(self) -> bool:
        """The program ended the run itself and may still be tidying up on its worker."""
        return self in {RunEnd.PROCESSED, RunEnd.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One attempt at a job. `id` is the run uuid: the dispatch token and the intent's identity.

    `claim` is the number of the last claim (0: nothing has claimed yet). `sent_at` is when the
    newest dispatch call left. `stop_reason` is set once the monitor has asked for its stop, and
    `stop_asked_at` when it did so last.
    """

    id: UUID
    job_id: int
    attempt: int
    claim: int
    created_at: datetime
    sent_at: datetime | None = None
    nomad_job_id: str | None = None
    allocation_id: str | None = None
    node_id: str | None = None
    node_name: str | None = None
    server_id: str | None = None
    address: str | None = None
    claimed_at: datetime | None = None
    ended_at: datetime | None = None
    end: RunEnd | None = None
    exit_code: int | None = None
    stop_reason: str | None = None
    stop_asked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InFlight:
    """A job queued … post_processing together with its current run."""

    job: Job
    run: Run


class WorkerState(StrEnum):
    """Where a worker stands between the decision to create it and its 404.

    creating → booting → ready → deleting → closed. Retirement is a protocol beside the state
    (`Worker.retirement`) until `deleting` is committed; from there on nothing is undone.
    """

    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    DELETING = "deleting"
    CLOSED = "closed"


IN_SERVICE = frozenset({WorkerState.BOOTING, WorkerState.READY})
"""It has a server, and no deletion is committed: it can be retired, and taken back."""


class RetireCause(StrEnum):
    """Why a worker is to go."""

    IDLE = "idle"
    PERSON = "person"
    STALE = "stale"
    SERVER_ERROR = "server_error"
    VANISHED = "vanished"


class RetireStep(IntEnum):
    """The steps of the delete protocol that come before `deleting`, in their order.

    MARKING the intent to make the node ineligible is committed; SEEN the node was listed
    ineligible; UNDOING demand came back and the node is being made eligible again.
    """

    MARKING = 1
    SEEN = 2
    UNDOING = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Retirement:
    """How far the delete protocol of one worker has come, and who started it.

    `index` is the Raft index after which Nomad can place nothing new on the node: the answer's,
    or, if that was lost or 0, the node's ModifyIndex when first seen ineligible; then frozen.
    `modify_index` is the node's ModifyIndex when it was seen ineligible: any later change of it
    starts the protocol again. `forced`: a person accepts that what runs there is lost.
    """

    cause: RetireCause
    by: str
    step: RetireStep
    started_at: datetime
    index: int | None = None
    modify_index: int | None = None
    seen_at: datetime | None = None
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A worker of our pool: the pair server + node, from the committed wish on until its 404.

    `intent_id` is the create intent; it is also in the server's metadata. `busy_at` is when a run
    on it last began or ended. A worker that a person ordered is kept until `keep_until` even when
    it is idle. `gone_at` is when its server answered 404. One that is `outside_pool` is a person's
    own: its machine joins no Nomad, it stays booting, and goes at `keep_until`.
    """

    id: int
    name: str
    flavor: str
    state: WorkerState
    intent_id: UUID
    created_at: datetime
    server_id: str | None = None
    node_id: str | None = None
    address: str | None = None
    booted_at: datetime | None = None
    admitted_at: datetime | None = None
    busy_at: datetime | None = None
    keep_until: datetime | None = None
    delete_sent_at: datetime | None = None
    gone_at: datetime | None = None
    retirement: Retirement | None = None
    outside_pool: bool = False

    @property
    def idle_since(self) -> datetime | None:
        """When it last became free, as far as the store knows; None before it is admitted."""
        times = [at for at in (self.admitted_at, self.busy_at) if at is not None]
        return max(times) if self.admitted_at is not None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOrder:
    """A person's wish for one more worker of a flavor, kept until `keep_until` even when idle, or
    for one `outside_pool` until then.
    """

    id: int
    flavor: str
    by: str
    keep_until: datetime
    outside_pool: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """A person's wish that something rests: see `models.pauses` for targets and what rests.

    It is over at `until`, or, if that is None, when a person resumes.
    """

    target: str
    by: str
    reason: str
    since: datetime
    until: datetime | None = None


class IntentKind(StrEnum):
    """The kinds of effect outside; each is committed before it is tried."""

    DISPATCH = "dispatch"
    STOP_CHILD = "stop_child"
    EVALUATE = "evaluate"
    REGISTER_PARENT = "register_parent"
    CREATE_SERVER = "create_server"
    DELETE_SERVER = "delete_server"
    SET_ELIGIBLE = "set_eligible"
    SET_INELIGIBLE = "set_ineligible"
    PURGE_NODE = "purge_node"
    MAKE_IMAGE = "make_image"
    DELETE_IMAGE = "delete_image"
    REMOVE_RESULTS = "remove_results"
    REMOVE_L2A = "remove_l2a"


class IntentState(StrEnum):
    """An open intent may still take effect at any moment, whoever wrote it."""

    OPEN = "open"
    DONE = "done"
    REFUTED = "refuted"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """An effect that was committed to the store before it was tried.

    `subject` is the run uuid, worker name, node id, Nomad job id, image name (to make), image id
    (to delete) or unique id of a job it acts on; `deadline` is when
    the call itself has ended, answered or not; `epoch` is that of the lease it was written under.
    """

    id: UUID
    kind: IntentKind
    subject: str
    opened_at: datetime
    deadline: datetime
    lease: str = ""
    epoch: int = 0
    state: IntentState = IntentState.OPEN
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right of one process to run one reconciler. A new holder has a higher `epoch`, and is
    told how long nobody had renewed the lease (`unled`). Times are the store's.
    """

    name: str
    holder: str
    epoch: int
    renewed_at: datetime
    expires_at: datetime
    unled: timedelta | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeIdentity:
    """Which server a Nomad node is, proved once per node id; None: the node named no server."""

    node_id: str
    server_id: str | None
    name: str
    node_class: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Asking for `subject` again is pointless before `until`, after `failures` in a row."""

    subject: str
    failure: FailureClass
    failures: int
    until: datetime
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """A sign of life of one loop of one process."""

    loop: str
    holder: str
    at: datetime
    passes: int
    leading: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterChange:
    """One change of one live parameter. `new` None: back to the default."""

    key: str
    at: datetime
    author: str
    reason: str
    old: Any
    new: Any
    expires_at: datetime | None = None


HOLDS_FOR = timedelta(minutes=2)
"""What was not written into the ledger for so long is over; the same again is another row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """A decision as recorded; `models.ports.JobStore.record` says when a row grows.

    `count` is how often it was written down: an action each time, a refusal that holds now and
    then. A refusal held from `first_at` to `last_at`.
    """

    subject: str
    reason: str
    action: str
    because: str
    facts: Mapping[str, Any]
    loop: str
    first_at: datetime
    last_at: datetime
    count: int
