"""Statements written out in SQL, with the lists of columns and statuses filled in.

Only constants of this program are filled in; whatever comes from outside is a bound parameter.
Statuses stand as literals, because the planner must see them to choose a partial index.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from string import Template

from sqlalchemy import Dialect, TextClause, text

from infra.postgres.rows import (
    BACKOFF,
    BREAKER,
    DECISION,
    IDENTITY,
    INTENT,
    JOB,
    ORDER,
    PAUSE,
    RUN,
    WORKER,
    Columns,
)
from models.lifecycle import ERRORS, FINAL, IN_FLIGHT, Status


def _columns(columns: Columns, alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{column.name}" for column in columns)


def _literals(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))


_PARTS = {
    "JOB": _columns(JOB),
    "JOB_j": _columns(JOB, "j"),
    "RUN": _columns(RUN),
    "WORKER": _columns(WORKER),
    "INTENT": _columns(INTENT),
    "ORDER": _columns(ORDER),
    "IDENTITY": _columns(IDENTITY),
    "BACKOFF": _columns(BACKOFF),
    "PAUSE": _columns(PAUSE),
    "BREAKER": _columns(BREAKER),
    "DECISION": _columns(DECISION),
    "ERRORS": _literals(ERRORS),
    "FINAL": _literals(FINAL),
    "IN_FLIGHT": _literals(IN_FLIGHT),
}


def statement(template: str, **parts: str) -> TextClause:
    """A statement in which `$JOB`, `$ERRORS` and the like, and `parts`, are filled in."""
    return text(Template(template).substitute(_PARTS, **parts))


@cache
def driver_text(statement: TextClause, dialect: Dialect) -> bytes:
    """The same statement as the driver itself reads it."""
    return str(statement.compile(dialect=dialect)).encode()
