"""Jobs that are not ready: which of them are to be looked at, and what became of them."""

from __future__ import annotations

from collections.abc import Collection

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Connection, Text, bindparam, text

from infra.postgres.jobs import Note
from infra.postgres.people import move_all
from infra.postgres.rows import JOB, job_from
from infra.postgres.statements import statement
from models.configuration import MOST_AT_ONCE, Backlog, ConfigureJobs, Unready
from models.lifecycle import Status
from models.ports import Receipt
from models.records import Lease

_NEW = statement("""
select $JOB, input, sensing_at from jobs
where status = 'initialized' and type = any(:types) order by id limit :most
""").bindparams(bindparam("types", type_=ARRAY(Text)))

# Locked in the order of their ids, as everywhere.
_LOCK = text("""
select j.id from jobs j join jsonb_to_recordset(:rows) as given (job_id bigint, seq int)
  on j.id = given.job_id and j.seq = given.seq
where j.status = 'initialized'
order by j.id for update of j
""")

_FILL = text("""
update jobs j set priority = given.priority, deadline = given.deadline, config = given.config
from jsonb_to_recordset(:rows)
  as given (job_id bigint, priority text, deadline timestamptz, config jsonb)
where j.id = given.job_id and j.id = any(:ids)
""")


def backlog(connection: Connection, types: Collection[str]) -> Backlog:
    """See `models.configuration.Backlogs.backlog`."""
    rows = connection.execute(_NEW, {"types": sorted(types), "most": MOST_AT_ONCE})
    width = len(JOB)
    return Backlog(
        jobs=tuple(
            Unready(job=job_from(row), input=row[width], sensing_at=row[width + 1]) for row in rows
        )
    )


def configure_jobs(connection: Connection, fence: Lease, change: ConfigureJobs) -> Receipt:
    """See `models.configuration.ConfigureJobs`."""
    rows = Jsonb(
        [
            {
                "job_id": each.job_id,
                "seq": each.expected_seq,
                "priority": each.priority,
                "deadline": each.deadline.isoformat() if each.deadline else None,
                "config": dict(each.config),
            }
            for each in change.jobs
        ]
    )
    ids = list(connection.execute(_LOCK, {"rows": rows}).scalars())
    connection.execute(_FILL, {"rows": rows, "ids": ids})
    note = Note(at=change.at, actor=fence.name)
    move_all(connection, ids, note, status=Status.CONFIGURED)
    move_all(connection, ids, note, status=Status.READY, resume_status=Status.READY)
    return Receipt(created=len(ids))
