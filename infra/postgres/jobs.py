"""Writes of jobs and runs that several changes share; all of them inside a caller's transaction.

Rows are locked in one order everywhere (lease, job, run, worker, intent), so that no two
transactions wait for each other. A status is written by `move` alone (many at once by
`infra.postgres.people`); the trigger beside the table appends the history.

What is locked and open is found among the open rows, whose indexes stay small whatever is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, TextClause, select, update

from infra.postgres.rows import JOB, RUN, Row, job_from, run_from
from infra.postgres.statements import statement
from models import lifecycle
from models.errors import Superseded
from models.lifecycle import FINAL, Status
from models.plan import Next
from models.records import IntentState, Job, Run, RunEnd, WorkerState
from models.tables import intents, jobs, runs, workers

# As the index of open jobs says it, which finds one by its id and which no list goes through: no
# list says it in these words.
_OPEN_JOB = statement("(jobs.status in ($FINAL)) is false")
_OPEN_RUN = statement("runs.ended_at is null")


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a history row says besides the status."""

    at: datetime
    actor: str
    subtype: str | None = None
    message: str | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the job's row that the history is written from."""
        return {
            "status_at": self.at,
            "status_actor": self.actor,
            "status_message": self.message or None,
            "error_subtype": self.subtype,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """How a job in an error status goes on, and until when it waits."""

    then: Next
    until: datetime | None


# ---- finding and locking -------------------------------------------------------------------------


def locked_job(connection: Connection, job_id: int) -> Job:
    """The job, locked until the transaction ends. Raises `Superseded` when there is none."""
    query = select(*JOB).where(jobs.c.id == job_id).with_for_update()
    row = _most_likely(connection, query, _OPEN_JOB)
    if row is None:
        raise Superseded(f"job {job_id} does not exist; nothing was written")
    return job_from(row)


def current_run(connection: Connection, job: Job) -> Run | None:
    """The open run of a locked job's newest attempt."""
    query = select(*RUN).where(runs.c.job_id == job.id, runs.c.attempt == job.attempt, _OPEN_RUN)
    row = connection.execute(query).one_or_none()
    return None if row is None else run_from(row)


def job_of_run(connection: Connection, run_id: UUID) -> int | None:
    """The id of the job that a run is an attempt at; neither is locked."""
    row = _most_likely(connection, select(runs.c.job_id).where(runs.c.id == run_id), _OPEN_RUN)
    return None if row is None else row[0]


def known_run(connection: Connection, run_id: UUID) -> tuple[Job, Run]:
    """A run and its job, the job locked. Raises `Superseded` when there is no such run."""
    job_id = job_of_run(connection, run_id)
    if job_id is None:
        raise Superseded(f"run {run_id} does not exist; nothing was written")
    return run_of_job(connection, job_id, run_id)


def run_of_job(connection: Connection, job_id: int, run_id: UUID) -> tuple[Job, Run]:
    """A job, locked, and then a run that is known to be one of its attempts."""
    job = locked_job(connection, job_id)
    run = current_run(connection, job)
    if run is None or run.id != run_id:
        run = run_from(connection.execute(select(*RUN).where(runs.c.id == run_id)).one())
    return job, run


def input_of(connection: Connection, job: Job) -> dict[str, Any]:
    """What a locked job is to work on: what it was handed in with, and over that what configuration
    found out.
    """
    query = select(jobs.c.input, jobs.c.config).where(jobs.c.id == job.id, *_among(job))
    given, config = connection.execute(query).one()
    return {**given, **(config or {})}


def _most_likely(connection: Connection, query: Select[Any], is_open: TextClause) -> Row | None:
    """The one row of a query. It is looked for among the open ones before it is among all."""
    row = connection.execute(query.where(is_open)).one_or_none()
    return connection.execute(query).one_or_none() if row is None else row


def _among(job: Job) -> tuple[TextClause, ...]:
    """Where to look for the row of a locked job."""
    return () if job.status in FINAL else (_OPEN_JOB,)


# ---- writing -------------------------------------------------------------------------------------


def move(connection: Connection, job: Job, after: Status, note: Note, **fields: Any) -> Job:
    """Change a locked job's status, and `fields` with it; the history follows by itself.

    Raises `IllegalTransition` when the status table forbids it.
    """
    lifecycle.check(job.status, after, of=f"job {job.id}")
    return write(connection, job, status=after, seq=job.seq + 1, **note.columns, **fields)


def write(connection: Connection, job: Job, **values: Any) -> Job:
    """Change columns of one locked job, and only these."""
    this = update(jobs).where(jobs.c.id == job.id).where(*_among(job))
    return job_from(connection.execute(this.values(**values).returning(*JOB)).one())


def write_run(connection: Connection, run: Run, **values: Any) -> Run:
    """Change columns of one open run, and only these; its job is locked."""
    this = update(runs).where(runs.c.job_id == run.job_id, runs.c.id == run.id, _OPEN_RUN)
    return run_from(connection.execute(this.values(**values).returning(*RUN)).one())


def failure_counted(job: Job, end: RunEnd, status: Status) -> dict[str, int]:
    """The counter of the job's budget that one more failure belongs to, with its new value."""
    if end is RunEnd.LOST:
        return {"losses": job.losses + 1}
    if status is Status.INTERNAL_ERROR:
        return {"internal_failures": job.internal_failures + 1}
    return {"external_failures": job.external_failures + 1}


def go_on(connection: Connection, job: Job, rest: Rest, note: Note) -> Job:
    """Let a job in an error status rest, or send it through error_checked to its resume status."""
    if rest.then is Next.REQUEUE:
        checked = move(connection, job, Status.ERROR_CHECKED, note)
        return move(connection, checked, job.resume_status, note, not_before=rest.until)
    quarantined = rest.then is Next.QUARANTINE
    return write(connection, job, not_before=rest.until, quarantined=quarantined)


def close_run(connection: Connection, run: Run, at: datetime, **values: Any) -> Run:
    """End a run, refute its dispatch if that is still open, and free its worker."""
    ended = write_run(connection, run, ended_at=at, **values)
    touch_worker(connection, run.server_id, at)
    close_intent(connection, run.id, IntentState.REFUTED, at=at)
    return ended


def touch_worker(connection: Connection, server_id: str | None, at: datetime) -> None:
    """Note that a run on this server began or ended."""
    if server_id is not None:
        connection.execute(
            update(workers)
            .where(workers.c.server_id == server_id, workers.c.state != WorkerState.CLOSED)
            .values(busy_at=at)
        )


def close_intent(
    connection: Connection,
    intent_id: UUID,
    state: IntentState,
    *,
    at: datetime,
    note: str | None = None,
) -> None:
    """Close an intent; one that is closed or unknown stays as it is."""
    connection.execute(
        update(intents)
        .where(intents.c.id == intent_id, intents.c.state == IntentState.OPEN)
        .values(state=state, note=note, closed_at=at)
    )
