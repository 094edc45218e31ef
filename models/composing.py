"""What is known of jobs that are made of several products: the products, and which belong together.

A product that may become part of such a job is kept as an *ingredient*, at its *place*: the tile
that it is of, or the data take that it is a slice of. A *group* is what is put together: a tile and
a day, or a data take. It remembers what was made of it, so that meeting a product again, in
whatever order, makes nothing twice. A group is *due* when something in it is new, or a wait is
over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from models.changes import Change
from models.product_names import ProductType
from models.records import NewJob

_TILE_AND_DAY = re.compile(r"([0-9]{2}[A-Z]{3})-([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingredient:
    """A product at its place; (`place`, `type`, `name`) is what makes it the same one.

    `facts` are plain JSON values: all that rules and jobs need to know of it besides.
    """

    place: str
    type: ProductType
    name: str
    unit: str
    sensing_at: datetime
    published_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ProductType, str]:
        """What makes it the same one when it is met again."""
        return self.place, self.type, self.name

    @property
    def measurement(self) -> str:
        """What was measured: the same for all versions of a product."""
        return f"{self.type}/{self.unit}/{self.sensing_at:%Y%m%dT%H%M%S}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A job that was made of a group: its key, what it covers, and what else is to be remembered
    of it for the next ones.
    """

    key: str
    covers: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Products that belong together for one type of job; (`job_type`, `key`) makes it the same one.

    `day` is that of the measurements, `tiles` are those concerned, in order. `due_at` is when it is
    to be looked at next, None: not before something in it is new. `version` counts its changes.
    `waits` says in words what it waits for, if it does, and `waits_since` since when.
    """

    job_type: str
    key: str
    day: date
    tiles: tuple[str, ...]
    due_at: datetime | None
    version: int = 1
    made: tuple[Made, ...] = ()
    waits: str = ""
    waits_since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPlace:
    """What people call a group: its key, or a tile and a day."""

    key: str
    tile: str | None = None
    day: date | None = None

    @classmethod
    def named(cls, text: str) -> GroupPlace:
        """What a text such as `S1A_046917`, or `32TLR-2026-01-10`, means; what follows the day, as
        in the key of a job that was made of the group, means nothing.
        """
        found = _TILE_AND_DAY.match(text)
        if found is None:
            return cls(key=text)
        try:
            return cls(key=text, tile=found[1], day=date.fromisoformat(found[2]))
        except ValueError:
            return cls(key=text)


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupWaits:
    """How many groups of a type of job wait for more, and not for ever; since when the longest."""

    job_type: str
    number: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Touch:
    """Groups of a type that are there and have this tile, of this day or one beside it: look again.

    Days beside it, because a data take may go on beyond midnight.
    """

    job_type: str
    tile: str
    day: date


# ---- what rules need to see ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """Ingredients of these types at these places, measured in [`since`, `until`)."""

    places: tuple[str, ...]
    types: tuple[ProductType, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Moving:
    """Jobs of these types whose images were measured in [`since`, `until`) and of which a product
    may still be listed: they are not processed, given up or cancelled, or have been processed for
    less than `settled_for`.
    """

    job_types: tuple[str, ...]
    since: datetime
    until: datetime
    settled_for: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Active:
    """A day (UTC), and types: whether anything of these was measured then, anywhere."""

    types: tuple[ProductType, ...]
    day: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What the store is asked about groups that are due."""

    wants: tuple[Want, ...] = ()
    moving: tuple[Moving, ...] = ()
    active: tuple[Active, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MovingJob:
    """A job that may still give a product of one of these tiles."""

    type: str
    key: str
    sensing_at: datetime
    tiles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What the store has of it: ingredients by place, type and name, jobs by type and key, days on
    which something was measured in the order in which they were asked for.
    """

    ingredients: tuple[Ingredient, ...] = ()
    moving: tuple[MovingJob, ...] = ()
    active: tuple[Active, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """Groups that are due, the longest due first, and what there is to make of them."""

    groups: tuple[Group, ...]
    material: Material


# ---- what becomes of them ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Overridden:
    """A job that another one of its group takes the place of, for it has newer input."""

    job_type: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ComposeJobs(Change):
    """Write down what was made of groups: `jobs`, `cancelled` ones, and the `groups` as they now
    stand, each with the version at which it was looked at.

    Jobs are added as in `CreateJobs`. Of the `overridden` ones, those that nobody has begun yet
    (initialized, configured, ready) are cancelled and say so; the others go on. The receipt says
    how many of `jobs` were added. Guard: every group is there at that version, else `Superseded`
    and nothing is written: it is looked at again.
    """

    groups: tuple[Group, ...]
    flavors: Mapping[str, str]
    jobs: tuple[NewJob, ...] = ()
    cancelled: tuple[NewJob, ...] = ()
    why: str = ""
    overridden: tuple[Overridden, ...] = ()


KEPT = timedelta(days=62)
"""How much longer than decisions products and groups are kept: a rewind may meet them again."""

OVERRIDDEN = "a job of the same tile and day that has newer input takes its place"
"""What the history of an overridden job says."""
