"""Reading the feeds: whose turn it is, from where, how far in one pass, and rest after failures.

One thread reads one feed after another, so that a catalogue has one question at a time. What it
remembers makes it only quicker and more polite: the stored cursors are the truth, and a process
that begins anew reads a little more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from controller.config_groups import CreationConfig
from controller.metrics import Metrics
from models.catalogue import (
    Catalogue,
    CataloguePage,
    CatalogueProduct,
    CatalogueQuery,
    Collection,
    PageMark,
    RejectedEntry,
)
from models.composing import Due
from models.creation import (
    JOB_TYPES_OF,
    Area,
    Arrivals,
    Cursor,
    Feed,
    FeedDay,
    Harvest,
    Met,
    Sweep,
    acquisition_of,
    place_of,
)
from models.errors import PortError
from models.feeds import Feeds
from models.ports import Clock
from models.product_names import ProductType
from models.settings import Settings
from models.settings_creation import CreationSettings
from reconcilers.creation.compositions import INGREDIENTS
from reconcilers.creation.expected import day_of
from reconcilers.creation.groups import needs_of

INPUTS = (
    (Collection.SENTINEL_2, ProductType.L1C),
    (Collection.SENTINEL_1, ProductType.GRDH),
)
"""What is read of every catalogue of images."""

OWN = tuple(
    (Collection.HRSI, kind)
    for kind in ProductType
    if kind in INGREDIENTS and kind is not ProductType.GRDH
)
"""What is read of a catalogue of our own products."""


def feeds_wanted(wanted: CreationConfig) -> tuple[Feed, ...]:
    """The feeds that are read of the catalogues of the settings."""
    images = (feeds_of(name, INPUTS) for name, _ in (*wanted.odata, *wanted.resto))
    own = (feeds_of(name, OWN) for name, _ in wanted.products)
    return tuple(feed for feeds in (*images, *own) for feed in feeds)


NARROWEST = timedelta(seconds=10)
"""The least that is asked for at once of a catalogue without an order."""


def feeds_of(source: str, wanted: Iterable[tuple[Collection, ProductType]]) -> tuple[Feed, ...]:
    """The feeds of a catalogue of that name."""
    return tuple(Feed(source=source, collection=c, type=t) for c, t in wanted)


DAY = timedelta(days=1)
ARRIVALS_SECONDS = 60.0
"""How long what arrived is not asked for again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriptions:
    """What is read: the feeds of each catalogue, over one area."""

    catalogues: Mapping[str, Catalogue]
    feeds: Sequence[Feed]
    area: Area


@dataclass(kw_only=True, slots=True)
class _Memory:
    """What one process remembers of a feed. `again` is when it is its turn (monotonic seconds),
    `unknown` why its last look ended early, if it did, `behind` whether that left something over,
    `width` how much is asked for at once, where all that there was up to now was too much, `day`
    what it listed of a day when it was last looked through.
    """

    again: float = float("-inf")
    failures: int = 0
    unknown: str = ""
    behind: bool = False
    width: timedelta | None = None
    day: FeedDay | None = None


@dataclass(kw_only=True, slots=True)
class _Haul:
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

    def moved_on(self, since: datetime) -> bool:
        """Something is known to have been given for good."""
        return self.reached is not None and self.reached > since

    def fail(self, error: PortError) -> None:
        """The next page did not come."""
        self.complete = False
        self.unknown = str(error) or type(error).__name__
        self.retry_after = error.retry_after


class Sweeper:
    """Looks at the feeds whose turn it is. Not to be used by two threads at once."""

    def __init__(
        self, subscriptions: Subscriptions, store: Feeds, clock: Clock, metrics: Metrics
    ) -> None:
        self.area = subscriptions.area
        self._subscriptions = subscriptions
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._memories = {feed: _Memory() for feed in subscriptions.feeds}
        self._next = 0
        self._due_again = float("-inf")
        self._arrivals: Arrivals | None = None
        self._arrivals_again = float("-inf")

    def sweep(self, settings: Settings, within: timedelta) -> Harvest:
        """A look at each feed whose turn it is, begun within that time: the others come first in
        the next pass. A feed that is left alone after a failure is among them, and says why.
        Besides, once in a period, the groups of products that are due.

        Raises what the store raises.
        """
        return Harvest(
            sweeps=self._sweeps(settings.creation, within),
            due=self._what_is_due(settings),
            arrivals=self._what_arrived(),
            days=tuple(
                memory.day
                for memory in self._memories.values()
                if memory.day is not None and not memory.unknown
            ),
        )

    def _what_arrived(self) -> Arrivals:
        """As of a minute ago at most: what a day brings does not change in a moment."""
        moment, now = self._clock.monotonic(), self._clock.now()
        if self._arrivals is None or moment >= self._arrivals_again:
            since = (now - DAY).replace(minute=0, second=0, microsecond=0)
            self._arrivals = self._store.arrivals(since)
            self._arrivals_again = moment + ARRIVALS_SECONDS
            self._metrics.arrived(self._arrivals)
            self._metrics.groups_wait(self._store.group_waits(), now)
        return self._arrivals

    def _what_is_due(self, settings: Settings) -> Due | None:
        """Groups to look at now; when there are more than one pass takes, the next asks again."""
        moment, most = self._clock.monotonic(), settings.composition.batch
        if moment < self._due_again:
            return None
        now = self._clock.now()
        groups = self._store.due(now, most)
        if len(groups) < most:
            self._due_again = moment + settings.creation.period.total_seconds()
        if not groups:
            return None
        needs = needs_of(groups, settings.composition)
        return Due(groups=groups, material=self._store.material(needs, now))

    def _sweeps(self, settings: CreationSettings, within: timedelta) -> tuple[Sweep, ...]:
        began = self._clock.monotonic()
        ends = began + within.total_seconds()
        feeds = self._subscriptions.feeds
        resting = [feed for feed in feeds if self._memories[feed].again > began]
        failed = [feed for feed in resting if self._memories[feed].unknown]
        if len(resting) == len(feeds) and not failed:
            return ()
        cursors = {cursor.feed: cursor for cursor in self._store.cursors()}
        self._metrics.feeds(cursors.values(), self._clock.now())
        found: list[Sweep] = []
        for feed in self._in_turn(resting):
            if found and self._clock.monotonic() >= ends:
                break
            self._next = (feeds.index(feed) + 1) % len(feeds)
            found.append(self._look_at(feed, cursors.get(feed), settings, ends))
        left_alone = [self._left_alone(feed, cursors.get(feed)) for feed in failed]
        return (*self._with_known(found), *left_alone)

    def _in_turn(self, resting: Sequence[Feed]) -> list[Feed]:
        """The feeds that are not resting, from the one after the last that was looked at."""
        feeds = self._subscriptions.feeds
        return [
            feed for feed in (*feeds[self._next :], *feeds[: self._next]) if feed not in resting
        ]

    def _look_at(
        self, feed: Feed, cursor: Cursor | None, settings: CreationSettings, ends: float
    ) -> Sweep:
        """From somewhat before the cursor to now; then, now and then, what lies far before it.

        Nothing depends on what an earlier look gave: that may never have been stored.
        """
        memory, now = self._memories[feed], self._clock.now()
        since = _since(cursor, settings, now, behind=memory.behind)
        until = now if memory.width is None else min(now, since + memory.width)
        haul = _Haul()
        self._read(self._query(feed, since, until, settings), feed, haul, settings, ends)
        reached, complete, deep = haul.reached or since, haul.complete and until == now, False
        memory.width = _width(memory.width, haul, since, until, whole=until == now)
        began = since
        if cursor is not None and complete and _is_deep(cursor, memory, now, settings):
            far = self._query(feed, cursor.until - settings.deep_overlap, since, settings)
            self._read(far, feed, haul, settings, ends)
            deep, began = haul.complete, far.since if haul.complete else since
        if complete and began <= now - DAY:
            memory.day = day_of(feed, haul.products, self.area, now)
        memory.behind = not complete
        self._metrics.products_seen(feed, len(haul.products))
        self._rest(memory, haul, settings)
        return Sweep(
            feed=feed,
            cursor=cursor,
            since=since,
            at=now,
            reached=reached,
            products=tuple(haul.products),
            rejected=tuple(haul.rejected),
            complete=complete,
            deep=deep,
            unknown=haul.unknown,
        )

    def _query(
        self, feed: Feed, since: datetime, until: datetime, settings: CreationSettings
    ) -> CatalogueQuery:
        return CatalogueQuery(
            collection=feed.collection,
            type=feed.type,
            since=since,
            until=until,
            area=self.area.wkt,
            limit=settings.page,
        )

    def _read(
        self,
        query: CatalogueQuery,
        feed: Feed,
        haul: _Haul,
        settings: CreationSettings,
        ends: float,
    ) -> None:
        """Page after page, as many as a pass may read. A failure ends it."""
        catalogue = self._subscriptions.catalogues[feed.source]
        haul.complete = query.since >= query.until
        mark: PageMark | None = None
        for _ in range(0 if haul.complete else settings.pages):
            try:
                page = catalogue.page(query, mark)
            except PortError as error:
                haul.fail(error)
                return
            haul.add(page)
            mark = page.next
            if mark is None or self._clock.monotonic() >= ends:
                return

    def _rest(self, memory: _Memory, haul: _Haul, settings: CreationSettings) -> None:
        """When it is this feed's turn again."""
        memory.unknown = haul.unknown
        memory.failures = memory.failures + 1 if haul.unknown else 0
        pause = timedelta(0) if memory.behind else settings.period
        if haul.unknown:
            pause = rest_after(memory.failures, haul.retry_after, settings)
        memory.again = self._clock.monotonic() + pause.total_seconds()

    def _left_alone(self, feed: Feed, cursor: Cursor | None) -> Sweep:
        now = self._clock.now()
        return Sweep(
            feed=feed,
            cursor=cursor,
            since=now,
            at=now,
            reached=cursor.until if cursor else now,
            complete=False,
            unknown=self._memories[feed].unknown,
        )

    def _with_known(self, found: Sequence[Sweep]) -> tuple[Sweep, ...]:
        """The looks with what the store has already of what they met; one question for all."""
        met = Met(
            acquisitions=frozenset(
                acquisition_of(product, job_type)
                for sweep in found
                for product in sweep.products
                for job_type in JOB_TYPES_OF.get(product.type, ())
            ),
            rejected=tuple(entry for sweep in found for entry in sweep.rejected),
            ingredients=frozenset(
                (place, product.type, product.name)
                for sweep in found
                for product in sweep.products
                if product.type in INGREDIENTS and (place := place_of(product)) is not None
            ),
        )
        if met == Met():
            return tuple(found)
        known = self._store.known(met)
        return tuple(replace(sweep, known=known) for sweep in found)


def rest_after(
    failures: int, retry_after: timedelta | None, settings: CreationSettings
) -> timedelta:
    """How long a catalogue is left alone after so many failures in a row, at least as long as it
    asked for itself.
    """
    doubled: timedelta = settings.backoff * 2 ** min(failures - 1, 20)
    return max(min(doubled, settings.backoff_max), retry_after or timedelta(0))


def _is_deep(cursor: Cursor, memory: _Memory, now: datetime, settings: CreationSettings) -> bool:
    """Whether it is time to look far before the cursor: also when nothing is known of a day yet."""
    unseen = memory.day is None and settings.deep_overlap >= DAY
    return unseen or now - cursor.deep_at >= settings.deep_every


def _since(
    cursor: Cursor | None, settings: CreationSettings, now: datetime, *, behind: bool
) -> datetime:
    """Where a look begins. One that goes on where another left off overlaps with nothing: with
    much to read, it would read the overlap for ever.
    """
    if cursor is None:
        return now - settings.first_window
    return cursor.until if behind else cursor.until - settings.overlap


def _width(
    former: timedelta | None, haul: _Haul, since: datetime, until: datetime, *, whole: bool
) -> timedelta | None:
    """How much to ask for the next time; None: all there is.

    A catalogue without an order has given nothing for good until it has given everything: where
    that does not come to its end in one pass, half as much is asked for.
    """
    if haul.complete:
        return None if whole else 2 * (until - since)
    moves = haul.unknown or haul.moved_on(since)
    return former if moves else max((until - since) / 2, NARROWEST)
