"""What tells of the controller: services, the state on one screen, decisions, the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from models.breakers import Breaker
from models.overview import Holding, LoopStanding, overview
from models.ports import AuditLine, Span
from models.records import Heartbeat, Lease, LedgerRow, Pause
from web.access import AtDesk, Operator, Viewer
from web.bodies import Name
from web.problems import RESPONSES

router = APIRouter(tags=["services"], responses=dict(RESPONSES))

BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC)
"""Nothing was decided before, in whatever zone it is read."""

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A lease that somebody holds: the right to run one loop, until it expires or is renewed."""

    name: str
    holder: str
    epoch: int
    renewed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One loop: who leads it (None: nobody does), when its last pass was, and whether it acts."""

    name: str
    leader: str | None
    last_pass_at: datetime | None
    paused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Who leads which loop until when, and the newest sign of life of every loop and process."""

    deployment: str
    services: tuple[Service, ...]
    leases: tuple[Held, ...]
    heartbeats: tuple[Heartbeat, ...]
    totals: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How it all stands. `workers`: numbers by flavor, then by state."""

    at: datetime
    services: tuple[Service, ...]
    jobs: Mapping[str, int]
    quarantined: int
    workers: Mapping[str, Mapping[str, int]]
    pauses: tuple[Pause, ...]
    breakers: tuple[Breaker, ...]
    held: tuple[Holding, ...]


@router.get("/services", summary="List services")
def services(desk: AtDesk, _: Viewer) -> Services:
    """Who leads, who is alive, and how many jobs there are by status."""
    reader = desk.reader
    found = overview(reader, desk.loops, desk.clock.now())
    return Services(
        deployment=desk.deployment,
        services=tuple(map(_service, found.loops)),
        leases=tuple(map(_held, reader.leases())),
        heartbeats=reader.heartbeats(),
        totals=reader.totals(),
    )


@router.get("/status", summary="Show how it all stands")
def status(desk: AtDesk, _: Viewer) -> State:
    """Who leads, jobs, workers, what is paused, and what is held back since when and why.

    It is read from the database alone, so it answers while Nomad or OpenStack are away.
    """
    found = overview(desk.reader, desk.loops, desk.clock.now())
    return State(
        at=found.at,
        services=tuple(map(_service, found.loops)),
        jobs=found.jobs,
        quarantined=found.quarantined,
        workers=found.workers,
        pauses=found.pauses,
        breakers=found.breakers,
        held=found.held,
    )


@router.get("/decisions", summary="List decisions")
def decisions(
    desk: AtDesk,
    _: Viewer,
    about: Annotated[
        list[Name] | None,
        Query(max_length=100, description="Only about these, as job:17 or flavor:hm.medium."),
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(
            description="Only those that held at this time or later; without `about`, of the "
            "newest `limit` alone."
        ),
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="Likewise, at this time or earlier.")
    ] = None,
    limit: Limit = 50,
) -> tuple[LedgerRow, ...]:
    """The newest decisions with their reasons, about all or about some subjects."""
    if since is None and until is None:
        return desk.reader.ledger(about or (), limit)
    span = Span(began=since or BEFORE_ALL, over=until)
    rows = desk.reader.ledger(about or (), limit, span)
    return rows if about else tuple(row for row in rows if _held_in(row, span))


@router.get("/decisions/standing", summary="List refusals that hold")
def standing(desk: AtDesk, _: Viewer, limit: Limit = 50) -> tuple[LedgerRow, ...]:
    """What is refused now and why, newest first. One whose loop died may be among them: it is older
    than the others.
    """
    return desk.reader.standing(limit)


def _held_in(row: LedgerRow, span: Span) -> bool:
    return row.last_at >= span.began and (span.over is None or row.first_at <= span.over)


@router.get("/audit", summary="List what people did")
def audit(
    desk: AtDesk,
    _: Operator,
    about: Annotated[Name | None, Query(description="Only what changed this, as job:17.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 50,
) -> tuple[AuditLine, ...]:
    """What people did, newest first: when, who, to what, and why."""
    return desk.reader.audit(about, limit)


def _service(loop: LoopStanding) -> Service:
    return Service(
        name=loop.name, leader=loop.leader, last_pass_at=loop.last_pass_at, paused=loop.paused
    )


def _held(lease: Lease) -> Held:
    return Held(
        name=lease.name,
        holder=lease.holder,
        epoch=lease.epoch,
        renewed_at=lease.renewed_at,
        expires_at=lease.expires_at,
    )
