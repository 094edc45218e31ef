"""How urgent the work on an image is, by when it was measured, published, and came to us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models.records import Priority

NRT_FROM_SENSING = timedelta(hours=24)
NRT_FROM_ORIGIN = timedelta(hours=3)
TURNAROUND = timedelta(hours=3)
"""After which the products of an image are due, from when it was available to us."""

SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""No Sentinel image is from before, and to times after nothing can be added for ever."""


def is_plausible(at: datetime) -> bool:
    """Whether anything can have been measured or published then."""
    return SINCE <= at < UNTIL


def priority_of(sensing: datetime, origin: datetime | None, published: datetime) -> Priority:
    """Nrt while the image came to its origin within a day and from there within three hours.

    Delayed is also what nobody knows the origin's time of.
    """
    if origin is None:
        return Priority.DELAYED
    fresh = origin - sensing < NRT_FROM_SENSING
    quick = published - origin < NRT_FROM_ORIGIN
    return Priority.NRT if fresh and quick else Priority.DELAYED
