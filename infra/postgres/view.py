"""What a pass sees of the store: a fixed number of queries, each by an index over open work.

All of them run in one read-only transaction and see the same moment. None touches a finished job,
whatever their number: counts come from `job_counts`, which triggers keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from infra.postgres.rows import (
    JOB,
    Row,
    backoff_from,
    identity_from,
    intent_from,
    job_from,
    order_from,
    run_from,
    worker_from,
)
from infra.postgres.statements import statement
from models.lifecycle import Status
from models.ports import ViewLimits
from models.records import InFlight, Job, Priority
from models.world import JobCount, StoreView

_JOB_WIDTH = len(JOB)


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
  order by priority_rank, deadline, created_at, id limit :most) j
order by f.place, j.priority_rank, j.deadline, j.created_at, j.id
""")

_HELD_BACK = statement("""
select flavor, count(*) from jobs
where status = 'ready' and not_before is not null and not_before > now() group by flavor
""")

_IN_FLIGHT = statement("""
select $JOB_j, $RUN_r
from jobs j join runs r on r.job_id = j.id and r.ended_at is null and r.attempt = j.attempt
where j.status in ($IN_FLIGHT) order by j.id
""")

_ERRORS = statement("""
select $JOB from jobs where status in ($ERRORS) and not quarantined
order by coalesce(not_before, status_at), id limit :most
""")

_ENDED = statement("select $RUN from runs where ended_at >= :since order by ended_at, id")
_WORKERS = statement("select $WORKER from workers where state <> 'closed' order by id")
_ORDERS = statement("select $ORDER from worker_orders where closed_at is null order by id")
_INTENTS = statement("select $INTENT from intents where state = 'open' order by opened_at, id")
_IDENTITIES = statement("select $IDENTITY from node_identities")
_BACKOFFS = statement("select $BACKOFF from backoffs order by subject, failure")

STATEMENTS = (
    _NOW_AND_PARAMETERS,
    _COUNTS,
    _READY,
    _HELD_BACK,
    _IN_FLIGHT,
    _ERRORS,
    _ENDED,
    _WORKERS,
    _ORDERS,
    _INTENTS,
    _IDENTITIES,
    _BACKOFFS,
)
"""Every query of a view, in order."""


def view(connection: Connection, limits: ViewLimits) -> StoreView:
    """See `models.ports.JobStore.view`."""
    requested_at, parameters = _rows(connection, _NOW_AND_PARAMETERS)[0]
    counts = _counts(connection)
    totals = _ready_totals(connection, counts)
    return StoreView(
        requested_at=requested_at,
        counts=counts,
        ready=_ready(connection, counts, limits),
        ready_total=totals,
        in_flight=tuple(map(_flight_from, _rows(connection, _IN_FLIGHT))),
        errors=tuple(map(job_from, _rows(connection, _ERRORS, most=limits.errors))),
        ended_runs=tuple(map(run_from, _rows(connection, _ENDED, since=limits.ended_since))),
        workers=tuple(map(worker_from, _rows(connection, _WORKERS))),
        orders=tuple(map(order_from, _rows(connection, _ORDERS))),
        intents=tuple(map(intent_from, _rows(connection, _INTENTS))),
        identities={row[0]: identity_from(row) for row in _rows(connection, _IDENTITIES)},
        backoffs=tuple(map(backoff_from, _rows(connection, _BACKOFFS))),
        parameters=parameters,
    )


def _rows(connection: Connection, statement: Any, **parameters: Any) -> list[Row]:
    return list(connection.execute(statement, parameters))


def _flight_from(row: Row) -> InFlight:
    return InFlight(job=job_from(row), run=run_from(row[_JOB_WIDTH:]))


def _counts(connection: Connection) -> tuple[JobCount, ...]:
    statuses = list(Status)
    counts = (_count_from(row) for row in _rows(connection, _COUNTS))
    return tuple(
        sorted(
            counts,
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


def _ready_totals(connection: Connection, counts: tuple[JobCount, ...]) -> Mapping[str, int]:
    totals: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        if count.status is Status.READY:
            totals[count.flavor] += count.count
    for flavor, held in _rows(connection, _HELD_BACK):
        totals[flavor] -= held
    return {flavor: total for flavor, total in sorted(totals.items()) if total}


def _ready(
    connection: Connection, counts: tuple[JobCount, ...], limits: ViewLimits
) -> tuple[Job, ...]:
    flavors = sorted({count.flavor for count in counts if count.status is Status.READY})
    rows = _rows(connection, _READY, flavors=flavors, most=limits.ready_per_flavor)
    return tuple(map(job_from, rows))


def clock(connection: Connection) -> datetime:
    """The store's own clock, at the beginning of the transaction."""
    found: datetime = connection.execute(text("select now()")).scalar_one()
    return found
