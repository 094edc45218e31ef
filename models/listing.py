"""Lists of jobs: which, in which order, and from where on; and a span of time, for the ledger. Part
of `models.ports`, from where it is imported.

A page goes on behind the key of the last job of the one before: its id, and for lists by time also
when its status changed. Jobs that come, go or change in between neither shift nor double a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from models.lifecycle import Status
from models.records import Job, Priority


class JobSort(StrEnum):
    """The order of a list; "-" is from the end. Jobs that changed at the same time are by id."""

    OLDEST = "id"
    NEWEST = "-id"
    CHANGED_FIRST = "status_at"
    CHANGED_LAST = "-status_at"

    @property
    def descends(self) -> bool:
        """From the highest key down."""
        return self.value.startswith("-")

    @property
    def by_time(self) -> bool:
        """By when the status changed, not by id."""
        return self.value.endswith("status_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A time that began and, unless `over` is None, ended."""

    began: datetime
    over: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobKey:
    """Where a page ended: the id of its last job, and when the status of that changed."""

    id: int
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which jobs to list; empty fields do not filter. `after` is the key to go on behind; a list by
    time needs both parts of it.
    """

    types: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    flavors: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    tile: str | None = None
    quarantined: bool | None = None
    sort: JobSort = JobSort.OLDEST
    after: JobKey | None = None
    limit: int = 100

    @property
    def is_of_all(self) -> bool:
        """Nothing is left out."""
        chosen = self.types or self.statuses or self.flavors or self.priorities
        return not chosen and self.tile is None and self.quarantined is None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def text_of_key(key: JobKey) -> str:
    """A key as one word: the id, in lists by time also the microseconds since 1970."""
    return str(key.id) if key.at is None else f"{key.id}.{(key.at - _EPOCH) // _MICROSECOND}"


def key_of_text(text: str, sort: JobSort) -> JobKey:
    """The key that `text_of_key` wrote. Raises `ValueError` for the key of another list."""
    number, dot, micros = text.partition(".")
    if bool(dot) != sort.by_time:
        raise ValueError(
            f"{text!r} is of no list sorted by {sort}: give `next` of its page before, or leave it "
            "out to begin"
        )
    return JobKey(id=int(number), at=_EPOCH + int(micros) * _MICROSECOND if dot else None)


def key_of(job: Job, sort: JobSort) -> JobKey:
    """What a list in this order goes on behind after this job."""
    return JobKey(id=job.id, at=job.status_at if sort.by_time else None)
