"""The outbox of announcements: which products of a job are to be told of, and how far that came."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from infra.postgres import trail
from infra.postgres.jobs import Note, locked_job, move
from infra.postgres.rows import JOB, Row, job_from
from infra.postgres.sessions import Sessions
from infra.postgres.statements import statement
from models.errors import Superseded
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Asked, Receipt
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
)
from models.records import Job, Lease
from models.tables import jobs, manifests, parked_messages, publications, runs

_COLUMNS = tuple(
    publications.c[name]
    for name in (
        "id job_id run_id product kind digest state send changed_at refusals not_before note"
    ).split()
)
_JOB_WIDTH = len(JOB)

_PENDING = statement("""
select $JOB_j, (select jsonb_array_length(m.document -> 'products')
                from runs r join manifests m on m.run_id = r.id
                where r.job_id = j.id and r.attempt = j.attempt)
from jobs j
where j.status in ('processed', 'start_publication', 'published')
order by j.priority_rank, j.status_at, j.id limit :most
""")

STATEMENTS = (_PENDING,)
"""The query that every pass makes; the other one asks for the publications by their jobs."""


class PostgresOutbox:
    """`models.outbox.Outbox` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def pending(self, limit: int) -> tuple[Publishing, ...]:
        """See `models.outbox.Outbox.pending`."""
        with self._sessions.read("look at the outbox") as connection:
            rows = connection.execute(_PENDING, {"most": limit}).cursor.fetchall()
            found = [(job_from(row), row[_JOB_WIDTH]) for row in rows]
            begun = [job.id for job, _ in found if job.status is Status.START_PUBLICATION]
            kept = _by_job(_of_jobs(connection, begun))
        return tuple(
            Publishing(job=job, products=number, publications=tuple(kept[job.id]))
            for job, number in found
        )

    def manifest(self, job_id: int) -> Manifest | None:
        """See `models.outbox.Outbox.manifest`."""
        with self._sessions.read("read what a run made") as connection:
            return _manifest(connection, job_id)

    def outgoing(self, job_id: int) -> tuple[Outgoing, ...]:
        """See `models.outbox.Outbox.outgoing`."""
        query = (
            select(*_COLUMNS, publications.c.body)
            .where(publications.c.job_id == job_id)
            .order_by(publications.c.id)
        )
        with self._sessions.read("read the messages of a job") as connection:
            rows = connection.execute(query).all()
        return tuple(
            Outgoing(publication=_publication(row), body=bytes(row[len(_COLUMNS)])) for row in rows
        )

    def parked(self, limit: int = 100) -> tuple[Parked, ...]:
        """See `models.outbox.Outbox.parked`."""
        columns = parked_messages.c
        query = (
            select(
                columns.id,
                columns.body,
                columns.why,
                columns.first_at,
                columns.last_at,
                columns["count"],
            )
            .order_by(columns.last_at.desc(), columns.id)
            .limit(limit)
        )
        with self._sessions.read("list parked messages") as connection:
            rows = connection.execute(query).all()
        return tuple(
            Parked(id=key, body=bytes(body), why=why, first_at=first, last_at=last, count=count)
            for key, body, why, first, last, count in rows
        )

    def confirm_spooled(self, message_ids: Sequence[str], asked: Asked) -> int:
        """See `models.outbox.Outbox.confirm_spooled`."""
        columns = publications.c
        whole = func.concat(columns.product, ":", columns.digest, ":", columns.send)
        # The name alone has an index.
        names = [message_id.partition(":")[0] for message_id in message_ids]
        with self._sessions.write("confirm spooled messages") as connection:
            found = connection.execute(
                update(publications)
                .where(columns.product == func.any(names), whole == func.any([*message_ids]))
                .where(columns.state == PublicationState.SPOOLED)
                .values(
                    state=PublicationState.CONFIRMED,
                    changed_at=func.now(),
                    confirmed_at=func.now(),
                    note=None,
                )
                .returning(columns.product)
            ).scalars()
            subjects = [f"product:{name}" for name in found]
            trail.note(connection, "send-spool", asked, sorted(subjects))
            return len(subjects)


def _by_job(found: Iterable[Publication]) -> defaultdict[int, list[Publication]]:
    kept: defaultdict[int, list[Publication]] = defaultdict(list)
    for publication in found:
        kept[publication.job_id].append(publication)
    return kept


def _of_jobs(connection: Connection, job_ids: list[int]) -> list[Publication]:
    query = select(*_COLUMNS).where(publications.c.job_id == func.any(job_ids))
    return [_publication(row) for row in connection.execute(query.order_by(publications.c.id))]


def _publication(row: Row) -> Publication:
    key, job_id, run_id, product, kind, digest, state, send, changed, refusals, rest, note = row[
        : len(_COLUMNS)
    ]
    return Publication(
        id=key,
        job_id=job_id,
        run_id=run_id,
        product=product,
        kind=kind,
        digest=digest,
        state=PublicationState(state),
        send=send,
        changed_at=changed,
        refusals=refusals,
        not_before=rest,
        note=note,
    )


def _manifest(connection: Connection, job_id: int) -> Manifest | None:
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
    known = {each.product: each for each in _of_jobs(connection, [job.id])}
    for draft in change.drafts:
        former = known.get(draft.product)
        if former is not None:
            _write(connection, begun_again(former, change), body=draft.body, confirmed_at=None)
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
    for each in _of_jobs(connection, [job.id]):
        if each.id in change.publication_ids and each.state is PublicationState.WAITING:
            _set(connection, each, PublicationState.COPIED, change.at)
    return Receipt(job=job)


def note_sending(connection: Connection, _fence: Lease, change: NoteSending) -> Receipt:
    """See `models.publication.NoteSending`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    for each in _of_jobs(connection, [job.id]):
        if each.id in change.publication_ids and may_be_sent(each, change.at):
            _set(connection, each, PublicationState.SENDING, change.at)
    return Receipt(job=job)


def note_sent(connection: Connection, fence: Lease, change: NoteSent) -> Receipt:
    """See `models.publication.NoteSent`."""
    job = _as_seen(connection, change.job_id, change.expected_seq, Status.START_PUBLICATION)
    fates = {key: (fate, why) for key, fate, why in change.fates}
    states: list[PublicationState] = []
    for each in _of_jobs(connection, [job.id]):
        state = each.state
        if each.id in fates and state is PublicationState.SENDING:
            after = after_sending(each, *fates[each.id], change.at)
            confirmed = change.at if after.state in ANNOUNCED else None
            _write(connection, after, confirmed_at=confirmed)
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
        manifest = _manifest(connection, job.id)
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
    job_id = connection.execute(
        select(publications.c.job_id)
        .where(publications.c.product == change.product)
        .order_by(publications.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if job_id is None:
        raise Superseded(f"product {change.product} was never announced; nothing was written")
    job = locked_job(connection, job_id)
    (found,) = (each for each in _of_jobs(connection, [job_id]) if each.product == change.product)
    after = after_refusal(found, change)
    if after is None:
        return Receipt(job=job)
    _write(connection, after, confirmed_at=None)
    return Receipt(job=_sent_back(connection, job, after, _refused(fence, change)))


def _refused(fence: Lease, change: NoteRefusal) -> Note:
    return Note(at=change.at, actor=fence.name, subtype=REFUSED_BY_ENDPOINT, message=change.message)


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


def _write(connection: Connection, after: Publication, **more: Any) -> None:
    connection.execute(
        update(publications)
        .where(publications.c.id == after.id)
        .values(
            run_id=after.run_id,
            digest=after.digest,
            state=after.state,
            send=after.send,
            changed_at=after.changed_at,
            refusals=after.refusals,
            not_before=after.not_before,
            note=after.note,
            **more,
        )
    )
