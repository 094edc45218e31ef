"""Handlers of creation: what a look at a feed found, and what was made of groups of products, is
added in one transaction.
"""

from __future__ import annotations

from controller.act.effects import Acting, flavors
from models.actions import AddCampaignJobs, AddJobs, Compose
from models.campaigns import AdvanceCampaign
from models.composing import ComposeJobs
from models.creation import CreateJobs


def add_jobs(action: AddJobs, acting: Acting) -> None:
    """Add jobs, cancelled ones and rejected entries, and move the cursor: all or nothing."""
    receipt = acting.commit(
        CreateJobs(
            at=acting.at,
            cursor=action.cursor,
            expected=action.expected,
            flavors=flavors(acting),
            jobs=action.jobs,
            cancelled=action.cancelled,
            why=action.why,
            rejected=action.rejected,
            ingredients=action.ingredients,
            groups=action.groups,
            touched=action.touched,
        )
    )
    acting.tools.metrics.jobs_created(action, receipt.created, acting.at)


def compose(action: Compose, acting: Acting) -> None:
    """Add what was made of groups of products, and remember it: all or nothing."""
    acting.commit(
        ComposeJobs(
            at=acting.at,
            groups=action.groups,
            flavors=flavors(acting),
            jobs=action.jobs,
            cancelled=action.cancelled,
            why=action.why,
            overridden=action.overridden,
        )
    )


def add_campaign_jobs(action: AddCampaignJobs, acting: Acting) -> None:
    """Add the jobs of a part of a campaign and note how far it has come: all or nothing."""
    acting.commit(AdvanceCampaign(at=acting.at, part=action.part, flavors=flavors(acting)))
