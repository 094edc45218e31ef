"""What the store is asked to commit: one class per transaction, under one lease.

`JobStore.commit(fence, change)` carries out each of these atomically: it locks the lease row and
compares the epoch, locks the rows that it changes, checks the guards named here, writes, and
notifies. A guard that does not hold raises `Superseded` (the world has moved on: nothing was
written) or `IllegalTransition`; both stores, PostgreSQL and memory, do the same.
Every change carries `at`, the time of the decision: it becomes the time of what is written.

True of every change, besides its own guards: the job, worker or run that it names exists, and no
intent has its intent's id yet (else `Superseded`). An intent is stored with the name and epoch of
the lease. The actor in the history is the lease's name. A job's `error_subtype` is always the
subtype of its newest history row. The *current run* of a job is the open run of its newest attempt.
The *nodes of a worker* are those whose stored identity names its server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.breakers import BreakerName
from models.errors import FailureClass
from models.lifecycle import Status
from models.plan import Next
from models.records import Intent, IntentState, NodeIdentity, RetireCause, RunEnd


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The root of every change."""

    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueRun(Change):
    """ready → queued: attempt + 1, a run row with id `intent.id`, the dispatch intent.

    Guard: the job is ready and its `not_before` is not after `at`. Sets `sent_at`.
    """

    job_id: int
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class ResendRun(Change):
    """Note that the dispatch of a run is sent once more (`sent_at`); the intent's deadline moves.

    Guard: the run is the job's current one, unclaimed, and the job is queued. The intent is open
    again if it was closed, under the lease that sends now.
    """

    run_id: UUID
    deadline: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmRun(Change):
    """Note the Nomad job of a run; its dispatch intent is done. Guard: the run is open."""

    run_id: UUID
    nomad_job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AbandonRun(Change):
    """queued → ready: end the run as not dispatched, refute its intent.

    Guard: the run is the job's current one, unclaimed, and the job is queued.
    """

    run_id: UUID
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EndRun(Change):
    """End the current run with an error status and go on as `then` says, in one transaction.

    Guard: the job's seq is `expected_seq` and the run is its current one. Counts the failure in
    the job's budget: `losses` when `end` is LOST, else by the error status. REQUEUE goes on through
    error_checked to the resume status; BACK_OFF rests with `not_before` = `retry_at`; QUARANTINE
    rests quarantined. `not_before` becomes `retry_at` in all three. Sets `busy_at` of the worker
    that ran it: the open one with the run's `server_id`. Refutes an open dispatch intent.
    A `status` that is no error status is an `IllegalTransition`.
    """

    job_id: int
    run_id: UUID
    expected_seq: int
    end: RunEnd
    status: Status
    subtype: str
    message: str
    then: Next
    retry_at: datetime | None = None
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeJob(Change):
    """Go on with a job that stands in an error status, as `then` says (see `EndRun`).

    Guard: the job's seq is `expected_seq` and it stands in an error status, not quarantined.
    Counts nothing: whoever wrote the error did. REQUEUE writes history (with `message`); BACK_OFF
    and QUARANTINE change no status and write none.
    """

    job_id: int
    expected_seq: int
    then: Next
    message: str
    retry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStop(Change):
    """Open the intent to stop a child. With `stuck`, note on the current run why, and when.

    Guard: with `stuck` the run is its job's current one; without, it is not (or `run_id` is None,
    or no such run is known here).
    """

    run_id: UUID | None
    stuck: bool
    why: str
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIntent(Change):
    """Commit the wish for an effect that needs no other row: evaluate, register, admit, purge."""

    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseIntent(Change):
    """Write how an intent ended. One that is closed already, or pruned, stays as it is."""

    intent_id: UUID
    state: IntentState
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveWorker(Change):
    """Open the row of a new worker in `creating` with its create intent.

    Guard: no open row has this name; at most `max_workers` rows are open afterwards. With
    `order_id` the person's order is fulfilled by it (guard: it is open) and gives `keep_until` and
    `outside_pool`.
    """

    name: str
    flavor: str
    intent: Intent
    max_workers: int
    order_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteServer(Change):
    """creating → booting with the server's id; the create intent is done.

    Guard: the worker is creating, and no row, open or closed, has this server.
    """

    worker_id: int
    server_id: str
    address: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptWorker(Change):
    """Open the row of a worker in `booting` for a server that is there already: a new one, or, when
    a closed row has this server, that one again (`models.adoption.reopened`); then its server is no
    longer counted as deleted.

    Guard: no open row has this name or this server; no worker that is creating waits for this
    create intent. `max_workers` does not matter: the server is there.
    """

    name: str
    flavor: str
    server_id: str
    address: str | None
    intent_id: UUID
    outside_pool: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelCreate(Change):
    """creating → closed: the create was refused, or is refuted. `state` is what the intent gets.

    Guard: the worker is creating.
    """

    worker_id: int
    state: IntentState
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteNode(Change):
    """Store which server a node is. A second proof that names another server (or none, or now one)
    for one node id is refused; one that names the same server changes nothing.
    """

    identity: NodeIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class DropNode(Change):
    """Forget the identity of a node that is listed no more. One that is unknown is no error."""

    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmitWorker(Change):
    """booting → ready: its node is seen eligible.

    Open intents of the node: SET_ELIGIBLE is done, SET_INELIGIBLE is refuted. A server has its
    `address` only by now; without one the worker keeps what it had.
    """

    worker_id: int
    node_id: str
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginRetirement(Change):
    """Start (or restart) the delete protocol at MARKING, with the intent when a mark is sent.

    Guard: the worker is ready (or booting) and not retiring, or retiring at MARKING.
    `forced` can only be set by a person: with another cause than PERSON it is refused.
    A restart keeps everything of the retirement that is under way, except that a person's takes
    the place of the pool's own (cause, by, forced).
    """

    worker_id: int
    cause: RetireCause
    by: str
    intent: Intent | None
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteMark(Change):
    """The mark was answered with this index (0: it was ineligible already). Closes the intent.

    The index is kept only while the worker is MARKING, and 0 leaves what is there.
    """

    worker_id: int
    intent_id: UUID
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSeen(Change):
    """MARKING → SEEN with the frozen index. An open mark of the worker's nodes is done if nothing
    else can be what is seen: no other is open, and none was answered. Of several, each that was not
    answered may still land after the others, and stays open.

    Guard: the worker is ready or booting, and MARKING.
    """

    worker_id: int
    index: int
    modify_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnToMark(Change):
    """SEEN → MARKING, index forgotten: the node changed after it was seen.

    Guard: the worker is ready or booting, and SEEN.
    """

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginUndo(Change):
    """MARKING or SEEN → UNDOING with the intent to make the node eligible.

    Also used to send it again: then it is UNDOING already.
    Guard: the worker is ready or booting and retiring, and its cause is not PERSON.
    """

    worker_id: int
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class EndUndo(Change):
    """UNDOING → no retirement: the node is seen eligible.

    Open intents of the worker's nodes: SET_ELIGIBLE is done, SET_INELIGIBLE is refuted.
    """

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitDeletion(Change):
    """→ deleting, with the delete intent. From here on nothing is undone.

    Guard: the worker is ready or booting, and it is SEEN; or no node of it is known (no identity
    names its server) and `cause` is STALE, SERVER_ERROR or PERSON. A worker that was not retiring
    yet gets a retirement with this cause, at MARKING. Also used to send the delete again: then the
    worker is `deleting` already and, of it, only `delete_sent_at` moves; the intent is stored.
    The intent's subject is the worker's name, as that of the create intent is.
    """

    worker_id: int
    cause: RetireCause
    by: str
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteGone(Change):
    """The server answered 404: it is gone. → deleting if it was not; create/delete intents done.

    Guard: the worker is open and has a server. The first `gone_at` stays.
    """

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseWorkerRow(Change):
    """deleting → closed. Guard: `gone_at` is set."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteFailure(Change):
    """An outside system failed for `subject`: one more failure of this class, wait until then.

    One back-off per (subject, failure).
    """

    subject: str
    failure: FailureClass
    until: datetime
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSuccess(Change):
    """It worked again for `subject`: its back-offs are over."""

    subject: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TripBreaker(Change):
    """Open a breaker; one that is open names these suspects besides its own, and says the new
    `because`.
    """

    name: BreakerName
    because: str
    suspects: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleBreaker(Change):
    """Close a breaker as explained, by the lease's name. Nothing of it is accepted.

    Guard: it is open.
    """

    breaker_id: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawAcceptance(Change):
    """A person's word about these servers is over. Guard: there is such a breaker.

    Servers that were not, or are no longer, accepted are no error.
    """

    breaker_id: int
    server_ids: tuple[str, ...]
