"""What a pass sees of the store: a fixed number of queries, each by an index over open work.

All of them run in one read-only transaction and see the same moment. None touches a finished job,
whatever their number: counts come from `job_counts`, which triggers keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, TextClause, text

from infra.postgres.rows import (
    Row,
    backoff_from,
    breaker_from,
    identity_from,
    intent_from,
    job_from,
    order_from,
    pause_from,
    run_from,
    worker_from,
)
from infra.postgres.sessions import fetched
from infra.postgres.statements import driver_text, statement
from models.lifecycle import Status
from models.pauses import paused_types
from models.ports import ViewLimits
from models.records import InFlight, Job, NodeIdentity, Pause, Priority, Run
from models.world import JobCount, StoreView

_NEVER = datetime.max.replace(tzinfo=UTC)
"""Nothing has happened since then."""

_NOW_AND_PARAMETERS = statement("""
select now(), coalesce(jsonb_object_agg(key, value) filter (where value is not null), '{}')
from (select p.key, case when p.expires_at <= now() then (
        select c.new_value from parameter_changes c where c.key = p.key and c.expires_at is null
        order by c.id desc limit 1) else p.value end as value
      from parameters p) in_force
""")

_COUNTS = statement("""
select c.*, (select min(j.status_at) from jobs j
             where j.status = c.status and j.type = c.type and j.flavor = c.flavor
               and j.priority = c.priority and j.status not in ($FINAL))
from (select type, flavor, status, priority, sum(number)::bigint,
             coalesce(sum(number) filter (where quarantined), 0)::bigint
      from job_counts where status not in ($FINAL)
      group by type, flavor, status, priority having sum(number) > 0) c
""")

_READY = statement("""
select $JOB_j
from unnest(cast(:flavors as text[])) with ordinality as f (flavor, place)
cross join lateral (
  select * from jobs
  where status = 'ready' and flavor = f.flavor and (not_before is null or not_before <= now())
    and type <> all(:paused)
  order by priority_rank, deadline, created_at, id limit :most) j
order by f.place, j.priority_rank, j.deadline, j.created_at, j.id
""")

_HELD_BACK = statement("""
select flavor, count(*) from jobs
where status = 'ready' and not_before is not null and not_before > now() and type <> all(:paused)
group by flavor
""")

# Put together here: of a million finished jobs the planner's sample has next to none in flight, and
# a plan for so few looks each of them up by itself, or compares all with all.
_AT_WORK = statement("select $JOB from jobs where status in ($IN_FLIGHT) order by id")
_OPEN_RUNS = statement("select $RUN from runs where ended_at is null order by job_id")

_ERRORS = statement("""
select $JOB from jobs where status in ($ERRORS) and not quarantined
order by coalesce(not_before, status_at), id limit :most
""")

_ENDED = statement("""
select $RUN from runs where ended_at >= :since and is_recent order by ended_at, id
""")
_WORKERS = statement("select $WORKER from workers where state <> 'closed' order by id")
_ORDERS = statement("select $ORDER from worker_orders where closed_at is null order by id")
_INTENTS = statement("select $INTENT from intents where state = 'open' order by opened_at, id")
_IDENTITIES = statement("select $IDENTITY from node_identities")
_GONE_NODES = statement("""
select i.node_id from node_identities i join workers w on w.server_id = i.server_id
where w.state = 'closed'
""")
_BACKOFFS = statement("select $BACKOFF from backoffs order by subject, failure")
# As people's languages sort them is no order for a program.
_PAUSES = statement("""
select $PAUSE from pauses where until is null or until > now() order by target collate "C"
""")
_BREAKERS = statement("""
select $BREAKER from breakers where closed_at is null or accepted <> '{}' order by id
""")
# `removal_begun` of models.breakers, as two questions that have an index each.
_REMOVED = statement("""
select $WORKER from workers
where retire_cause in ('stale', 'server_error') and retire_started_at >= :since
union all
select $WORKER from workers
where gone_at is not null and delete_sent_at is null and gone_at >= :since
  and (retire_cause is null or retire_cause not in ('stale', 'server_error', 'person'))
order by id
""")

STATEMENTS = (
    _NOW_AND_PARAMETERS,
    _PAUSES,
    _COUNTS,
    _READY,
    _HELD_BACK,
    _AT_WORK,
    _OPEN_RUNS,
    _ERRORS,
    _ENDED,
    _WORKERS,
    _ORDERS,
    _INTENTS,
    _IDENTITIES,
    _BACKOFFS,
    _BREAKERS,
    _REMOVED,
    _GONE_NODES,
)
"""Every query of a view, in order."""

_LISTS = {
    "pauses": _PAUSES,
    "ready": _READY,
    "at_work": _AT_WORK,
    "open_runs": _OPEN_RUNS,
    "errors": _ERRORS,
    "ended_runs": _ENDED,
    "workers": _WORKERS,
    "orders": _ORDERS,
    "intents": _INTENTS,
    "backoffs": _BACKOFFS,
    "breakers": _BREAKERS,
    "removed": _REMOVED,
}
"""Those whose rows are records, by their name in a view."""


Rows: TypeAlias = Sequence[Row]
Found = TypeVar("Found")
Made = TypeVar("Made")


class Viewer:
    """Looks at the store for one process. Rows that are the same as the last time are not made
    into records again: in a quiet store most of them are, and whoever has joined the very same
    records before need not do it again.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, Any]] = {}

    def view(self, connection: Connection, limits: ViewLimits) -> StoreView:
        """See `models.ports.JobStore.view`."""
        requested_at, parameters = _rows(connection, _NOW_AND_PARAMETERS)[0]
        counts = self._made("counts", _rows(connection, _COUNTS), _counts)

        def each(name: str, make: Callable[[Row], Made], **given: Any) -> tuple[Made, ...]:
            rows = _rows(connection, _LISTS[name], **given)
            return self._made(name, rows, lambda found: tuple(map(make, found)))

        pauses = each("pauses", pause_from)
        paused = sorted(paused_types(pauses))
        queued = [c for c in counts if c.status is Status.READY and c.type not in paused]
        given = {"flavors": sorted({count.flavor for count in queued}), "paused": paused}
        return StoreView(
            requested_at=requested_at,
            counts=counts,
            ready=each("ready", job_from, most=limits.ready_per_flavor, **given),
            ready_total=_ready_totals(queued, _rows(connection, _HELD_BACK, paused=paused)),
            in_flight=self._in_flight(each("at_work", job_from), each("open_runs", run_from)),
            errors=each("errors", job_from, most=limits.errors),
            ended_runs=each("ended_runs", run_from, since=limits.ended_since),
            workers=each("workers", worker_from),
            orders=each("orders", order_from),
            intents=each("intents", intent_from),
            identities=self._made("identities", _rows(connection, _IDENTITIES), _identities),
            backoffs=each("backoffs", backoff_from),
            parameters=parameters,
            pauses=pauses,
            breakers=each("breakers", breaker_from),
            removed=each("removed", worker_from, since=limits.removed_since or _NEVER),
            gone_nodes=frozenset(row[0] for row in _rows(connection, _GONE_NODES)),
        )

    def _in_flight(self, jobs: tuple[Job, ...], runs: tuple[Run, ...]) -> tuple[InFlight, ...]:
        """Each job with its run; a job between two runs has none."""

        def joined(_: object) -> tuple[InFlight, ...]:
            of = {(run.job_id, run.attempt): run for run in runs}
            return tuple(
                InFlight(job=job, run=of[job.id, job.attempt])
                for job in jobs
                if (job.id, job.attempt) in of
            )

        return self._made("in_flight", (jobs, runs), joined)

    def _made(self, name: str, rows: Found, make: Callable[[Found], Made]) -> Made:
        """What is made of these rows, which is the last one if the rows are."""
        last = self._last.get(name)
        if last is not None and last[0] == rows:
            kept: Made = last[1]
            return kept
        made = make(rows)
        self._last[name] = rows, made
        return made


def _rows(connection: Connection, statement: TextClause, **parameters: Any) -> list[Row]:
    """Plain tuples, by the driver alone: they compare faster than rows that have names, and a view
    has so many statements that what SQLAlchemy does around each is a fifth of a quiet pass.
    """
    return fetched(connection, driver_text(statement, connection.dialect), parameters)


def _identities(rows: Rows) -> Mapping[str, NodeIdentity]:
    return {row[0]: identity_from(row) for row in rows}


def _counts(rows: Rows) -> tuple[JobCount, ...]:
    statuses = list(Status)
    return tuple(
        sorted(
            map(_count_from, rows),
            key=lambda c: (c.type, c.flavor, statuses.index(c.status), c.priority.rank),
        )
    )


def _count_from(row: Row) -> JobCount:
    name, flavor, status, priority, number, quarantined, oldest = row
    return JobCount(
        type=name,
        flavor=flavor,
        status=Status(status),
        priority=Priority(priority),
        count=number,
        oldest_at=oldest,
        quarantined=quarantined,
    )


def _ready_totals(queued: Sequence[JobCount], held_back: Rows) -> Mapping[str, int]:
    totals: defaultdict[str, int] = defaultdict(int)
    for count in queued:
        totals[count.flavor] += count.count
    for flavor, held in held_back:
        totals[flavor] -= held
    return {flavor: total for flavor, total in sorted(totals.items()) if total}


def pauses(connection: Connection) -> tuple[Pause, ...]:
    """The pauses in force, by target."""
    return tuple(map(pause_from, _rows(connection, _PAUSES)))


def clock(connection: Connection) -> datetime:
    """The store's own clock, at the beginning of the transaction."""
    found: datetime = connection.execute(text("select now()")).scalar_one()
    return found
