"""Jobs that are not ready: which of them are to be looked at, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, BigInteger, Connection, Text, TextClause, bindparam, text

from infra.postgres.jobs import Note, locked_job, move
from infra.postgres.people import add, move_all, rows_of
from infra.postgres.rows import JOB, Row, job_from
from infra.postgres.statements import statement
from models.configuration import (
    AGAIN,
    BACKWARD_IMAGES,
    IN_SERIES,
    MADE,
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
    Wait,
    finished_beginning,
)
from models.job_configs import checked
from models.l2a import L2aState
from models.lifecycle import UNREADY, Status
from models.ports import Receipt
from models.records import Lease

Ids: TypeAlias = Sequence[int]

_NEIGHBOUR = """
jsonb_build_object('id', p.id, 'key', p.key, 'status', p.status, 'quarantined', p.quarantined,
  'sensing_at', p.sensing_at, 'exit_code', r.exit_code, 'input', p.input,
  'config', coalesce(p.config, '{}'))
"""

MADE_L2A = f"""
p.status in ({", ".join(f"'{status}'" for status in MADE)}) and p.config ? 'l2a_path_out'
  and (r.exit_code is null
       or r.exit_code not between {NOTHING_MADE.start} and {NOTHING_MADE.stop - 1})
"""

RUN_OF = "left join runs r on r.job_id = p.id and r.attempt = p.attempt"


def _filled(template: str) -> TextClause:
    return statement(template, NEIGHBOUR=_NEIGHBOUR, MADE_L2A=MADE_L2A, RUN_OF=RUN_OF)


def _of_ids(template: str) -> TextClause:
    return _filled(template).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


_NEW = statement("""
select $JOB, input, sensing_at, null, null, null, null from jobs
where status = 'initialized' and type = any(:types) order by id limit :most
""").bindparams(bindparam("types", type_=ARRAY(Text)))

# By an index each; a wait may be over and too long at once.
_WOKEN = statement("""
select $JOB_j, j.input, j.sensing_at, w.for_job, w.since, w.until, w.why
from (select * from (select * from waits where is_over order by job_id limit :most) over
      union select * from (select * from waits where not is_over and until <= now()
                           order by until limit :most) late) w
join jobs j on j.id = w.job_id
where j.status = 'configured' and j.type = any(:types) order by j.id limit :most
""").bindparams(bindparam("types", type_=ARRAY(Text)))

_BEFORE = _of_ids("""
select m.job_id, b.found from series m cross join lateral (
  select $NEIGHBOUR as found from series s join jobs p on p.id = s.job_id $RUN_OF
  where s.type = m.type and s.tile = m.tile and s.is_open and s.sensing_at < m.sensing_at
    and (m.reprocessing or not s.reprocessing)
  order by s.sensing_at desc, s.job_id desc limit 1) b
where m.job_id = any(:ids)
""")

_REFERENCE = _of_ids("""
select j.id, b.found, (
    select count(*) from series s join jobs p on p.id = s.job_id $RUN_OF
    where s.type = j.type and s.tile = j.tile and s.sensing_at < j.sensing_at
      and s.sensing_at > b.sensing_at
      and p.status in ('processed', 'start_publication', 'published', 'done'))
from jobs j cross join lateral (
  select $NEIGHBOUR as found, s.sensing_at
  from series s join jobs p on p.id = s.job_id $RUN_OF
  where s.type = j.type and s.tile = j.tile and s.sensing_at < j.sensing_at
    and s.sensing_at >= j.sensing_at - cast(:age as interval) and s.l2a = 'kept' and $MADE_L2A
  order by s.sensing_at desc, s.job_id desc limit 1) b
where j.id = any(:ids)
""")

_AFTER = _of_ids("""
select j.id, b.found from jobs j cross join lateral (
  select distinct on (s.sensing_at) $NEIGHBOUR as found, s.sensing_at
  from series s join jobs p on p.id = s.job_id $RUN_OF
  where s.type = j.type and s.tile = j.tile and s.sensing_at > j.sensing_at and $MADE_L2A
  order by s.sensing_at, s.job_id desc limit :images) b
where j.id = any(:ids) order by j.id, b.sensing_at
""")

_CHAIN = _filled("""
select given.job_id, c.found
from jsonb_to_recordset(:rows) as given (job_id bigint, first bigint)
join series f on f.job_id = given.first join jobs h on h.id = f.job_id
cross join lateral (
  select distinct on (s.sensing_at) $NEIGHBOUR as found, s.sensing_at
  from series s join jobs p on p.id = s.job_id $RUN_OF
  where s.type = f.type and s.tile = f.tile and s.sensing_at >= f.sensing_at and $MADE_L2A
  order by s.sensing_at, s.job_id desc limit :images) c
where not exists (select from jobs t where t.type = h.type and t.key = h.key || :again)
order by given.job_id, c.sensing_at
""")

_MASTER = _of_ids("""
select j.id, $NEIGHBOUR from jobs j
join jobs p on p.type = j.type and p.key = j.input ->> :master $RUN_OF
where j.id = any(:ids)
""")

# Locked in the order of their ids, as everywhere; those that are waited for as well: whoever
# settles one of them marks the waits that are there by then, and none may be written meanwhile.
_LOCK = text("""
select id, type, status, seq, quarantined from jobs where id = any(:ids) order by id for update
""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

_HELD_UP = text("""
select s.job_id from series s where s.job_id = any(:ids) and s.type = any(:types) and exists (
  select 1 from series e where e.type = s.type and e.tile = s.tile and e.is_open
    and e.sensing_at < s.sensing_at and (s.reprocessing or not e.reprocessing))
""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("types", type_=ARRAY(Text)))

# Under lock: whoever gives an L2A up holds the same one, and looks behind it who begins with it.
_GONE = text("""
select job_id, l2a from series where job_id = any(:ids) order by job_id for share
""").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

_FILL = text("""
update jobs j set priority = given.priority, deadline = given.deadline, config = given.config
from jsonb_to_recordset(:rows)
  as given (job_id bigint, priority text, deadline timestamptz, config jsonb)
where j.id = given.job_id
""")

_WAIT = text("""
insert into waits (job_id, for_job, since, until, why, is_over)
  select job_id, for_job, since, until, why, is_over from jsonb_to_recordset(:rows)
    as given (job_id bigint, for_job bigint, since timestamptz, until timestamptz, why text,
              is_over boolean)
on conflict (job_id) do update set for_job = excluded.for_job, since = excluded.since,
  until = excluded.until, why = excluded.why, is_over = excluded.is_over
""")

_WAIT_OF = text("select for_job, since, until, why from waits where job_id = :id")


# ---- reading -------------------------------------------------------------------------------------


def backlog(connection: Connection, types: Collection[str]) -> Backlog:
    """See `models.configuration.Backlogs.backlog`."""
    limits = {"types": sorted(types), "most": MOST_AT_ONCE}
    rows = [*connection.execute(_NEW, limits), *connection.execute(_WOKEN, limits)]
    found = {row[0]: _unready_from(row) for row in rows[:MOST_AT_ONCE]}
    _with_series(connection, found)
    _with_masters(connection, found)
    return Backlog(jobs=tuple(found.values()))


def _unready_from(row: Row) -> Unready:
    given, sensing_at, *wait = row[len(JOB) :]
    return Unready(
        job=job_from(row),
        input=given,
        sensing_at=sensing_at,
        wait=None if wait[0] is None else _wait_from(wait),
    )


def _wait_from(row: Row) -> Wait:
    return Wait(for_job=row[0], since=row[1], until=row[2], why=row[3])


def _with_series(connection: Connection, found: dict[int, Unready]) -> None:
    """Add the neighbours of jobs that have a place in a series."""
    ids = [
        job_id
        for job_id, each in found.items()
        if each.job.type in IN_SERIES and each.job.tile and each.sensing_at
    ]
    if not ids:
        return
    for job_id, before in connection.execute(_BEFORE, {"ids": ids}):
        found[job_id] = replace(found[job_id], before=_neighbour(before))
    references = connection.execute(_REFERENCE, {"ids": ids, "age": REFERENCE_AGE})
    for job_id, reference, between in references:
        found[job_id] = replace(found[job_id], reference=_neighbour(reference), between=between)
    for job_id, after in connection.execute(_AFTER, {"ids": ids, "images": BACKWARD_IMAGES - 1}):
        each = found[job_id]
        found[job_id] = replace(each, after=(*each.after, _neighbour(after)))
    _with_chains(connection, found)


def _with_chains(connection: Connection, found: dict[int, Unready]) -> None:
    """Add what the chains began with that have made enough L2A to go backward."""
    rows = [
        {"job_id": job_id, "first": first}
        for job_id, each in found.items()
        if (first := finished_beginning(each.reference)) is not None
    ]
    if rows:
        given = {"rows": Jsonb(rows), "images": BACKWARD_IMAGES, "again": AGAIN}
        for job_id, link in connection.execute(_CHAIN, given):
            each = found[job_id]
            found[job_id] = replace(each, chain=(*each.chain, _neighbour(link)))


def _with_masters(connection: Connection, found: dict[int, Unready]) -> None:
    ids = [job_id for job_id, each in found.items() if MASTER in each.input]
    if ids:
        for job_id, master in connection.execute(_MASTER, {"ids": ids, "master": MASTER}):
            found[job_id] = replace(found[job_id], master=_neighbour(master))


def _neighbour(document: Any) -> Neighbour:
    return msgspec.convert(document, Neighbour)


def wait_of(connection: Connection, job_id: int) -> Wait | None:
    """What a job waits for, if it does."""
    row = connection.execute(_WAIT_OF, {"id": job_id}).one_or_none()
    return None if row is None else _wait_from(row)


# ---- writing -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Locked:
    """A job's row under lock, as far as it matters here."""

    type: str
    status: Status
    seq: int
    quarantined: bool

    @property
    def is_settled(self) -> bool:
        return self.quarantined or self.status is Status.CANCELLED or self.status in MADE


def configure_jobs(connection: Connection, fence: Lease, change: ConfigureJobs) -> Receipt:
    """See `models.configuration.ConfigureJobs`."""
    locked = _lock(connection, change)
    note = Note(at=change.at, actor=fence.name)
    chosen = _chosen(connection, change, locked)
    if chosen:
        connection.execute(_FILL, {"rows": _rows(chosen, locked)})
    new = [each.job_id for each in chosen if locked[each.job_id].status is Status.INITIALIZED]
    move_all(connection, new, note, status=Status.CONFIGURED)
    ready = [each.job_id for each in chosen if each.wait is None]
    move_all(connection, ready, note, status=Status.READY, resume_status=Status.READY)
    waiting = _waits(chosen, locked)
    if waiting:
        connection.execute(_WAIT, {"rows": Jsonb(waiting)})
    aside = _put_aside(connection, change, locked, note)
    if change.again:
        add(connection, rows_of(change.again, change.flavors), note, Status.INITIALIZED)
    return Receipt(created=len(chosen) + aside)


def _put_aside(
    connection: Connection, change: ConfigureJobs, locked: dict[int, _Locked], note: Note
) -> int:
    """End those that are not configured; how many were not left."""
    unfit = [each for each in change.unfit if _stands(locked, each.job_id, each.expected_seq)]
    for each in unfit:
        told = replace(note, subtype=UNFIT, message=each.why)
        job = locked_job(connection, each.job_id)
        move(connection, job, Status.INTERNAL_ERROR, told, quarantined=True)
    futile = [each for each in change.futile if _stands(locked, each.job_id, each.expected_seq)]
    for each in futile:
        told = replace(note, message=each.why)
        move(connection, locked_job(connection, each.job_id), Status.CANCELLED, told)
    return len(unfit) + len(futile)


def _chosen(
    connection: Connection, change: ConfigureJobs, locked: dict[int, _Locked]
) -> list[Configured]:
    """Those that are not left as they are."""
    standing = [
        each
        for each in change.jobs
        if _stands(locked, each.job_id, each.expected_seq)
        and (each.wait is None or each.wait.for_job in locked)
    ]
    held_up, gone = _held_up(connection, standing), _gone(connection, standing)
    return [
        each
        for each in standing
        if each.job_id not in held_up and each.config.get(REFERENCE) not in gone
    ]


def _lock(connection: Connection, change: ConfigureJobs) -> dict[int, _Locked]:
    ids = {each.job_id for each in change.jobs}
    ids |= {each.job_id for each in (*change.unfit, *change.futile)}
    ids |= {each.wait.for_job for each in change.jobs if each.wait is not None}
    rows = connection.execute(_LOCK, {"ids": sorted(ids)})
    return {
        row[0]: _Locked(type=row[1], status=Status(row[2]), seq=row[3], quarantined=row[4])
        for row in rows
    }


def _stands(locked: dict[int, _Locked], job_id: int, seq: int) -> bool:
    job = locked.get(job_id)
    return job is not None and job.seq == seq and job.status in UNREADY


def _held_up(connection: Connection, chosen: Sequence[Configured]) -> set[int]:
    """Jobs that are to be ready and have an earlier one in their series by now."""
    ids = [each.job_id for each in chosen if each.wait is None and not each.overtakes]
    found = connection.execute(_HELD_UP, {"ids": ids, "types": sorted(IN_SERIES)})
    return set(found.scalars())


def _gone(connection: Connection, chosen: Sequence[Configured]) -> set[int]:
    """Jobs that these were to begin with and whose L2A was given up meanwhile."""
    ids = {each.config[REFERENCE] for each in chosen if REFERENCE in each.config}
    found = connection.execute(_GONE, {"ids": sorted(ids)}) if ids else ()
    return {job_id for job_id, state in found if state != L2aState.KEPT}


def _rows(chosen: Sequence[Configured], locked: dict[int, _Locked]) -> Jsonb:
    return Jsonb(
        [
            {
                "job_id": each.job_id,
                "priority": each.priority,
                "deadline": each.deadline.isoformat() if each.deadline else None,
                "config": checked(locked[each.job_id].type, each.config),
            }
            for each in chosen
        ]
    )


def _waits(chosen: Sequence[Configured], locked: dict[int, _Locked]) -> list[dict[str, Any]]:
    return [
        {
            "job_id": each.job_id,
            "for_job": each.wait.for_job,
            "since": each.wait.since.isoformat(),
            "until": each.wait.until.isoformat(),
            "why": each.wait.why,
            "is_over": locked[each.wait.for_job].is_settled,
        }
        for each in chosen
        if each.wait is not None
    ]
