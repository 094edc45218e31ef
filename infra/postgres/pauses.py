"""What people pause and resume.

All of it runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from infra.postgres.view import pauses
from infra.postgres.wishes import Wish
from models import tables
from models.job_types import Registry
from models.pauses import end_of, ended_in_words, made_in_words, why_not_pausable
from models.ports import Verdict
from models.records import Pause


def pause(
    connection: Connection,
    targets: Sequence[str],
    wish: Wish,
    lasts: timedelta | None,
    registry: Registry,
) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.pause`."""
    until = end_of(wish.now, lasts)
    verdicts: list[Verdict] = []
    for target in targets:
        refusal = why_not_pausable(target, registry)
        made = _pause(target, wish, until)
        if refusal is None and not wish.asked.dry_run:
            _write(connection, made)
        because = refusal or made_in_words(made)
        verdicts.append(Verdict(subject=target, done=refusal is None, because=because))
    return tuple(verdicts)


def _pause(target: str, wish: Wish, until: datetime | None) -> Pause:
    return Pause(
        target=target,
        by=wish.asked.actor,
        reason=wish.asked.reason,
        since=wish.now,
        until=until,
    )


def _write(connection: Connection, made: Pause) -> None:
    values = {
        "paused_by": made.by,
        "reason": made.reason,
        "since": made.since,
        "until": made.until,
    }
    connection.execute(
        upsert(tables.pauses)
        .values(target=made.target, **values)
        .on_conflict_do_update(index_elements=[tables.pauses.c.target], set_=values)
    )


def resume(connection: Connection, targets: Sequence[str], wish: Wish) -> tuple[Verdict, ...]:
    """See `models.ports.Operations.resume`."""
    found = {pause.target: pause for pause in pauses(connection)}
    if not wish.asked.dry_run:
        # Those that are over by themselves go with them: nobody else takes them away.
        gone = tables.pauses.c.target.in_(targets)
        connection.execute(delete(tables.pauses).where(gone))
    return tuple(_resumed(target, found.get(target)) for target in targets)


def _resumed(target: str, found: Pause | None) -> Verdict:
    because = "it is not paused" if found is None else ended_in_words(found)
    return Verdict(subject=target, done=found is not None, because=because)
