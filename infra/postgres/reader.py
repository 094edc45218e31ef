"""What views, `why` and reports read. Nothing here locks or writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, any_, literal, select, text

from infra.postgres import manifests, view
from infra.postgres.configuration import wait_of
from infra.postgres.ledger import DECISIONS
from infra.postgres.listing import query_of
from infra.postgres.pool import SERVERS_CREATED, SERVERS_DELETED
from infra.postgres.rows import (
    BREAKER,
    CHANGE,
    JOB,
    RUN,
    WORKER,
    breaker_from,
    change_from,
    decision_from,
    job_from,
    run_from,
    worker_from,
)
from infra.postgres.sessions import Sessions
from infra.postgres.statements import statement
from models.breakers import Breaker
from models.errors import NotFound
from models.plan import Held
from models.ports import AuditLine, JobFilter, JobStory, Span
from models.records import (
    Heartbeat,
    Job,
    Lease,
    LedgerRow,
    ParameterChange,
    Pause,
    Worker,
    WorkerState,
)
from models.tables import (
    audit,
    breakers,
    heartbeats,
    jobs,
    leases,
    parameter_changes,
    runs,
    status_changes,
    workers,
)
from models.wording import no_such_job

_STILL = datetime.max.replace(tzinfo=UTC)
"""When a span ends that has not ended."""

_COUNTERS = (SERVERS_CREATED, SERVERS_DELETED, DECISIONS)
_MOST_WORKERS = 1000
_MOST_BREAKERS = 1000

_TOTALS = text("""
select 'jobs.' || status, sum(number)::bigint from job_counts group by status having sum(number) > 0
union all select 'quarantined', coalesce(sum(number), 0)::bigint from job_counts where quarantined
union all select name, value from counters where name = any(:counters)
""")

_LEDGER_OF_ALL = statement("""
select $DECISION from (
  (select $DECISION, id from current_decisions order by last_at desc, id desc limit :most)
  union all
  (select $DECISION, id from decisions order by last_at desc, id desc limit :most)) found
order by last_at desc, id desc limit :most
""")

_STANDING = statement("""
select $DECISION from current_decisions where action = :held
order by last_at desc, id desc limit :most
""")

# Subject by subject: about a system that fails now and then there are more rows than one can sort.
# Rows are compared with (subject, time), and ordered so: only the index by both can serve that.
# Asked for a subject by time, the planner may walk through all that was decided in search of it.
_ABOUT = """
select $DECISION from (select distinct unnest(cast(:subjects as text[])) as about) wanted
cross join lateral (%s) found
order by last_at desc, id desc limit :most
"""
LEDGER_ABOUT = statement(
    _ABOUT
    % """
  (select $DECISION, id from current_decisions where subject = about
   order by last_at desc, id desc limit :most)
  union all
  (select $DECISION, id from decisions
   where (subject, last_at) >= (about, '-infinity') and (subject, last_at) <= (about, 'infinity')
   order by subject desc, last_at desc, id desc limit :most)"""
)

# What held when the span was over was closed next: more than these at once is said of no subject.
LEDGER_THEN = statement(
    _ABOUT
    % """
  (select $DECISION, id from current_decisions
   where subject = about and last_at >= :began and first_at <= :over
   order by last_at desc, id desc limit :most)
  union all
  (select $DECISION, id from decisions
   where (subject, last_at) >= (about, :began) and (subject, last_at) <= (about, :over)
   order by subject desc, last_at desc, id desc limit :most)
  union all
  (select * from (select $DECISION, id from decisions
                  where (subject, last_at) > (about, :over)
                    and (subject, last_at) <= (about, 'infinity')
                  order by subject, last_at limit 10) later where first_at <= :over)"""
)


class PostgresReader:
    """`models.ports.Reader` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def jobs(self, wanted: JobFilter) -> tuple[Job, ...]:
        """See `models.ports.Reader.jobs`."""
        query, values = query_of(wanted)
        with self._sessions.read("list jobs") as connection:
            return tuple(map(job_from, connection.execute(query, values)))

    def story(self, reference: str) -> JobStory:
        """See `models.ports.Reader.story`."""
        with self._sessions.read(f"read job {reference}") as connection:
            return _story(connection, reference)

    def of_unique_ids(self, unique_ids: Sequence[UUID]) -> tuple[Job, ...]:
        """See `models.ports.Reader.of_unique_ids`."""
        query = select(*JOB).where(jobs.c.unique_id.in_(unique_ids)).order_by(jobs.c.id)
        with self._sessions.read("read jobs by their unique ids") as connection:
            return tuple(map(job_from, connection.execute(query)))

    def workers(self, *, closed: bool = False) -> tuple[Worker, ...]:
        """See `models.ports.Reader.workers`."""
        query = select(*WORKER)
        if closed:
            query = query.order_by(workers.c.id.desc()).limit(_MOST_WORKERS)
        else:
            query = query.where(workers.c.state != WorkerState.CLOSED)
        with self._sessions.read("list workers") as connection:
            found = tuple(map(worker_from, connection.execute(query)))
        return found if closed else tuple(sorted(found, key=lambda worker: worker.name))

    def ledger(
        self, subjects: Sequence[str], limit: int = 50, span: Span | None = None
    ) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.ledger`."""
        values: dict[str, Any] = {"most": limit}
        query = _LEDGER_OF_ALL
        if subjects:
            query, values["subjects"] = LEDGER_ABOUT, list(subjects)
        if subjects and span is not None:
            query = LEDGER_THEN
            values |= {"began": span.began, "over": span.over or _STILL}
        with self._sessions.read("read the ledger") as connection:
            return tuple(map(decision_from, connection.execute(query, values)))

    def standing(self, limit: int) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.standing`."""
        with self._sessions.read("read what is refused") as connection:
            found = connection.execute(_STANDING, {"held": Held.__name__, "most": limit})
            return tuple(map(decision_from, found))

    def totals(self) -> Mapping[str, int]:
        """See `models.ports.Reader.totals`."""
        with self._sessions.read("read the totals") as connection:
            found = {
                row[0]: row[1] for row in connection.execute(_TOTALS, {"counters": [*_COUNTERS]})
            }
        return {**dict.fromkeys(_COUNTERS, 0), **found}

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See `models.ports.Reader.heartbeats`."""
        beats = heartbeats.c
        query = select(beats.loop, beats.holder, beats.at, beats.passes, beats.is_leading)
        with self._sessions.read("read the heartbeats") as connection:
            found = [
                Heartbeat(loop=loop, holder=holder, at=at, passes=passes, leading=leading)
                for loop, holder, at, passes, leading in connection.execute(query)
            ]
        return tuple(sorted(found, key=lambda beat: (beat.loop, beat.holder)))

    def leases(self) -> tuple[Lease, ...]:
        """See `models.ports.Reader.leases`."""
        held = leases.c
        columns = held.name, held.holder, held.epoch, held.renewed_at, held.expires_at
        query = select(*columns).where(held.holder.is_not(None))
        with self._sessions.read("read the leases") as connection:
            found = [Lease(**row) for row in connection.execute(query).mappings()]
        return tuple(sorted(found, key=lambda lease: lease.name))

    def parameters(self) -> tuple[ParameterChange, ...]:
        """See `models.ports.Reader.parameters`."""
        query = select(parameter_changes).order_by(parameter_changes.c.id.desc())
        with self._sessions.read("read the history of parameters") as connection:
            return tuple(
                ParameterChange(
                    key=row.key,
                    at=row.at,
                    author=row.author,
                    reason=row.reason,
                    old=row.old_value,
                    new=row.new_value,
                    expires_at=row.expires_at,
                )
                for row in connection.execute(query)
            )

    def pauses(self) -> tuple[Pause, ...]:
        """See `models.ports.Reader.pauses`."""
        with self._sessions.read("read the pauses") as connection:
            return view.pauses(connection)

    def audit(self, about: str | None = None, limit: int = 50) -> tuple[AuditLine, ...]:
        """See `models.ports.Reader.audit`."""
        did = audit.c
        query = select(did.at, did.actor, did.action, did.subjects, did.reason)
        if about is not None:
            query = query.where(literal(about) == any_(did.subjects))
        with self._sessions.read("read the audit trail") as connection:
            return tuple(
                AuditLine(
                    at=at, actor=actor, action=action, subjects=tuple(subjects), reason=reason
                )
                for at, actor, action, subjects, reason in connection.execute(
                    query.order_by(did.id.desc()).limit(limit)
                )
            )

    def breakers(self, *, closed: bool = False) -> tuple[Breaker, ...]:
        """See `models.ports.Reader.breakers`."""
        query = select(*BREAKER)
        if closed:
            query = query.order_by(breakers.c.id.desc()).limit(_MOST_BREAKERS)
        else:
            query = query.where(breakers.c.closed_at.is_(None)).order_by(breakers.c.name)
        with self._sessions.read("list breakers") as connection:
            return tuple(map(breaker_from, connection.execute(query)))


def _story(connection: Connection, reference: str) -> JobStory:
    which = _referred(reference)
    row = None
    if which is not None:
        wanted = select(*JOB, jobs.c.input, jobs.c.config).where(*which)
        row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound(no_such_job(reference))
    job = job_from(row)
    history = select(*CHANGE).where(status_changes.c.job_id == job.id)
    made = select(*RUN).where(runs.c.job_id == job.id)
    return JobStory(
        job=job,
        input=row[-2],
        config=row[-1],
        wait=wait_of(connection, job.id),
        history=tuple(map(change_from, connection.execute(history.order_by(status_changes.c.seq)))),
        runs=tuple(map(run_from, connection.execute(made.order_by(runs.c.attempt)))),
        manifests=manifests.of_job(connection, job.id),
    )


def _referred(reference: str) -> list[ColumnElement[bool]] | None:
    name, slash, key = reference.partition("/")
    if slash:
        return [jobs.c.type == name, jobs.c.key == key]
    if reference.isdecimal():
        return [jobs.c.id == int(reference)] if len(reference) < _ID_DIGITS else None
    try:
        return [jobs.c.unique_id == UUID(reference)]
    except ValueError:
        return None


_ID_DIGITS = 19
"""No job's id has as many digits: PostgreSQL's bigint ends there."""
