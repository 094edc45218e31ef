"""Campaigns: a person's order to process what was measured in a window of time, once more or late.

A campaign goes through the catalogue from the oldest measurement of its window to the newest, a
part at a time; `reached` says how far it has come. What a part adds and how far it reaches is one
transaction, so that whoever goes on after a crash neither leaves out nor adds twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from models.catalogue import CatalogueProduct, RejectedEntry
from models.changes import Change
from models.creation import JOB_TYPES_OF, Area, Known
from models.lifecycle import Status
from models.product_names import ProductType
from models.records import NewJob


class CampaignState(StrEnum):
    """Where a campaign stands. `done` and `cancelled` are its ends."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


OPEN = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})
"""It has not ended."""

WAITING = (Status.INITIALIZED, Status.CONFIGURED, Status.READY)
"""Jobs that no run has begun for yet."""

MOVING = tuple(
    status for status in Status if status not in (*WAITING, Status.DONE, Status.CANCELLED)
)
"""Jobs that a run has begun for and that are not at their end: they are processed and published, or
are the matter of the monitor.
"""

PRODUCT_OF: Mapping[str, ProductType] = {
    job_type: product for product, types in JOB_TYPES_OF.items() for job_type in types
}
"""The product that a job is for, of those types that are for one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CampaignOrder:
    """What a person wants: jobs of a type for what was measured in [`since`, `until`) of these
    tiles, as the catalogue `source` lists it. Of what is made of the products of a day, the days
    that begin then.

    `again`: also for images whose job is there already; else only for those that have none, or a
    cancelled one.
    """

    job_type: str
    source: str
    since: datetime
    until: datetime
    tiles: tuple[str, ...]
    again: bool = False

    def is_same(self, other: CampaignOrder) -> bool:
        """Whether both ask for the same jobs, in whatever order the tiles are named."""
        one, two = (replace(each, tiles=tuple(sorted(each.tiles))) for each in (self, other))
        return one == two


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What a campaign has met: products `listed`, jobs `created`, images whose job was `existing`,
    products `left_out` (of other tiles, or an older version of the same image), and entries
    `rejected` that nobody had met before and nobody understands.
    """

    listed: int = 0
    created: int = 0
    existing: int = 0
    left_out: int = 0
    rejected: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            listed=self.listed + other.listed,
            created=self.created + other.created,
            existing=self.existing + other.existing,
            left_out=self.left_out + other.left_out,
            rejected=self.rejected + other.rejected,
        )


NOTHING_MET = Tally()


@dataclass(frozen=True, kw_only=True, slots=True)
class Campaign:
    """A campaign: all that was measured before `reached` is done with."""

    id: int
    order: CampaignOrder
    state: CampaignState
    reached: datetime
    tally: Tally
    asked_by: str
    reason: str
    created_at: datetime
    ended_at: datetime | None = None

    @property
    def share(self) -> float:
        """How much of its window is done with, 0 to 1."""
        order = self.order
        return (self.reached - order.since) / (order.until - order.since)


_NOWHERE = Area(tiles=(), wkt="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """The campaign of an order: a new one, or the one of the same order that has not ended."""

    campaign: Campaign
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CampaignLook:
    """The next part of a campaign: what was measured from its `reached` to this one, and what of
    that is known. `unknown` says why there is no more of it, if the catalogue did not answer.
    """

    campaign: Campaign
    reached: datetime
    area: Area = _NOWHERE
    products: tuple[CatalogueProduct, ...] = ()
    rejected: tuple[RejectedEntry, ...] = ()
    unknown: str = ""
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What a part of a campaign comes to: from `expected`, which it had reached, to `reached`.

    `tally` counts what was met, but for the jobs that are added.
    """

    campaign_id: int
    expected: datetime
    reached: datetime
    jobs: tuple[NewJob, ...] = ()
    rejected: tuple[RejectedEntry, ...] = ()
    tally: Tally = NOTHING_MET


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvanceCampaign(Change):
    """Add what the next part of a campaign found and note how far it has come.

    Its jobs are added as those of `models.creation.CreateJobs` are, and belong to the campaign; one
    whose (type, key) is in the table is left as it is and counts as existing. A campaign that has
    reached the end of its window is done. Guard: it is running, and has reached `expected`: a
    person who paused or cancelled it is obeyed.
    """

    part: Part
    flavors: Mapping[str, str]
