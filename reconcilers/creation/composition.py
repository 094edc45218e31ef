"""What a type of job that is made of several products has to say: one `Composition` each.

Products are met one by one, in any order, some of them days late. What is known of a group is
therefore judged as a whole, whenever something in it is new and whenever a wait is over: a
composition says which groups a product belongs to, what must be seen of a group, and what becomes
of it then. It computes only, and says the same of the same group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from models.composing import Active, Group, Ingredient, Made, MovingJob, Needs
from models.creation import Area
from models.product_names import ProductType
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A group that is due, with all that its composition needs to see of it."""

    group: Group
    parts: tuple[Ingredient, ...]
    moving: tuple[MovingJob, ...]
    active: frozenset[Active]
    area: Area
    settings: CompositionSettings
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """What becomes of a group: new jobs, each with what is to be remembered of it; the keys of
    those that they take the place of; when to look again though nothing in it is new, and what it
    waits for.
    """

    jobs: tuple[NewJob, ...] = ()
    made: tuple[Made, ...] = ()
    overridden: tuple[str, ...] = ()
    again_at: datetime | None = None
    waits: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How long before the time of a job (`NewJob.sensing_at`), and after it, what it is made of may
    have been measured. A day is added where it is made of whole days.
    """

    before: timedelta = timedelta(0)
    after: timedelta = DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """A type of job that is made of several products.

    `feeds_on`: which types of product are kept for it. `opens`: the groups that a product belongs
    to, each with when it is to be looked at. `touched_by`: products that belong to groups which
    others open, by their tile and day. What was measured before `begins` becomes cancelled jobs.

    For campaigns: `reach` is how far from the time of a job its products may have been measured.
    `covers_of` says of the key of a job what `Made.covers` did, for a type of which a group may
    have several jobs of one time and tile; None: it has one.
    """

    job_type: str
    begins: datetime
    feeds_on: tuple[ProductType, ...]
    opens: Callable[[Ingredient, Area, CompositionSettings], tuple[Group, ...]]
    needs: Callable[[Group, CompositionSettings], Needs]
    compose: Callable[[Bench], Composed]
    touched_by: tuple[ProductType, ...] = ()
    reach: Reach = Reach()
    covers_of: Callable[[str], tuple[str, ...]] | None = None


def begin_of(day: date) -> datetime:
    """When a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)


def newest_versions(parts: Iterable[Ingredient]) -> tuple[Ingredient, ...]:
    """Of each measurement the version that was published last, in the order of measurement."""
    newest: dict[str, Ingredient] = {}
    for part in sorted(parts, key=lambda each: (each.published_at, each.name)):
        newest[part.measurement] = part
    return tuple(sorted(newest.values(), key=lambda each: (each.sensing_at, each.name)))


def urgency(parts: Iterable[Ingredient]) -> Priority:
    """Nrt while every one of these products was there within a day of its measurement."""
    fresh = all(part.published_at - part.sensing_at < DAY for part in parts)
    return Priority.NRT if fresh else Priority.DELAYED


def told(parts: Iterable[Ingredient]) -> list[dict[str, Any]]:
    """Products as the input of a job names them."""
    return [
        {
            "product": part.name,
            "path": part.facts.get("path"),
            "sensing_start": part.sensing_at.isoformat(),
            "published_at": part.published_at.isoformat(),
        }
        for part in parts
    ]
