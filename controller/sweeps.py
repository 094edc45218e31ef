"""Reading the feeds: whose turn it is, from where, how far in one pass, and rest after failures.

Feeds of one collection are asked for together. One thread puts one question after another, so that
a catalogue has one at a time. What it remembers makes it only quicker and more polite: the stored
cursors are the truth, and a process that begins anew reads a little more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.config_groups import CreationConfig
from controller.looks import (
    DAY,
    Haul,
    Look,
    Memory,
    began,
    begin_of,
    far_back,
    has_yielded,
    is_overdue,
    looks_of,
    next_width,
    rest_after,
)
from controller.metrics import Metrics
from models.catalogue import (
    Catalogue,
    CatalogueQuery,
    Collection,
    PageMark,
)
from models.composing import Due
from models.creation import (
    JOB_TYPES_OF,
    Area,
    Arrivals,
    Cursor,
    Feed,
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


def feeds_of(source: str, wanted: Iterable[tuple[Collection, ProductType]]) -> tuple[Feed, ...]:
    """The feeds of a catalogue of that name."""
    return tuple(Feed(source=source, collection=c, type=t) for c, t in wanted)


ARRIVALS_SECONDS = 60.0
"""How long what arrived is not asked for again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriptions:
    """What is read: the feeds of each catalogue, over one area."""

    catalogues: Mapping[str, Catalogue]
    feeds: Sequence[Feed]
    area: Area


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
        self._looks = looks_of(subscriptions.feeds)
        self._memories = {look: Memory() for look in self._looks}
        self._next = 0
        self._far_again: dict[str, float] = {}
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
                day
                for memory in self._memories.values()
                if not memory.unknown
                for day in memory.days.values()
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
        moment = self._clock.monotonic()
        ends = moment + within.total_seconds()
        resting = [look for look in self._looks if self._memories[look].again > moment]
        failed = [look for look in resting if self._memories[look].unknown]
        if len(resting) == len(self._looks) and not failed:
            return ()
        cursors = {cursor.feed: cursor for cursor in self._store.cursors()}
        self._metrics.feeds(cursors.values(), self._clock.now())
        found = self._looked(self._in_turn(resting), cursors, settings, ends)
        left_alone = (sweep for look in failed for sweep in self._left_alone(look, cursors))
        return (*self._with_known(found), *left_alone)

    def _looked(
        self,
        looks: Iterable[Look],
        cursors: Mapping[Feed, Cursor],
        settings: CreationSettings,
        ends: float,
    ) -> list[Sweep]:
        """One look after the other, the last begun before the end."""
        found: list[Sweep] = []
        for look in looks:
            if found and self._clock.monotonic() >= ends:
                break
            self._next = (self._looks.index(look) + 1) % len(self._looks)
            found += self._look_at(look, cursors, settings, ends)
        return found

    def _in_turn(self, resting: Sequence[Look]) -> list[Look]:
        """Those that are not resting, from the one after the last that there was."""
        looks = self._looks
        return [
            look for look in (*looks[self._next :], *looks[: self._next]) if look not in resting
        ]

    def _look_at(
        self,
        look: Look,
        cursors: Mapping[Feed, Cursor],
        settings: CreationSettings,
        ends: float,
    ) -> list[Sweep]:
        """From somewhat before the cursors to now; then, now and then, what lies far before them.

        Nothing depends on what an earlier look gave: that may never have been stored.
        """
        memory, now = self._memories[look], self._clock.now()
        since = begin_of([cursors.get(feed) for feed in look], settings, now, behind=memory.behind)
        until = now if memory.width is None else min(now, since + memory.width)
        haul = Haul()
        self._read(self._query(look, since, until, settings), look[0].source, haul, settings, ends)
        complete = haul.complete and until == now
        memory.width = next_width(memory.width, haul, since, until, whole=until == now)
        memory.behind = not complete
        sweep = Sweep(
            feed=look[0],
            cursor=None,
            since=since,
            at=now,
            reached=haul.reached or since,
            complete=complete,
            unknown=haul.unknown,
        )
        found = {feed: haul.of(feed, sweep, cursors.get(feed)) for feed in look}
        last = haul
        for feed in self._far_back(look, cursors, settings) if complete else ():
            last = Haul()
            back = cursors[feed].until - settings.deep_overlap
            self._read(
                self._query((feed,), back, since, settings), feed.source, last, settings, ends
            )
            found[feed] = last.far_back(found[feed])
            if last.unknown:
                break
        self._rest(memory, last, settings)
        self._note(memory, tuple(found.values()), settings)
        return list(found.values())

    def _far_back(
        self, look: Look, cursors: Mapping[Feed, Cursor], settings: CreationSettings
    ) -> Iterator[Feed]:
        """The feeds to look at from far back now: of a catalogue one in a period, besides those
        that are overdue.
        """
        source, moment, now = look[0].source, self._clock.monotonic(), self._clock.now()
        for feed in far_back(look, cursors, self._memories[look], now, settings):
            if moment >= self._far_again.get(source, moment) or is_overdue(
                cursors[feed], now, settings
            ):
                self._far_again[source] = moment + settings.period.total_seconds()
                yield feed

    def _note(self, memory: Memory, sweeps: Sequence[Sweep], settings: CreationSettings) -> None:
        """What each feed listed, and of a day, if that was looked through to its end."""
        for sweep in sweeps:
            self._metrics.products_seen(sweep.feed, len(sweep.products))
            if sweep.complete and began(sweep, settings) <= sweep.at - DAY:
                memory.days[sweep.feed] = day_of(
                    sweep.feed, sweep.products, self.area, sweep.at, yielded=has_yielded(sweep)
                )

    def _query(
        self, look: Look, since: datetime, until: datetime, settings: CreationSettings
    ) -> CatalogueQuery:
        first, *others = look
        return CatalogueQuery(
            collection=first.collection,
            type=first.type,
            besides=tuple(feed.type for feed in others),
            since=since,
            until=until,
            area=self.area.wkt,
            limit=settings.page,
        )

    def _read(
        self,
        query: CatalogueQuery,
        source: str,
        haul: Haul,
        settings: CreationSettings,
        ends: float,
    ) -> None:
        """Page after page, as many as a pass may read. A failure ends it."""
        catalogue = self._subscriptions.catalogues[source]
        haul.complete = query.since >= query.until
        mark: PageMark | None = None
        for _ in range(0 if haul.complete else settings.pages * len(query.types)):
            try:
                page = catalogue.page(query, mark)
            except PortError as error:
                haul.fail(error)
                return
            haul.add(page)
            mark = page.next
            if mark is None or self._clock.monotonic() >= ends:
                return

    def _rest(self, memory: Memory, haul: Haul, settings: CreationSettings) -> None:
        """When it is the turn of these feeds again."""
        memory.unknown = haul.unknown
        memory.failures = memory.failures + 1 if haul.unknown else 0
        pause = timedelta(0) if memory.behind else settings.period
        if haul.unknown:
            pause = rest_after(memory.failures, haul.retry_after, settings)
        memory.again = self._clock.monotonic() + pause.total_seconds()

    def _left_alone(self, look: Look, cursors: Mapping[Feed, Cursor]) -> Iterator[Sweep]:
        now = self._clock.now()
        for feed in look:
            cursor = cursors.get(feed)
            yield Sweep(
                feed=feed,
                cursor=cursor,
                since=now,
                at=now,
                reached=cursor.until if cursor else now,
                complete=False,
                unknown=self._memories[look].unknown,
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
