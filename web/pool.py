"""Workers: which there are, how the pool stands, and what people do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from models.causes import about_flavor, about_worker
from models.errors import NotFound
from models.overview import Holding, overview
from models.parameter_text import standings
from models.ports import Verdict
from models.records import LedgerRow, Worker, WorkerState
from web.access import AtDesk, Operator, Viewer
from web.bodies import Name, OrderWish, RetireWish
from web.problems import RESPONSES

router = APIRouter(tags=["workers"], responses=dict(RESPONSES))

UNREGISTERED = frozenset({WorkerState.CREATING, WorkerState.BOOTING})
_OF_POOL = ("flavor:", "workers", "servers", "nodes")

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
WorkerName = Annotated[Name, Path(examples=["os-worker-003"])]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unregistered:
    """A worker whose node has not joined: how old it is, and whether that is longer than it may.
    One outside the pool is none: its machine never joins.
    """

    name: str
    flavor: str
    state: WorkerState
    server_id: str | None
    created_at: datetime
    age_seconds: float
    late: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """How the pool stands. `workers`: numbers by flavor, then by state; `held`: what is not done
    for it, since when and why.
    """

    workers: Mapping[str, Mapping[str, int]]
    unregistered: tuple[Unregistered, ...]
    held: tuple[Holding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeWorker:
    """All workers that had a name, newest first, and the decisions about them."""

    workers: tuple[Worker, ...]
    decisions: tuple[LedgerRow, ...]


@router.get("/pool", summary="Show the pool")
def pool(desk: AtDesk, _: Viewer) -> Pool:
    """Workers by flavor and state, those that have not joined, and what is held back and why."""
    now = desk.clock.now()
    found = overview(desk.reader, desk.loops, now)
    limit = next(
        each.value
        for each in standings(desk.reader.parameters(), now)
        if each.parameter.key == "pool.boot_limit"
    )
    return Pool(
        workers=found.workers,
        unregistered=_unregistered(desk.reader.workers(), now, timedelta(seconds=limit)),
        held=tuple(each for each in found.held if each.about.startswith(_OF_POOL)),
    )


def _unregistered(
    workers: Sequence[Worker], now: datetime, limit: timedelta
) -> tuple[Unregistered, ...]:
    return tuple(
        Unregistered(
            name=worker.name,
            flavor=worker.flavor,
            state=worker.state,
            server_id=worker.server_id,
            created_at=worker.created_at,
            age_seconds=(now - worker.created_at).total_seconds(),
            late=now - worker.created_at > limit,
        )
        for worker in workers
        if worker.state in UNREGISTERED and not worker.outside_pool
    )


@router.get("/workers", summary="List workers")
def list_workers(desk: AtDesk, _: Viewer, *, closed: bool = False) -> tuple[Worker, ...]:
    """Open workers by name; with `closed` all there ever were, newest first, at most 1,000."""
    return desk.reader.workers(closed=closed)


@router.get("/workers/{name}", summary="Show a worker")
def show_worker(desk: AtDesk, _: Viewer, name: WorkerName, limit: Limit = 50) -> WholeWorker:
    """The workers of a name, open and closed, and why they came, stayed or went."""
    open_ones = desk.reader.workers()
    both = {worker.id: worker for worker in (*desk.reader.workers(closed=True), *open_ones)}
    found = tuple(
        sorted(
            (worker for worker in both.values() if worker.name == name),
            key=lambda worker: worker.id,
            reverse=True,
        )
    )
    if not found:
        raise NotFound(f"there is no worker {name!r}, or it is among those closed long ago")
    return WholeWorker(workers=found, decisions=about_worker(desk.reader, name, limit))


@router.get("/flavors/{name}/decisions", summary="List decisions about a flavor")
def flavor_decisions(
    desk: AtDesk,
    _: Viewer,
    name: Annotated[Name, Path(examples=["hm.large"])],
    limit: Limit = 50,
) -> tuple[LedgerRow, ...]:
    """Why workers of a flavor were created, or why not, newest first."""
    if name not in desk.registry.flavors:
        known = ", ".join(desk.registry.flavors)
        raise NotFound(f"{name!r} is no flavor of the pool; there are: {known}")
    return about_flavor(desk.reader, name, limit)


@router.post("/workers/retire", summary="Retire workers")
def retire(desk: AtDesk, operator: Operator, wish: RetireWish) -> tuple[Verdict, ...]:
    """Let workers finish what runs on them, then delete them; `forced`: delete them at once."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.retire(wish.names, asked, forced=wish.forced)


@router.post("/workers/order", summary="Order workers")
def order(desk: AtDesk, operator: Operator, wish: OrderWish) -> tuple[Verdict, ...]:
    """Order workers by hand; the pool creates them within its caps."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    keep = timedelta(hours=wish.keep_hours)
    return desk.operations.order(
        wish.flavor, wish.count, keep, asked, outside_pool=wish.outside_pool
    )
