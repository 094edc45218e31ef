"""What is done to the outbox: each function carries out one change of `models.publication`."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from infra.postgres.jobs import Note, locked_job, move
from infra.postgres.rows import Row
from models.errors import Superseded
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Receipt
from models.publication import (
    ANNOUNCED,
    FAILED_ENDPOINT,
    REFUSED_BY_ENDPOINT,
    BeginPublication,
    FailPublication,
    FinishJob,
    NoteCopied,
    NoteRefusal,
    NoteSending,
    NoteSent,
    ParkMessage,
    Publication,
    PublicationState,
    after_refusal,
    after_sending,
    begun_again,
    may_be_sent,
)
from models.records import Job, Lease
from models.tables import jobs, manifests, parked_messages, publications, runs

_FIELDS = (
    "id job_id run_id product kind digest state send begun_at changed_at refusals not_before note"
).split()
_CALLED = {"begun_at": "created_at"}
"""Columns that another name was given to."""

COLUMNS = tuple(publications.c[_CALLED.get(name, name)] for name in _FIELDS)
"""What a publication is read from, its message left out."""


def of_jobs(connection: Connection, job_ids: list[int]) -> list[Publication]:
    """The publications of these jobs, by id."""
    query = select(*COLUMNS).where(publications.c.job_id == func.any(job_ids))
    return [publication_in(row) for row in connection.execute(query.order_by(publications.c.id))]


def publication_in(row: Row) -> Publication:
    """A row that begins with `COLUMNS`."""
    known = dict(zip(_FIELDS, row[: len(COLUMNS)], strict=True))
    return Publication(**{**known, "state": PublicationState(known["state"])})


def manifest_of(connection: Connection, job_id: int) -> Manifest | None:
    """What the newest run of a job made, if it said so."""
    document: Any = connection.execute(
        select(manifests.c.document)
        .join(runs, runs.c.id == manifests.c.run_id)
        .join(jobs, (jobs.c.id == runs.c.job_id) & (jobs.c.attempt == runs.c.attempt))
        .where(jobs.c.id == job_id)
    ).scalar_one_or_none()
    return None if document is None else msgspec.convert(document, Manifest)


# ---- changes -------------------------------------------------------------------------------------


def begin_publication(connection: Connection, fence: Lease, change: BeginPublication) -> Receipt:
    """See `models.publication.BeginPublication`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.PROCESSED)
    known = {each.product: each for each in of_jobs(connection, [job.id])}
    for draft in change.drafts:
        former = known.get(draft.product)
        if former is not None:
            write(connection, begun_again(former, change), body=draft.body, confirmed_at=None)
            continue
        connection.execute(
            insert(publications).values(
                job_id=job.id,
                run_id=change.run_id,
                product=draft.product,
                kind=draft.kind,
                digest=change.digest,
                body=draft.body,
                state=PublicationState.WAITING,
                send=1,
                created_at=change.at,
                changed_at=change.at,
            )
        )
    note = Note(at=change.at, actor=fence.name)
    return Receipt(job=move(connection, job, Status.START_PUBLICATION, note))


def note_copied(connection: Connection, _fence: Lease, change: NoteCopied) -> Receipt:
    """See `models.publication.NoteCopied`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    for each in of_jobs(connection, [job.id]):
        if each.id in change.publication_ids and each.state is PublicationState.WAITING:
            _set(connection, each, PublicationState.COPIED, change.at)
    return Receipt(job=job)


def note_sending(connection: Connection, _fence: Lease, change: NoteSending) -> Receipt:
    """See `models.publication.NoteSending`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    for each in of_jobs(connection, [job.id]):
        if each.id in change.publication_ids and may_be_sent(each, change.at):
            _set(connection, each, PublicationState.SENDING, change.at)
    return Receipt(job=job)


def note_sent(connection: Connection, fence: Lease, change: NoteSent) -> Receipt:
    """See `models.publication.NoteSent`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    fates = {key: (fate, why) for key, fate, why in change.fates}
    states: list[PublicationState] = []
    for each in of_jobs(connection, [job.id]):
        state = each.state
        if each.id in fates and state is PublicationState.SENDING:
            after = after_sending(each, *fates[each.id], change.at)
            confirmed = change.at if after.state in ANNOUNCED else None
            write(connection, after, confirmed_at=confirmed)
            state = after.state
        states.append(state)
    if ANNOUNCED.issuperset(states):
        note = Note(at=change.at, actor=fence.name, message=change.message)
        job = move(connection, job, Status.PUBLISHED, note)
        job = move(connection, job, Status.DONE, note)
    return Receipt(job=job)


def finish_job(connection: Connection, fence: Lease, change: FinishJob) -> Receipt:
    """See `models.publication.FinishJob`."""
    job = _as_seen(
        connection, change.job_id, change.expected_seq, Status.PROCESSED, Status.PUBLISHED
    )
    if job.status is Status.PROCESSED:
        manifest = manifest_of(connection, job.id)
        if manifest is not None and manifest.products:
            raise Superseded(f"job {job.id} made products: it is done once they are published")
    note = Note(at=change.at, actor=fence.name, message=change.message)
    return Receipt(job=move(connection, job, Status.DONE, note))


def fail_publication(connection: Connection, fence: Lease, change: FailPublication) -> Receipt:
    """See `models.publication.FailPublication`."""
    job = _as_seen(
        connection, change.job_id, change.expected_seq, Status.PROCESSED, Status.START_PUBLICATION
    )
    note = Note(at=change.at, actor=fence.name, subtype=change.subtype, message=change.message)
    failed = move(
        connection,
        job,
        Status.INTERNAL_ERROR,
        note,
        internal_failures=job.internal_failures + 1,
        quarantined=change.quarantined,
        resume_status=Status.READY,
    )
    return Receipt(job=failed)


def note_refusal(connection: Connection, fence: Lease, change: NoteRefusal) -> Receipt:
    """See `models.publication.NoteRefusal`."""
    return refused(connection, fence.name, change)


def refused(connection: Connection, actor: str, change: NoteRefusal) -> Receipt:
    """Count a refusal in the name of whoever found it; see `models.publication.NoteRefusal`."""
    job_id = connection.execute(
        select(publications.c.job_id)
        .where(publications.c.product == change.product)
        .order_by(publications.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if job_id is None:
        raise Superseded(f"product {change.product} was never announced; nothing was written")
    job = locked_job(connection, job_id)
    (found,) = (each for each in of_jobs(connection, [job_id]) if each.product == change.product)
    after = after_refusal(found, change)
    if after is None:
        return Receipt()
    write(connection, after, confirmed_at=None)
    note = Note(at=change.at, actor=actor, subtype=REFUSED_BY_ENDPOINT, message=change.message)
    return Receipt(job=_sent_back(connection, job, after, note))


def _sent_back(connection: Connection, job: Job, after: Publication, note: Note) -> Job:
    """Where a job goes of which a product was refused; one that is elsewhere stays there."""
    announced = job.status in {Status.PUBLISHED, Status.DONE}
    if not announced and job.status is not Status.START_PUBLICATION:
        return job
    if after.state is PublicationState.FAILED:
        failed = Note(at=note.at, actor=note.actor, subtype=FAILED_ENDPOINT, message=note.message)
        return move(
            connection,
            job,
            Status.INTERNAL_ERROR,
            failed,
            internal_failures=job.internal_failures + 1,
            quarantined=True,
            resume_status=Status.PROCESSED,
        )
    if not announced:
        return job
    job = move(connection, job, Status.EXTERNAL_ERROR, note)
    job = move(connection, job, Status.ERROR_CHECKED, note)
    return move(connection, job, Status.START_PUBLICATION, note)


def park_message(connection: Connection, _fence: Lease, change: ParkMessage) -> Receipt:
    """See `models.publication.ParkMessage`."""
    columns = parked_messages.c
    new = insert(parked_messages).values(
        digest=hashlib.sha256(change.body).digest(),
        body=change.body,
        why=change.why,
        first_at=change.at,
        last_at=change.at,
        count=1,
    )
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[columns.digest],
            set_={"why": change.why, "last_at": change.at, "count": columns["count"] + 1},
        )
    )
    return Receipt()


def _as_seen(connection: Connection, job_id: int, seq: int, *statuses: Status) -> Job:
    """The job, locked, as the pass saw it. Raises `Superseded` when it has moved on."""
    job = locked_job(connection, job_id)
    if job.seq != seq or job.status not in statuses:
        raise Superseded(
            f"job {job_id} is {job.status} at {job.seq}, not {statuses[0]} at {seq} any more; "
            "nothing was written"
        )
    return job


def _set(connection: Connection, found: Publication, state: PublicationState, at: Any) -> None:
    connection.execute(
        update(publications)
        .where(publications.c.id == found.id)
        .values(state=state, changed_at=at, not_before=None)
    )


def write(connection: Connection, after: Publication, **more: Any) -> None:
    """Write what has become of a publication; its job is locked."""
    connection.execute(
        update(publications)
        .where(publications.c.id == after.id)
        .values(
            run_id=after.run_id,
            digest=after.digest,
            state=after.state,
            send=after.send,
            created_at=after.begun_at,
            changed_at=after.changed_at,
            refusals=after.refusals,
            not_before=after.not_before,
            note=after.note,
            **more,
        )
    )
