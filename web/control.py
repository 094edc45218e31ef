"""What steers the controller: pauses, and breakers that hold removals back."""

from __future__ import annotations

from fastapi import APIRouter

from models.breakers import Breaker
from models.ports import Verdict
from models.records import Pause
from web.access import AtDesk, Operator, Viewer
from web.bodies import CloseWish, PauseWish, ResumeWish, lasting
from web.problems import RESPONSES

router = APIRouter(tags=["control"], responses=dict(RESPONSES))


@router.get("/pauses", summary="List pauses")
def list_pauses(desk: AtDesk, _: Viewer) -> tuple[Pause, ...]:
    """What is paused now, by target."""
    return desk.reader.pauses()


@router.post("/pauses", summary="Pause")
def pause(desk: AtDesk, operator: Operator, wish: PauseWish) -> tuple[Verdict, ...]:
    """Let everything, a loop or a job type rest; a pause in force is replaced by the new one."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.pause(wish.targets, asked, lasts=lasting(wish.seconds))


@router.post("/pauses/end", summary="Resume")
def resume(desk: AtDesk, operator: Operator, wish: ResumeWish) -> tuple[Verdict, ...]:
    """Let it go on."""
    return desk.operations.resume(wish.targets, operator.asks(wish.reason, dry_run=wish.dry_run))


@router.get("/breakers", summary="List breakers")
def list_breakers(desk: AtDesk, _: Viewer, *, closed: bool = False) -> tuple[Breaker, ...]:
    """Open breakers by name; with `closed` every opening there was, newest first, at most 1,000."""
    return desk.reader.breakers(closed=closed)


@router.post("/breakers/close", summary="Close breakers")
def close_breakers(desk: AtDesk, operator: Operator, wish: CloseWish) -> tuple[Verdict, ...]:
    """Close breakers: what each names by now goes by the ordinary rules from the next pass on."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.close_breaker(wish.names, asked)
