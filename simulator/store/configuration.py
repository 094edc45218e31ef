"""Jobs that are not ready: which of them are to be looked at, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.configuration import (
    AGAIN,
    BACKWARD_IMAGES,
    IN_SERIES,
    MASTER,
    MOST_AT_ONCE,
    NOTHING_MADE,
    REFERENCE,
    REFERENCE_AGE,
    UNFIT,
    Backlog,
    Configured,
    ConfigureJobs,
    Neighbour,
    Unready,
    finished_beginning,
)
from models.job_configs import checked
from models.l2a import L2aState
from models.lifecycle import UNREADY, Status
from models.ports import Receipt
from models.records import Job, Lease
from simulator.store.feeds import add_one
from simulator.store.tables import Note, Tables
from simulator.store.waits import Place, Waiting, is_settled

# ---- reading -------------------------------------------------------------------------------------


def backlog(tables: Tables, types: Collection[str], now: datetime) -> Backlog:
    """See `models.configuration.Backlogs.backlog`."""
    new = sorted(tables.jobs_by_status.of((Status.INITIALIZED, False)), key=lambda job: job.id)
    over = {each.job_id: each for each in tables.waits_over.of(True)}
    over |= {each.job_id: each for each in tables.waits.values() if each.wait.until <= now}
    woken = [tables.jobs[job_id] for job_id in sorted(over)]
    wanted = [job for job in (*new, *woken) if job.type in types][:MOST_AT_ONCE]
    return Backlog(jobs=tuple(_unready(tables, job) for job in wanted))


def _unready(tables: Tables, job: Job) -> Unready:
    known, waiting = tables.acquired.get((job.type, job.key)), tables.waits.get(job.id)
    found = Unready(
        job=job,
        input=tables.inputs[job.id],
        sensing_at=known.acquisition.sensing_at if known else None,
        wait=waiting.wait if waiting else None,
    )
    name = found.input.get(MASTER)
    master = tables.jobs_by_key.one((job.type, name)) if isinstance(name, str) else None
    if master is not None:
        found = replace(found, master=_neighbour(tables, master))
    place = tables.series.get(job.id)
    return found if place is None or job.type not in IN_SERIES else _in_series(tables, found, place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One of a series, with its job."""

    place: Place
    made: Neighbour


def _in_series(tables: Tables, found: Unready, place: Place) -> Unready:
    mates = members(tables, place)
    earlier = [each for each in mates if each.place.sensing_at < place.sensing_at]
    later = [each for each in mates if each.place.sensing_at > place.sensing_at]
    reference = _reference(earlier, place.sensing_at - REFERENCE_AGE)
    reference_made = reference.made if reference else None
    return replace(
        found,
        before=_last([each.made for each in earlier if place.is_held_up_by(each.place)]),
        reference=reference_made,
        between=len(list(_between(earlier, reference))) if reference else 0,
        after=_newest_l2a(later)[: BACKWARD_IMAGES - 1],
        chain=_chain(tables, reference_made),
    )


def members(tables: Tables, place: Place) -> list[Member]:
    """All of a series, in its order."""
    mates = [
        Member(place=each, made=_neighbour(tables, tables.jobs[each.job_id]))
        for each in tables.series_of.of((place.type, place.tile))
    ]
    return sorted(mates, key=lambda each: (each.place.sensing_at, each.place.job_id))


def _newest_l2a(mates: Sequence[Member]) -> tuple[Neighbour, ...]:
    """Those that made an L2A; of each image the newest job."""
    made = {each.place.sensing_at: each.made for each in mates if made_l2a(each.made)}
    return tuple(made.values())


def _chain(tables: Tables, reference: Neighbour | None) -> tuple[Neighbour, ...]:
    """What a chain began with that has made enough L2A to go backward."""
    first = finished_beginning(reference)
    place = tables.series.get(first) if first is not None else None
    if place is None:
        return ()
    job = tables.jobs[place.job_id]
    if tables.jobs_by_key.one((job.type, job.key + AGAIN)) is not None:
        return ()
    since = [each for each in members(tables, place) if each.place.sensing_at >= place.sensing_at]
    return _newest_l2a(since)[:BACKWARD_IMAGES]


def _reference(earlier: Sequence[Member], since: datetime) -> Member | None:
    young = (each for each in reversed(earlier) if each.place.sensing_at >= since)
    kept = (each for each in young if each.place.l2a is L2aState.KEPT)
    return next((each for each in kept if made_l2a(each.made)), None)


def _last(found: Sequence[Neighbour]) -> Neighbour | None:
    return found[-1] if found else None


def _between(earlier: Sequence[Member], reference: Member) -> Iterator[Neighbour]:
    for each in earlier:
        if each.place.sensing_at > reference.place.sensing_at and each.made.is_made:
            yield each.made


def made_l2a(one: Neighbour) -> bool:
    """It ended well and made an L2A, whether that is kept or not."""
    return one.is_made and "l2a_path_out" in one.config and one.exit_code not in NOTHING_MADE


def _neighbour(tables: Tables, job: Job) -> Neighbour:
    run = tables.runs_by_attempt.one((job.id, job.attempt))
    known = tables.acquired.get((job.type, job.key))
    return Neighbour(
        id=job.id,
        key=job.key,
        status=job.status,
        quarantined=job.quarantined,
        sensing_at=known.acquisition.sensing_at if known else None,
        exit_code=run.exit_code if run else None,
        input=tables.inputs[job.id],
        config=tables.configs.get(job.id) or {},
    )


# ---- writing -------------------------------------------------------------------------------------


def configure_jobs(tables: Tables, fence: Lease, change: ConfigureJobs) -> Receipt:
    """See `models.configuration.ConfigureJobs`."""
    note = Note(at=change.at, actor=fence.name)
    chosen = [
        each
        for each in change.jobs
        if _stands(tables, each.job_id, each.expected_seq)
        and not _held_up(tables, each)
        and not _is_gone(tables, each.config.get(REFERENCE))
        and (each.wait is None or each.wait.for_job in tables.jobs)
    ]
    for each in chosen:
        _configure(tables, each, note)
    aside = _put_aside(tables, change, note)
    for new in change.again:
        add_one(tables, new, note)
    return Receipt(created=len(chosen) + aside)


def _put_aside(tables: Tables, change: ConfigureJobs, note: Note) -> int:
    """End those that are not configured; how many were not left."""
    unfit = [each for each in change.unfit if _stands(tables, each.job_id, each.expected_seq)]
    for each in unfit:
        told = replace(note, subtype=UNFIT, message=each.why)
        job = tables.jobs[each.job_id]
        tables.move(job, Status.INTERNAL_ERROR, told, quarantined=True)
    futile = [each for each in change.futile if _stands(tables, each.job_id, each.expected_seq)]
    for each in futile:
        told = replace(note, message=each.why)
        tables.move(tables.jobs[each.job_id], Status.CANCELLED, told)
    return len(unfit) + len(futile)


def _stands(tables: Tables, job_id: int, seq: int) -> bool:
    job = tables.jobs.get(job_id)
    return job is not None and job.seq == seq and job.status in UNREADY


def _held_up(tables: Tables, each: Configured) -> bool:
    """It is to be ready, and an earlier one of its series is open by now."""
    place = tables.series.get(each.job_id)
    if each.wait is not None or each.overtakes or place is None or place.type not in IN_SERIES:
        return False
    return any(map(place.is_held_up_by, tables.series_of.of((place.type, place.tile))))


def _is_gone(tables: Tables, reference: int | None) -> bool:
    """The L2A of the job that another is to begin with was given up meanwhile."""
    place = tables.series.get(reference) if reference is not None else None
    return place is not None and place.l2a is not L2aState.KEPT


def _configure(tables: Tables, each: Configured, note: Note) -> None:
    job = tables.jobs[each.job_id]
    tables.configs.put(job.id, checked(job.type, each.config))
    job = replace(job, priority=each.priority, deadline=each.deadline)
    tables.put_job(job)
    if job.status is Status.INITIALIZED:
        job = tables.move(job, Status.CONFIGURED, note)
    if each.wait is None:
        tables.move(job, Status.READY, note, resume_status=Status.READY)
        return
    is_over = is_settled(tables.jobs[each.wait.for_job])
    tables.waits.put(job.id, Waiting(job_id=job.id, wait=each.wait, is_over=is_over))
