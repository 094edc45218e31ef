"""What is read: the view of a pass, and what people look at. Nothing here writes.

A view is taken thousands of times a simulated day, and mostly little has changed since the last:
each part is kept until one of the tables that it is made from has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from models.breakers import Breaker, removal_begun
from models.errors import NotFound
from models.lifecycle import ERRORS, Status
from models.parameters import in_force
from models.pauses import paused_types
from models.ports import AuditLine, JobFilter, JobSort, JobStory, Span, ViewLimits
from models.records import (
    Backoff,
    Heartbeat,
    Intent,
    Job,
    Lease,
    LedgerRow,
    Pause,
    Worker,
    WorkerOrder,
)
from models.wording import no_such_job
from models.world import StoreView
from simulator.store.ledger import DECISIONS
from simulator.store.rows import K, R, Rows
from simulator.store.tables import Tables

T = TypeVar("T")
_Stamp: TypeAlias = tuple[int, int, frozenset[str], int]

_WAITING = tuple((status, False) for status in Status if status in ERRORS)


class Views:
    """Takes views of the tables and keeps the parts that have not changed since."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._kept: dict[str, tuple[tuple[int, ...], Any]] = {}
        self._queue: tuple[_Stamp, tuple[Job, ...], Mapping[str, int]] | None = None

    def view(self, limits: ViewLimits, now: datetime) -> StoreView:
        """See `models.ports.JobStore.view`."""
        t = self._tables
        errors: tuple[Job, ...] = self._part("errors", self._errors, t.jobs)
        paused = pauses(t, now)
        ready, ready_total = self._ready(limits.ready_per_flavor, paused_types(paused), now)
        return StoreView(
            requested_at=now,
            counts=self._part("counts", t.counts.open, t.jobs),
            ready=ready,
            ready_total=ready_total,
            in_flight=self._part("in_flight", t.flights.by_job, t.jobs, t.runs),
            errors=errors[: limits.errors],
            ended_runs=t.ended_runs.since(limits.ended_since),
            workers=self._part("workers", self._workers, t.workers),
            orders=self._part("orders", self._orders, t.orders),
            intents=self._part("intents", self._intents, t.intents),
            identities=self._part("identities", lambda: _as_dict(t.identities), t.identities),
            backoffs=self._part("backoffs", self._backoffs, t.backoffs),
            parameters=in_force(
                self._part("parameters", lambda: _as_dict(t.parameters), t.parameters), now
            ),
            pauses=paused,
            breakers=self._part("breakers", self._breakers, t.breakers),
            removed=self._removed(limits.removed_since),
            gone_nodes=self._part("gone_nodes", self._gone_nodes, t.identities, t.workers),
        )

    def _part(self, name: str, make: Callable[[], T], *tables: Rows[Any, Any]) -> T:
        versions = tuple(table.version for table in tables)
        kept = self._kept.get(name)
        if kept is None or kept[0] != versions:
            kept = versions, make()
            self._kept[name] = kept
        part: T = kept[1]
        return part

    def _ready(
        self, most: int, paused: frozenset[str], now: datetime
    ) -> tuple[tuple[Job, ...], Mapping[str, int]]:
        queue = self._tables.ready
        stamp = self._tables.jobs.version, most, paused, queue.let_go(now)
        if self._queue is None or self._queue[0] != stamp:
            self._queue = stamp, queue.top(most, now, paused), queue.totals(now, paused)
        return self._queue[1:]

    def _errors(self) -> tuple[Job, ...]:
        jobs = self._tables.jobs_by_status.of(*_WAITING)
        return tuple(sorted(jobs, key=lambda job: (job.not_before or job.status_at, job.id)))

    def _workers(self) -> tuple[Worker, ...]:
        return tuple(sorted(self._tables.open_workers.of(True), key=lambda worker: worker.id))

    def _orders(self) -> tuple[WorkerOrder, ...]:
        return tuple(sorted(self._tables.orders.values(), key=lambda order: order.id))

    def _intents(self) -> tuple[Intent, ...]:
        return tuple(sorted(self._tables.open_intents.of(True), key=lambda i: (i.opened_at, i.id)))

    def _breakers(self) -> tuple[Breaker, ...]:
        return tuple(b for b in self._tables.breakers.values() if b.closed_at is None or b.accepted)

    def _gone_nodes(self) -> frozenset[str]:
        closed = self._tables.closed_by_server
        return frozenset(
            identity.node_id
            for identity in self._tables.identities.values()
            if closed.count(identity.server_id or "")
        )

    def _removed(self, since: datetime | None) -> tuple[Worker, ...]:
        begun = ((worker, removal_begun(worker)) for worker in self._tables.removals.of(True))
        found = (worker for worker, at in begun if since is not None and at and at >= since)
        return tuple(sorted(found, key=lambda worker: worker.id))

    def _backoffs(self) -> tuple[Backoff, ...]:
        return tuple(
            sorted(self._tables.backoffs.values(), key=lambda back: (back.subject, back.failure))
        )


def jobs(tables: Tables, wanted: JobFilter) -> tuple[Job, ...]:
    """See `models.ports.Reader.jobs`."""
    found = (job for job in tables.jobs.values() if _fits(job, wanted) and _follows(job, wanted))
    if wanted.sort is JobSort.OLDEST:  # as they are
        return tuple(islice(found, wanted.limit))
    by = partial(_place, sort=wanted.sort)
    return tuple(sorted(found, key=by, reverse=wanted.sort.descends)[: wanted.limit])


def _fits(job: Job, wanted: JobFilter) -> bool:
    return (
        (not wanted.types or job.type in wanted.types)
        and (not wanted.statuses or job.status in wanted.statuses)
        and (not wanted.flavors or job.flavor in wanted.flavors)
        and (not wanted.priorities or job.priority in wanted.priorities)
        and wanted.tile in {None, job.tile}
        and wanted.quarantined in {None, job.quarantined}
    )


def _follows(job: Job, wanted: JobFilter) -> bool:
    """It comes behind where the page before ended."""
    key = wanted.after
    if key is None:
        return True
    place = _place(job, wanted.sort)
    last = (key.at, key.id) if wanted.sort.by_time else (key.id,)
    return place < last if wanted.sort.descends else place > last


def _place(job: Job, sort: JobSort) -> tuple[Any, ...]:
    return (job.status_at, job.id) if sort.by_time else (job.id,)


def story(tables: Tables, reference: str) -> JobStory:
    """See `models.ports.Reader.story`."""
    job = _referred(tables, reference)
    if job is None:
        raise NotFound(no_such_job(reference))
    waiting = tables.waits.get(job.id)
    runs = tuple(sorted(tables.runs_by_job.of(job.id), key=lambda run: run.attempt))
    return JobStory(
        job=job,
        input=tables.inputs[job.id],
        config=tables.configs.get(job.id),
        wait=waiting.wait if waiting is not None else None,
        history=tables.history[job.id],
        runs=runs,
        manifests=tuple(tables.manifests[run.id] for run in runs if run.id in tables.manifests),
    )


def of_unique_ids(tables: Tables, unique_ids: Sequence[UUID]) -> tuple[Job, ...]:
    """See `models.ports.Reader.of_unique_ids`."""
    found = (tables.jobs_by_uuid.one(unique_id) for unique_id in set(unique_ids))
    return tuple(sorted((job for job in found if job is not None), key=lambda job: job.id))


def _referred(tables: Tables, reference: str) -> Job | None:
    type_name, slash, key = reference.partition("/")
    if slash:
        return tables.jobs_by_key.one((type_name, key))
    if reference.isdecimal():
        return tables.jobs.get(int(reference))
    try:
        return tables.jobs_by_uuid.one(UUID(reference))
    except ValueError:
        return None


def workers(tables: Tables, *, closed: bool) -> tuple[Worker, ...]:
    """See `models.ports.Reader.workers`."""
    if closed:
        newest = sorted(tables.workers.values(), key=lambda worker: worker.id, reverse=True)
        return tuple(newest[:1000])
    return tuple(sorted(tables.open_workers.of(True), key=lambda worker: worker.name))


def ledger(
    tables: Tables, subjects: Sequence[str], limit: int, span: Span | None
) -> tuple[LedgerRow, ...]:
    """See `models.ports.Reader.ledger`."""
    wanted = [
        row
        for row in tables.ledger.newest_first()
        if not subjects or (row.subject in subjects and (span is None or _held_in(row, span)))
    ]
    return tuple(sorted(wanted, key=lambda row: row.last_at, reverse=True)[:limit])


def _held_in(row: LedgerRow, span: Span) -> bool:
    return row.last_at >= span.began and (span.over is None or row.first_at <= span.over)


def totals(tables: Tables) -> dict[str, int]:
    """See `models.ports.Reader.totals`."""
    made = [worker for worker in tables.workers.values() if worker.server_id is not None]
    return {
        **{f"jobs.{status}": total for status, total in tables.counts.by_status().items()},
        "quarantined": tables.counts.quarantined(),
        "servers.created": len(made),
        "servers.deleted": sum(worker.gone_at is not None for worker in made),
        DECISIONS: tables.totals.get(DECISIONS) or 0,
    }


def _as_dict(rows: Rows[K, R]) -> dict[K, R]:
    return {key: rows[key] for key in rows}


def heartbeats(tables: Tables) -> tuple[Heartbeat, ...]:
    """See `models.ports.Reader.heartbeats`."""
    return tuple(sorted(tables.heartbeats.values(), key=lambda beat: (beat.loop, beat.holder)))


def audit(tables: Tables, about: str | None, limit: int) -> tuple[AuditLine, ...]:
    """See `models.ports.Reader.audit`."""
    found = (line for line in tables.audit.newest_first() if about in (None, *line.subjects))
    return tuple(islice(found, limit))


def leases(tables: Tables) -> tuple[Lease, ...]:
    """See `models.ports.Reader.leases`."""
    held = (lease for lease in tables.leases.values() if lease.holder)
    return tuple(sorted(held, key=lambda lease: lease.name))


def breakers(tables: Tables, *, closed: bool) -> tuple[Breaker, ...]:
    """See `models.ports.Reader.breakers`."""
    if closed:
        return tuple(islice(tables.breakers.newest_first(), 1000))
    found = (b for b in tables.breakers.values() if b.closed_at is None)
    return tuple(sorted(found, key=lambda breaker: breaker.name))


def pauses(tables: Tables, now: datetime) -> tuple[Pause, ...]:
    """See `models.ports.Reader.pauses`."""
    found = (p for p in tables.pauses.values() if p.until is None or p.until > now)
    return tuple(sorted(found, key=lambda pause: pause.target))
