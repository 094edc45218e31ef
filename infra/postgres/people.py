"""What people do to jobs: submit, cancel, relaunch. Any number of jobs takes as many statements.

All of it runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Column, ColumnElement, Connection, any_, bindparam, select, update

from infra.postgres.jobs import Note
from infra.postgres.rows import JOB, job_from
from infra.postgres.statements import statement
from infra.postgres.view import clock
from models import lifecycle
from models.errors import Malformed
from models.job_types import Registry
from models.lifecycle import ERRORS, Status
from models.ports import Asked, Submitted, Verdict
from models.records import IntentState, Job, NewJob, RunEnd, WorkerState
from models.tables import intents, jobs, runs, workers

RELAUNCHED = ERRORS | lifecycle.FINAL
"""Statuses from which a person may send a job round again."""

_AT_ONCE = 2_000
"""Jobs in one statement: their rows as JSON stay within a few megabytes."""

_NEW_JOBS = """
  rows from (jsonb_to_recordset(:rows) as (
    type text, key text, name text, tile text, flavor text, priority text, deadline timestamptz,
    sensing_at timestamptz, input jsonb))
  with ordinality as given (
    type, key, name, tile, flavor, priority, deadline, sensing_at, input, place)
"""

# What the jobs are about is noted by the same statement: all of it is there, or nothing.
_INSERT = statement(
    """
with added as (
insert into jobs (type, key, name, tile, flavor, priority, deadline, sensing_at, input,
                  status, status_actor, status_message, resume_status, status_at, created_at)
  select type, key, name, tile, flavor, priority, deadline, sensing_at, input,
         :status, :actor, :message, 'initialized', :at, :at
  from $NEW_JOBS order by place
on conflict (type, key) do nothing returning id, type, key, tile, sensing_at
), noted as (
insert into acquisitions (type, sensing_at, key, tile)
  select type, sensing_at, key, tile from added where sensing_at is not null
)
select id from added order by id
""",
    NEW_JOBS=_NEW_JOBS,
)

_FIND = statement(
    "select j.id, j.type, j.key from $NEW_JOBS join jobs j using (type, key)", NEW_JOBS=_NEW_JOBS
)


# ---- submit --------------------------------------------------------------------------------------


def submit(
    connection: Connection, new_jobs: Sequence[NewJob], asked: Asked, registry: Registry
) -> Submitted:
    """See `models.ports.Operations.submit`."""
    rows = [_row(new, _flavor(new, registry)) for new in new_jobs]
    note = note_of(connection, asked)
    added: set[int] = set()
    ids: dict[tuple[str, str], int] = {}
    for start in range(0, len(rows), _AT_ONCE):
        some = Jsonb(rows[start : start + _AT_ONCE])
        if not asked.dry_run:
            added |= set(add(connection, some, note, Status.INITIALIZED))
        found = connection.execute(_FIND, {"rows": some})
        ids |= {(name, key): job_id for job_id, name, key in found}
    given = dict.fromkeys(ids[pair] for pair in _pairs(new_jobs) if pair in ids)
    return Submitted(
        added=tuple(job_id for job_id in given if job_id in added),
        existing=tuple(job_id for job_id in given if job_id not in added),
    )


def _pairs(new_jobs: Iterable[NewJob]) -> Iterable[tuple[str, str]]:
    return ((new.type, new.key) for new in new_jobs)


def _flavor(new: NewJob, registry: Registry) -> str:
    job_type = registry.types.get(new.type)
    if job_type is None:
        raise Malformed(
            f"job {new.key!r}: there is no type {new.type!r}; there are: "
            f"{', '.join(registry.types)}. Nothing was added"
        )
    return job_type.flavor


def _row(new: NewJob, flavor: str) -> dict[str, Any]:
    return {
        "type": new.type,
        "key": new.key,
        "name": new.name,
        "tile": new.tile,
        "flavor": flavor,
        "priority": new.priority,
        "deadline": None if new.deadline is None else new.deadline.isoformat(),
        "sensing_at": None if new.sensing_at is None else new.sensing_at.isoformat(),
        "input": dict(new.input),
    }


def rows_of(new_jobs: Iterable[NewJob], flavors: Mapping[str, str]) -> Jsonb:
    """Jobs as the statements that add them take them; `flavors` has that of each type."""
    return Jsonb([_row(new, flavors[new.type]) for new in new_jobs])


def add(connection: Connection, rows: Jsonb, note: Note, status: Status) -> list[int]:
    """The ids of the jobs that were not there yet: each stands in `status`."""
    said = {"actor": note.actor, "message": note.message, "at": note.at}
    return list(connection.execute(_INSERT, {"rows": rows, "status": status, **said}).scalars())


# ---- cancel and relaunch -------------------------------------------------------------------------


def cancel(connection: Connection, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.cancel`."""
    found = _locked(connection, job_ids)
    chosen = [job for job in found.values() if _why_not_cancel(job) is None]
    if not asked.dry_run:
        note = note_of(connection, asked)
        failed = [job.id for job in chosen if job.status in ERRORS]
        ids = [job.id for job in chosen]
        move_all(connection, failed, note, status=Status.ERROR_CHECKED)
        over = {"not_before": None, "quarantined": False}
        move_all(connection, ids, note, status=Status.CANCELLED, **over)
        _end_runs(connection, ids, note)
    return _verdicts(job_ids, found, _why_not_cancel, lambda job: f"it was {job.status}")


def _why_not_cancel(job: Job) -> str | None:
    if job.status in ERRORS or lifecycle.is_allowed(job.status, Status.CANCELLED):
        return None
    return f"it is {job.status} and can be cancelled no more"


def relaunch(connection: Connection, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.relaunch`."""
    found = _locked(connection, job_ids)
    ids = [job.id for job in found.values() if _why_not_relaunch(job) is None]
    if not asked.dry_run:
        note = note_of(connection, asked)
        move_all(connection, ids, note, status=Status.ERROR_CHECKED)
        fresh = {
            **dict.fromkeys(("internal_failures", "external_failures", "losses"), 0),
            "not_before": None,
            "quarantined": False,
        }
        move_all(connection, ids, note, status=jobs.c.resume_status, **fresh)
    return _verdicts(
        job_ids,
        found,
        _why_not_relaunch,
        lambda job: f"{job.status}, goes on as {job.resume_status}",
    )


def _why_not_relaunch(job: Job) -> str | None:
    return None if job.status in RELAUNCHED else f"it is still moving: {job.status}"


def _locked(connection: Connection, job_ids: Sequence[int]) -> dict[int, Job]:
    """These jobs, locked in the order of their ids."""
    query = select(*JOB).where(_is_one_of(jobs.c.id)).order_by(jobs.c.id).with_for_update()
    rows = connection.execute(query, {"ids": list(job_ids)})
    return {job.id: job for job in map(job_from, rows)}


def _verdicts(
    job_ids: Sequence[int],
    found: dict[int, Job],
    why_not: Callable[[Job], str | None],
    because: Callable[[Job], str],
) -> tuple[Verdict, ...]:
    verdicts: list[Verdict] = []
    for job_id in job_ids:
        job = found.get(job_id)
        refusal = "there is no such job" if job is None else why_not(job)
        reason = refusal if job is None or refusal is not None else because(job)
        verdicts.append(
            Verdict(subject=f"job:{job_id}", done=refusal is None, because=reason or "")
        )
    return tuple(verdicts)


# ---- many rows at once ---------------------------------------------------------------------------


def _is_one_of(column: Column[Any]) -> ColumnElement[bool]:
    """The column's value is in the list `ids`: one parameter, however many there are."""
    return column == any_(bindparam("ids", type_=ARRAY(column.type)))


def note_of(connection: Connection, asked: Asked) -> Note:
    """What the history says of a person's request, at the store's own time."""
    return Note(at=clock(connection), actor=asked.actor, message=asked.reason or None)


def move_all(connection: Connection, ids: list[int], note: Note, **values: Any) -> None:
    """Change the status, and the other columns given, of many locked jobs in one statement.

    The trigger checks every single change and refuses all of them with the first.
    """
    if ids:
        moved = update(jobs).where(_is_one_of(jobs.c.id))
        moved = moved.values(seq=jobs.c.seq + 1, **note.columns, **values)
        connection.execute(moved, {"ids": ids})


def _end_runs(connection: Connection, job_ids: list[int], note: Note) -> None:
    """End the open runs of cancelled jobs, refute their dispatches and free their workers."""
    ended = (
        update(runs)
        .where(_is_one_of(runs.c.job_id), runs.c.ended_at.is_(None))
        .values(ended_at=note.at, ended_as=RunEnd.CANCELLED)
        .returning(runs.c.id, runs.c.server_id)
    )
    rows = connection.execute(ended, {"ids": job_ids}).all()
    busy = update(workers).where(
        _is_one_of(workers.c.server_id), workers.c.state != WorkerState.CLOSED
    )
    servers = [server_id for _, server_id in rows if server_id is not None]
    connection.execute(busy.values(busy_at=note.at), {"ids": servers})
    refuted = update(intents).where(_is_one_of(intents.c.id), intents.c.state == IntentState.OPEN)
    refuted = refuted.values(state=IntentState.REFUTED, closed_at=note.at)
    connection.execute(refuted, {"ids": [run_id for run_id, _ in rows]})
