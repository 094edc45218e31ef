"""Whom the shell talks to: the contract of every outside system and of the store.

Adapters in `infra` and the doubles in `simulator` implement these; one contract suite runs over
both. Every method has a deadline of its own, translates foreign errors into `models.errors`, and
retries nothing that writes. A method that reads returns everything or raises: never a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from models.breakers import Breaker
from models.changes import Change
from models.configuration import Backlogs, Wait
from models.l2a import L2as
from models.listing import JobFilter, JobKey, JobSort, Span
from models.manifest import Manifest
from models.outside import Cloud, Dispatch, ImageOrder, Orchestrator, ServerOrder, StopSignal
from models.plan import Decision
from models.records import (
    Heartbeat,
    Job,
    Lease,
    LedgerRow,
    NewJob,
    ParameterChange,
    Pause,
    Run,
    StatusChange,
    Worker,
)
from models.reports import Claim, Placement, RunReports, RunResult
from models.world import StoreView

__all__ = [
    "Asked",
    "AuditLine",
    "Claim",
    "Clock",
    "Cloud",
    "Dispatch",
    "Hints",
    "Ids",
    "ImageOrder",
    "JobFilter",
    "JobKey",
    "JobSort",
    "JobStore",
    "JobStory",
    "Operations",
    "Orchestrator",
    "Placement",
    "Reader",
    "Receipt",
    "RunReports",
    "RunResult",
    "ServerOrder",
    "Span",
    "StopSignal",
    "Submitted",
    "Verdict",
    "ViewLimits",
]


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


ENDS_SHOWN = timedelta(days=2)
"""For how long a run that ended can be seen in a view: twice what `execution.wind_down` may be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewLimits:
    """How much of the store a pass wants to see. `removed_since` None: no removals.

    Runs that ended more than `ENDS_SHOWN` ago may be missing, whatever `ended_since` is.
    """

    ready_per_flavor: int
    ended_since: datetime
    errors: int = 1000
    removed_since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a committed change made, where the caller needs it."""

    job: Job | None = None
    run: Run | None = None
    worker: Worker | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    created: int = 0


class JobStore(Backlogs, L2as, Protocol):
    """The job table and all that the controller keeps. PostgreSQL, or memory in the simulator."""

    def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take the lease `name` if it is free, expired or ours already; None when another has it.

        Taking it from nobody or from another raises the epoch; ours already, even if it expired:
        the same epoch, a new expiry. A lease given back is nobody's. The first epoch is 1. The
        store's own clock decides what is expired. Should it be turned back, another's lease lasts
        as long as it was taken for, from when somebody first asks: not until the old time is back.
        """

    def release(self, lease: Lease) -> None:
        """Give the lease back at once; one that is no longer ours is left alone."""

    def view(self, limits: ViewLimits) -> StoreView:
        """Everything open, in one consistent read, by a fixed number of indexed queries."""

    def commit(self, fence: Lease, change: Change) -> Receipt:
        """Carry out one change atomically under the lease; see `models.changes` for the guards.

        Raises `Superseded` when the lease is not held by this holder at this epoch or a guard does
        not hold, `IllegalTransition` when the status table forbids it. Either way nothing was
        written. An expired lease that nobody took since is still held, as far as writes go.
        """

    def record(self, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
        """Write decisions into the ledger, each into the current row of the same (loop, subject,
        action class, reason) if it goes on with it, else into a new one.

        A refusal goes on with its row; an action does if it says the same with the same numbers:
        else it is about another attempt, or another worker of that name. Neither does once
        `HOLDS_FOR` has passed since the row's `last_at`. Of a subject and action class all that
        holds is given in one call and stands side by side; a row of another reason is over then.
        A row that grows gets the newest sentence and numbers; `last_at` and `count` grow.
        """

    def end_refusals(self, loop: str, ended: Sequence[Decision]) -> None:
        """Let the current rows of these refusals, by subject and reason, be over: nothing goes on
        with them, and `Reader.standing` shows them no more. Those that there are not are left out.
        """

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write the sign of life of one loop."""

    def prune(self, before: datetime) -> int:
        """Drop ledger rows last seen, and closed intents opened, before `before`; how many went.

        Heartbeats older than that go too, uncounted: their processes are long gone.
        """


class Hints(Protocol):
    """Wake-ups. They may be lost, late or doubled: a loop must be right without them."""

    def wait(self, timeout: timedelta) -> bool:
        """Wait until something may have changed (True) or the time is over (False)."""

    def wake(self) -> None:
        """End a wait from another thread."""


# ---- people ask ----------------------------------------------------------------------------------


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


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLine:
    """What a person did: one line for each request that changed something, with all it changed."""

    at: datetime
    actor: str
    action: str
    subjects: tuple[str, ...]
    reason: str


class Operations(Protocol):
    """What people do. Every method writes the audit trail in the same transaction."""

    def submit(self, jobs: Sequence[NewJob], asked: Asked) -> Submitted:
        """Add jobs, all at once or not at all; they begin initialized.

        A job whose (type, key) is in the table already is left as it is; ids are given in the order
        of the jobs, each once. A type that is not in the registry is `Malformed`. A dry run names
        the existing and adds none.
        """

    def cancel(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """Cancel jobs; a current run ends as cancelled and its child is stopped by execution.

        The run's open dispatch intent is refuted. A job in an error status passes through
        error_checked; one that is published, done or cancelled is refused. One verdict per id, in
        order, about `job:<id>`.
        """

    def relaunch(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """Send jobs in error, done or cancelled through error_checked to their resume status with
        a new attempt budget (`not_before` and `quarantined` too are over). One that is still moving
        is refused and says so. One verdict per id, in order, about `job:<id>`.
        """

    def retire(self, names: Sequence[str], asked: Asked, *, forced: bool) -> tuple[Verdict, ...]:
        """Start the delete protocol of workers by a person's wish. `forced` deletes what is busy,
        else what runs there is finished first. The pool's own retirement becomes the person's and
        keeps its step, UNDOING starts again at MARKING. Refused: no open worker of that name, one
        whose server is not seen yet, one that is deleting, and one that a person retired already,
        unless `forced` is new. One verdict per name, in order, about `worker:<name>`.
        """

    def order(
        self,
        flavor: str,
        count: int,
        keep: timedelta,
        asked: Asked,
        *,
        outside_pool: bool = False,
    ) -> tuple[Verdict, ...]:
        """Order workers by hand; the pool creates them within its caps and keeps them that long.

        Those `outside_pool` join no Nomad and get no job; they are deleted when that time is over.

        One verdict per worker ordered, about `flavor:<name>`; a flavor that is not in the registry,
        or a count below 1, gets one refusal.
        """

    def set_parameter(
        self, key: str, value: Any, asked: Asked, *, lasts: timedelta | None = None
    ) -> ParameterChange:
        """Change a live parameter (None: back to its default) after checking it against all others.

        With `lasts` the change is over after that time, and what was last set for good is in force
        again (`models.parameters` says what that is). Raises `ConfigurationError` naming the key;
        nothing was written then.
        """

    def pause(
        self, targets: Sequence[str], asked: Asked, *, lasts: timedelta | None = None
    ) -> tuple[Verdict, ...]:
        """Let these targets rest (`models.pauses` says what they are), until resumed or for as long
        as `lasts`. A pause in force is replaced by the new one.

        Refused: a target that can be no pause's, or whose type is not in the registry. One verdict
        per target, in order. Raises `ConfigurationError` when `lasts` is no time at all.
        """

    def resume(self, targets: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """End the pauses of these targets. Refused: one that is not paused. One verdict per target,
        in order.
        """

    def close_breaker(self, names: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """Close breakers and accept what they name by now: it is treated by the ordinary rules, and
        counts for no breaker until it is well again. Refused: one that there is not, or that is not
        open. One verdict per name, in order, about `breaker:<name>`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStory:
    """Everything known about one job; a manifest for each run that was processed, oldest first;
    `config` is what configuration found out, None until then, `wait` what the job waits for.
    """

    job: Job
    input: Mapping[str, Any]
    history: tuple[StatusChange, ...]
    runs: tuple[Run, ...]
    manifests: tuple[Manifest, ...] = ()
    config: Mapping[str, Any] | None = None
    wait: Wait | None = None


class Reader(Protocol):
    """What views, `why` and reports read. Nothing here locks or writes."""

    def jobs(self, wanted: JobFilter) -> tuple[Job, ...]:
        """Jobs in the order asked for, at most `limit`, behind `after`."""

    def story(self, reference: str) -> JobStory:
        """One job by id, unique id or `type/key`, with history and runs. Raises `NotFound`."""

    def of_unique_ids(self, unique_ids: Sequence[UUID]) -> tuple[Job, ...]:
        """The jobs of these unique ids, by id; an id of none is left out."""

    def workers(self, *, closed: bool = False) -> tuple[Worker, ...]:
        """Open workers by name; with `closed` all there ever were, newest first, at most 1,000."""

    def ledger(
        self, subjects: Sequence[str], limit: int = 50, span: Span | None = None
    ) -> tuple[LedgerRow, ...]:
        """Newest decisions about any of these subjects, newest `last_at` first, of the same time
        the later written first; no subjects: about all. With a span only those that held, from
        `first_at` to `last_at`, at any moment of it; without subjects it counts for nothing.
        """

    def standing(self, limit: int) -> tuple[LedgerRow, ...]:
        """The refusals that nobody has said to be over, in the order of `ledger`, at most so many.
        One that was not written for `HOLDS_FOR` may be that of a process that died.
        """

    def totals(self) -> Mapping[str, int]:
        """Jobs by status, finished ones included (`jobs.<status>`, only those that there are), and
        how many are `quarantined`; `servers.created` (rows that got a server) and
        `servers.deleted` (those proved gone); `decisions` (ever recorded, pruned or not).
        """

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The newest sign of life of every loop."""

    def leases(self) -> tuple[Lease, ...]:
        """Who holds what, by name; a lease that was given back is not among them."""

    def parameters(self) -> tuple[ParameterChange, ...]:
        """History of parameter changes, newest first."""

    def pauses(self) -> tuple[Pause, ...]:
        """What is paused now, by target."""

    def audit(self, about: str | None = None, limit: int = 50) -> tuple[AuditLine, ...]:
        """What people did, newest first; with `about` (`job:17`) only what changed that."""

    def breakers(self, *, closed: bool = False) -> tuple[Breaker, ...]:
        """Open breakers by name; with `closed` every opening there was, newest first, at most
        1,000.
        """
