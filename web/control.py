"""What steers the controller: pauses, live parameters; and what tells of it: services, decisions,
the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from models.ports import AuditLine, Verdict
from models.records import Heartbeat, Lease, LedgerRow, ParameterChange, Pause
from web.access import Admin, AtDesk, Operator, Viewer
from web.bodies import ParameterWish, PauseWish, ResumeWish
from web.problems import RESPONSES

router = APIRouter(tags=["control"], responses=dict(RESPONSES))

Limit = Annotated[int, Query(ge=1, le=1000)]
About = Annotated[list[str], Query(max_length=100)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Who leads which loop until when, and the newest sign of life of every loop."""

    deployment: str
    leases: tuple[Lease, ...]
    heartbeats: tuple[Heartbeat, ...]
    totals: Mapping[str, int]


@router.get("/services")
def services(desk: AtDesk, _: Viewer) -> Services:
    """Who leads, who is alive, and how many jobs there are by status."""
    return Services(
        deployment=desk.deployment,
        leases=desk.reader.leases(),
        heartbeats=desk.reader.heartbeats(),
        totals=desk.reader.totals(),
    )


@router.get("/decisions")
def decisions(
    desk: AtDesk, _: Viewer, about: About | None = None, limit: Limit = 50
) -> tuple[LedgerRow, ...]:
    """The newest decisions, about all or about these subjects (`job:17`, `flavor:hm.medium`, …)."""
    return desk.reader.ledger(about or (), limit)


@router.get("/audit")
def audit(
    desk: AtDesk, _: Operator, about: str | None = None, limit: Limit = 50
) -> tuple[AuditLine, ...]:
    """What people did, newest first."""
    return desk.reader.audit(about, limit)


@router.get("/pauses")
def list_pauses(desk: AtDesk, _: Viewer) -> tuple[Pause, ...]:
    """What is paused now."""
    return desk.reader.pauses()


@router.post("/pauses")
def pause(desk: AtDesk, operator: Operator, wish: PauseWish) -> tuple[Verdict, ...]:
    """Let everything, a loop or a job type rest."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.pause(wish.targets, asked, lasts=_for(wish.seconds))


@router.post("/pauses/end")
def resume(desk: AtDesk, operator: Operator, wish: ResumeWish) -> tuple[Verdict, ...]:
    """Let it go on."""
    return desk.operations.resume(wish.targets, operator.asks(wish.reason, dry_run=wish.dry_run))


@router.get("/parameters")
def parameter_changes(desk: AtDesk, _: Viewer) -> tuple[ParameterChange, ...]:
    """Every change of a live parameter, newest first; what was never changed has its default."""
    return desk.reader.parameters()


@router.put("/parameters/{key}")
def set_parameter(desk: AtDesk, admin: Admin, key: str, wish: ParameterWish) -> ParameterChange:
    """Change a live parameter; it is in force from the next pass on."""
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.set_parameter(key, wish.value, asked, lasts=_for(wish.seconds))


def _for(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
