"""Whether a pass would see anything that the last one did not: a change, or a wait that is over.

A pass may be skipped when no source has changed since the last began, that one decided no action,
and no moment has come at which a rule compares the time with a row (`moments`). What is skipped
would have decided the same again. Where calls may fail by chance nothing is ever still: a pass that
is not made would not meet its faults.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from models.breakers import removal_begun
from models.job_types import Registry
from models.lifecycle import Status
from models.parameters import Kept
from models.publication import Publication
from models.records import Backoff, Intent, IntentState, Job, Pause, Run, Worker, WorkerState
from models.settings import Settings
from models.world import Source
from simulator.store.rows import Rows
from simulator.store.waits import Waiting
from simulator.systems import Systems

Row: TypeAlias = Job | Run | Worker | Intent | Backoff | Pause | Kept | Waiting | Publication
Stamp: TypeAlias = tuple[int, ...]

LONGEST = timedelta(seconds=30)
"""After which a pass is made in any case: it renews its lease and what the ledger says still holds.
A third of the default lease, and half of the minute after which a wait needs a recorded reason."""


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
        anybodys = (t.jobs, t.waits, t.intents, t.backoffs, t.parameters, t.pauses, t.publications)
        self._anybodys = Alarms(settings, registry, anybodys)
        self._runs = Alarms(settings, registry, (t.runs,))
        self._workers = Alarms(settings, registry, (t.workers,))

    def look(self, sources: frozenset[Source]) -> Look:
        """Remember how things stand, before a pass that reads these sources."""
        return Look(at=self._systems.timeline.now(), stamp=self._stamp(sources))

    def since(self, last: Look, sources: frozenset[Source], settings: Settings) -> bool:
        """Whether nothing changed since that look and nothing is due. `settings` are in force."""
        if settings != self._settings:
            self._settings = settings
            for alarms in (self._anybodys, self._runs, self._workers):
                alarms.restart(settings)
        now = self._systems.timeline.now()
        return (
            now - last.at < self._longest(sources, settings)
            and self._systems.faults.is_calm
            and not (Source.CLOUD in sources and self._images_move(last))
            and self._stamp(sources) == last.stamp
            and not any(alarms.between(last.at, now) for alarms in self._alarms(sources))
        )

    def _alarms(self, sources: frozenset[Source]) -> tuple[Alarms, ...]:
        """The waits of a worker concern who looks at its server, those of a run who does not."""
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

    def _stamp(self, sources: frozenset[Source]) -> Stamp:
        tables, outside = self._systems.store.tables, self._systems.outside
        stamp = (
            tables.jobs.version,
            tables.runs.version,
            tables.workers.version,
            tables.orders.version,
            tables.identities.version,
            tables.backoffs.version,
            tables.intents.version,
            tables.parameters.version,
            tables.pauses.version,
            tables.breakers.version,
        )
        leader = outside.nomad.term, outside.nomad.leaderless, outside.nomad.known_leader
        nomad = (outside.nomad.state.index, *leader)
        cloud = (outside.cloud.version,) if Source.CLOUD in sources else ()
        return (*stamp, *nomad, *cloud, *self._press(sources))

    def _press(self, sources: frozenset[Source]) -> Stamp:
        press = self._systems.press
        if press is None or Source.OUTBOX not in sources:
            return ()
        return (self._systems.store.tables.publications.version, *press.stamp)
