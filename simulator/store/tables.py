"""The state of the store in memory, and the writes that several kinds of change share.

Every write goes through `Rows`, so that a change that fails half-way leaves nothing behind. A job's
status is written by `move` alone: it asks the status table and appends the history in one step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from models import lifecycle
from models.breakers import Breaker, removal_begun
from models.campaigns import Campaign
from models.composing import Group, Ingredient
from models.creation import Cursor, Feed, KnownJob, Reject
from models.errors import FailureClass, Superseded
from models.job_types import DEFAULT_REGISTRY, Registry
from models.lifecycle import IN_FLIGHT, Status
from models.manifest import Manifest
from models.parameters import Kept
from models.ports import AuditLine
from models.product_names import ProductType
from models.publication import Parked, Publication
from models.records import (
    Backoff,
    Heartbeat,
    InFlight,
    Intent,
    IntentKind,
    IntentState,
    Job,
    Lease,
    LedgerRow,
    NodeIdentity,
    ParameterChange,
    Pause,
    Run,
    StatusChange,
    Worker,
    WorkerOrder,
    WorkerState,
)
from simulator.store.queues import EndedRuns, Flights, OpenCounts, ReadyQueue
from simulator.store.rows import Index, Journal, Rows
from simulator.store.waits import Followers, Place, Waiting


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a history row says besides the status."""

    at: datetime
    actor: str
    subtype: str | None = None
    message: str | None = None


class Tables:
    """Every table with its indexes. One thread; `journal` is the transaction."""

    def __init__(self, registry: Registry = DEFAULT_REGISTRY) -> None:
        self.registry = registry
        self.journal = Journal()
        self.numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))
        self._jobs()
        self._pool()
        self._notes()

    def _jobs(self) -> None:
        self.jobs: Rows[int, Job] = Rows(self.journal)
        self.inputs: Rows[int, Mapping[str, Any]] = Rows(self.journal)
        self.configs: Rows[int, Mapping[str, Any]] = Rows(self.journal)
        self.history: Rows[int, tuple[StatusChange, ...]] = Rows(self.journal)
        self.runs: Rows[UUID, Run] = Rows(self.journal)
        self.manifests: Rows[UUID, Manifest] = Rows(self.journal)
        self._outbox()
        self.ready, self.counts = ReadyQueue(), OpenCounts()
        self.jobs.watch(self.ready)
        self.jobs.watch(self.counts)
        self.jobs_by_status = Index(self.jobs, lambda j: (j.status, j.quarantined), lambda j: j.id)
        self.jobs_by_key = Index(self.jobs, lambda j: (j.type, j.key), lambda j: j.id)
        self.jobs_by_uuid = Index(self.jobs, lambda j: j.unique_id, lambda j: j.id)
        self.runs_by_attempt = Index(self.runs, lambda r: (r.job_id, r.attempt), lambda r: r.id)
        self.runs_by_job = Index(self.runs, lambda r: r.job_id, lambda r: r.id)
        self.series: Rows[int, Place] = Rows(self.journal)
        self.series_of = Index(self.series, lambda p: (p.type, p.tile), lambda p: p.job_id)
        self.l2as = Index(self.series, lambda p: p.l2a is not None or None, lambda p: p.job_id)
        self.waits: Rows[int, Waiting] = Rows(self.journal)
        self.waits_over = Index(self.waits, lambda w: w.is_over or None, lambda w: w.job_id)
        self._followers = Followers(self.series, self.waits, self.configs)
        self.acquired: Rows[tuple[str, str], KnownJob] = Rows(self.journal)
        self.jobs_by_acquisition = Index(
            self.acquired,
            lambda known: (known.acquisition.job_type, known.acquisition.sensing_at),
            lambda known: (known.acquisition.job_type, known.key),
        )
        self.acquired_by_day = Index(
            self.acquired,
            lambda known: (known.acquisition.job_type, known.acquisition.sensing_at.date()),
            lambda known: (known.acquisition.job_type, known.key),
        )
        self.ended_runs = EndedRuns()
        self.runs.watch(self.ended_runs)
        self.flights = Flights(self.flight)
        self.jobs.watch(self.flights)
        self.runs.watch(self.flights)

    def _outbox(self) -> None:
        self.publications: Rows[int, Publication] = Rows(self.journal)
        self.bodies: Rows[int, bytes] = Rows(self.journal)
        self.parked: Rows[bytes, Parked] = Rows(self.journal)
        self.publications_by_job = Index(self.publications, lambda p: p.job_id, lambda p: p.id)
        self.publications_by_product = Index(self.publications, lambda p: p.product, lambda p: p.id)

    def _pool(self) -> None:
        self.workers: Rows[int, Worker] = Rows(self.journal)
        self.orders: Rows[int, WorkerOrder] = Rows(self.journal)
        self.identities: Rows[str, NodeIdentity] = Rows(self.journal)
        self.backoffs: Rows[tuple[str, FailureClass], Backoff] = Rows(self.journal)
        self.intents: Rows[UUID, Intent] = Rows(self.journal)
        self.breakers: Rows[int, Breaker] = Rows(self.journal)
        self.open_workers = Index(self.workers, lambda w: is_open(w) or None, lambda w: w.id)
        self.workers_by_name = Index(
            self.workers, lambda w: w.name if is_open(w) else None, lambda w: w.id
        )
        self.workers_by_server = Index(self.workers, lambda w: w.server_id, lambda w: w.id)
        self.closed_by_server = Index(
            self.workers, lambda w: None if is_open(w) else w.server_id, lambda w: w.id
        )
        self.removals = Index(self.workers, lambda w: removal_begun(w) and True, lambda w: w.id)
        self.open_breakers = Index(
            self.breakers, lambda b: b.name.value if b.closed_at is None else None, lambda b: b.id
        )
        self.nodes_by_server = Index(self.identities, lambda i: i.server_id, lambda i: i.node_id)
        self.open_intents = Index(
            self.intents, lambda i: i.state is IntentState.OPEN or None, lambda i: i.id
        )
        self.intents_by_subject = Index(
            self.intents,
            lambda i: (i.kind, i.subject) if i.state is IntentState.OPEN else None,
            lambda i: i.id,
        )

    def _notes(self) -> None:
        self.leases: Rows[str, Lease] = Rows(self.journal)
        self.parameters: Rows[str, Kept] = Rows(self.journal)
        self.parameter_changes: Rows[int, ParameterChange] = Rows(self.journal)
        self.heartbeats: Rows[tuple[str, str], Heartbeat] = Rows(self.journal)
        self.pauses: Rows[str, Pause] = Rows(self.journal)
        self.cursors: Rows[Feed, Cursor] = Rows(self.journal)
        self.rejects: Rows[tuple[str, str, str], Reject] = Rows(self.journal)
        self._groups()
        self.arrivals: Rows[tuple[str, datetime], int] = Rows(self.journal)
        self.campaigns: Rows[int, Campaign] = Rows(self.journal)
        self.campaign_jobs: Rows[tuple[int, int], int] = Rows(self.journal)
        self.audit: Rows[int, AuditLine] = Rows(self.journal)
        self.ledger: Rows[int, LedgerRow] = Rows(self.journal)
        self.totals: Rows[str, int] = Rows(self.journal)
        self.current_decisions: Rows[tuple[str, str, str], dict[str, int]] = Rows(self.journal)

    def _groups(self) -> None:
        self.ingredients: Rows[tuple[str, ProductType, str], Ingredient] = Rows(self.journal)
        self.ingredients_by_place = Index(
            self.ingredients, lambda part: (part.place, part.type), lambda part: part.identity
        )
        self.ingredients_by_day = Index(
            self.ingredients,
            lambda part: (part.type, part.sensing_at.date()),
            lambda part: part.identity,
        )
        self.groups: Rows[tuple[str, str], Group] = Rows(self.journal)
        self.groups_by_day = Index(
            self.groups, lambda g: (g.job_type, g.day), lambda g: (g.job_type, g.key)
        )
        self.groups_by_hour = Index(self.groups, _due_hour, lambda g: (g.job_type, g.key))

    def number(self, table: str) -> int:
        """The next identity of a table. One that a failed change took is not given again."""
        return next(self.numbers[table])

    # ---- what several changes ask ----------------------------------------------------------------

    def job(self, job_id: int) -> Job:
        """A job that a change names. Raises `Superseded` when there is none."""
        job = self.jobs.get(job_id)
        if job is None:
            raise Superseded(f"job {job_id} does not exist; nothing was written")
        return job

    def worker(self, worker_id: int) -> Worker:
        """A worker that a change names. Raises `Superseded` when there is none."""
        worker = self.workers.get(worker_id)
        if worker is None:
            raise Superseded(f"worker {worker_id} does not exist; nothing was written")
        return worker

    def flight(self, job_id: int) -> InFlight | None:
        """A job in flight with its run; None when it is not."""
        job = self.jobs.get(job_id)
        if job is None or job.quarantined or job.status not in IN_FLIGHT:
            return None
        run = self.current_run(job)
        return InFlight(job=job, run=run) if run is not None else None

    def current_run(self, job: Job) -> Run | None:
        """The open run of a job's newest attempt."""
        run = self.runs_by_attempt.one((job.id, job.attempt))
        return run if run is not None and run.ended_at is None else None

    def input_of(self, job: Job) -> Mapping[str, Any]:
        """What a job is to work on: what it was handed in with, and over that what configuration
        found out.
        """
        return {**self.inputs[job.id], **(self.configs.get(job.id) or {})}

    def nodes_of(self, worker: Worker) -> list[str]:
        """The nodes whose stored identity names this worker's server."""
        if worker.server_id is None:
            return []
        return [identity.node_id for identity in self.nodes_by_server.of(worker.server_id)]

    def worker_of(self, server_id: str | None) -> Worker | None:
        """The open worker that has this server."""
        workers = self.workers_by_server.of(server_id) if server_id else []
        return next((worker for worker in workers if is_open(worker)), None)

    # ---- what several changes write --------------------------------------------------------------

    def move(self, job: Job, after: Status, note: Note, **fields: Any) -> Job:
        """Change a job's status, append the history, and change `fields` with it.

        Raises `IllegalTransition` when the status table forbids it.
        """
        lifecycle.check(job.status, after, of=f"job {job.id}")
        return self.write(replace(job, status=after, seq=job.seq + 1, **fields), job.status, note)

    def write(self, job: Job, before: Status | None, note: Note) -> Job:
        """Store a job together with the history row that it now stands on."""
        job = replace(job, status_at=note.at, error_subtype=note.subtype)
        row = StatusChange(
            job_id=job.id,
            seq=job.seq,
            at=note.at,
            before=before,
            after=job.status,
            subtype=note.subtype,
            message=note.message,
            actor=note.actor,
            attempt=job.attempt,
        )
        self.history.put(job.id, (*(self.history.get(job.id) or ()), row))
        self.put_job(job)
        return job

    def put_job(self, job: Job) -> None:
        """Store a job's row, and what follows from it."""
        before = self.jobs.get(job.id)
        self.jobs.put(job.id, job)
        self._followers.wrote(before, job)

    def open_intent(self, intent: Intent, fence: Lease) -> Intent:
        """Store an intent under the lease. Raises `Superseded` when its id is there already."""
        if intent.id in self.intents:
            raise Superseded(f"intent {intent.id} exists already; nothing was written")
        stored = replace(intent, lease=fence.name, epoch=fence.epoch, state=IntentState.OPEN)
        self.intents.put(intent.id, stored)
        return stored

    def close_intent(self, intent_id: UUID, state: IntentState, note: str | None = None) -> None:
        """Close an intent; one that is closed or unknown stays as it is."""
        intent = self.intents.get(intent_id)
        if intent is not None and intent.state is IntentState.OPEN:
            self.intents.put(intent_id, replace(intent, state=state, note=note))

    def close_intents(self, kind: IntentKind, subject: str, state: IntentState) -> None:
        """Close every open intent of this kind on this subject."""
        for intent in self.intents_by_subject.of((kind, subject)):
            self.close_intent(intent.id, state)

    def touch_worker(self, server_id: str | None, at: datetime) -> None:
        """Note that a run on this server began or ended."""
        worker = self.worker_of(server_id)
        if worker is not None:
            self.workers.put(worker.id, replace(worker, busy_at=at))

    def note_audit(self, row: AuditLine) -> None:
        """Write down what a person did."""
        self.audit.put(self.number("audit"), row)


def _due_hour(group: Group) -> datetime | None:
    at = group.due_at
    return at.replace(minute=0, second=0, microsecond=0) if at else None


def is_open(worker: Worker) -> bool:
    """The worker's row is not closed."""
    return worker.state is not WorkerState.CLOSED
