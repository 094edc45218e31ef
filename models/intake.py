"""The actions that bring jobs into the table and make them ready; part of `models.actions`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models.campaigns import Part
from models.catalogue import RejectedEntry
from models.composing import Group, Ingredient, Overridden, Touch
from models.configuration import Aside, Configured
from models.creation import Cursor
from models.plan import Action
from models.records import NewJob

# ---- creation ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class AddJobs(Action):
    """Add what a look at a feed found, all at once, and move its cursor; see `CreateJobs`."""

    cursor: Cursor
    expected: datetime | None
    jobs: tuple[NewJob, ...] = ()
    cancelled: tuple[NewJob, ...] = ()
    why: str = ""
    rejected: tuple[RejectedEntry, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    groups: tuple[Group, ...] = ()
    touched: tuple[Touch, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Compose(Action):
    """Write down what was made of groups of products that were due; see `ComposeJobs`."""

    groups: tuple[Group, ...]
    jobs: tuple[NewJob, ...] = ()
    cancelled: tuple[NewJob, ...] = ()
    why: str = ""
    overridden: tuple[Overridden, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AddCampaignJobs(Action):
    """Add what the next part of a campaign found; see `AdvanceCampaign`."""

    part: Part


# ---- configuration -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Configure(Action):
    """Write down what became of jobs of one type, all at once; see `ConfigureJobs`."""

    jobs: tuple[Configured, ...]
    unfit: tuple[Aside, ...] = ()
    futile: tuple[Aside, ...] = ()
    again: tuple[NewJob, ...] = ()
