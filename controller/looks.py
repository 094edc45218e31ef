"""Looks at feeds: which are asked for together, where one begins, and what a process remembers.

What is remembered makes looks only quicker and more polite; see `controller.sweeps`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from models.catalogue import CataloguePage, CatalogueProduct, Collection, RejectedEntry
from models.creation import Cursor, Feed, FeedDay, Sweep
from models.errors import PortError
from models.settings_creation import CreationSettings

Look: TypeAlias = tuple[Feed, ...]
"""Feeds of one collection of one catalogue: one question is for all of them."""


def looks_of(feeds: Iterable[Feed]) -> tuple[Look, ...]:
    """These feeds by what is asked for together, in the order given."""
    found: dict[tuple[str, Collection], list[Feed]] = {}
    for feed in feeds:
        found.setdefault((feed.source, feed.collection), []).append(feed)
    return tuple(tuple(together) for together in found.values())


DAY = timedelta(days=1)
NARROWEST = timedelta(seconds=10)
"""The least that is asked for at once of a catalogue without an order."""


@dataclass(kw_only=True, slots=True)
class Memory:
    """What one process remembers of the feeds of a look. `again` is when it is their turn
    (monotonic seconds), `unknown` why the last look ended early, if it did, `behind` whether that
    left something new over, `width`
    how much is asked for at once, where all that there was up to now was too much, `days` what
    each listed of a day when it was last looked through.
    """

    again: float = float("-inf")
    failures: int = 0
    unknown: str = ""
    behind: bool = False
    width: timedelta | None = None
    days: dict[Feed, FeedDay] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Haul:
    """What the pages of one pass gave. `complete`: the last question was answered to its end."""

    products: list[CatalogueProduct] = field(default_factory=list)
    rejected: list[RejectedEntry] = field(default_factory=list)
    reached: datetime | None = None
    complete: bool = False
    unknown: str = ""
    retry_after: timedelta | None = None

    def add(self, page: CataloguePage) -> None:
        """One more page."""
        self.products += page.products
        self.rejected += page.rejected
        self.reached = page.reached
        self.complete = page.complete

    def of(self, feed: Feed, look: Sweep, cursor: Cursor | None) -> Sweep:
        """One feed's part of a look; an entry that says no type is the first feed's."""
        return replace(
            look,
            feed=feed,
            cursor=cursor,
            products=tuple(each for each in self.products if each.type is feed.type),
            rejected=tuple(e for e in self.rejected if (e.type or look.feed.type) is feed.type),
        )

    def far_back(self, look: Sweep) -> Sweep:
        """A feed's look with what this gave besides, which was asked for from far before it."""
        return replace(
            look,
            products=(*look.products, *self.products),
            rejected=(*look.rejected, *self.rejected),
            deep=self.complete,
            unknown=self.unknown,
        )

    def moved_on(self, since: datetime) -> bool:
        """Something is known to have been given for good."""
        return self.reached is not None and self.reached > since

    def fail(self, error: PortError) -> None:
        """The next page did not come."""
        self.complete = False
        self.unknown = str(error) or type(error).__name__
        self.retry_after = error.retry_after


def rest_after(
    failures: int, retry_after: timedelta | None, settings: CreationSettings
) -> timedelta:
    """How long a catalogue is left alone after so many failures in a row, at least as long as it
    asked for itself.
    """
    doubled: timedelta = settings.backoff * 2 ** min(failures - 1, 20)
    return max(min(doubled, settings.backoff_max), retry_after or timedelta(0))


def has_yielded(sweep: Sweep) -> bool:
    """Whether the feed has listed anything, now or ever before."""
    return bool(sweep.products) or (sweep.cursor is not None and sweep.cursor.yielded)


def far_back(
    look: Look,
    cursors: Mapping[Feed, Cursor],
    memory: Memory,
    now: datetime,
    settings: CreationSettings,
) -> tuple[Feed, ...]:
    """Which of these feeds it is time to look at from far before their cursors, the one that has
    waited longest first: also those of which nothing is known of a day yet.
    """

    def waited(feed: Feed) -> timedelta:
        return now - cursors[feed].deep_at

    def is_due(feed: Feed) -> bool:
        unseen = feed not in memory.days and settings.deep_overlap >= DAY
        return feed in cursors and (unseen or waited(feed) >= settings.deep_every)

    return tuple(sorted(filter(is_due, look), key=waited, reverse=True))


def began(sweep: Sweep, settings: CreationSettings) -> datetime:
    """From when on everything was given that a feed listed, up to the time of a complete look."""
    if sweep.cursor is None or not sweep.deep:
        return sweep.since
    return sweep.cursor.until - settings.deep_overlap


def is_overdue(cursor: Cursor, now: datetime, settings: CreationSettings) -> bool:
    """Whether a feed waits for no turn among those of its catalogue any more."""
    return now - cursor.deep_at >= 2 * settings.deep_every


def begin_of(
    cursors: Sequence[Cursor | None], settings: CreationSettings, now: datetime, *, behind: bool
) -> datetime:
    """Where a look begins, for the one of its feeds that is furthest behind. One that goes on where
    another left off overlaps with nothing: with much to read, it would read the overlap for ever.
    """
    before = timedelta(0) if behind else settings.overlap
    return min(
        now - settings.first_window if cursor is None else cursor.until - before
        for cursor in cursors
    )


def next_width(
    former: timedelta | None, haul: Haul, since: datetime, until: datetime, *, whole: bool
) -> timedelta | None:
    """How much to ask for the next time; None: all there is.

    A catalogue without an order has given nothing for good until it has given everything: where
    that does not come to its end in one pass, half as much is asked for.
    """
    if haul.complete:
        return None if whole else 2 * (until - since)
    moves = haul.unknown or haul.moved_on(since)
    return former if moves else max((until - since) / 2, NARROWEST)
