"""Changes of jobs and their runs: queue, send, confirm, abandon, end, resume."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, update
from sqlalchemy.dialects.postgresql import insert

from infra.postgres.intents import open_one
from infra.postgres.jobs import (
    Note,
    Rest,
    close_intent,
    close_run,
    current_run,
    failure_counted,
    go_on,
    input_of,
    known_run,
    locked_job,
    move,
    write_run,
)
from infra.postgres.rows import RUN, run_from
from models.changes import AbandonRun, ConfirmRun, EndRun, QueueRun, ResendRun, ResumeJob
from models.errors import IllegalTransition, Superseded
from models.lifecycle import ERRORS, Status
from models.ports import Receipt
from models.records import IntentState, Job, Lease, Run, RunEnd
from models.tables import intents, runs

_RUN_ERRORS = ERRORS - {Status.ERROR_CHECKED}


def queue_run(connection: Connection, fence: Lease, change: QueueRun) -> Receipt:
    """See `models.changes.QueueRun`."""
    job = locked_job(connection, change.job_id)
    held = job.not_before is not None and job.not_before > change.at
    if job.status is not Status.READY or held:
        raise Superseded(f"job {job.id} is {job.status}{' and held back' if held else ''}")
    note = Note(at=change.at, actor=fence.name)
    job = move(connection, job, Status.QUEUED, note, attempt=job.attempt + 1)
    row = connection.execute(
        insert(runs)
        .values(
            id=change.intent.id,
            job_id=job.id,
            attempt=job.attempt,
            created_at=change.at,
            sent_at=change.at,
        )
        .on_conflict_do_nothing(index_elements=[runs.c.id])
        .returning(*RUN)
    ).one_or_none()
    if row is None:
        raise Superseded(f"run {change.intent.id} exists already; nothing was written")
    open_one(connection, fence, change.intent)
    return Receipt(job=job, run=run_from(row), input=input_of(connection, job))


def resend_run(connection: Connection, fence: Lease, change: ResendRun) -> Receipt:
    """See `models.changes.ResendRun`."""
    job, run = _unclaimed(connection, change.run_id)
    run = write_run(connection, run, sent_at=change.at)
    connection.execute(
        update(intents)
        .where(intents.c.id == run.id)
        .values(
            state=IntentState.OPEN,
            closed_at=None,
            deadline=change.deadline,
            lease=fence.name,
            epoch=fence.epoch,
        )
    )
    return Receipt(job=job, run=run, input=input_of(connection, job))


def confirm_run(connection: Connection, _fence: Lease, change: ConfirmRun) -> Receipt:
    """See `models.changes.ConfirmRun`."""
    job, run = known_run(connection, change.run_id)
    if run.ended_at is not None:
        raise Superseded(f"run {run.id} has ended as {run.end}")
    run = write_run(connection, run, nomad_job_id=change.nomad_job_id)
    close_intent(connection, run.id, IntentState.DONE, at=change.at)
    return Receipt(job=job, run=run)


def abandon_run(connection: Connection, fence: Lease, change: AbandonRun) -> Receipt:
    """See `models.changes.AbandonRun`."""
    job, run = _unclaimed(connection, change.run_id)
    note = Note(at=change.at, actor=fence.name, message=change.message)
    job = move(connection, job, Status.READY, note)
    run = write_run(connection, run, ended_at=change.at, ended_as=RunEnd.NOT_DISPATCHED)
    close_intent(connection, run.id, IntentState.REFUTED, at=change.at, note=change.message)
    return Receipt(job=job, run=run)


def end_run(connection: Connection, fence: Lease, change: EndRun) -> Receipt:
    """See `models.changes.EndRun`."""
    job = locked_job(connection, change.job_id)
    run = current_run(connection, job)
    if job.seq != change.expected_seq or run is None or run.id != change.run_id:
        raise Superseded(f"job {job.id} has moved on to {job.status}, its history to {job.seq}")
    if change.status not in _RUN_ERRORS:
        raise IllegalTransition(f"job {job.id}: {change.status} is no error status to end a run in")
    note = Note(at=change.at, actor=fence.name, subtype=change.subtype, message=change.message)
    counted = failure_counted(job, change.end, change.status)
    failed = move(connection, job, change.status, note, **counted)
    after = Note(at=change.at, actor=fence.name)
    job = go_on(connection, failed, Rest(then=change.then, until=change.retry_at), after)
    run = close_run(connection, run, change.at, ended_as=change.end, exit_code=change.exit_code)
    return Receipt(job=job, run=run)


def resume_job(connection: Connection, fence: Lease, change: ResumeJob) -> Receipt:
    """See `models.changes.ResumeJob`."""
    job = locked_job(connection, change.job_id)
    if job.seq != change.expected_seq or job.status not in ERRORS or job.quarantined:
        raise Superseded(f"job {job.id} has moved on to {job.status}, its history to {job.seq}")
    note = Note(at=change.at, actor=fence.name, message=change.message)
    rest = Rest(then=change.then, until=change.retry_at)
    return Receipt(job=go_on(connection, job, rest, note))


def _unclaimed(connection: Connection, run_id: UUID) -> tuple[Job, Run]:
    job, run = known_run(connection, run_id)
    is_current = run.ended_at is None and run.attempt == job.attempt
    if not is_current or run.claim != 0 or job.status is not Status.QUEUED:
        raise Superseded(f"run {run.id} of job {job.id} ({job.status}) is claimed or over")
    return job, run
