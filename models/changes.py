"""What the store is asked to commit: one class per transaction, under one lease.

`JobStore.commit(fence, change)` carries out each of these atomically: it locks the lease row and
compares the epoch, locks the rows that it changes, checks the guards named here, writes, and
notifies. A guard that does not hold raises `Superseded` (the world has moved on: nothing was
written) or `IllegalTransition`; both stores, PostgreSQL and memory, do the same.
Every change carries `at`, the time of the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

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

    Guard: the job is ready and its `not_before` has passed. Sets `sent_at`.
    """

    job_id: int
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class ResendRun(Change):
    """Note that the dispatch of a run is sent once more; the intent's deadline moves.

    Guard: the run is the job's current one, unclaimed, and the job is queued.
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
    rests quarantined. Sets `busy_at` of the worker that ran it. Refutes an open dispatch intent.
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
    """

    job_id: int
    expected_seq: int
    then: Next
    message: str
    retry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStop(Change):
    """Open the intent to stop a child. With `stuck`, note on the current run why.

    Guard: with `stuck` the run is its job's current one; without, it is not (or `run_id` is None).
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
    """Write how an intent ended. An intent that is closed already stays as it is."""

    intent_id: UUID
    state: IntentState
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveWorker(Change):
    """Open the row of a new worker in `creating` with its create intent.

    Guard: no open row has this name; at most `max_workers` rows are open afterwards. With
    `order_id` the person's order is fulfilled by it (guard: it is open) and gives `keep_until`.
    """

    name: str
    flavor: str
    intent: Intent
    max_workers: int
    order_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteServer(Change):
    """creating → booting with the server's id; the create intent is done."""

    worker_id: int
    server_id: str
    address: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelCreate(Change):
    """creating → closed: the create was refused, or is refuted. `state` is what the intent gets."""

    worker_id: int
    state: IntentState
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteNode(Change):
    """Store which server a node is. A second, different proof for one node id is refused."""

    identity: NodeIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class DropNode(Change):
    """Forget the identity of a node that is listed no more."""

    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmitWorker(Change):
    """booting → ready: its node is seen eligible. Closes open eligibility intents of the node."""

    worker_id: int
    node_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginRetirement(Change):
    """Start (or restart) the delete protocol at MARKING, with the intent when a mark is sent.

    Guard: the worker is ready (or booting) and not retiring, or retiring at MARKING.
    `forced` can only be set by a person.
    """

    worker_id: int
    cause: RetireCause
    by: str
    intent: Intent | None
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteMark(Change):
    """The mark was answered with this index (0: it was ineligible already). Closes the intent."""

    worker_id: int
    intent_id: UUID
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSeen(Change):
    """MARKING → SEEN with the frozen index. Closes open marks of the node as done."""

    worker_id: int
    index: int
    modify_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnToMark(Change):
    """SEEN → MARKING, index forgotten: the node changed after it was seen."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginUndo(Change):
    """MARKING or SEEN → UNDOING with the intent to make the node eligible.

    Guard: the worker is not `deleting` and its retirement is the pool's own.
    """

    worker_id: int
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class EndUndo(Change):
    """UNDOING → no retirement: the node is seen eligible. Closes open eligibility intents."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitDeletion(Change):
    """→ deleting, with the delete intent. From here on nothing is undone.

    Guard: the worker is SEEN; or it has no node and is stale, in error or wanted gone by a person.
    A worker that was not retiring yet gets a retirement with this cause. Also used to send the
    delete again: then the worker is `deleting` already and only `delete_sent_at` moves.
    """

    worker_id: int
    cause: RetireCause
    by: str
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteGone(Change):
    """The server answered 404: it is gone. → deleting if it was not; create/delete intents done."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseWorkerRow(Change):
    """deleting → closed. Guard: `gone_at` is set."""

    worker_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteFailure(Change):
    """An outside system failed for `subject`: one more failure of this class, wait until then."""

    subject: str
    failure: FailureClass
    until: datetime
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSuccess(Change):
    """It worked again for `subject`: its back-offs are over."""

    subject: str
