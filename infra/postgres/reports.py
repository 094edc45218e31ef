"""What the program on a worker says of its run: claim, report, end.

Each call is one transaction that locks the job's row first: of two claims one comes after the
other and sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import Connection, select

from infra.postgres.jobs import (
    Note,
    close_intent,
    close_run,
    failure_counted,
    input_of,
    job_of_run,
    move,
    run_of_job,
    touch_worker,
    write_run,
)
from infra.postgres.manifests import keep
from infra.postgres.sessions import Sessions
from infra.postgres.view import clock
from models.errors import IllegalTransition, NotFound, Superseded
from models.lifecycle import ON_WORKER, Status
from models.manifest import of_claim
from models.ports import Claim, Placement, RunResult
from models.records import IntentState, Job, Run, RunEnd
from models.tables import node_identities, runs

ACTOR = "worker"
LOST = "Worker lost"

_REPORTED = ON_WORKER - {Status.STARTED}
_ENDS: Mapping[Status, RunEnd] = MappingProxyType(
    {
        Status.PROCESSED: RunEnd.PROCESSED,
        Status.INTERNAL_ERROR: RunEnd.FAILED,
        Status.EXTERNAL_ERROR: RunEnd.FAILED,
    }
)


class PostgresReports:
    """`models.ports.RunReports` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        with self._sessions.write(f"claim run {run_id}") as connection:
            job, run = _known(connection, run_id)
            _check_current(job, run)
            if run.claim == 0 or run.allocation_id != placement.allocation_id:
                job, run = _claimed(connection, job, run, placement)
            return Claim(
                run_id=run.id,
                number=run.claim,
                attempt=run.attempt,
                job=job,
                input=input_of(connection, job),
            )

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        with self._sessions.write(f"report {status} of run {run_id}") as connection:
            job, run = _known(connection, run_id)
            _check_claim(job, run, claim)
            if status not in _REPORTED:
                raise IllegalTransition(f"run {run.id}: a program may not report {status}")
            if job.status is not status:
                move(connection, job, status, _note(clock(connection), message=message))

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        with self._sessions.write(f"end run {run_id} as {result.status}") as connection:
            job, run = _known(connection, run_id)
            if _said_already(connection, run, claim, result):
                return
            _check_claim(job, run, claim)
            _end(connection, job, run, result)


def _claimed(connection: Connection, job: Job, run: Run, placement: Placement) -> tuple[Job, Run]:
    now = clock(connection)
    if job.status in ON_WORKER:
        lost = _note(now, subtype=LOST, message=f"claim {run.claim} is outdated")
        job = move(connection, job, Status.EXTERNAL_ERROR, lost)
    job = move(connection, job, Status.STARTED, _note(now))
    run = write_run(
        connection,
        run,
        claim=run.claim + 1,
        claimed_at=now,
        allocation_id=placement.allocation_id,
        node_id=placement.node_id,
        node_name=placement.node_name,
        address=placement.address,
        server_id=_server_of(connection, placement.node_id),
    )
    touch_worker(connection, run.server_id, now)
    close_intent(connection, run.id, IntentState.DONE, at=now)
    return job, run


def _server_of(connection: Connection, node_id: str | None) -> str | None:
    return connection.execute(
        select(node_identities.c.server_id).where(node_identities.c.node_id == node_id)
    ).scalar_one_or_none()


def _end(connection: Connection, job: Job, run: Run, result: RunResult) -> None:
    ending = _ENDS.get(result.status)
    if ending is None:
        raise IllegalTransition(f"run {run.id}: a program may not end as {result.status}")
    now = clock(connection)
    failed = ending is RunEnd.FAILED
    counted = failure_counted(job, ending, result.status) if failed else {}
    note = _note(now, subtype=result.subtype, message=result.message)
    move(connection, job, result.status, note, **counted)
    if result.manifest is not None and ending is RunEnd.PROCESSED:
        keep(connection, of_claim(result.manifest, job.unique_id, run), job.id)
    close_run(
        connection,
        run,
        now,
        ended_as=ending,
        ended_in=result.status,
        exit_code=result.exit_code,
    )


def _said_already(connection: Connection, run: Run, claim: int, result: RunResult) -> bool:
    """The same claim has ended the run in the same way: its answer was lost."""
    if run.ended_at is None or (run.claim, run.exit_code) != (claim, result.exit_code):
        return False
    ended_in = select(runs.c.ended_in).where(runs.c.id == run.id)
    return bool(connection.execute(ended_in).scalar_one() == result.status)


def _known(connection: Connection, run_id: UUID) -> tuple[Job, Run]:
    job_id = job_of_run(connection, run_id)
    if job_id is None:
        raise NotFound(f"there is no run {run_id}")
    return run_of_job(connection, job_id, run_id)


def _check_current(job: Job, run: Run) -> None:
    if run.ended_at is not None or run.attempt != job.attempt:
        raise Superseded(f"run {run.id} is over, or job {job.id} has a newer one")


def _check_claim(job: Job, run: Run, claim: int) -> None:
    _check_current(job, run)
    if run.claim != claim or claim == 0:
        raise Superseded(f"claim {claim} of run {run.id} is outdated: the last one is {run.claim}")


def _note(at: datetime, *, subtype: str | None = None, message: str | None = None) -> Note:
    return Note(at=at, actor=ACTOR, subtype=subtype, message=message)
