"""A part of a campaign is added all at once or not at all, and once; people are obeyed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.campaigning import end_campaign
from models.campaigns import (
    AdvanceCampaign,
    Begun,
    Campaign,
    CampaignOrder,
    CampaignState,
    Part,
    Tally,
)
from models.creation import Acquisition, Met
from models.errors import NotFound, Superseded
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.ports import JobFilter
from models.records import NewJob, Priority
from simulator.examples import NOW
from tests.contract.test_store_feeds import ODD
from tests.plugins.readiness import configuration_of
from tests.plugins.stores import ASKED, HOUR, NOBODY, Desk

DAY = timedelta(days=1)
ORDER = CampaignOrder(
    job_type="fsc_rlie",
    source="creodias",
    since=NOW - 30 * DAY,
    until=NOW - 20 * DAY,
    tiles=("32TLR", "32TMS"),
)
FLAVORS = {name: found.flavor for name, found in DEFAULT_REGISTRY.types.items()}


def begun(desk: Desk, order: CampaignOrder = ORDER) -> Campaign:
    """A campaign at its beginning."""
    return desk.doors.campaigns.begin_campaign(order, ASKED).campaign


def a_part(campaign: Campaign, days: float, *keys: str, **changes: Any) -> AdvanceCampaign:
    """The next so many days of a campaign, with jobs of these keys."""
    jobs = tuple(
        NewJob(
            type="fsc_rlie",
            key=key,
            name=key,
            priority=Priority.REPROCESSING,
            sensing_at=campaign.reached + HOUR,
        )
        for key in keys
    )
    part = Part(
        campaign_id=campaign.id,
        expected=campaign.reached,
        reached=campaign.reached + days * DAY,
        jobs=jobs,
        **changes,
    )
    return AdvanceCampaign(at=NOW, part=part, flavors=FLAVORS)


def test_a_campaign_begins_where_its_window_does(desk: Desk) -> None:
    campaign = begun(desk, replace(ORDER, again=True))
    assert campaign.order == replace(ORDER, again=True)
    assert (campaign.state, campaign.reached) == (CampaignState.RUNNING, ORDER.since)
    assert (campaign.tally, campaign.share, campaign.ended_at) == (Tally(), 0, None)
    assert (campaign.asked_by, campaign.reason) == (ASKED.actor, ASKED.reason)
    assert desk.doors.campaigns.campaign(campaign.id) == campaign
    assert desk.doors.campaigns.campaigns() == (campaign,)
    assert desk.audit() == [(ASKED.actor, f"campaign:{campaign.id}")]


def test_a_part_adds_its_jobs_and_counts(desk: Desk) -> None:
    campaign = begun(desk)
    met = Tally(listed=5, existing=1, left_out=1, rejected=1)
    receipt = desk.do(a_part(campaign, 4, "b", "a", tally=met, rejected=(ODD,)))
    now = desk.doors.campaigns.campaign(campaign.id)
    assert receipt.created == 2
    assert (now.reached, now.state) == (ORDER.since + 4 * DAY, CampaignState.RUNNING)
    assert now.tally == replace(met, created=2)
    assert now.share == pytest.approx(0.4)
    jobs = desk.doors.reader.jobs(JobFilter(limit=10))
    assert [job.key for job in jobs] == ["b", "a"]
    assert {job.priority for job in jobs} == {Priority.REPROCESSING}
    assert sum(desk.doors.campaigns.jobs_of_campaign(campaign.id).values()) == 2
    assert [each.entry.entry for each in desk.doors.feeds.rejects()] == [ODD.entry]


def test_a_job_that_is_there_counts_as_existing_and_is_none_of_the_campaigns(desk: Desk) -> None:
    first, second = begun(desk), begun(desk, replace(ORDER, again=True))
    desk.do(a_part(first, 1, "a"))
    assert desk.do(a_part(second, 1, "a", "b")).created == 1
    tally = desk.doors.campaigns.campaign(second.id).tally
    assert (tally.created, tally.existing) == (1, 1)
    assert desk.doors.campaigns.jobs_of_campaign(second.id) == {Status.INITIALIZED: 1}


def test_the_last_part_ends_it(desk: Desk) -> None:
    campaign = begun(desk)
    desk.do(a_part(campaign, 10, "a"))
    done = desk.doors.campaigns.campaign(campaign.id)
    assert (done.state, done.ended_at, done.share) == (CampaignState.DONE, NOW, 1)
    assert desk.doors.campaigns.campaigns() == ()
    assert desk.doors.campaigns.campaigns(ended=True) == (done,)
    desk.refuses(a_part(done, 0), Superseded)


def test_no_part_is_added_twice(desk: Desk) -> None:
    campaign = begun(desk)
    desk.do(a_part(campaign, 1, "a"))
    desk.refuses(a_part(campaign, 1, "a", "b"), Superseded)
    desk.refuses(a_part(replace(campaign, id=NOBODY), 1, "c"), Superseded)


def test_a_part_under_a_lost_lease_adds_nothing(desk: Desk) -> None:
    campaign = begun(desk)
    desk.doors.jobs.release(desk.lease)
    assert desk.doors.jobs.acquire(desk.name, "somebody", HOUR) is not None
    desk.refuses(a_part(campaign, 1, "a"), Superseded)


def test_who_pauses_resumes_or_cancels_is_obeyed(desk: Desk) -> None:
    campaigns, campaign = desk.doors.campaigns, begun(desk)
    turns = [
        (CampaignState.RUNNING, False),
        (CampaignState.PAUSED, True),
        (CampaignState.PAUSED, False),
        (CampaignState.RUNNING, True),
        (CampaignState.CANCELLED, True),
        (CampaignState.RUNNING, False),
        (CampaignState.CANCELLED, False),
    ]
    for to, done in turns:
        verdict = campaigns.turn_campaign(campaign.id, to, ASKED)
        assert (verdict.subject, verdict.done) == (f"campaign:{campaign.id}", done)
        if campaigns.campaign(campaign.id).state is not CampaignState.RUNNING:
            desk.refuses(a_part(campaign, 1, "a"), Superseded)
    ended = campaigns.campaign(campaign.id)
    assert ended.ended_at is not None
    assert len(desk.audit()) == 4


def test_what_is_only_tried_changes_nothing(desk: Desk) -> None:
    campaign = begun(desk)
    with desk.nothing_written():
        dry = replace(ASKED, dry_run=True)
        assert desk.doors.campaigns.turn_campaign(campaign.id, CampaignState.CANCELLED, dry).done


def test_a_campaign_that_there_is_not_is_told(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no campaign"):
        desk.doors.campaigns.campaign(NOBODY)
    verdict = desk.doors.campaigns.turn_campaign(NOBODY, CampaignState.PAUSED, ASKED)
    assert (verdict.done, verdict.because) == (False, "there is no such campaign")
    assert desk.doors.campaigns.jobs_of_campaign(NOBODY) == {}


def test_a_cancelled_job_is_known_as_such(desk: Desk) -> None:
    campaign = begun(desk)
    desk.do(a_part(campaign, 1, "a", "b"))
    assert desk.doors.campaigns.cancel_waiting_jobs(campaign.id, 1, ASKED) == 1
    image = Acquisition(job_type="fsc_rlie", sensing_at=ORDER.since + HOUR, tile=None)
    known = desk.doors.feeds.known(Met(acquisitions=frozenset({image})))
    assert [(job.key, job.cancelled) for job in known.jobs] == [("a", True), ("b", False)]
    counts = desk.doors.campaigns.jobs_of_campaign(campaign.id)
    assert counts == {Status.INITIALIZED: 1, Status.CANCELLED: 1}


def test_the_same_order_twice_is_one_campaign_until_it_ends(desk: Desk) -> None:
    campaigns, first = desk.doors.campaigns, begun(desk)
    same = replace(ORDER, tiles=ORDER.tiles[::-1])
    assert campaigns.begin_campaign(same, ASKED) == Begun(campaign=first, is_new=False)
    campaigns.turn_campaign(first.id, CampaignState.PAUSED, ASKED)
    assert not campaigns.begin_campaign(ORDER, ASKED).is_new
    assert campaigns.begin_campaign(replace(ORDER, again=True), ASKED).is_new
    campaigns.turn_campaign(first.id, CampaignState.CANCELLED, ASKED)
    assert campaigns.begin_campaign(ORDER, ASKED).is_new
    assert len(campaigns.campaigns(ended=True)) == 3
    begun_ones = [subject for _, subject in desk.audit() if subject != f"campaign:{first.id}"]
    assert len(set(begun_ones)) == 2


def test_ending_a_campaign_cancels_what_waits_and_nothing_that_runs(desk: Desk) -> None:
    campaigns, campaign = desk.doors.campaigns, begun(desk)
    desk.do(a_part(campaign, 1, "a", "b", "c"))
    first, *_ = desk.doors.reader.jobs(JobFilter(limit=10))
    desk.doors.jobs.commit(desk.lease, configuration_of([desk.job(first.id)], desk.now()))
    desk.queued(first.id)
    dry = replace(ASKED, dry_run=True)
    tried = end_campaign(campaigns, campaign.id, dry, batches=1)
    assert (tried.jobs_cancelled, tried.jobs_waiting, tried.jobs_moving) == (2, 0, 1)
    assert campaigns.campaign(campaign.id).state is CampaignState.RUNNING
    kept = end_campaign(campaigns, campaign.id, ASKED, batches=1, keep_jobs=True)
    assert (kept.jobs_cancelled, kept.jobs_waiting, kept.jobs_moving) == (0, 2, 1)
    assert campaigns.campaign(campaign.id).state is CampaignState.CANCELLED
    ended = end_campaign(campaigns, campaign.id, ASKED, batches=1)
    assert (ended.jobs_cancelled, ended.jobs_waiting, ended.jobs_moving) == (2, 0, 1)
    again = end_campaign(campaigns, campaign.id, ASKED, batches=1)
    assert (again.done, again.jobs_cancelled, again.jobs_moving) == (True, 0, 1)
    assert "cancelled already" in again.because
    counts = campaigns.jobs_of_campaign(campaign.id)
    assert counts == {Status.QUEUED: 1, Status.CANCELLED: 2}


def test_a_campaign_that_is_done_can_be_ended_for_the_jobs_that_wait(desk: Desk) -> None:
    campaigns, campaign = desk.doors.campaigns, begun(desk)
    desk.do(a_part(campaign, 10, "a"))
    ended = end_campaign(campaigns, campaign.id, ASKED, batches=1)
    assert (ended.because, ended.jobs_cancelled) == (
        "it is done already and creates no further jobs",
        1,
    )
    assert campaigns.campaign(campaign.id).state is CampaignState.DONE
    with pytest.raises(NotFound, match="no campaign"):
        end_campaign(campaigns, NOBODY, ASKED, batches=1)
