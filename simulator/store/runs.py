"""Changes of jobs and their runs: queue, send, confirm, abandon, end, resume."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from models.changes import AbandonRun, ConfirmRun, EndRun, QueueRun, ResendRun, ResumeJob
from models.errors import IllegalTransition, Superseded
from models.lifecycle import ERRORS, Status
from models.plan import Next
from models.ports import Receipt
from models.records import IntentState, Job, Lease, Run, RunEnd
from simulator.store.tables import Note, Tables


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """How a job in an error status goes on, and until when it waits."""

    then: Next
    until: datetime | None
    message: str | None = None


def queue_run(tables: Tables, fence: Lease, change: QueueRun) -> Receipt:
    """See `models.changes.QueueRun`."""
    job = tables.job(change.job_id)
    held = job.not_before is not None and job.not_before > change.at
    if job.status is not Status.READY or held:
        raise Superseded(f"job {job.id} is {job.status}{' and held back' if held else ''}")
    if change.intent.id in tables.runs:
        raise Superseded(f"run {change.intent.id} exists already")
    tables.open_intent(change.intent, fence)
    job = replace(job, attempt=job.attempt + 1)
    job = tables.move(job, Status.QUEUED, Note(at=change.at, actor=fence.name))
    run = Run(
        id=change.intent.id,
        job_id=job.id,
        attempt=job.attempt,
        claim=0,
        created_at=change.at,
        sent_at=change.at,
    )
    tables.runs.put(run.id, run)
    return Receipt(job=job, run=run, input=tables.input_of(job))


def resend_run(tables: Tables, fence: Lease, change: ResendRun) -> Receipt:
    """See `models.changes.ResendRun`."""
    job, run = _unclaimed(tables, change.run_id)
    run = replace(run, sent_at=change.at)
    tables.runs.put(run.id, run)
    intent = tables.intents[run.id]
    tables.intents.put(
        intent.id,
        replace(
            intent,
            state=IntentState.OPEN,
            deadline=change.deadline,
            lease=fence.name,
            epoch=fence.epoch,
        ),
    )
    return Receipt(job=job, run=run, input=tables.input_of(job))


def confirm_run(tables: Tables, _fence: Lease, change: ConfirmRun) -> Receipt:
    """See `models.changes.ConfirmRun`."""
    run = _known(tables, change.run_id)
    if run.ended_at is not None:
        raise Superseded(f"run {run.id} has ended as {run.end}")
    run = replace(run, nomad_job_id=change.nomad_job_id)
    tables.runs.put(run.id, run)
    tables.close_intent(run.id, IntentState.DONE)
    return Receipt(job=tables.jobs[run.job_id], run=run)


def abandon_run(tables: Tables, fence: Lease, change: AbandonRun) -> Receipt:
    """See `models.changes.AbandonRun`."""
    job, run = _unclaimed(tables, change.run_id)
    note = Note(at=change.at, actor=fence.name, message=change.message)
    job = tables.move(job, Status.READY, note)
    run = replace(run, ended_at=change.at, end=RunEnd.NOT_DISPATCHED)
    tables.runs.put(run.id, run)
    tables.close_intent(run.id, IntentState.REFUTED, change.message)
    return Receipt(job=job, run=run)


def end_run(tables: Tables, fence: Lease, change: EndRun) -> Receipt:
    """See `models.changes.EndRun`."""
    job = tables.job(change.job_id)
    run = tables.current_run(job)
    if job.seq != change.expected_seq or run is None or run.id != change.run_id:
        raise Superseded(f"job {job.id} has moved on to {job.status}, its history to {job.seq}")
    if change.status not in ERRORS - {Status.ERROR_CHECKED}:
        raise IllegalTransition(f"job {job.id}: {change.status} is no error status to end a run in")
    note = Note(at=change.at, actor=fence.name, subtype=change.subtype, message=change.message)
    failed = tables.move(counted(job, change.end, change.status), change.status, note)
    run = close_run(tables, run, change.end, change.at, change.exit_code)
    rest = Rest(then=change.then, until=change.retry_at)
    return Receipt(job=go_on(tables, failed, rest, Note(at=change.at, actor=fence.name)), run=run)


def resume_job(tables: Tables, fence: Lease, change: ResumeJob) -> Receipt:
    """See `models.changes.ResumeJob`."""
    job = tables.job(change.job_id)
    if job.seq != change.expected_seq or job.status not in ERRORS or job.quarantined:
        raise Superseded(f"job {job.id} has moved on to {job.status}, its history to {job.seq}")
    rest = Rest(then=change.then, until=change.retry_at)
    note = Note(at=change.at, actor=fence.name, message=change.message)
    return Receipt(job=go_on(tables, job, rest, note))


def counted(job: Job, end: RunEnd, status: Status) -> Job:
    """The job with one more failure in its budget, of the class that it belongs to."""
    if end is RunEnd.LOST:
        return replace(job, losses=job.losses + 1)
    if status is Status.INTERNAL_ERROR:
        return replace(job, internal_failures=job.internal_failures + 1)
    return replace(job, external_failures=job.external_failures + 1)


def go_on(tables: Tables, job: Job, rest: Rest, note: Note) -> Job:
    """Let a job in an error status rest, or send it through error_checked."""
    if rest.then is Next.REQUEUE:
        return through_check(tables, job, note, not_before=rest.until)
    quarantined = rest.then is Next.QUARANTINE
    job = replace(job, not_before=rest.until, quarantined=quarantined)
    tables.put_job(job)
    return job


def through_check(
    tables: Tables, job: Job, note: Note, *, not_before: datetime | None = None
) -> Job:
    """Send a job on to its resume status by way of error_checked."""
    job = tables.move(job, Status.ERROR_CHECKED, note)
    return tables.move(job, job.resume_status, note, not_before=not_before)


def close_run(
    tables: Tables, run: Run, end: RunEnd, at: datetime, exit_code: int | None = None
) -> Run:
    """End a run, refute its dispatch if that is still open, and free its worker."""
    run = replace(run, ended_at=at, end=end, exit_code=exit_code)
    tables.runs.put(run.id, run)
    tables.close_intent(run.id, IntentState.REFUTED)
    tables.touch_worker(run.server_id, at)
    return run


def _known(tables: Tables, run_id: UUID) -> Run:
    run = tables.runs.get(run_id)
    if run is None:
        raise Superseded(f"run {run_id} does not exist; nothing was written")
    return run


def _unclaimed(tables: Tables, run_id: UUID) -> tuple[Job, Run]:
    run = _known(tables, run_id)
    job = tables.jobs[run.job_id]
    current = tables.current_run(job)
    if current != run or run.claim != 0 or job.status is not Status.QUEUED:
        raise Superseded(f"run {run.id} of job {job.id} ({job.status}) is claimed or over")
    return job, run
