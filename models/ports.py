"""Whom the shell talks to: the contract of every outside system and of the store.

Adapters in `infra` and the doubles in `simulator` implement these; one contract suite runs over
both. Every method has a deadline of its own, translates foreign errors into `models.errors`, and
retries nothing that writes. A method that reads returns everything or raises: never a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from models.changes import Change
from models.job_types import Parent
from models.lifecycle import Status
from models.plan import Decision
from models.records import (
    Heartbeat,
    Job,
    Lease,
    LedgerRow,
    NewJob,
    NodeIdentity,
    ParameterChange,
    Run,
    StatusChange,
    Worker,
)
from models.world import CloudSnapshot, NomadSnapshot, StoreView


class Clock(Protocol):
    """Time, from outside. Tests and the simulator have their own."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that only ever grow; for deadlines and leases."""


class Ids(Protocol):
    """Identities nobody has had before; seeded in the simulator."""

    def uuid(self) -> UUID:
        """A new random uuid."""


# ---- the store -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewLimits:
    """How much of the store a pass wants to see."""

    ready_per_flavor: int
    ended_since: datetime
    errors: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a committed change made, where the caller needs it."""

    job: Job | None = None
    run: Run | None = None
    worker: Worker | None = None
    input: Mapping[str, Any] = field(default_factory=dict)


class JobStore(Protocol):
    """The job table and all that the controller keeps. PostgreSQL, or memory in the simulator."""

    def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take the lease `name` if it is free, expired or ours already; None when another has it.

        Taking it from nobody or from another raises the epoch; ours already: the same epoch, a new
        expiry. The store's own clock decides what is expired.
        """

    def release(self, lease: Lease) -> None:
        """Give the lease back at once; one that is no longer ours is left alone."""

    def view(self, limits: ViewLimits) -> StoreView:
        """Everything open, in one consistent read, by a fixed number of indexed queries."""

    def commit(self, fence: Lease, change: Change) -> Receipt:
        """Carry out one change atomically under the lease; see `models.changes` for the guards.

        Raises `Superseded` when the lease is not held at this epoch or a guard does not hold,
        `IllegalTransition` when the status table forbids it. Either way nothing was written.
        """

    def record(self, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
        """Write decisions into the ledger: a new row when a subject's reason for an action class
        changed, else the last row's `last_at` and `count` grow.
        """

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write the sign of life of one loop."""

    def prune(self, before: datetime) -> int:
        """Drop closed ledger rows and closed intents older than `before`; how many went."""


class Hints(Protocol):
    """Wake-ups. They may be lost, late or doubled: a loop must be right without them."""

    def wait(self, timeout: timedelta) -> bool:
        """Wait until something may have changed (True) or the time is over (False)."""

    def wake(self) -> None:
        """End a wait from another thread."""


# ---- runs report, people ask ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an allocation runs, as its program says when it claims."""

    allocation_id: str
    node_id: str | None = None
    node_name: str | None = None
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right of one allocation to speak for a run, and what it needs to know of its job."""

    run_id: UUID
    number: int
    attempt: int
    job: Job
    input: Mapping[str, Any]


class RunReports(Protocol):
    """What the program on a worker may say. Every call but the first carries its claim number."""

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """Claim a run for an allocation; the last claim wins.

        queued → started with claim 1. The same allocation again gets the same number (its answer
        was lost). Another allocation, while the job is started … post_processing, passes through
        external_error "Worker lost" to started in one transaction and gets the next number: same
        attempt, no failure of the job. Raises `Superseded` when the run is not its job's current
        open one, `NotFound` when there is no such run.
        """

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """Move the job on to pre_processing, processing or post_processing.

        Saying the same twice is no error and writes nothing. Raises `Superseded` for an outdated
        claim and `IllegalTransition` for a step that may not follow.
        """

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """End the run: processed, internal_error or external_error. The same end twice writes
        nothing; anything else after the end raises `Superseded`. Sets the worker's `busy_at`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended, by its own program."""

    status: Status
    subtype: str | None = None
    message: str | None = None
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """Ids of the jobs that a submission added, and of those that were there already."""

    added: tuple[int, ...]
    existing: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was, or with dry-run would be, done to one thing that a person asked for."""

    subject: str
    done: bool
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who asks for something, why, and whether it is only to be tried."""

    actor: str
    reason: str = ""
    dry_run: bool = False


class Operations(Protocol):
    """What people do. Every method writes the audit trail in the same transaction."""

    def submit(self, jobs: Sequence[NewJob], asked: Asked) -> Submitted:
        """Add jobs without series, all at once or not at all: initialized → configured → ready.

        A job whose (type, key) is in the table already is left as it is.
        """

    def cancel(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """Cancel jobs; a current run ends as cancelled and its child is stopped by execution."""

    def relaunch(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """Send jobs in error, done or cancelled through error_checked to their resume status with
        a new attempt budget. One that is still moving is refused and says so.
        """

    def retire(self, names: Sequence[str], asked: Asked, *, forced: bool) -> tuple[Verdict, ...]:
        """Start the delete protocol of workers by a person's wish. `forced` deletes what is busy,
        else what runs there is finished first.
        """

    def order(self, flavor: str, count: int, keep: timedelta, asked: Asked) -> tuple[Verdict, ...]:
        """Order workers by hand; the pool creates them within its caps and keeps them that long."""

    def set_parameter(self, key: str, value: Any, asked: Asked) -> ParameterChange:
        """Change a live parameter (None: back to its default) after checking it against all others.

        Raises `ConfigurationError` naming the key; nothing was written then.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which jobs to list; empty fields do not filter. `after` is the id to go on from."""

    types: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    tile: str | None = None
    quarantined: bool | None = None
    after: int = 0
    limit: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStory:
    """Everything known about one job."""

    job: Job
    input: Mapping[str, Any]
    history: tuple[StatusChange, ...]
    runs: tuple[Run, ...]


class Reader(Protocol):
    """What views, `why` and reports read. Nothing here locks or writes."""

    def jobs(self, wanted: JobFilter) -> tuple[Job, ...]:
        """Jobs by id, at most `limit`, above `after`."""

    def story(self, reference: str) -> JobStory:
        """One job by id, unique id or `type/key`, with history and runs. Raises `NotFound`."""

    def workers(self, *, closed: bool = False) -> tuple[Worker, ...]:
        """Open workers by name; with `closed` all there ever were, newest first, at most 1,000."""

    def ledger(self, subjects: Sequence[str], limit: int = 50) -> tuple[LedgerRow, ...]:
        """Newest decisions about any of these subjects, newest first; no subjects: about all."""

    def totals(self) -> Mapping[str, int]:
        """Jobs ever made, by status; servers ever created and deleted; decisions; violations."""

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The newest sign of life of every loop."""

    def leases(self) -> tuple[Lease, ...]:
        """Who holds what."""

    def parameters(self) -> tuple[ParameterChange, ...]:
        """History of parameter changes, newest first."""


# ---- Nomad and OpenStack -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatch:
    """What a run is handed to Nomad with. The token is the run uuid, in the query string."""

    parent: str
    token: UUID
    meta: Mapping[str, str]
    payload: bytes
    id_prefix: str
    priority: int


class Orchestrator(Protocol):
    """Nomad."""

    def snapshot(self) -> NomadSnapshot:
        """The four lists in order (nodes, jobs, evaluations, allocations), all namespaces, from a
        known leader, non-stale; a change of leader in between starts again, at most 3 times.

        Jobs: those whose id begins with `hrsi-<deployment>-`, with meta, dead ones included.
        Evaluations: pending and blocked. Allocations: ClientStatus not terminal.
        Raises `Unavailable` (or `Refused`, `Malformed`) rather than return a part.
        """

    def identify(self, node_id: str) -> NodeIdentity:
        """Read one node: `Meta.openstack_server_id`, else `Attributes["unique.host_id"]`, lower
        case. Raises `NotFound`.
        """

    def dispatch(self, order: Dispatch) -> str:
        """Dispatch and return the child's id as answered, which may be that of an earlier dispatch
        with the same token, or of a child that does not exist. `Unknown` when no answer came.
        """

    def register(self, parent: Parent, deployment: str) -> None:
        """Register or replace a parent; its meta carries the deployment and its fingerprint."""

    def set_eligibility(self, node_id: str, *, eligible: bool) -> int:
        """Mark a node; the Raft index of the write, 0 when it was so already. `NotFound`."""

    def modify_index(self, node_id: str) -> tuple[int, bool]:
        """Re-read one node on the default path: (ModifyIndex, eligible). Raises `NotFound`."""

    def stop(self, nomad_job_id: str) -> None:
        """Deregister a child without purging it; one that is unknown is no error."""

    def evaluate(self, nomad_job_id: str) -> None:
        """Make a new evaluation for a job. Raises `NotFound`."""

    def purge(self, node_id: str) -> None:
        """Remove a node; one that is unknown is no error."""

    def exit_code(self, nomad_job_id: str) -> int | None:
        """The exit code of the newest allocation's task, if Nomad still knows one."""

    def watch(self, stop: StopSignal) -> Iterator[None]:
        """Yield whenever the event stream says that something of ours may have changed.

        Hints only. Ends by itself when `stop` is set; raises `Unavailable` when the stream breaks,
        after which the caller lists everything and comes back.
        """


class StopSignal(Protocol):
    """Says that it is time to end; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to end now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOrder:
    """What a server is created from. The metadata carries deployment, flavor and intent id."""

    name: str
    flavor: str
    image: str
    networks: tuple[str, ...]
    security_groups: tuple[str, ...]
    key_name: str | None
    metadata: Mapping[str, str]
    user_data: str | None = None


class Cloud(Protocol):
    """OpenStack."""

    def snapshot(self) -> CloudSnapshot:
        """One paged list of all servers of the project, complete or an error; quota, flavors and
        images at most a minute old. Servers of a down cell are there with status UNKNOWN.
        """

    def create(self, order: ServerOrder) -> str:
        """Ask for a server and return its id at once. Never retried below; `Unknown` when no answer
        came, `QuotaExceeded`, `Refused`, `Malformed` (unknown flavor or image), `Unavailable`.
        """

    def delete(self, server_id: str) -> None:
        """Ask for deletion and return at once; a server already gone is no error."""

    def exists(self, server_id: str) -> bool:
        """False only for a 404 (or DELETED) by id; any doubt raises."""
