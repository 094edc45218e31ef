"""How far feeds have been met, what was rejected, and the jobs that come of a look at one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from models.catalogue import RejectedEntry
from models.composing import ComposeJobs
from models.creation import (
    Acquisition,
    Arrivals,
    CreateJobs,
    Cursor,
    Feed,
    Known,
    KnownJob,
    Met,
    Reject,
    identity_of,
)
from models.errors import Superseded
from models.lifecycle import Status
from models.ports import Receipt
from models.records import Job, Lease, NewJob, Priority
from simulator.store import composing
from simulator.store.tables import Note, Tables
from simulator.store.waits import Place


def add_job(
    tables: Tables,
    new: NewJob,
    unique_id: UUID,
    note: Note,
    status: Status = Status.INITIALIZED,
) -> Job:
    """Store a job that is not there yet, with its first history row."""
    job = Job(
        id=tables.number("jobs"),
        unique_id=unique_id,
        type=new.type,
        key=new.key,
        name=new.name,
        tile=new.tile,
        flavor=tables.registry.types[new.type].flavor,
        priority=new.priority,
        deadline=new.deadline,
        status=status,
        status_at=note.at,
        seq=1,
        resume_status=Status.INITIALIZED,
        attempt=0,
        created_at=note.at,
    )
    tables.inputs.put(job.id, dict(new.input))
    if new.sensing_at is not None:
        seen = Acquisition(job_type=new.type, sensing_at=new.sensing_at, tile=new.tile)
        tables.acquired.put((new.type, new.key), KnownJob(key=new.key, acquisition=seen))
    if new.tile is not None and new.sensing_at is not None:
        place = Place(
            job_id=job.id,
            type=new.type,
            tile=new.tile,
            sensing_at=new.sensing_at,
            is_open=status is not Status.CANCELLED,
            reprocessing=new.priority is Priority.REPROCESSING,
        )
        tables.series.put(job.id, place)
    return tables.write(job, None, note)


def create_jobs(tables: Tables, fence: Lease, change: CreateJobs) -> Receipt:
    """See `models.changes.CreateJobs`."""
    feed = change.cursor.feed
    cursor = tables.cursors.get(feed)
    if (cursor.until if cursor else None) != change.expected:
        raise Superseded(f"the cursor of {feed} is at {change.expected} no more: nothing was added")
    tables.cursors.put(feed, change.cursor)
    created = _add_all(tables, change, Note(at=change.at, actor=fence.name))
    keep(tables, change.rejected, change.at)
    composing.keep(tables, change.ingredients)
    composing.open_groups(tables, change.groups, change.touched, change.at)
    return Receipt(created=created)


def compose_jobs(tables: Tables, fence: Lease, change: ComposeJobs) -> Receipt:
    """See `models.composing.ComposeJobs`."""
    note = Note(at=change.at, actor=fence.name)
    composing.settle(tables, change.groups)
    created = _add_all(tables, change, note)
    composing.override(tables, change.overridden, note)
    return Receipt(created=created)


def _add_all(tables: Tables, change: CreateJobs | ComposeJobs, note: Note) -> int:
    """Add what was found; how many of its jobs were not there."""
    added = [new for new in change.jobs if add_one(tables, new, note) is not None]
    hour = change.at.replace(minute=0, second=0, microsecond=0)
    for job_type, number in Counter(new.type for new in added).items():
        former = tables.arrivals.get((job_type, hour)) or 0
        tables.arrivals.put((job_type, hour), former + number)
    refused = replace(note, message=change.why or None)
    for new in change.cancelled:
        add_one(tables, new, refused, Status.CANCELLED)
    return len(added)


def add_one(
    tables: Tables, new: NewJob, note: Note, status: Status = Status.INITIALIZED
) -> Job | None:
    """Add a job that is not there; None: it is there."""
    if tables.jobs_by_key.one((new.type, new.key)) is not None:
        return None
    return add_job(tables, new, _uuid(new), note, status)


def keep(tables: Tables, entries: Iterable[RejectedEntry], at: datetime) -> None:
    """Write down entries that nobody understood; one that is known is counted once more."""
    for entry in {identity_of(each): each for each in entries}.values():
        key = identity_of(entry)
        former = tables.rejects.get(key)
        tables.rejects.put(
            key,
            Reject(
                entry=entry,
                first_at=former.first_at if former else at,
                last_at=at,
                count=former.count + 1 if former else 1,
            ),
        )


def _uuid(new: NewJob) -> UUID:
    """The same job has the same, in every history of the same seed."""
    return uuid5(NAMESPACE_URL, f"{new.type}/{new.key}")


def cursors(tables: Tables) -> tuple[Cursor, ...]:
    """See `models.feeds.Feeds.cursors`."""
    return tuple(sorted(tables.cursors.values(), key=lambda cursor: cursor.feed))


def known(tables: Tables, met: Met) -> Known:
    """See `models.feeds.Feeds.known`."""
    moments = {(each.job_type, each.sensing_at) for each in met.acquisitions}
    entries = {identity_of(each) for each in met.rejected}
    jobs = [_as_known(tables, each) for each in tables.jobs_by_acquisition.of(*sorted(moments))]
    return Known(
        jobs=tuple(sorted(jobs, key=lambda known: (known.acquisition.job_type, known.key))),
        rejected=tuple(sorted(entry for entry in entries if entry in tables.rejects)),
        ingredients=composing.known(tables, met.ingredients),
    )


def _as_known(tables: Tables, known: KnownJob) -> KnownJob:
    job = tables.jobs_by_key.one((known.acquisition.job_type, known.key))
    if job is None:
        return known
    stands_in = tables.inputs[job.id].get("stands_in") is True
    return replace(known, cancelled=job.status is Status.CANCELLED, stands_in=stands_in)


def rejects(tables: Tables, source: str | None, limit: int) -> tuple[Reject, ...]:
    """See `models.feeds.Feeds.rejects`."""
    found = [each for each in tables.rejects.values() if source in {None, each.entry.source}]
    found.sort(key=lambda each: each.entry.entry)
    found.sort(key=lambda each: each.last_at, reverse=True)
    return tuple(found[:limit])


def rewind(tables: Tables, feed: Feed, to: datetime) -> None:
    """Move the cursor of a feed that may be rewound."""
    tables.cursors.put(feed, replace(tables.cursors[feed], until=to))


def arrivals(tables: Tables, since: datetime) -> Arrivals:
    """See `models.feeds.Feeds.arrivals`."""
    counts: Counter[str] = Counter()
    for job_type, hour in tables.arrivals:
        counts[job_type] += tables.arrivals[job_type, hour] if hour >= since else 0
    began = min((hour for _, hour in tables.arrivals), default=None)
    return Arrivals(began=began, counts=dict(sorted(counts.items())))


def prune(tables: Tables, before: datetime) -> None:
    """Drop rejected entries that were last met before that."""
    composing.prune(tables, before)
    for key in [key for key in tables.rejects if tables.rejects[key].last_at < before]:
        tables.rejects.drop(key)
    for place in [each for each in tables.arrivals if each[1] < before]:
        tables.arrivals.drop(place)
