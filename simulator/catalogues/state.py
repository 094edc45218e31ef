"""One simulated catalogue: what can be found in it now, whichever face it is asked through."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random

import shapely
from shapely.geometry.base import BaseGeometry

from models.catalogue import Collection, Times, time_of
from models.ports import Clock
from models.product_names import ProductType
from simulator.catalogues.listing import Listed

MONTH = timedelta(days=30)
"""How seldom catalogues are away in production."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is looked for; None does not narrow, and neither do no types. Of a time in [`since`,
    `until`), as `by` says.
    """

    collection: Collection | None = None
    types: tuple[ProductType, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    area: str | None = None
    by: Times = Times.PUBLICATION


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """From when to when nobody answers."""

    since: datetime
    until: datetime


def outages(
    seed: int, since: datetime, until: datetime, every: timedelta = MONTH
) -> Iterator[Outage]:
    """About one in `every` time in [since, until), of one to twelve hours; the same for the same
    seed.
    """
    chance = Random(f"outages:{seed}")
    at = since + every * chance.uniform(0.1, 1.3)
    while at < until:
        end = at + timedelta(hours=chance.uniform(1, 12))
        yield Outage(since=at, until=end)
        at = end + every * chance.uniform(0.3, 1.7)


class SimulatedCatalogue:
    """The entries of one catalogue on a clock; reached by any number of threads.

    `news` is asked for more entries before each answer. One that is not `ordered` gives what it
    finds in an order of its own, in which new entries stand anywhere.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        entries: Iterable[Listed] = (),
        *,
        outages: Sequence[Outage] = (),
        lock: threading.RLock | None = None,
        news: Callable[[], Iterable[Listed]] = tuple,
        ordered: bool = True,
    ) -> None:
        self.name = name
        self.outages = tuple(outages)
        self._clock = clock
        self._lock = lock or threading.RLock()
        self._entries = sorted(entries, key=_place)
        self._news = news
        self.ordered = ordered

    def publish(self, entry: Listed) -> None:
        """List one more."""
        with self._lock:
            insort(self._entries, entry, key=_place)

    def entries(self) -> list[Listed]:
        """All that it lists, or will, for whoever judges a simulated world."""
        with self._lock:
            self._hear()
            return list(self._entries)

    def count(self) -> int:
        """How many entries it lists, or will."""
        with self._lock:
            self._hear()
            return len(self._entries)

    def now(self) -> datetime:
        """The time that the catalogue goes by."""
        return self._clock.now()

    def is_out(self) -> bool:
        """Nobody answers now."""
        now = self.now()
        return any(outage.since <= now < outage.until for outage in self.outages)

    def find(self, wanted: Wanted) -> list[Listed]:
        """What can be found now, in the order of the times asked for, at one moment by id."""

        def time(entry: Listed) -> datetime:
            return time_of(entry.product, wanted.by)

        with self._lock:
            self._hear()
            now, entries = self.now(), self._entries
            if wanted.by is not Times.PUBLICATION:
                entries = sorted(entries, key=lambda entry: (time(entry), entry.product.id))
            first = bisect_left(entries, wanted.since, key=time) if wanted.since else 0
            last = bisect_left(entries, wanted.until, key=time) if wanted.until else len(entries)
            found = [
                entry
                for entry in entries[first:last]
                if entry.visible_at <= now and _is_wanted(entry, wanted)
            ]
        return found if self.ordered else sorted(found, key=lambda entry: entry.product.id)

    def _hear(self) -> None:
        for entry in self._news():
            insort(self._entries, entry, key=_place)


def _is_wanted(entry: Listed, wanted: Wanted) -> bool:
    product = entry.product
    return (
        wanted.collection in {None, product.collection}
        and (not wanted.types or product.type in wanted.types)
        and (wanted.area is None or _meets(product.footprint, wanted.area))
    )


@lru_cache(maxsize=65_536)
def _meets(footprint: str | None, area: str) -> bool:
    return footprint is not None and bool(_geometry(area).intersects(_geometry(footprint)))


@lru_cache(maxsize=16_384)
def _geometry(wkt: str) -> BaseGeometry:
    return shapely.from_wkt(wkt)


def _place(entry: Listed) -> tuple[datetime, str]:
    return entry.product.published_at, entry.product.id
