"""The port to campaigns; the rules of `models.ports` hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from models.campaigns import OPEN, Campaign, CampaignOrder, CampaignState
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

    def begin_campaign(self, order: CampaignOrder, asked: Asked) -> Campaign:
        """Begin a campaign at the start of its window. Written into the audit trail."""

    def campaigns(self, *, ended: bool = False) -> tuple[Campaign, ...]:
        """Those that have not ended, the oldest first; with `ended` all, the newest first, at most
        1,000.
        """

    def campaign(self, campaign_id: int) -> Campaign:
        """One campaign. Raises `NotFound`."""

    def jobs_of_campaign(self, campaign_id: int) -> Mapping[Status, int]:
        """How many of its jobs stand where, as the statuses are listed; no 0."""

    def waiting_jobs_of_campaign(self, campaign_id: int, limit: int) -> tuple[int, ...]:
        """Its first jobs that no run has begun for yet, by id."""

    def turn_campaign(self, campaign_id: int, to: CampaignState, asked: Asked) -> Verdict:
        """Pause, resume (RUNNING) or cancel a campaign; its jobs are left as they are.

        Refused as `judged` says. The verdict is about `campaign:<id>`. Written into the
        audit trail.
        """


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
