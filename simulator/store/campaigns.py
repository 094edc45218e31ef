"""Campaigns: what people ask for, and one change for each part of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from models.campaigning import TURNS, judged, subject_of
from models.campaigns import (
    OPEN,
    WAITING,
    AdvanceCampaign,
    Begun,
    Campaign,
    CampaignOrder,
    CampaignState,
    Tally,
)
from models.errors import NotFound, Superseded
from models.lifecycle import Status
from models.ports import Receipt, Verdict
from models.records import Lease
from simulator.store.feeds import add_one, keep
from simulator.store.people import Asking, cancel
from simulator.store.tables import Note, Tables

_MOST = 1000


def advance_campaign(tables: Tables, fence: Lease, change: AdvanceCampaign) -> Receipt:
    """See `models.campaigns.AdvanceCampaign`."""
    part = change.part
    campaign = tables.campaigns.get(part.campaign_id)
    running = campaign is not None and campaign.state is CampaignState.RUNNING
    if campaign is None or not running or campaign.reached != part.expected:
        raise Superseded(
            f"campaign {part.campaign_id} does not run from {part.expected} on any more: "
            "nothing was added"
        )
    note = Note(at=change.at, actor=fence.name)
    made = [job for job in (add_one(tables, new, note) for new in part.jobs) if job is not None]
    for job in made:
        tables.campaign_jobs.put((campaign.id, job.id), job.id)
    keep(tables, part.rejected, change.at)
    is_over = part.reached >= campaign.order.until
    counted = Tally(created=len(made), existing=len(part.jobs) - len(made))
    tables.campaigns.put(
        campaign.id,
        replace(
            campaign,
            reached=part.reached,
            tally=campaign.tally + part.tally + counted,
            state=CampaignState.DONE if is_over else campaign.state,
            ended_at=change.at if is_over else None,
        ),
    )
    return Receipt(created=len(made))


def begin(asking: Asking, order: CampaignOrder) -> Begun:
    """See `models.campaigns.Campaigns.begin_campaign`."""
    for each in campaigns(asking.tables, ended=False):
        if each.order.is_same(order):
            return Begun(campaign=each, is_new=False)
    campaign = Campaign(
        id=asking.tables.number("campaigns"),
        order=order,
        state=CampaignState.RUNNING,
        reached=order.since,
        tally=Tally(),
        asked_by=asking.asked.actor,
        reason=asking.asked.reason,
        created_at=asking.now,
    )
    asking.tables.campaigns.put(campaign.id, campaign)
    asking.audit("begin_campaign", [subject_of(campaign.id)])
    return Begun(campaign=campaign, is_new=True)


def campaigns(tables: Tables, *, ended: bool) -> tuple[Campaign, ...]:
    """See `models.campaigns.Campaigns.campaigns`."""
    if ended:
        return tuple(islice(tables.campaigns.newest_first(), _MOST))
    return tuple(each for each in tables.campaigns.values() if each.state in OPEN)


def campaign(tables: Tables, campaign_id: int) -> Campaign:
    """See `models.campaigns.Campaigns.campaign`."""
    found = tables.campaigns.get(campaign_id)
    if found is None:
        raise NotFound(f"there is no campaign {campaign_id}; `hrsi campaign list --all`")
    return found


def jobs(tables: Tables, campaign_id: int) -> Mapping[Status, int]:
    """See `models.campaigns.Campaigns.jobs_of_campaign`."""
    found = Counter(tables.jobs[job_id].status for job_id in _ids(tables, campaign_id))
    return {status: found[status] for status in Status if status in found}


def cancel_waiting(asking: Asking, campaign_id: int, limit: int) -> int:
    """See `models.campaigning.Campaigns.cancel_waiting_jobs`."""
    tables = asking.tables
    waiting = (i for i in _ids(tables, campaign_id) if tables.jobs[i].status in WAITING)
    return len(cancel(asking, list(islice(waiting, limit))))


def turn(asking: Asking, campaign_id: int, to: CampaignState) -> Verdict:
    """See `models.campaigns.Campaigns.turn_campaign`."""
    found = asking.tables.campaigns.get(campaign_id)
    verdict = judged(campaign_id, found, to)
    if found is not None and verdict.done and not asking.asked.dry_run:
        ended_at = None if to in OPEN else asking.now
        turned = replace(found, state=to, ended_at=ended_at)
        asking.tables.campaigns.put(campaign_id, turned)
        asking.audit(TURNS[to], [verdict.subject])
    return verdict


def _ids(tables: Tables, campaign_id: int) -> list[int]:
    keys = (key for key in tables.campaign_jobs if key[0] == campaign_id)
    return sorted(job_id for _, job_id in keys)
