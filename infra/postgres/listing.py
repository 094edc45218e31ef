"""Lists of jobs that cost what a page holds, however many jobs there are.

A filter that nothing fulfils must not make the database read a million rows in the hope of one. So
a list is put together kind by kind (status, type, flavor, priority): which kinds there are stands
in `job_counts`, and each has its jobs in the order of the list in an index, of which no more than
one page is read. What is over and what is on its way have indexes of their own.
The jobs of one tile are some thousands: they are read through their index and then sorted out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import TextClause

from infra.postgres.statements import statement
from models.listing import JobFilter

_OF_ALL = "select $JOB from jobs where $AFTER order by $ORDER limit :most"

# Materialized: else the planner may walk through all jobs in order, for those of a common tile.
_OF_TILE = """
with found as materialized (select * from jobs where tile = :tile)
select $JOB from found where $KIND and $AFTER order by $ORDER limit :most
"""

_BY_KIND = """
with kinds as (
  select status, type, flavor, priority from job_counts where $KIND
  group by status, type, flavor, priority having sum(number) > 0),
found as (
  select page.* from kinds cross join lateral (
    select id, status_at from jobs
    where status not in ($FINAL) and $SAME and $QUARANTINED and $AFTER
    order by $ORDER limit :most) page
  where kinds.status not in ($FINAL)
  union all
  select page.* from kinds cross join lateral (
    select id, status_at from jobs
    where status in ($FINAL) and $SAME and $QUARANTINED and $AFTER
    order by $ORDER limit :most) page
  where kinds.status in ($FINAL))
select $JOB from jobs where id = any (array(select id from found order by $ORDER limit :most))
order by $ORDER
"""

_SAME = " and ".join(
    f"jobs.{name} = kinds.{name}" for name in "status type flavor priority".split()
)


def query_of(wanted: JobFilter) -> tuple[TextClause, dict[str, Any]]:
    """The statement that lists these jobs, as the columns `JOB`, and its values."""
    conditions, values = _kind(wanted)
    values |= {"most": wanted.limit, **_behind(wanted)}
    parts = {"KIND": conditions, "AFTER": _after(wanted), "ORDER": _order(wanted)}
    if wanted.tile is not None:
        return statement(_OF_TILE, **parts), {**values, "tile": wanted.tile}
    if wanted.is_of_all and not wanted.sort.by_time:
        return statement(_OF_ALL, **parts), values
    parts["QUARANTINED"] = _quarantined(wanted)
    return statement(_BY_KIND, SAME=_SAME, **parts), values


def _kind(wanted: JobFilter) -> tuple[str, dict[str, Any]]:
    """The condition on what `job_counts` knows of a job, too, and its values."""
    lists = {
        "status": wanted.statuses,
        "type": wanted.types,
        "flavor": wanted.flavors,
        "priority": wanted.priorities,
    }
    chosen = {name: [str(value) for value in found] for name, found in lists.items() if found}
    conditions = [*(f"{name} = any(:{name})" for name in chosen), _quarantined(wanted)]
    return " and ".join(conditions), chosen


def _quarantined(wanted: JobFilter) -> str:
    match wanted.quarantined:
        case None:
            return "true"
        case True:
            return "quarantined"
        case False:
            return "not quarantined"


def _after(wanted: JobFilter) -> str:
    if wanted.after is None:
        return "true"
    beyond = "<" if wanted.sort.descends else ">"
    if wanted.sort.by_time:
        return f"(status_at, id) {beyond} (:at, :id)"
    return f"id {beyond} :id"


def _behind(wanted: JobFilter) -> dict[str, Any]:
    if wanted.after is None:
        return {}
    key = {"id": wanted.after.id}
    return {**key, "at": wanted.after.at} if wanted.sort.by_time else key


def _order(wanted: JobFilter) -> str:
    direction = "desc" if wanted.sort.descends else "asc"
    columns = ("status_at", "id") if wanted.sort.by_time else ("id",)
    return ", ".join(f"{column} {direction}" for column in columns)
