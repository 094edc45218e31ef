"""What the program on a worker says of its run: claim, report, end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from models.errors import IllegalTransition, NotFound, Superseded
from models.lifecycle import ON_WORKER, Status
from models.manifest import of_claim
from models.ports import Claim, Placement, RunResult
from models.records import IntentState, Job, Run, RunEnd
from simulator.store.runs import close_run, counted
from simulator.store.tables import Note, Tables

ACTOR = "worker"
LOST = "Worker lost"

_ENDS = {
    Status.PROCESSED: RunEnd.PROCESSED,
    Status.INTERNAL_ERROR: RunEnd.FAILED,
    Status.EXTERNAL_ERROR: RunEnd.FAILED,
}


def claim(tables: Tables, run_id: UUID, placement: Placement, now: datetime) -> Claim:
    """See `models.ports.RunReports.claim`."""
    run, job = _known(tables, run_id)
    if tables.current_run(job) != run:
        raise Superseded(f"run {run.id} is over, or job {job.id} has a newer one")
    if run.claim == 0 or run.allocation_id != placement.allocation_id:
        job, run = _claimed(tables, job, run, placement, now)
    return Claim(
        run_id=run.id,
        number=run.claim,
        attempt=run.attempt,
        job=job,
        input=tables.input_of(job),
    )


def _claimed(
    tables: Tables, job: Job, run: Run, placement: Placement, now: datetime
) -> tuple[Job, Run]:
    if job.status in ON_WORKER:
        lost = Note(at=now, actor=ACTOR, subtype=LOST, message=f"claim {run.claim} is outdated")
        job = tables.move(job, Status.EXTERNAL_ERROR, lost)
    job = tables.move(job, Status.STARTED, Note(at=now, actor=ACTOR))
    identity = tables.identities.get(placement.node_id or "")
    run = replace(
        run,
        claim=run.claim + 1,
        claimed_at=now,
        allocation_id=placement.allocation_id,
        node_id=placement.node_id,
        node_name=placement.node_name,
        address=placement.address,
        server_id=identity.server_id if identity else None,
    )
    tables.runs.put(run.id, run)
    tables.close_intent(run.id, IntentState.DONE)
    tables.touch_worker(run.server_id, now)
    return job, run


def report(tables: Tables, run_id: UUID, number: int, status: Status, note: Note) -> None:
    """See `models.ports.RunReports.report`."""
    run, job = _known(tables, run_id)
    _check_claim(tables, job, run, number)
    if status not in ON_WORKER - {Status.STARTED}:
        raise IllegalTransition(f"run {run.id}: a program may not report {status}")
    if job.status is not status:
        tables.move(job, status, note)


def end(tables: Tables, run_id: UUID, number: int, result: RunResult, now: datetime) -> None:
    """See `models.ports.RunReports.end`."""
    run, job = _known(tables, run_id)
    if _said_already(tables, run, number, result):
        return
    _check_claim(tables, job, run, number)
    ending = _ENDS.get(result.status)
    if ending is None:
        raise IllegalTransition(f"run {run.id}: a program may not end as {result.status}")
    if ending is RunEnd.FAILED:
        job = counted(job, ending, result.status)
    note = Note(at=now, actor=ACTOR, subtype=result.subtype, message=result.message)
    tables.move(job, result.status, note)
    if result.manifest is not None and ending is RunEnd.PROCESSED:
        tables.manifests.put(run.id, of_claim(result.manifest, job.unique_id, run))
    close_run(tables, run, ending, now, result.exit_code)


def _said_already(tables: Tables, run: Run, number: int, result: RunResult) -> bool:
    """The same claim has ended the run in the same way: its answer was lost."""
    if run.ended_at is None or (run.claim, run.exit_code) != (number, result.exit_code):
        return False
    return any(
        row.attempt == run.attempt and row.after is result.status and row.actor == ACTOR
        for row in tables.history[run.job_id]
        if row.subtype != LOST
    )


def _known(tables: Tables, run_id: UUID) -> tuple[Run, Job]:
    run = tables.runs.get(run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run, tables.jobs[run.job_id]


def _check_claim(tables: Tables, job: Job, run: Run, number: int) -> None:
    if tables.current_run(job) != run:
        raise Superseded(f"run {run.id} is over, or job {job.id} has a newer one")
    if run.claim != number or number == 0:
        raise Superseded(f"claim {number} of run {run.id} is outdated: the last one is {run.claim}")
