"""What was decided, who is alive, and what is forgotten in the end.

A decision that still holds is one row of `current_decisions`, rewritten in place. Once the same
loop gives other reasons for the same subject and action class, the row moves to `decisions`.
Reasons given together in one pass stand side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from infra.postgres.statements import statement
from models.plan import Decision
from models.records import Heartbeat

DECISIONS = "decisions"

# More rows than this are replaced by one for each kind of job; a view reads all of them.
_MOST_COUNTS = 500

_GIVEN = """
with given as (
  select g.* from rows from (
    jsonb_to_recordset(:rows)
      as (subject text, action text, reason text, because text, facts jsonb, count bigint))
  with ordinality as g (subject, action, reason, because, facts, count, place))
"""

_CLOSE_OTHERS = statement(
    """
$GIVEN, gone as (
  delete from current_decisions c using (select distinct subject, action from given) g
  where c.loop = :loop and c.subject = g.subject and c.action = g.action
    and not exists (select from given s where s.subject = c.subject and s.action = c.action
                      and s.reason = c.reason)
  returning c.*)
insert into decisions (id, loop, subject, action, reason, because, facts, first_at, last_at, count)
  select id, loop, subject, action, reason, because, facts, first_at, last_at, count from gone
""",
    GIVEN=_GIVEN,
)

_WRITE = statement(
    """
$GIVEN
insert into current_decisions as c
    (loop, subject, action, reason, because, facts, first_at, last_at, count)
  select :loop, subject, action, reason, because, facts, :at, :at, count from given order by place
on conflict (subject, action, loop, reason) do update
  set because = excluded.because, facts = excluded.facts, last_at = excluded.last_at,
      count = c.count + excluded.count
""",
    GIVEN=_GIVEN,
)

_ADD = text("""
insert into counters as c (name, value) values (:name, :value)
on conflict (name) do update set value = c.value + excluded.value
""")

# One round trip: every loop says this in every pass.
_BEAT = text("""
with sign as (
  insert into heartbeats (loop, holder, at, passes, is_leading)
    values (:loop, :holder, :at, :passes, :is_leading)
  on conflict (loop, holder) do update
    set at = excluded.at, passes = excluded.passes, is_leading = excluded.is_leading)
select fold_job_counts(:most)
""")

_FORGET = text("""
with old as (delete from decisions where last_at < :before returning 1),
     current as (delete from current_decisions where last_at < :before returning 1),
     closed as (delete from intents where state <> 'open' and opened_at < :before returning 1),
     silent as (delete from heartbeats where at < :before)
select (select count(*) from old) + (select count(*) from current) + (select count(*) from closed)
""")

_TURN_MONTHS = text("select turn_months()")


def record(connection: Connection, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
    """See `models.ports.JobStore.record`."""
    if not decisions:
        return
    rows = _gathered(decisions)
    for step in (_CLOSE_OTHERS, _WRITE):
        connection.execute(step, {"rows": Jsonb(rows), "loop": loop, "at": at})
    connection.execute(_ADD, {"name": DECISIONS, "value": len(decisions)})


def _gathered(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """One row for each (subject, action class, reason); said twice, it counts twice."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for decision in decisions:
        key = str(decision.subject), type(decision).__name__, decision.reason.value
        before = found.pop(key, None)
        found[key] = {
            "subject": key[0],
            "action": key[1],
            "reason": key[2],
            "because": decision.because,
            "facts": dict(decision.facts),
            "count": 1 + (before["count"] if before else 0),
        }
    return list(found.values())


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """See `models.ports.JobStore.beat`. Also keeps the counts of jobs short."""
    said = {
        "loop": heartbeat.loop,
        "holder": heartbeat.holder,
        "at": heartbeat.at,
        "passes": heartbeat.passes,
        "is_leading": heartbeat.leading,
    }
    connection.execute(_BEAT, {**said, "most": _MOST_COUNTS})


def prune(connection: Connection, before: datetime) -> int:
    """See `models.ports.JobStore.prune`. Also makes the partitions of the months to come."""
    gone = int(connection.execute(_FORGET, {"before": before}).scalar_one())
    connection.execute(_TURN_MONTHS)
    return gone
