"""The outbox of announcements in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from models.errors import Superseded
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Receipt
from models.publication import (
    ANNOUNCED,
    FAILED_ENDPOINT,
    FROM_FILES,
    OVER,
    REFUSED_BY_ENDPOINT,
    BeginPublication,
    FailPublication,
    FinishJob,
    NoteCopied,
    NoteRefusal,
    NoteSending,
    NoteSent,
    OpenCount,
    OutboxFigures,
    Outgoing,
    Parked,
    ParkMessage,
    Publication,
    PublicationState,
    Publishing,
    after_refusal,
    after_sending,
    begun_again,
    may_be_sent,
    time_in,
)
from models.records import Job, Lease
from simulator.store.people import Asking
from simulator.store.tables import Note, Tables

_HERE = (Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED)


def pending(tables: Tables, limit: int) -> tuple[Publishing, ...]:
    """See `models.outbox.Outbox.pending`."""
    jobs = tables.jobs_by_status.of(*((status, flag) for status in _HERE for flag in (False, True)))
    jobs = sorted(jobs, key=lambda job: (job.priority.rank, job.status_at, job.id))
    return tuple(_publishing(tables, job) for job in jobs[:limit])


def _publishing(tables: Tables, job: Job) -> Publishing:
    found = manifest(tables, job.id)
    begun = job.status is Status.START_PUBLICATION
    return Publishing(
        job=job,
        products=None if found is None else len(found.products),
        publications=tuple(of_job(tables, job.id)) if begun else (),
    )


def figures(tables: Tables) -> OutboxFigures:
    """See `models.outbox.Outbox.figures`."""
    here = tables.jobs_by_status.of(*((Status.START_PUBLICATION, flag) for flag in (False, True)))
    rows = [each for job in here for each in tables.publications_by_job.of(job.id)]
    groups: defaultdict[tuple[str, PublicationState], list[datetime]] = defaultdict(list)
    for each in rows:
        if each.state not in OVER:
            groups[each.kind, each.state].append(each.begun_at)
    return OutboxFigures(
        open=tuple(
            OpenCount(kind=kind, state=state, number=len(times), oldest_at=min(times))
            for (kind, state), times in sorted(groups.items())
        ),
        parked=len(tables.parked),
        from_files={
            name.removeprefix(FROM_FILES): tables.totals[name]
            for name in tables.totals
            if name.startswith(FROM_FILES)
        },
    )


def manifest(tables: Tables, job_id: int) -> Manifest | None:
    """See `models.outbox.Outbox.manifest`."""
    job = tables.jobs[job_id]
    run = tables.runs_by_attempt.one((job.id, job.attempt))
    return tables.manifests.get(run.id) if run is not None else None


def outgoing(tables: Tables, job_id: int) -> tuple[Outgoing, ...]:
    """See `models.outbox.Outbox.outgoing`."""
    return tuple(_outgoing(tables, each) for each in of_job(tables, job_id))


def _outgoing(tables: Tables, found: Publication) -> Outgoing:
    run, job = tables.runs[found.run_id], tables.jobs[found.job_id]
    return Outgoing(
        publication=found,
        attempt=run.attempt,
        body=tables.bodies[found.id],
        came_at=job.created_at,
        started_at=run.claimed_at or run.created_at,
        ended_at=run.ended_at or run.created_at,
        listed_at=time_in(tables.inputs[job.id].get("published_at")),
    )


def parked(tables: Tables, limit: int) -> tuple[Parked, ...]:
    """See `models.outbox.Outbox.parked`."""
    found = sorted(tables.parked.values(), key=lambda each: each.id)
    return tuple(sorted(found, key=lambda each: each.last_at, reverse=True)[:limit])


def of_job(tables: Tables, job_id: int) -> list[Publication]:
    """The publications of a job, by id."""
    return sorted(tables.publications_by_job.of(job_id), key=lambda each: each.id)


def confirm_spooled(asking: Asking, message_ids: Sequence[str]) -> int:
    """See `models.outbox.Outbox.confirm_spooled`."""
    wanted, tables = set(message_ids), asking.tables
    names = {message_id.partition(":")[0] for message_id in message_ids}
    found = [
        each
        for each in tables.publications_by_product.of(*sorted(names))
        if each.message_id in wanted and each.state is PublicationState.SPOOLED
    ]
    for each in found:
        kept = replace(each, state=PublicationState.CONFIRMED, changed_at=asking.now, note=None)
        tables.publications.put(each.id, kept)
        counter = f"{FROM_FILES}{each.kind}"
        tables.totals.put(counter, (tables.totals.get(counter) or 0) + 1)
    subjects = sorted(f"product:{each.product}" for each in found)
    if subjects:
        asking.audit("send-spool", subjects)
    return len(subjects)


# ---- changes -------------------------------------------------------------------------------------


def begin_publication(tables: Tables, fence: Lease, change: BeginPublication) -> Receipt:
    """See `models.publication.BeginPublication`."""
    job = _as_seen(tables, change.job_id, change.expected_seq, Status.PROCESSED)
    known = {each.product: each for each in of_job(tables, job.id)}
    for draft in change.drafts:
        former = known.get(draft.product)
        row = (
            begun_again(former, change)
            if former is not None
            else Publication(
                id=tables.number("publications"),
                job_id=job.id,
                run_id=change.run_id,
                product=draft.product,
                kind=draft.kind,
                digest=change.digest,
                state=PublicationState.WAITING,
                send=1,
                begun_at=change.at,
                changed_at=change.at,
            )
        )
        tables.publications.put(row.id, row)
        tables.bodies.put(row.id, draft.body)
    note = Note(at=change.at, actor=fence.name)
    return Receipt(job=tables.move(job, Status.START_PUBLICATION, note))


def note_copied(tables: Tables, _fence: Lease, change: NoteCopied) -> Receipt:
    """See `models.publication.NoteCopied`."""
    job = _as_seen(tables, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    for each in of_job(tables, job.id):
        if each.id in change.publication_ids and each.state is PublicationState.WAITING:
            copied = replace(each, state=PublicationState.COPIED, changed_at=change.at)
            tables.publications.put(each.id, replace(copied, not_before=None))
    return Receipt(job=job)


def note_sending(tables: Tables, _fence: Lease, change: NoteSending) -> Receipt:
    """See `models.publication.NoteSending`."""
    job = _as_seen(tables, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    for each in of_job(tables, job.id):
        if each.id in change.publication_ids and may_be_sent(each, change.at):
            sending = replace(each, state=PublicationState.SENDING, changed_at=change.at)
            tables.publications.put(each.id, replace(sending, not_before=None))
    return Receipt(job=job)


def note_sent(tables: Tables, fence: Lease, change: NoteSent) -> Receipt:
    """See `models.publication.NoteSent`."""
    job = _as_seen(tables, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    fates = {key: (fate, why) for key, fate, why in change.fates}
    for each in of_job(tables, job.id):
        if each.id in fates and each.state is PublicationState.SENDING:
            tables.publications.put(each.id, after_sending(each, *fates[each.id], change.at))
    if ANNOUNCED.issuperset(each.state for each in of_job(tables, job.id)):
        note = Note(at=change.at, actor=fence.name, message=change.message)
        job = tables.move(job, Status.PUBLISHED, note)
        job = tables.move(job, Status.DONE, note)
    return Receipt(job=job)


def finish_job(tables: Tables, fence: Lease, change: FinishJob) -> Receipt:
    """See `models.publication.FinishJob`."""
    job = _as_seen(tables, change.job_id, change.expected_seq, Status.PROCESSED, Status.PUBLISHED)
    if job.status is Status.PROCESSED:
        found = manifest(tables, job.id)
        if found is not None and found.products:
            raise Superseded(f"job {job.id} made products: it is done once they are published")
    note = Note(at=change.at, actor=fence.name, message=change.message)
    return Receipt(job=tables.move(job, Status.DONE, note))


def fail_publication(tables: Tables, fence: Lease, change: FailPublication) -> Receipt:
    """See `models.publication.FailPublication`."""
    job = _as_seen(
        tables, change.job_id, change.expected_seq, Status.PROCESSED, Status.START_PUBLICATION
    )
    note = Note(at=change.at, actor=fence.name, subtype=change.subtype, message=change.message)
    failed = tables.move(
        job,
        Status.INTERNAL_ERROR,
        note,
        internal_failures=job.internal_failures + 1,
        quarantined=change.quarantined,
        resume_status=Status.READY,
    )
    return Receipt(job=failed)


def note_refusal(tables: Tables, fence: Lease, change: NoteRefusal) -> Receipt:
    """See `models.publication.NoteRefusal`."""
    return refused(tables, fence.name, change)


def refused(tables: Tables, actor: str, change: NoteRefusal) -> Receipt:
    """Count a refusal in the name of whoever found it; see `models.publication.NoteRefusal`."""
    named = tables.publications_by_product.of(change.product)
    if not named:
        raise Superseded(f"product {change.product} was never announced; nothing was written")
    found = max(named, key=lambda each: each.id)
    job = tables.jobs[found.job_id]
    after = after_refusal(found, change)
    if after is None:
        return Receipt()
    tables.publications.put(after.id, after)
    note = Note(at=change.at, actor=actor, subtype=REFUSED_BY_ENDPOINT, message=change.message)
    return Receipt(job=_sent_back(tables, job, after, note))


def _sent_back(tables: Tables, job: Job, after: Publication, note: Note) -> Job:
    announced = job.status in {Status.PUBLISHED, Status.DONE}
    if not announced and job.status is not Status.START_PUBLICATION:
        return job
    if after.state is PublicationState.FAILED:
        return tables.move(
            job,
            Status.INTERNAL_ERROR,
            replace(note, subtype=FAILED_ENDPOINT),
            internal_failures=job.internal_failures + 1,
            quarantined=True,
            resume_status=Status.PROCESSED,
        )
    if not announced:
        return job
    job = tables.move(job, Status.EXTERNAL_ERROR, note)
    job = tables.move(job, Status.ERROR_CHECKED, note)
    return tables.move(job, Status.START_PUBLICATION, note)


def park_message(tables: Tables, _fence: Lease, change: ParkMessage) -> Receipt:
    """See `models.publication.ParkMessage`."""
    former = tables.parked.get(change.body)
    tables.parked.put(
        change.body,
        Parked(
            id=former.id if former else tables.number("parked_messages"),
            body=change.body,
            why=change.why,
            first_at=former.first_at if former else change.at,
            last_at=change.at,
            count=former.count + 1 if former else 1,
        ),
    )
    return Receipt()


def _as_seen(tables: Tables, job_id: int, seq: int, *statuses: Status) -> Job:
    """The job as the pass saw it. Raises `Superseded` when it has moved on."""
    job = tables.job(job_id)
    if job.seq != seq or job.status not in statuses:
        raise Superseded(f"job {job_id} is {job.status} at {job.seq}; nothing was written")
    return job
