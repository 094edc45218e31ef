"""Workers: which there are, and what people do with them."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from models.ports import Verdict
from models.records import Worker
from web.access import AtDesk, Operator, Viewer
from web.bodies import OrderWish, RetireWish
from web.problems import RESPONSES

router = APIRouter(prefix="/workers", tags=["workers"], responses=dict(RESPONSES))


@router.get("")
def list_workers(desk: AtDesk, _: Viewer, *, closed: bool = False) -> tuple[Worker, ...]:
    """Open workers by name; with `closed` all there ever were, newest first, at most 1,000."""
    return desk.reader.workers(closed=closed)


@router.post("/retire")
def retire(desk: AtDesk, operator: Operator, wish: RetireWish) -> tuple[Verdict, ...]:
    """Let workers finish what runs on them, then delete them; `forced`: delete them at once."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.retire(wish.names, asked, forced=wish.forced)


@router.post("/order")
def order(desk: AtDesk, operator: Operator, wish: OrderWish) -> tuple[Verdict, ...]:
    """Order workers by hand; the pool creates them within its caps."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    keep = timedelta(hours=wish.keep_hours)
    return desk.operations.order(wish.flavor, wish.count, keep, asked)
