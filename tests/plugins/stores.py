"""Both stores behind one desk: what the contract suite and the agreement machine drive.

A `Desk` holds a lease, brings jobs and workers to where a test begins, and checks after every
commit that each job row is its newest history row (invariant I11). `refuses` proves that a refused
change has written nothing, by everything that the store shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from infra.postgres import Postgres, connect
from models import lifecycle
from models.campaigning import Campaigns
from models.changes import (
    AdmitWorker,
    BeginRetirement,
    BeginUndo,
    CancelCreate,
    Change,
    CloseWorkerRow,
    CommitDeletion,
    EndRun,
    NoteGone,
    NoteNode,
    NoteSeen,
    NoteServer,
    QueueRun,
    ReserveWorker,
)
from models.feeds import Feeds
from models.lifecycle import Status
from models.outbox import Outbox
from models.plan import Next
from models.ports import (
    Asked,
    Claim,
    JobFilter,
    JobStore,
    JobStory,
    Operations,
    Placement,
    Reader,
    Receipt,
    RunReports,
    RunResult,
    ViewLimits,
)
from models.records import (
    Intent,
    IntentKind,
    IntentState,
    Job,
    Lease,
    RetireCause,
    RetireStep,
    Run,
    RunEnd,
    Worker,
    WorkerState,
)
from models.tables import metadata
from models.world import StoreView
from simulator.examples import FLAVOR, NOW, an_identity, an_intent, some_new_jobs
from simulator.examples.products import a_manifest
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.readiness import configuration_of

HOUR = timedelta(hours=1)
NOBODY = 10**12
"""The id of no job and no worker."""
ASKED = Asked(actor="ada@desk", reason="a test")
STEPS = (Status.PRE_PROCESSING, Status.PROCESSING, Status.POST_PROCESSING)


@dataclass(frozen=True, kw_only=True)
class Doors:
    """One store, by its four ports, with its clock and what only its own kind can show."""

    jobs: JobStore
    reports: RunReports
    operations: Operations
    reader: Reader
    feeds: Feeds
    outbox: Outbox
    campaigns: Campaigns
    now: Callable[[], datetime]
    pass_time: Callable[[timedelta], None]


@dataclass
class Desk:
    """A store with a held lease, and short ways to where tests begin."""

    doors: Doors
    name: str = "execution"
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        lease = self.doors.jobs.acquire(self.name, "desk", HOUR)
        assert lease is not None
        self.lease: Lease = lease

    # ---- acting ----------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The time by the store's own clock."""
        return self.doors.now()

    def do(self, change: Change) -> Receipt:
        """Commit a change and check the history."""
        receipt = self.doors.jobs.commit(self.lease, change)
        self.check_history()
        return receipt

    @contextmanager
    def nothing_written(self) -> Iterator[None]:
        """The store shows the same after the block as before."""
        before = self.everything()
        yield
        assert self.everything() == before

    def refuses(self, change: Change, error: type[Exception]) -> None:
        """The change is refused with this error and writes nothing."""
        with self.nothing_written(), pytest.raises(error):
            self.doors.jobs.commit(self.lease, change)

    def intent(self, kind: IntentKind = IntentKind.DISPATCH, subject: str = "x") -> Intent:
        """An intent nobody has had."""
        now = self.now()
        return an_intent(
            id=uuid4(),
            kind=kind,
            subject=subject,
            opened_at=now,
            deadline=now + timedelta(seconds=30),
        )

    # ---- reading ---------------------------------------------------------------------------------

    def audit(self) -> list[tuple[str, str]]:
        """(actor, subject) of everything that people did, oldest first."""
        lines = reversed(self.doors.reader.audit(limit=1000))
        return [(line.actor, subject) for line in lines for subject in line.subjects]

    def view(self, *, ready: int = 1000, ended_since: datetime | None = None) -> StoreView:
        """A view of everything that is open; `ended_since` holds for removals too."""
        since = ended_since or self.now() - HOUR
        limits = ViewLimits(ready_per_flavor=ready, ended_since=since, removed_since=since)
        return self.doors.jobs.view(limits)

    def story(self, job_id: int) -> JobStory:
        """One job with history and runs."""
        return self.doors.reader.story(str(job_id))

    def work_of(self, job_id: int) -> Mapping[str, Any]:
        """What a run of a job is told: its input, and over that its configuration."""
        story = self.story(job_id)
        return {**story.input, **(story.config or {})}

    def job(self, job_id: int) -> Job:
        """One job."""
        return self.story(job_id).job

    def path(self, job_id: int) -> list[Status]:
        """Where a job has been since it was submitted, in order."""
        return [row.after for row in self.story(job_id).history[3:]]

    def stories(self) -> list[JobStory]:
        """Every job there is."""
        return [self.story(job.id) for job in self.doors.reader.jobs(JobFilter(limit=1000))]

    def worker(self, worker_id: int) -> Worker:
        """One worker, open or closed."""
        return next(w for w in self.doors.reader.workers(closed=True) if w.id == worker_id)

    def open_intents(self) -> set[UUID]:
        """Which intents are open."""
        return {intent.id for intent in self.view().intents}

    def everything(self) -> Mapping[str, Any]:
        """All that the store shows of itself, apart from when it was asked."""
        reader = self.doors.reader
        return {
            "view": replace(self.view(ended_since=NOW - 24 * HOUR), requested_at=NOW),
            "stories": self.stories(),
            "workers": reader.workers(closed=True),
            "leases": reader.leases(),
            "ledger": reader.ledger(()),
            "standing": reader.standing(1000),
            "heartbeats": reader.heartbeats(),
            "parameters": reader.parameters(),
            "cursors": self.doors.feeds.cursors(),
            "rejects": self.doors.feeds.rejects(),
            "pending": self.doors.outbox.pending(1000),
            "outgoing": [
                self.doors.outbox.outgoing(job.id) for job in reader.jobs(JobFilter(limit=1000))
            ],
            "parked": self.doors.outbox.parked(),
            "groups": self.doors.feeds.due(NOW + 1000 * HOUR, 1000),
            "campaigns": self.doors.campaigns.campaigns(ended=True),
            "totals": reader.totals(),
            "audit": self.audit(),
            "breakers": reader.breakers(closed=True),
        }

    def check_history(self) -> None:
        """I11: each job row is its newest history row, and its history is one legal path."""
        for story in self.stories():
            job, history, newest = story.job, story.history, story.history[-1]
            said = (newest.seq, newest.after, newest.at, newest.subtype, newest.attempt)
            assert said == (job.seq, job.status, job.status_at, job.error_subtype, job.attempt)
            assert [row.seq for row in history] == list(range(1, len(history) + 1))
            assert history[0].before is None
            assert all(row.before is before.after for before, row in pairwise(history))
            assert all(lifecycle.is_allowed(row.before, row.after) for row in history)

    # ---- jobs on their way -----------------------------------------------------------------------

    def submit(self, count: int = 1, **changes: Any) -> tuple[int, ...]:
        """Add jobs nobody has handed in before, and make them ready; their ids."""
        made = [
            replace(new, key=f"{new.key}-{next(self.numbers)}")
            for new in some_new_jobs(count, **changes)
        ]
        added = self.doors.operations.submit(made, ASKED).added
        change = configuration_of(map(self.job, added), self.now())
        self.doors.jobs.commit(self.lease, change)
        return added

    def queue_change(self, job_id: int) -> QueueRun:
        """The change that queues a job."""
        intent = self.intent()
        intent = replace(intent, subject=str(intent.id))
        return QueueRun(at=self.now(), job_id=job_id, intent=intent)

    def queued(self, job_id: int | None = None) -> Run:
        """A queued run, of a new job unless said otherwise."""
        job_id = self.submit()[0] if job_id is None else job_id
        run = self.do(self.queue_change(job_id)).run
        assert run is not None
        return run

    def claim(self, run: Run, allocation: str = "allocation-1", node: str | None = None) -> Claim:
        """Claim a run."""
        placement = Placement(
            allocation_id=allocation, node_id=node, node_name="os-worker-001", address="10.0.0.1"
        )
        claim = self.doors.reports.claim(run.id, placement)
        self.check_history()
        return claim

    def claimed(self, job_id: int | None = None, node: str | None = None) -> Run:
        """A run that has been claimed once."""
        run = self.queued(job_id)
        self.claim(run, node=node)
        return self.run(run)

    def run(self, run: Run) -> Run:
        """A run as it is now."""
        return next(r for r in self.story(run.job_id).runs if r.id == run.id)

    def advanced(self, run: Run, status: Status, claim: int = 1) -> None:
        """Report a claimed run up to `status`."""
        for step in STEPS:
            self.doors.reports.report(run.id, claim, step)
            if step is status:
                return

    def end(self, run: Run, status: Status, claim: int = 1, **result: Any) -> None:
        """End a run by its program."""
        self.doors.reports.end(run.id, claim, self.result(run, status, **result))
        self.check_history()

    def result(self, run: Run, status: Status, **result: Any) -> RunResult:
        """How a run ended; what is processed has made something."""
        if status is Status.PROCESSED:
            made = a_manifest(self.job(run.job_id).unique_id, self.run(run))
            result = {"manifest": made, **result}
        return RunResult(status=status, **result)

    def requeued(self, run: Run, until: datetime) -> EndRun:
        """The change by which the job of a lost run is ready again, and due then."""
        return EndRun(
            at=self.now(),
            job_id=run.job_id,
            run_id=run.id,
            expected_seq=self.job(run.job_id).seq,
            end=RunEnd.LOST,
            status=Status.EXTERNAL_ERROR,
            subtype="Worker lost",
            message="",
            then=Next.REQUEUE,
            retry_at=until,
        )

    def failed(self, status: Status = Status.EXTERNAL_ERROR) -> Job:
        """A job whose program ended its first run in an error."""
        run = self.claimed()
        self.end(run, status, subtype="Download")
        return self.job(run.job_id)

    # ---- workers on their way --------------------------------------------------------------------

    def creating(self, **changes: Any) -> Worker:
        """A worker whose server is wished for."""
        number = next(self.numbers)
        name = f"os-worker-{number:03d}"
        change = ReserveWorker(
            at=self.now(),
            name=name,
            flavor=FLAVOR,
            intent=self.intent(IntentKind.CREATE_SERVER, name),
            max_workers=210,
        )
        return self._worker(replace(change, **changes))

    def refuted(self) -> Worker:
        """A worker whose create was given up."""
        change = CancelCreate(
            at=self.now(),
            worker_id=self.creating().id,
            state=IntentState.REFUTED,
            note="never came",
        )
        return self._worker(change)

    def booting(self, **changes: Any) -> Worker:
        """A worker whose server is known."""
        worker = self.creating(**changes)
        server = f"server-of-{worker.name}"
        return self._worker(
            NoteServer(at=self.now(), worker_id=worker.id, server_id=server, address="10.0.0.9")
        )

    def apart(self) -> Worker:
        """A worker that a person ordered outside the pool, whose server is known."""
        self.doors.operations.order(FLAVOR, 1, timedelta(hours=8), ASKED, outside_pool=True)
        (order,) = self.view().orders
        return self.booting(order_id=order.id)

    def proved(self, worker: Worker) -> str:
        """The node of a worker's server, proved."""
        node = f"node-of-{worker.name}"
        identity = an_identity(
            node_id=node, server_id=worker.server_id, name=worker.name, node_class=worker.flavor
        )
        self.do(NoteNode(at=self.now(), identity=identity))
        return node

    def ready(self) -> Worker:
        """A worker whose node is admitted."""
        worker = self.booting()
        node = self.proved(worker)
        return self._worker(AdmitWorker(at=self.now(), worker_id=worker.id, node_id=node))

    def marking(self, cause: RetireCause = RetireCause.IDLE) -> Worker:
        """A worker at the first step of the delete protocol."""
        worker = self.ready()
        return self._worker(
            BeginRetirement(
                at=self.now(),
                worker_id=worker.id,
                cause=cause,
                by="worker-pool",
                intent=self.intent(IntentKind.SET_INELIGIBLE, worker.node_id or ""),
            )
        )

    def seen(self, cause: RetireCause = RetireCause.IDLE) -> Worker:
        """A worker whose node was seen ineligible."""
        worker = self.marking(cause)
        return self._worker(NoteSeen(at=self.now(), worker_id=worker.id, index=70, modify_index=71))

    def undoing(self) -> Worker:
        """A worker whose retirement is being undone."""
        worker = self.seen()
        intent = self.intent(IntentKind.SET_ELIGIBLE, worker.node_id or "")
        return self._worker(BeginUndo(at=self.now(), worker_id=worker.id, intent=intent))

    def deletion(self, worker: Worker, cause: RetireCause = RetireCause.IDLE) -> CommitDeletion:
        """The change that commits the deletion of a worker."""
        intent = self.intent(IntentKind.DELETE_SERVER, worker.name)
        return CommitDeletion(
            at=self.now(), worker_id=worker.id, cause=cause, by="worker-pool", intent=intent
        )

    def deleting(self) -> Worker:
        """A worker whose deletion is committed."""
        return self._worker(self.deletion(self.seen()))

    def gone(self) -> Worker:
        """A worker whose server is proved gone."""
        return self._worker(NoteGone(at=self.now(), worker_id=self.deleting().id))

    def closed(self) -> Worker:
        """A worker whose row is closed."""
        return self._worker(CloseWorkerRow(at=self.now(), worker_id=self.gone().id))

    def at(self, place: str) -> Worker:
        """A worker at a place by name: a method of this desk."""
        worker: Worker = getattr(self, place)()
        return worker

    def _worker(self, change: Change) -> Worker:
        worker = self.do(change).worker
        assert worker is not None
        return worker


PLACES: Mapping[str, tuple[WorkerState, RetireStep | None]] = {
    "creating": (WorkerState.CREATING, None),
    "booting": (WorkerState.BOOTING, None),
    "ready": (WorkerState.READY, None),
    "marking": (WorkerState.READY, RetireStep.MARKING),
    "seen": (WorkerState.READY, RetireStep.SEEN),
    "undoing": (WorkerState.READY, RetireStep.UNDOING),
    "deleting": (WorkerState.DELETING, RetireStep.SEEN),
    "gone": (WorkerState.DELETING, RetireStep.SEEN),
    "closed": (WorkerState.CLOSED, RetireStep.SEEN),
}
"""Every place where a worker can be, by the method of `Desk` that brings one there."""


def memory_doors() -> Doors:
    """A fresh store in memory."""
    clock = Timeline(NOW)
    store = MemoryStore(clock, SeededIds())

    def tick() -> datetime:
        # Each look at the clock is a moment of its own, as it is with a real one.
        clock.advance(timedelta(milliseconds=1))
        return clock.now()

    return Doors(
        jobs=store,
        reports=store,
        operations=store,
        reader=store,
        feeds=store,
        outbox=store,
        campaigns=store,
        now=tick,
        pass_time=lambda step: (clock.advance(step), None)[1],
    )


@pytest.fixture(scope="module")
def postgres(database_url: str) -> Iterator[Postgres]:
    """The store in a PostgreSQL of its own for each module; `postgres_doors` empties it."""
    database = connect(database_url)
    yield database
    database.dispose()


def postgres_doors(database: Postgres) -> Doors:
    """The store in PostgreSQL, with nothing in it."""
    engine = database.sessions.engine
    with engine.begin() as connection:
        # As a replica: the triggers that keep the history from being emptied stand aside.
        connection.execute(text("set local session_replication_role = replica"))
        for table in metadata.sorted_tables:
            if table.name != "status_transitions":
                connection.execute(table.delete())

    return Doors(
        jobs=database.store,
        reports=database.reports,
        operations=database.operations,
        reader=database.reader,
        feeds=database.feeds,
        outbox=database.outbox,
        campaigns=database.campaigns,
        now=lambda: datetime.now(UTC),
        pass_time=lambda step: time.sleep(step.total_seconds()),
    )


@pytest.fixture(params=["memory", "postgres"])
def doors(request: pytest.FixtureRequest) -> Doors:
    """The store that the test is run on. PostgreSQL is never skipped: it fails if it is missing."""
    if request.param == "memory":
        return memory_doors()
    return postgres_doors(request.getfixturevalue("postgres"))


@pytest.fixture
def desk(doors: Doors) -> Desk:
    """A desk on the store that the test is run on."""
    return Desk(doors)
