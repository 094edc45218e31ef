"""The invariants of the design, checked on the truth: what is, not what a controller believes.

`Truth` watches a world in memory. Deletions are judged at the moment the machine ends (I1); the
rest is judged by `check` after each step, of the rows that were written since the last: a row that
nobody wrote is as true as it was. What it finds stays in `violations`; whoever drives the world
stops at the first. Production looks for the same in what it sees (`controller.invariants`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.errors import NotFound
from models.fleet import DEPLOYMENT_METADATA
from models.lifecycle import FINAL, IN_FLIGHT, ON_WORKER, Status
from models.parameters import in_force
from models.records import Job, LedgerRow, RetireCause, Run, StatusChange, Worker, WorkerState
from models.settings import PoolSettings, Settings, settings_kept
from simulator.announced import Announced
from simulator.cloud.servers import CloudServer
from simulator.store.tables import Tables, is_open
from simulator.systems import Systems
from simulator.witness import A_MINUTE, Intents, Losses, Order, Words

RESTS = FINAL | {Status.PROCESSED}
"""Where a job may stay for ever in a world in which nothing is published."""

OURS_TO_DELETE = frozenset({RetireCause.IDLE, RetireCause.PERSON})
"""Workers that go for these causes must be empty; the others have lost what ran there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One invariant found broken: which, of what, and how."""

    invariant: str
    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.what}"


R = TypeVar("R")
K = TypeVar("K", bound=Hashable)


class Touched(Generic[R, K]):
    """The keys of rows that were written since they were last asked for. Watches tables."""

    def __init__(self, key: Callable[[R], K], kept: dict[K, None]) -> None:
        self._key, self._kept = key, kept

    def moved(self, before: R | None, after: R | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        for row in (before, after):
            if row is not None:
                self._kept[self._key(row)] = None


class Reasons:
    """Which actions on which subjects have a recorded reason. Watches the ledger."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str]] = Counter()

    def moved(self, before: LedgerRow | None, after: LedgerRow | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        if before is not None:
            self._rows[before.action, before.subject] -= 1
        if after is not None:
            self._rows[after.action, after.subject] += 1

    def has(self, action: str, subject: str) -> bool:
        """Whether there is a row of this action on this subject."""
        return self._rows[action, subject] > 0


class Truth:
    """Looks at a world from outside, knowing everything."""

    def __init__(self, systems: Systems, deployment: str) -> None:
        self.violations: list[Breach] = []
        self.deletions = 0
        """Machines of ours that ended because their deletion was asked for."""
        self._pass_began = self._step_began = systems.timeline.now()
        self._index_then = 0
        self._deleting: dict[int, int] = {}
        self._caps: list[PoolSettings] = []
        self._systems = systems
        self._deployment = deployment
        self._settings: tuple[Mapping[str, Any], Settings] | None = None
        self._jobs: dict[int, None] = {}
        self._workers: dict[int, None] = {}
        self._capped: tuple[object, ...] = ()
        self._accepted = 0
        self._used: dict[str, int] = {}
        self._reasons = Reasons()
        self._watch(systems.store.tables)
        systems.tasks.reports = Words(systems.store, systems.store.tables, self._tell)
        # Before the machine takes its node along.
        systems.outside.cloud.on_gone.insert(0, self._ended)

    @property
    def rests(self) -> frozenset[Status]:
        """Where a job may stay for ever in this world."""
        return RESTS if self._systems.press is None else FINAL

    def _watch(self, tables: Tables) -> None:
        def newest(history: tuple[StatusChange, ...]) -> int:
            return history[-1].job_id

        tables.jobs.watch(Touched[Job, int](lambda job: job.id, self._jobs))
        tables.history.watch(Touched(newest, self._jobs))
        tables.runs.watch(Touched[Run, int](lambda run: run.job_id, self._jobs))
        tables.workers.watch(Touched[Worker, int](lambda worker: worker.id, self._workers))
        tables.ledger.watch(self._reasons)
        tables.intents.watch(Intents(tables, self._tell, lambda: self._pass_began))
        tables.jobs.watch(Order(tables, self._tell))
        tables.workers.watch(self)
        tables.workers.watch(Losses(self._tell, self._server, self._serves))
        if self._systems.press is not None:
            Announced(tables, self._systems.press, self._tell).watch()

    def _tell(self, invariant: str, subject: str, what: str) -> None:
        self.violations.append(Breach(invariant=invariant, subject=subject, what=what))

    def check(self, *, everything: bool = False) -> list[Breach]:
        """Judge the world as it is now: what was written since the last time, or everything.

        All that was ever found is returned; it stays in `violations`.
        """
        tables = self._systems.store.tables
        if everything:
            self._jobs.update(dict.fromkeys(tables.jobs))
            self._workers.update(dict.fromkeys(tables.workers))
            self._capped, self._used = (), {}
        self.violations += [*self._of_jobs(tables), *self._of_workers(tables)]
        if len(tables.jobs) < self._accepted:
            self._tell("I3", "jobs", f"of {self._accepted} jobs {len(tables.jobs)} are left")
        self._accepted = len(tables.jobs)
        versions = self._systems.outside.cloud.version, tables.workers.version
        pool = self.settings().pool
        if (*versions, pool) != self._capped:
            self._capped = (*versions, pool)
            self.violations += self._over_caps(tables)
        self._caps = [pool]
        return self.violations

    def a_pass_begins(self, *, within_another: bool = False) -> None:
        """A pass begins that sees the world as it is from now on."""
        self._caps.append(self.settings().pool)
        if within_another:
            return
        self._pass_began = self._systems.store_clock.now()
        self._step_began = self._systems.timeline.now()
        self._index_then = self._systems.outside.nomad.state.index

    def moved(self, before: Worker | None, after: Worker | None) -> None:
        """Note when a deletion is committed. See `simulator.store.rows.Watcher`."""
        del before
        if (
            after is not None
            and after.state is WorkerState.DELETING
            and after.id not in self._deleting
        ):
            self._deleting[after.id] = self._index_then

    def _of_jobs(self, tables: Tables) -> Iterator[Breach]:
        for job_id in self._jobs:
            job = tables.jobs.get(job_id)
            if job is not None:
                yield from _lost(job, tables)
                yield from _false_row(job, tables)
                yield from _waits_for_nothing(job, tables)
                yield from _unexplained_runs(tables.runs_by_job.of(job_id), self._reasons)
        self._jobs.clear()

    def _of_workers(self, tables: Tables) -> Iterator[Breach]:
        for worker_id in self._workers:
            worker = tables.workers.get(worker_id)
            if worker is not None and is_open(worker):
                yield from _unexplained_worker(worker, self._reasons)
        self._workers.clear()

    def _ended(self, server: CloudServer) -> None:
        """I1: a machine whose deletion was asked for ends; nothing may be live on its node."""
        if not server.doomed or server.taken_by_others or not self._is_ours(server):
            return
        self.deletions += 1
        worker = self._worker_of(server.id)
        retirement = worker.retirement if worker else None
        allowed = retirement is not None and (
            retirement.forced or retirement.cause not in OURS_TO_DELETE
        )
        live = self._live_on(server.id, worker)
        if live and not allowed:
            what = f"its server ends with {len(live)} live allocations, first {live[0]}"
            self.violations.append(Breach(invariant="I1", subject=server.name, what=what))

    def _live_on(self, server_id: str, worker: Worker | None) -> list[str]:
        """What is live on the nodes of a server, but for what came because its node was opened
        after the last look at it, by other hands, or by joining eligible where Nomad has nodes do
        so: no protocol of ours can keep that away.
        """
        nomad = self._systems.outside.nomad
        looked, opened = self._looked_at(worker), nomad.nodes.opened.get(server_id, ())
        return [
            alloc.id
            for node in nomad.state.nodes.by_id()
            if node.server_id == server_id
            for alloc in nomad.state.live_on(node.id)
            if not any(looked < index < alloc.create_index for index in opened)
        ]

    def _looked_at(self, worker: Worker | None) -> int:
        """The index up to which a worker's node is known to have been as it was seen."""
        if worker is None:
            return self._index_then
        seen = worker.retirement.modify_index if worker.retirement else None
        return seen or self._deleting.get(worker.id, self._index_then)

    def is_others_doing(self, breach: Breach) -> bool:
        """A controller sees work on a worker that goes, which others have brought there."""
        name = breach.subject.removeprefix("worker:")
        workers = self._systems.store.tables.workers.newest_first()
        worker = next((w for w in workers if w.name == name), None)
        if breach.invariant != "I1" or worker is None or worker.server_id is None:
            return False
        opened = self._systems.outside.nomad.nodes.opened.get(worker.server_id, [0])
        return opened[-1] > self._looked_at(worker)

    def _over_caps(self, tables: Tables) -> Iterator[Breach]:
        """I4: every server of ours, and every create that may still make one, counts. A pass goes
        by the caps that it found: those of every pass since the look before count as well.
        """
        servers = self.servers()
        made = [server.flavor.vcpus for server in servers]
        hidden = [server.flavor.vcpus for server in servers if self._is_unknowable(server)]
        flavors = tables.registry.flavors
        intended = [
            flavors[worker.flavor].vcpus
            for worker in tables.open_workers.of(True)
            if worker.state is WorkerState.CREATING
            and worker.server_id is None
            and not self._made(worker)
        ]
        caps = [*self._caps, self.settings().pool]
        servers_allowed = max(pool.max_workers for pool in caps)
        vcpus_allowed = max(pool.vcpu_budget for pool in caps)
        for what, used, unseen, cap in (
            ("servers", len(made) + len(intended), len(hidden), servers_allowed),
            ("vCPUs", sum(made) + sum(intended), sum(hidden), vcpus_allowed),
        ):
            # Above a cap that was lowered since they go one by one, and nothing may be added.
            if used - unseen > max(cap, self._used.get(what, 0)):
                yield Breach(invariant="I4", subject="pool", what=f"{used} {what}, cap {cap}")
            self._used[what] = used

    def servers(self) -> list[CloudServer]:
        """Every server of this deployment that the cloud still lists."""
        return [s for s in self._systems.outside.cloud.servers() if self._is_ours(s)]

    def settings(self) -> Settings:
        """The live parameters in force."""
        kept = self._systems.store.tables.parameters
        values = in_force({key: kept[key] for key in kept}, self._systems.store_clock.now())
        if self._settings is None or self._settings[0] != values:
            self._settings = (values, settings_kept(values))
        return self._settings[1]

    def _is_ours(self, server: CloudServer) -> bool:
        return server.wanted.metadata.get(DEPLOYMENT_METADATA) == self._deployment

    def _server(self, server_id: str) -> CloudServer | None:
        try:
            server = self._systems.outside.cloud.server(server_id)
        except NotFound:
            return None
        return None if server.is_deleted else server

    def _serves(self, server_id: str) -> bool:
        """A node of this server is ready, and was for a minute when the step began in which
        somebody says otherwise: whoever looked in it has seen it. Within a step hours may pass.
        """
        return any(
            node.status == "ready" and self._step_began - node.status_at > A_MINUTE
            for node in self._systems.outside.nomad.state.nodes.by_id()
            if node.server_id == server_id
        )

    def _is_unknowable(self, server: CloudServer) -> bool:
        """No list shows it and no open row says that it is there: its cell went down before anybody
        saw it.
        """
        return server.cell_down and self._worker_of(server.id) is None

    def _made(self, worker: Worker) -> bool:
        wanted = str(worker.intent_id)
        return any(
            wanted in server.wanted.metadata.values()
            for server in self._systems.outside.cloud.servers()
        )

    def _worker_of(self, server_id: str) -> Worker | None:
        return self._systems.store.tables.workers_by_server.one(server_id)


def _lost(job: Job, tables: Tables) -> Iterator[Breach]:
    """I2 and I3: a job that does not rest is moving, by one claimed run if it is on a worker."""
    if job.status not in RESTS and not job.quarantined:
        wrong = _wrong_with(job, tables.current_run(job))
        if wrong is not None:
            yield Breach(invariant=wrong[0], subject=f"job:{job.id}", what=wrong[1])


def _wrong_with(job: Job, run: Run | None) -> tuple[str, str] | None:
    if run is None:
        stranded = job.status in IN_FLIGHT
        return ("I3", f"{job.status} without an open run: nothing moves it") if stranded else None
    if job.status not in IN_FLIGHT:
        return "I2", f"{job.status}, but its run {run.id} is open"
    if job.status in ON_WORKER and run.claim < 1:
        return "I2", f"{job.status} without a claim"
    return None


def _waits_for_nothing(job: Job, tables: Tables) -> Iterator[Breach]:
    """I10: a configured job waits for another one, and not for ever."""
    waiting = tables.waits.get(job.id)
    if (job.status is Status.CONFIGURED) != (waiting is not None):
        what = f"{job.status}, and it {'waits' if waiting else 'waits for nothing'}"
        yield Breach(invariant="I10", subject=f"job:{job.id}", what=what)


def _false_row(job: Job, tables: Tables) -> Iterator[Breach]:
    """I11: the job's row is its newest history row."""
    history = tables.history.get(job.id) or ()
    newest = history[-1] if history else None
    if newest is None or (newest.seq, newest.after, newest.at) != _standing(job):
        shown = f"seq {newest.seq} {newest.after}" if newest else "nothing"
        what = f"its row says seq {job.seq} {job.status}, its history {shown}"
        yield Breach(invariant="I11", subject=f"job:{job.id}", what=what)


def _standing(job: Job) -> tuple[int, Status, object]:
    return job.seq, job.status, job.status_at


def _unexplained_runs(runs: Iterable[Run], reasons: Reasons) -> Iterator[Breach]:
    """I10: every run that was opened has its reason."""
    for run in runs:
        if not reasons.has("DispatchRun", f"job:{run.job_id}"):
            what = f"attempt {run.attempt} was dispatched for no recorded reason"
            yield Breach(invariant="I10", subject=f"job:{run.job_id}", what=what)


def _unexplained_worker(worker: Worker, reasons: Reasons) -> Iterator[Breach]:
    """I10: every worker that was wished for has its reason."""
    subjects = (f"worker:{worker.name}", worker.flavor)
    adopted = reasons.has("AdoptServer", f"server:{worker.server_id}")
    if not adopted and not any(reasons.has("CreateServer", subject) for subject in subjects):
        what = "was created for no recorded reason"
        yield Breach(invariant="I10", subject=f"worker:{worker.name}", what=what)
