"""What was decided, who is alive, and what is forgotten in the end.

A decision that still holds is one row of `current_decisions`, rewritten in place. Once it is over,
the row moves to `decisions`: `models.ports.JobStore.record` says when that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from infra.postgres.statements import statement
from models.plan import Decision, Held
from models.ports import ENDS_SHOWN
from models.records import HOLDS_FOR, Heartbeat

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

_KEEP = """
insert into decisions (id, loop, subject, action, reason, because, facts, first_at, last_at, count)
  select id, loop, subject, action, reason, because, facts, first_at, last_at, count from gone
"""

# Only the first batch says all that holds of a subject: what it does not name is over.
_CLOSE = statement(
    """
$GIVEN, gone as (
  delete from current_decisions c using (
    select subject, action, array_agg(reason) as reasons from given group by subject, action) g
  where c.loop = :loop and c.subject = g.subject and c.action = g.action
    and (:is_whole or c.reason = any(g.reasons))
    and not exists (select from given s where s.subject = c.subject and s.action = c.action
                      and s.reason = c.reason and c.last_at + :holds_for > :at
                      and (c.action = :held or (c.because = s.because and c.facts = s.facts)))
  returning c.*)
$KEEP
""",
    GIVEN=_GIVEN,
    KEEP=_KEEP,
)

_END = statement(
    """
with gone as (
  delete from current_decisions c
  using (select distinct subject, reason
         from jsonb_to_recordset(:rows) as g (subject text, reason text)) given
  where c.loop = :loop and c.action = :held
    and c.subject = given.subject and c.reason = given.reason
  returning c.*)
$KEEP
""",
    KEEP=_KEEP,
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

_PUT_ASIDE = text("""
update runs set is_recent = false where is_recent and ended_at < now() - cast(:kept as interval)
""")

_TURN_MONTHS = text("select turn_months()")


def add_to_counter(connection: Connection, name: str, more: int = 1) -> None:
    """Let a sum over all time grow."""
    connection.execute(_ADD, {"name": name, "value": more})


def record(connection: Connection, loop: str, decisions: Sequence[Decision], at: datetime) -> None:
    """See `models.ports.JobStore.record`."""
    if not decisions:
        return
    for place, rows in enumerate(_batches(decisions)):
        given = {"rows": Jsonb(rows), "loop": loop, "at": at}
        rule = {"holds_for": HOLDS_FOR, "held": Held.__name__, "is_whole": place == 0}
        connection.execute(_CLOSE, {**given, **rule})
        connection.execute(_WRITE, given)
    add_to_counter(connection, DECISIONS, len(decisions))


def end_refusals(connection: Connection, loop: str, ended: Sequence[Decision]) -> None:
    """See `models.ports.JobStore.end_refusals`."""
    rows = [{"subject": str(each.subject), "reason": each.reason.value} for each in ended]
    connection.execute(_END, {"rows": Jsonb(rows), "loop": loop, "held": Held.__name__})


def _batches(decisions: Sequence[Decision]) -> Iterator[list[dict[str, Any]]]:
    """Rows to write one batch after the other, each reason of a subject once in a batch.

    All are in the first, unless a pass does the same to one subject twice in different words.
    """
    batches: list[dict[tuple[str, str, str], dict[str, Any]]] = [{}]
    for decision in decisions:
        row = _row(decision)
        key = row["subject"], row["action"], row["reason"]
        newest = next((batch for batch in reversed(batches) if key in batch), None)
        if newest is None:
            batches[0][key] = row
        elif _goes_on(decision, newest[key]):
            newest[key] = {**row, "count": newest[key]["count"] + 1}
        elif newest is batches[-1]:
            batches.append({key: row})
        else:
            batches[batches.index(newest) + 1][key] = row
    return (list(batch.values()) for batch in batches)


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "subject": str(decision.subject),
        "action": type(decision).__name__,
        "reason": decision.reason.value,
        "because": decision.because,
        "facts": dict(decision.facts),
        "count": 1,
    }


def _goes_on(decision: Decision, before: dict[str, Any]) -> bool:
    same = decision.because == before["because"] and dict(decision.facts) == before["facts"]
    return same or isinstance(decision, Held)


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
    """See `models.ports.JobStore.prune`. Also makes the partitions of the months to come, and takes
    the runs that no view shows any more out of the index of those that ended lately.
    """
    gone = int(connection.execute(_FORGET, {"before": before}).scalar_one())
    connection.execute(_PUT_ASIDE, {"kept": ENDS_SHOWN})
    connection.execute(_TURN_MONTHS)
    return gone
