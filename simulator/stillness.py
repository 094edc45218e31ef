"""Whether a pass would see anything that the last one did not: a change, or a wait that is over.

A pass may be skipped when no source has changed since the last began, that one decided no action,
and no moment has come at which a rule compares the time with a row (`moments`). What is skipped
would have decided the same again. Where calls may fail by chance nothing is ever still: a pass that
is not made would not meet its faults.

A source has changed for a loop when something has that its rules read (`Changes`): that a run goes
on from one step to the next concerns only its time limit, and how far the deletion of a worker has
come concerns only who deletes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeAlias, TypeVar

from models.breakers import removal_begun
from models.job_types import Registry
from models.lifecycle import ERRORS, IN_FLIGHT, ON_WORKER, UNREADY, Status
from models.parameters import Kept
from models.publication import Publication
from models.records import (
    Backoff,
    Intent,
    IntentKind,
    IntentState,
    Job,
    Pause,
    Run,
    Worker,
    WorkerState,
)
from models.settings import Settings
from models.world import Source
from simulator.store.rows import Rows
from simulator.store.waits import Waiting
from simulator.systems import Systems

R = TypeVar("R")
Row: TypeAlias = Job | Run | Worker | Intent | Backoff | Pause | Kept | Waiting | Publication
Stamp: TypeAlias = tuple[int, ...]

LONGEST = timedelta(seconds=30)
"""After which a pass is made in any case: it renews its lease and what the ledger says still holds.
A third of the default lease, and half of the minute after which a wait needs a recorded reason."""


ABOUT_RUNS = frozenset(
    {
        IntentKind.DISPATCH,
        IntentKind.STOP_CHILD,
        IntentKind.EVALUATE,
        IntentKind.REGISTER_PARENT,
    }
)
"""Intents that concern those who look at no server; the others are the pool's alone."""


def moments(row: Row, settings: Settings, registry: Registry) -> Iterator[datetime]:
    """When the mere passing of time may let a rule decide differently about this row."""
    match row:
        case Job():
            yield from _of_job(row, settings, registry)
        case Run():
            yield from _of_run(row, settings)
        case Worker():
            yield from _of_worker(row, settings)
        case Intent() if row.state is IntentState.OPEN:
            yield row.deadline
            yield row.deadline + settings.pool.refute_after
        case Backoff():
            yield row.until
        case Pause() if row.until is not None:
            yield row.until
        case Waiting():
            yield row.wait.until
        case Kept() if row.expires_at is not None:
            yield row.expires_at
        case Publication() if row.not_before is not None:
            yield row.not_before


def _of_job(job: Job, settings: Settings, registry: Registry) -> Iterator[datetime]:
    if job.not_before is not None:
        yield job.not_before
    limits = settings.monitor
    limit = {
        Status.STARTED: limits.limit_started,
        Status.PRE_PROCESSING: limits.limit_pre_processing,
        Status.PROCESSING: limits.limit_processing,
        Status.POST_PROCESSING: limits.limit_post_processing,
    }.get(job.status)
    if limit is not None:
        job_type = registry.types.get(job.type)
        own = job_type.limits.get(job.status) if job_type else None
        yield job.status_at + (own or limit)


def _of_run(run: Run, settings: Settings) -> Iterator[datetime]:
    if run.ended_at is not None:
        yield run.ended_at + settings.execution.wind_down
        return
    if run.stop_asked_at is not None:
        yield run.stop_asked_at + settings.monitor.stop_again_after
    if run.claimed_at is not None:
        yield run.claimed_at
        return
    yield run.created_at + settings.execution.resend_for
    if run.sent_at is not None:
        yield run.sent_at
        yield run.sent_at + settings.execution.resend_after


def _of_worker(worker: Worker, settings: Settings) -> Iterator[datetime]:
    pool = settings.pool
    removal = removal_begun(worker)
    if removal is not None:
        yield removal + settings.breaker.window
    if worker.state is WorkerState.CLOSED:
        return
    yield worker.created_at + pool.create_period
    if worker.state in {WorkerState.CREATING, WorkerState.BOOTING}:
        yield worker.created_at + pool.boot_limit
    for at in (worker.booted_at, worker.admitted_at, worker.keep_until):
        if at is not None:
            yield at
    if worker.idle_since is not None:
        yield worker.idle_since + pool.idle_for
    if worker.delete_sent_at is not None:
        yield worker.delete_sent_at + pool.redelete_after
    if worker.retirement is not None:
        yield worker.retirement.started_at
        yield worker.retirement.started_at + pool.barrier_for
        if worker.retirement.seen_at is not None:
            yield worker.retirement.seen_at
            yield worker.retirement.seen_at + pool.barrier_for
            yield worker.retirement.seen_at + pool.quarantine_for


class Alarms:
    """The moments of all rows of some tables, kept to the second. Watches the tables."""

    def __init__(
        self, settings: Settings, registry: Registry, tables: Iterable[Rows[Any, Any]]
    ) -> None:
        self._settings, self._registry, self._tables = settings, registry, tuple(tables)
        self._seconds: defaultdict[int, int] = defaultdict(int)
        self.restart(settings)
        for table in self._tables:
            table.watch(self)

    def moved(self, before: Row | None, after: Row | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        if before is not None:
            for second in self._of(before):
                self._seconds[second] -= 1
                if not self._seconds[second]:
                    del self._seconds[second]
        if after is not None:
            for second in self._of(after):
                self._seconds[second] += 1

    def _of(self, row: Row) -> list[int]:
        return [int(at.timestamp()) for at in moments(row, self._settings, self._registry)]

    def between(self, since: datetime, now: datetime) -> bool:
        """Whether any moment lies in these seconds, the first and the last included."""
        seconds = range(int(since.timestamp()), int(now.timestamp()) + 1)
        return any(second in self._seconds for second in seconds)

    def restart(self, settings: Settings) -> None:
        """Begin anew with other settings and all rows that there are."""
        self._settings = settings
        self._seconds.clear()
        for table in self._tables:
            for row in table.values():
                self.moved(None, row)


class Changes(Generic[R]):
    """How often the rows of a table changed in what `shown` shows of them. Watches the table."""

    def __init__(self, rows: Rows[Any, R], shown: Callable[[R], object]) -> None:
        self._shown = shown
        self.count = 0
        rows.watch(self)

    def moved(self, before: R | None, after: R | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        was = None if before is None else self._shown(before)
        self.count += was != (None if after is None else self._shown(after))


def _at_work(job: Job) -> Job | None:
    """A job that is to run, runs, or failed, without how far its program has come: that is only
    compared with a time limit.
    """
    if job.status in ON_WORKER:
        return replace(job, status=Status.STARTED, status_at=job.created_at, seq=0)
    return job if job.status in _AT_WORK else None


_AT_WORK = IN_FLIGHT | ERRORS | {Status.READY}


def _unready(job: Job) -> Job | None:
    return job if job.status in UNREADY else None


def _made(job: Job) -> Job | None:
    return job if job.status in _MADE else None


_MADE = frozenset({Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED})


def _as_slot(worker: Worker) -> object:
    """A worker as far as it can take runs, or will: what its place in the table says of that."""
    taken = worker.retirement is not None or worker.outside_pool
    state = None if taken else _USEFUL.get(worker.state)
    return worker.id, worker.flavor, worker.server_id, state


_USEFUL = {
    WorkerState.CREATING: "coming",
    WorkerState.BOOTING: "coming",
    WorkerState.READY: "serving",
}


def _about_runs(intent: Intent) -> Intent | None:
    return intent if intent.kind in ABOUT_RUNS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """When somebody looked last, and how far the sources had come then."""

    at: datetime
    stamp: Stamp


class Stillness:
    """Tells whether anything has happened in a world in memory since somebody looked."""

    def __init__(self, systems: Systems, settings: Settings) -> None:
        self._systems = systems
        self._settings = settings
        t, registry = systems.store.tables, systems.store.tables.registry
        self._jobs = Changes(t.jobs, _at_work)
        self._unready = Changes(t.jobs, _unready)
        self._made = Changes(t.jobs, _made)
        self._slots = Changes(t.workers, _as_slot)
        self._calls = Changes(t.intents, _about_runs)
        anybodys = (t.jobs, t.intents, t.backoffs, t.parameters, t.pauses, t.publications)
        self._anybodys = Alarms(settings, registry, anybodys)
        self._runs = Alarms(settings, registry, (t.runs,))
        self._workers = Alarms(settings, registry, (t.workers,))
        self._waits = Alarms(settings, registry, (t.waits,))
        self._asked = Alarms(settings, registry, (t.parameters, t.pauses))

    def look(self, loop: str, sources: frozenset[Source]) -> Look:
        """Remember how things stand, before a pass of a loop that reads these sources."""
        return Look(at=self._systems.timeline.now(), stamp=self._stamp(loop, sources))

    def since(self, last: Look, loop: str, sources: frozenset[Source], settings: Settings) -> bool:
        """Whether nothing changed since that look and nothing is due. `settings` are in force."""
        if settings != self._settings:
            self._settings = settings
            for alarms in (self._anybodys, self._runs, self._workers, self._waits, self._asked):
                alarms.restart(settings)
        now = self._systems.timeline.now()
        return (
            now - last.at < self._longest(sources, settings)
            and self._systems.faults.is_calm
            and not (Source.CLOUD in sources and self._images_move(last))
            and self._stamp(loop, sources) == last.stamp
            and not any(alarms.between(last.at, now) for alarms in self._alarms(sources))
        )

    def _alarms(self, sources: frozenset[Source]) -> tuple[Alarms, ...]:
        """The waits of a worker concern who looks at its server, those of a run who does not, and
        those of a job that is not ready only who looks at such jobs. What is read back is looked at
        in a period of its own.
        """
        if Source.BACKLOG in sources:
            return self._waits, self._asked
        if Source.READBACK in sources:
            return (self._asked,)
        return self._anybodys, self._workers if Source.CLOUD in sources else self._runs

    def _images_move(self, last: Look) -> bool:
        """An image is being made, or a list of images that is kept may be older than the last.

        How old a template or an image is has no moment of its own: it decides what is said, not
        what is done.
        """
        cloud = self._systems.outside.cloud
        seen_by = cloud.images_changed_at + cloud.options.quota_age
        return cloud.snapshots.is_making or last.at <= seen_by

    def _longest(self, sources: frozenset[Source], settings: Settings) -> timedelta:
        """A catalogue lists things in its own time: each is looked at once in its period."""
        reads = Source.CATALOGUES in sources
        return min(LONGEST, settings.creation.period) if reads else LONGEST

    def _stamp(self, loop: str, sources: frozenset[Source]) -> Stamp:
        """How far all has come that the rules of this loop go by."""
        t, nomad = self._systems.store.tables, self._systems.outside.nomad
        asked = t.parameters.version, t.pauses.version, t.backoffs.version
        if loop == "read-back":
            return asked
        if loop == "configuration":
            return (*asked, self._unready.count, t.waits.version)
        if loop == "publication":
            return (*asked, self._made.count, t.publications.version, *self._press())
        state = nomad.state
        led = nomad.term, nomad.leaderless, nomad.known_leader
        placed = state.jobs.index, state.evals.index, state.allocs.index
        stamp = (*asked, *led, *placed, self._jobs.count, t.runs.version)
        if loop == "monitor":
            # It asks for a node or a worker only of a run of which it has something to decide.
            return (*stamp, self._calls.count)
        slots = self._slots.count, t.identities.version, state.nodes.index
        if loop == "execution":
            return (*stamp, self._calls.count, *(slots if t.ready.is_any else ()))
        cloud = self._systems.outside.cloud.version if Source.CLOUD in sources else 0
        pool = t.workers.version, t.intents.version, t.orders.version, t.breakers.version
        farm = (*stamp, *slots, *pool, cloud)
        return farm if loop == "worker-pool" else (*farm, t.jobs.version, *self._press())

    def _press(self) -> Stamp:
        press = self._systems.press
        return press.stamp if press is not None else ()
