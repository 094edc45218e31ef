"""The audit trail: who did what to which things. Runs inside the transaction that does it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, text

from models.ports import Asked, Verdict
from models.tables import audit

_NOTIFY = text("select pg_notify('hrsi', '')")


def note(connection: Connection, action: str, asked: Asked, subjects: Sequence[str]) -> None:
    """Note who did what to which things, and wake whoever may have work by it."""
    if asked.dry_run or not subjects:
        return
    connection.execute(
        insert(audit).values(
            actor=asked.actor, action=action, subjects=list(subjects), reason=asked.reason
        )
    )
    connection.execute(_NOTIFY)


def done(verdicts: Sequence[Verdict]) -> list[str]:
    """What was done, each thing once."""
    return list(dict.fromkeys(verdict.subject for verdict in verdicts if verdict.done))
