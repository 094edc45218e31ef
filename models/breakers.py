"""Breakers: what keeps a mass removal, or a mass of things that seem gone, from being acted on.

A breaker opens when more workers are removed, or more servers or nodes are missing, than chance
explains (`models.vanishing` counts). While it is open nothing is deleted, purged or requeued on the
strength of what is in doubt. It closes when everything that opened it is explained, or when a
person says so: the person's word covers what the breaker has named until then, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.records import RetireCause, Worker
from models.wishes import is_by_person
from models.wording import counted, in_utc


class BreakerName(StrEnum):
    """The breakers that there are, by what each counts.

    SERVERS and NODES what a complete list lacks though nobody took it away; REMOVALS workers that
    the pool removes for another reason than idleness or a person's wish. In this order they are
    named as what holds something back: a list in doubt explains why so many are to be removed.
    """

    SERVERS = "servers"
    NODES = "nodes"
    REMOVALS = "removals"


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """One opening of a breaker. `suspects` are the workers that it names: server id to name.

    `closed_by` is the person who closed it, or the lease under which it was found explained.
    `accepted` are the server ids among the suspects for which a person's word still holds: they are
    treated by the ordinary rules, and count for no breaker.
    """

    id: int
    name: BreakerName
    opened_at: datetime
    because: str
    suspects: Mapping[str, str]
    closed_at: datetime | None = None
    closed_by: str | None = None
    close_reason: str | None = None
    accepted: frozenset[str] = field(default_factory=frozenset)


REMOVAL_CAUSES = frozenset({RetireCause.STALE, RetireCause.SERVER_ERROR})
"""Why the pool removes workers that may be healthy after all: by what lists say of them."""


def removal_begun(worker: Worker) -> datetime | None:
    """When the pool began to remove this worker, for another reason than that it was idle or that a
    person wished it; None: it did not. What vanished is removed when its server is proved gone.
    """
    retirement = worker.retirement
    if retirement is not None and retirement.cause in REMOVAL_CAUSES:
        return retirement.started_at
    explained = worker.delete_sent_at is not None or is_by_person(retirement)
    return None if explained else worker.gone_at


# ---- what a person is told -----------------------------------------------------------------------


def subject_of(name: str) -> str:
    """A breaker as verdicts, the ledger and the audit trail name it."""
    return f"breaker:{name}"


def why_not_closed(name: str, found: Breaker | None) -> str | None:
    """Why this breaker cannot be closed; None: it can."""
    if name not in frozenset(BreakerName):
        return f"there is no such breaker; there are: {', '.join(BreakerName)}"
    return "it is not open" if found is None else None


def what_closing_does(found: Breaker) -> str:
    """What the person who closes a breaker is told."""
    named = ", ".join(sorted(found.suspects.values()))
    return (
        f"open since {in_utc(found.opened_at)}; from the next pass on the ordinary "
        f"rules hold again for {counted(len(found.suspects), 'worker')}: {named}"
    )
