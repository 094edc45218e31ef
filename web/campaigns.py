"""Campaigns: process again, or late, what was measured in a window of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path

from models.areas import area_of_tiles
from models.campaigning import Ending, end_campaign, source_of, subject_of
from models.campaigns import (
    Campaign,
    CampaignOrder,
    CampaignState,
    Tally,
)
from models.errors import Malformed
from models.lifecycle import Status
from models.ports import Asked, Verdict
from models.records import LedgerRow
from web.access import AtDesk, Operator, Viewer
from web.bodies import LARGEST, CampaignEndWish, CampaignTurnWish, CampaignWish
from web.desk import Desk
from web.problems import RESPONSES

router = APIRouter(prefix="/campaigns", tags=["campaigns"], responses=dict(RESPONSES))

BATCHES = 10
"""Transactions of one request to cancel jobs."""

Id = Annotated[int, Path(ge=1, le=LARGEST, description="As the list of campaigns says it.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeCampaign:
    """A campaign, how many of its jobs stand where, and the newest reasons for that."""

    campaign: Campaign
    jobs: Mapping[Status, int]
    decisions: tuple[LedgerRow, ...]


@router.get("", summary="List campaigns")
def list_campaigns(desk: AtDesk, _: Viewer, *, ended: bool = False) -> tuple[Campaign, ...]:
    """Those that have not ended, oldest first; with `ended` all, newest first, at most 1,000."""
    return desk.campaigns.campaigns(ended=ended)


@router.get("/{campaign}", summary="Show a campaign")
def show_campaign(desk: AtDesk, _: Viewer, campaign: Id) -> WholeCampaign:
    """How far it has come, what it met, and where its jobs stand."""
    return WholeCampaign(
        campaign=desk.campaigns.campaign(campaign),
        jobs=desk.campaigns.jobs_of_campaign(campaign),
        decisions=desk.reader.ledger([subject_of(campaign)], 5),
    )


@router.post("", summary="Create a campaign")
def create_campaign(desk: AtDesk, operator: Operator, wish: CampaignWish) -> Campaign:
    """Let the controller create jobs of reprocessing for all that was measured in a window.

    A campaign of the same order that has not ended is answered instead of a second one. A dry
    run reads the catalogue and counts, for 20 s at most: `reached` says how far it came.
    """
    order, asked = _order(desk, wish), operator.asks(wish.reason, dry_run=wish.dry_run)
    if wish.dry_run:
        return desk.reprocessing.foretold(_untried(desk, order, asked))
    return desk.campaigns.begin_campaign(order, asked).campaign


@router.post("/pause", summary="Pause a campaign")
def pause_campaign(desk: AtDesk, operator: Operator, wish: CampaignTurnWish) -> Verdict:
    """Create no further jobs for a while; those that are there go on."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.campaigns.turn_campaign(wish.campaign, CampaignState.PAUSED, asked)


@router.post("/resume", summary="Resume a campaign")
def resume_campaign(desk: AtDesk, operator: Operator, wish: CampaignTurnWish) -> Verdict:
    """Go on with a campaign that was paused, from where it was."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.campaigns.turn_campaign(wish.campaign, CampaignState.RUNNING, asked)


@router.post("/cancel", summary="Cancel a campaign")
def cancel_campaign(desk: AtDesk, operator: Operator, wish: CampaignEndWish) -> Ending:
    """End a campaign, and cancel its jobs that no run has begun for, at most 10,000 at once; those
    that run go on. While `jobs_waiting` is not 0, ask again. Asked twice, it is the same.
    """
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return end_campaign(
        desk.campaigns, wish.campaign, asked, batches=BATCHES, keep_jobs=wish.keep_jobs
    )


def _order(desk: Desk, wish: CampaignWish) -> CampaignOrder:
    """What is wanted. Raises `Malformed` naming the field that cannot be."""
    source = source_of(desk.reprocessing.offers, wish.type, wish.source)
    if not wish.since < wish.until <= desk.clock.now():
        raise Malformed("since, until: the window must have a length and lie in the past")
    return CampaignOrder(
        job_type=wish.type,
        source=source,
        since=wish.since,
        until=wish.until,
        tiles=_tiles(wish.tiles) if wish.tiles else desk.reprocessing.tiles,
        again=wish.again,
    )


def _tiles(names: list[str]) -> tuple[str, ...]:
    try:
        return area_of_tiles(names).tiles
    except ValueError as error:
        raise Malformed(f"tiles: {error}") from error


def _untried(desk: Desk, order: CampaignOrder, asked: Asked) -> Campaign:
    """A campaign at its beginning, which nobody has begun."""
    return Campaign(
        id=0,
        order=order,
        state=CampaignState.RUNNING,
        reached=order.since,
        tally=Tally(),
        asked_by=asked.actor,
        reason=asked.reason,
        created_at=desk.clock.now(),
    )
