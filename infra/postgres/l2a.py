"""L2A in the data bucket: which there are, and how one is given up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, TextClause, text

from infra.postgres.configuration import MADE_L2A, RUN_OF
from infra.postgres.intents import open_one
from infra.postgres.rows import JOB, Row, job_from
from infra.postgres.statements import statement
from models.configuration import REFERENCE_AGE
from models.errors import Superseded
from models.l2a import ForgetL2a, GiveUpL2a, L2a, L2aState
from models.ports import Receipt
from models.records import Lease

# The next one of a series and who wants this one are looked for by the order of the series, each
# within the time of one series in which an L2A may be begun with.
_L2AS = """
select $JOB_j, s.sensing_at, j.config ->> 'l2a_path_out', s.l2a, own.made, later.job_id, (
    select w.job_id from series w join jobs p on p.id = w.job_id
    where w.type = s.type and w.tile = s.tile and w.sensing_at > s.sensing_at
      and w.sensing_at <= s.sensing_at + cast(:age as interval)
      and p.status not in ($FINAL) and not p.quarantined
      and (p.config ->> 'reference_job' = s.job_id::text
           or own.made and p.status in ('initialized', 'configured')
              and (later.job_id is null or w.sensing_at <= later.sensing_at))
    order by w.sensing_at, w.job_id limit 1)
from (select * from series where $CHOSEN) s join jobs j on j.id = s.job_id
cross join lateral (
  select $MADE_L2A as made from jobs p $RUN_OF where p.id = s.job_id) own
left join lateral (
  select n.job_id, n.sensing_at from series n join jobs p on p.id = n.job_id $RUN_OF
  where n.type = s.type and n.tile = s.tile
    and (n.sensing_at, n.job_id) > (s.sensing_at, s.job_id) and n.l2a = 'kept' and $MADE_L2A
  order by n.sensing_at, n.job_id limit 1) later on true
order by s.job_id
"""


def _chosen(where: str) -> TextClause:
    return statement(_L2AS, CHOSEN=where, MADE_L2A=MADE_L2A, RUN_OF=RUN_OF)


_NEXT = _chosen("l2a is not null and job_id > :after order by job_id limit :most")
_ONE = _chosen("l2a is not null and job_id = :id")

_LOCK = text("select 1 from series where job_id = :id for update")
_GO = text("update series set l2a = 'going' where job_id = :id and l2a = 'kept'")
_FORGET = text("update series set l2a = null where job_id = :id and l2a = 'going'")


def l2as(connection: Connection, after: int, most: int) -> tuple[L2a, ...]:
    """See `models.l2a.L2as.l2as`."""
    rows = connection.execute(_NEXT, {"after": after, "most": most, "age": REFERENCE_AGE})
    return tuple(map(_l2a_from, rows))


def _l2a_from(row: Row) -> L2a:
    rest: Any = row[len(JOB) :]
    return L2a(
        job=job_from(row),
        sensing_at=rest[0],
        path=rest[1],
        state=L2aState(rest[2]),
        made=rest[3],
        later=rest[4],
        wanted_by=rest[5],
    )


def give_up_l2a(connection: Connection, fence: Lease, change: GiveUpL2a) -> Receipt:
    """See `models.l2a.GiveUpL2a`. Whoever lets a job begin with it holds the lock as well, so that
    what is read behind it has seen that job, or that one sees that the L2A is going.
    """
    key = {"id": change.job_id}
    connection.execute(_LOCK, key)
    row = connection.execute(_ONE, {**key, "age": REFERENCE_AGE}).one_or_none()
    found = None if row is None else _l2a_from(row)
    if found is None or not found.may_go(change.before):
        raise Superseded(f"the L2A of job {change.job_id} is not to go any more; it stays")
    open_one(connection, fence, change.intent)
    connection.execute(_GO, key)
    return Receipt()


def forget_l2a(connection: Connection, _fence: Lease, change: ForgetL2a) -> Receipt:
    """See `models.l2a.ForgetL2a`."""
    connection.execute(_FORGET, {"id": change.job_id})
    return Receipt()
