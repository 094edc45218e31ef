"""The port to campaigns; the rules of `models.ports` hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from models.campaigns import (
    MOVING,
    OPEN,
    WAITING,
    Begun,
    Campaign,
    CampaignOrder,
    CampaignState,
)
from models.errors import Malformed
from models.lifecycle import Status
from models.ports import Asked, Verdict

_FROM: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.RUNNING: frozenset({CampaignState.PAUSED}),
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING}),
    CampaignState.CANCELLED: OPEN,
}
"""From where a person may bring a campaign there."""


class Campaigns(Protocol):
    """What the store keeps of campaigns; the rules of `models.ports` hold."""

    def begin_campaign(self, order: CampaignOrder, asked: Asked) -> Begun:
        """Begin a campaign at the start of its window. Written into the audit trail.

        Where one of the same order (`CampaignOrder.is_same`) has not ended, that one is given and
        nothing is written, however many ask at once: whoever says it twice means it once.
        """

    def campaigns(self, *, ended: bool = False) -> tuple[Campaign, ...]:
        """Those that have not ended, the oldest first; with `ended` all, the newest first, at most
        1,000.
        """

    def campaign(self, campaign_id: int) -> Campaign:
        """One campaign. Raises `NotFound`."""

    def jobs_of_campaign(self, campaign_id: int) -> Mapping[Status, int]:
        """How many of its jobs stand where, as the statuses are listed; no 0."""

    def cancel_waiting_jobs(self, campaign_id: int, limit: int, asked: Asked) -> int:
        """Cancel the first of its jobs that no run has begun for, by id; how many that were.

        One for which a run begins at the same time goes on. Written into the audit trail.
        """

    def turn_campaign(self, campaign_id: int, to: CampaignState, asked: Asked) -> Verdict:
        """Pause, resume (RUNNING) or cancel a campaign; its jobs are left as they are.

        Refused as `judged` says. The verdict is about `campaign:<id>`. Written into the
        audit trail.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What ending a campaign came to: how many of its jobs were cancelled (would be, of what is
    only tried), how many wait still, and how many a run has begun for, which go on.
    """

    subject: str
    done: bool
    because: str
    jobs_cancelled: int
    jobs_waiting: int
    jobs_moving: int


CANCELLED_AT_ONCE = 1_000
"""Jobs in one transaction."""


def end_campaign(
    campaigns: Campaigns, campaign_id: int, asked: Asked, *, batches: int, keep_jobs: bool = False
) -> Ending:
    """Create no further jobs of a campaign, and cancel those that no run has begun for, at most so
    many times `CANCELLED_AT_ONCE`. What is over already stays so; said twice, it is the same.

    Raises `NotFound`.
    """
    because, subject = _ended(campaigns, campaign_id, asked), subject_of(campaign_id)
    count, left = 0, 0 if keep_jobs or asked.dry_run else batches
    while left and (done := campaigns.cancel_waiting_jobs(campaign_id, CANCELLED_AT_ONCE, asked)):
        count, left = count + done, left - 1
    jobs = campaigns.jobs_of_campaign(campaign_id)
    waiting = sum(jobs.get(status, 0) for status in WAITING)
    if asked.dry_run and not keep_jobs:
        count, waiting = waiting, 0
    return Ending(
        subject=subject,
        done=True,
        because=because,
        jobs_cancelled=count,
        jobs_waiting=waiting,
        jobs_moving=sum(jobs.get(status, 0) for status in MOVING),
    )


def _ended(campaigns: Campaigns, campaign_id: int, asked: Asked) -> str:
    """See to it that a campaign creates no further jobs; how it stood."""
    state = campaigns.campaign(campaign_id).state
    if state in OPEN:
        verdict = campaigns.turn_campaign(campaign_id, CampaignState.CANCELLED, asked)
        if verdict.done:
            return verdict.because
        # It came to its end at this very moment.
        state = campaigns.campaign(campaign_id).state
    return f"it is {state} already and creates no further jobs"


TURNS: Mapping[CampaignState, str] = {
    CampaignState.RUNNING: "resume_campaign",
    CampaignState.PAUSED: "pause_campaign",
    CampaignState.CANCELLED: "cancel_campaign",
}
"""What the audit trail calls it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """The catalogues of the settings that list what a type of job is made of, and which setting
    names such ones.
    """

    names: tuple[str, ...]
    setting: str


def source_of(offers: Mapping[str, Offer], job_type: str, wanted: str | None) -> str:
    """The catalogue of a campaign: the one that is wanted, else the first that can be. `offers`
    has every type that can have campaigns.

    Raises `Malformed` saying what of the two cannot be, why, and what can.
    """
    if job_type not in offers:
        raise Malformed(
            f"type: there are no campaigns of {job_type!r}, which no catalogue brings; there are "
            f"of: {', '.join(offers)}"
        )
    offer = offers[job_type]
    if not offer.names:
        raise Malformed(
            f"source: the settings name no catalogue that lists what {job_type} is made of; set "
            f"{offer.setting}"
        )
    if wanted is not None and wanted not in offer.names:
        raise Malformed(
            f"source: the settings name no catalogue {wanted!r} that lists what {job_type} is made "
            f"of; they name: {', '.join(offer.names)}"
        )
    return wanted or offer.names[0]


def subject_of(campaign_id: int) -> str:
    """A campaign as verdicts and the audit trail name it."""
    return f"campaign:{campaign_id}"


def judged(campaign_id: int, campaign: Campaign | None, to: CampaignState) -> Verdict:
    """Whether a campaign (None: there is none of this id) may be brought there."""
    subject = subject_of(campaign_id)
    if campaign is None:
        return Verdict(subject=subject, done=False, because="there is no such campaign")
    if campaign.state not in _FROM.get(to, frozenset()):
        return Verdict(subject=subject, done=False, because=f"it is {campaign.state}")
    return Verdict(
        subject=subject,
        done=True,
        because=f"it was {campaign.state}, met until {campaign.reached:%Y-%m-%d %H:%M} UTC "
        f"({campaign.share:.0%}), {campaign.tally.created} jobs created",
    )
