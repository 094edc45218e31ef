"""How feeds are read: in turn, from their cursors, in parts, with rests after failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from controller.metrics import Metrics
from controller.sweeps import INPUTS, OWN, Subscriptions, Sweeper
from models.areas import area_of_tiles
from models.catalogue import CataloguePage, CatalogueQuery, Collection, PageMark
from models.composing import Group
from models.creation import CreateJobs, Cursor, Feed, FeedDay, Sweep
from models.job_types import DEFAULT_REGISTRY
from models.product_names import ProductType
from models.records import NewJob
from models.settings import Settings
from models.settings_creation import CreationSettings
from simulator.catalogues.listing import Listed, listing
from simulator.catalogues.memory import RETRY_AFTER, MemoryCatalogue
from simulator.catalogues.orbits import BEGINNING
from simulator.catalogues.state import SimulatedCatalogue
from simulator.faults import Fault, Faults
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.archive import jobs_of, products_of

TILES = ("32TLR",)
DAY = timedelta(days=1)
DAYS = timedelta(days=20)
LISTED = listing(TILES, BEGINNING, BEGINNING + DAYS)
PAGE = "catalogue.page"
WITHIN = timedelta(seconds=10)
HOUR = timedelta(hours=1)


@dataclass
class Noting:
    """A catalogue that notes what it is asked for; each page takes `takes` of virtual time."""

    inner: MemoryCatalogue
    timeline: Timeline
    takes: timedelta = timedelta(0)
    asked: list[tuple[CatalogueQuery, PageMark | None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As the inner one."""
        return self.inner.name

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """As the inner one."""
        self.asked.append((query, mark))
        self.timeline.advance(self.takes)
        return self.inner.page(query, mark)


class Rig:
    """A sweeper over the feeds of one catalogue, on virtual time."""

    def __init__(
        self,
        *entries: Listed,
        takes: timedelta = timedelta(0),
        ordered: bool = True,
        wanted: Sequence[tuple[Collection, ProductType]] = INPUTS,
    ) -> None:
        self.time = Timeline(BEGINNING + DAYS)
        self.faults = Faults()
        self.store = MemoryStore(self.time, SeededIds())
        simulated = SimulatedCatalogue("creodias", self.time, entries or LISTED, ordered=ordered)
        self.catalogue = Noting(MemoryCatalogue(simulated, self.faults), self.time, takes)
        self.feeds = tuple(Feed(source="creodias", collection=c, type=t) for c, t in wanted)
        self.metrics = Metrics(CollectorRegistry(), self.time)
        self.settings = CreationSettings(first_window=DAYS + HOUR)
        lease = self.store.acquire("creation", "rig", 100 * DAYS)
        assert lease is not None
        self.lease = lease
        self.sweeper = self.another()

    def another(self) -> Sweeper:
        """The sweeper of a process that remembers nothing."""
        subscriptions = Subscriptions(
            catalogues={"creodias": self.catalogue}, feeds=self.feeds, area=area_of_tiles(TILES)
        )
        return Sweeper(subscriptions, self.store, self.time, self.metrics)

    @property
    def whole(self) -> Settings:
        """All parameters."""
        return Settings(creation=self.settings)

    def sweep(self, within: timedelta = WITHIN) -> tuple[Sweep, ...]:
        """A look at the feeds whose turn it is."""
        return self.sweeper.sweep(self.whole, within).sweeps or ()

    def keep(self, feed: Feed, until: datetime, *jobs: NewJob, deep: bool = False) -> None:
        """Let the store have the cursor of a feed there."""
        former = next((c for c in self.store.cursors() if c.feed == feed), None)
        deep_at = self.time.now() if deep or former is None else former.deep_at
        self.store.commit(
            self.lease,
            CreateJobs(
                at=self.time.now(),
                cursor=Cursor(feed=feed, until=until, deep_at=deep_at),
                expected=former.until if former else None,
                flavors={name: t.flavor for name, t in DEFAULT_REGISTRY.types.items()},
                jobs=jobs,
            ),
        )

    def names(self, sweeps: tuple[Sweep, ...]) -> set[str]:
        """Of all products of these looks."""
        return {product.name for sweep in sweeps for product in sweep.products}


def test_a_feed_is_first_read_a_window_back_to_its_end() -> None:
    rig = Rig()
    optical, radar = rig.sweep()
    assert rig.names((optical, radar)) == {entry.product.name for entry in LISTED}
    assert (optical.feed, radar.feed) == rig.feeds
    assert (optical.cursor, optical.deep, optical.complete) == (None, False, True)
    assert optical.reached == rig.time.now()
    (query, mark), _ = rig.catalogue.asked
    assert (query.since, query.until) == (rig.time.now() - DAYS - HOUR, rig.time.now())
    assert (query.area, mark) == (rig.sweeper.area.wkt, None)


def test_a_feed_is_left_alone_for_its_period() -> None:
    rig = Rig()
    assert len(rig.sweep()) == 2
    rig.time.advance(timedelta(seconds=4))
    assert rig.sweep() == ()
    rig.time.advance(timedelta(seconds=1))
    assert len(rig.sweep()) == 2
    assert len(rig.catalogue.asked) == 4


def test_a_look_begins_an_overlap_before_the_cursor_and_now_and_then_far_before() -> None:
    rig = Rig()
    optical, _ = rig.feeds
    now = rig.time.now()
    rig.keep(optical, now)
    rig.time.advance(timedelta(minutes=1))
    first = next(s for s in rig.sweep() if s.feed == optical)
    assert (first.since, first.deep) == (now - rig.settings.overlap, True), "it began just now"
    rig.time.advance(rig.settings.period)
    assert not next(s for s in rig.sweep() if s.feed == optical).deep
    rig.time.advance(rig.settings.deep_every)
    rig.catalogue.asked.clear()
    second = next(s for s in rig.sweep() if s.feed == optical)
    assert second.deep
    near, far = (query for query, _ in rig.catalogue.asked if query.type is optical.type)
    assert (near.since, near.until) == (now - rig.settings.overlap, rig.time.now())
    assert (far.since, far.until) == (now - rig.settings.deep_overlap, near.since)


def test_a_look_far_back_never_holds_up_what_is_new() -> None:
    rig = Rig()
    optical, _ = rig.feeds
    rig.settings = replace(rig.settings, page=1, pages=2, deep_overlap=DAYS)
    rig.keep(optical, rig.time.now() - timedelta(days=2))
    rig.time.advance(rig.settings.deep_every)
    looks: list[Sweep] = []
    while not looks or not looks[-1].complete:
        assert len(looks) < 30
        looks.append(next(s for s in rig.sweep() if s.feed == optical))
        rig.keep(optical, max(looks[-1].reached, rig.store.cursors()[-1].until))
    assert not any(look.deep for look in looks)
    assert looks[-1].reached == rig.time.now()


OURS = products_of(jobs_of(LISTED, area_of_tiles(TILES)))
"""Our own products, as they are listed."""


def test_our_own_products_are_asked_for_together_and_each_is_of_its_feed() -> None:
    odd = replace(OURS[0], product=replace(OURS[0].product, id="odd"), title="FSC_SOMETHING")
    rig = Rig(*OURS, odd, ordered=False, wanted=OWN)
    sweeps = rig.sweep()
    assert [sweep.feed for sweep in sweeps] == list(rig.feeds)
    (query, mark), *_ = rig.catalogue.asked
    assert (set(query.types), mark) == ({kind for _, kind in OWN}, None)
    assert rig.names(sweeps) == {entry.product.name for entry in OURS}
    for sweep in sweeps:
        assert {product.type for product in sweep.products} <= {sweep.feed.type}
        assert [each.entry for each in sweep.rejected] == (
            ["FSC_SOMETHING"] if sweep.feed.type is odd.product.type else []
        )


def test_what_is_asked_for_together_begins_where_the_furthest_behind_is() -> None:
    rig = Rig(*OURS, ordered=False, wanted=OWN)
    for number, feed in enumerate(rig.feeds):
        rig.keep(feed, BEGINNING + number * HOUR)
    sweeps = rig.sweep()
    assert {sweep.since for sweep in sweeps} == {BEGINNING - rig.settings.overlap}
    assert [sweep.cursor.until for sweep in sweeps if sweep.cursor is not None] == [
        BEGINNING + number * HOUR for number in range(len(rig.feeds))
    ]


@pytest.mark.parametrize("wanted", [pytest.param(INPUTS, id="images"), pytest.param(OWN, id="own")])
def test_a_quiet_catalogue_is_never_asked_more_than_three_times_in_a_period(
    wanted: Sequence[tuple[Collection, ProductType]],
) -> None:
    rig = Rig(*LISTED[-8:], *OURS[-8:], ordered=wanted is INPUTS, wanted=wanted)
    asked: list[int] = []
    far: list[Feed] = []
    for _ in range(30):
        for sweep in rig.sweep():
            rig.keep(sweep.feed, sweep.reached, deep=sweep.deep)
            far += [sweep.feed] if sweep.deep else []
        asked.append(len(rig.catalogue.asked))
        rig.catalogue.asked.clear()
        rig.time.advance(rig.settings.deep_every / 12)
    assert min(asked) > 0
    assert max(asked) <= 3
    assert far[: len(rig.feeds)] == list(rig.feeds), "each in its turn"


def test_what_is_too_much_for_a_pass_goes_on_at_the_stored_cursor() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, page=3, pages=2)
    given: set[str] = set()
    optical = rig.feeds[0]
    looks: list[Sweep] = []
    while not looks or not looks[-1].complete:
        assert len(looks) < 20
        looks.append(next(s for s in rig.sweep() if s.feed == optical))
        given |= rig.names((looks[-1],))
        rig.keep(optical, looks[-1].reached)
    wanted = {e.product.name for e in LISTED if e.product.type is ProductType.L1C}
    assert given == wanted
    assert len(looks) > 1
    assert [later.since for later in looks[1:]] == [sooner.reached for sooner in looks[:-1]]


def test_without_an_order_ever_less_is_asked_for_until_it_fits_into_a_pass() -> None:
    rig = Rig(ordered=False)
    rig.settings = replace(rig.settings, page=3, pages=2)
    given: set[str] = set()
    optical = rig.feeds[0]
    looks: list[Sweep] = []
    while not looks or not looks[-1].complete:
        assert len(looks) < 60
        looks.append(next(s for s in rig.sweep() if s.feed == optical))
        given |= rig.names((looks[-1],))
        rig.keep(optical, looks[-1].reached)
    assert given == {e.product.name for e in LISTED if e.product.type is ProductType.L1C}
    assert looks[0].reached == looks[0].since
    assert looks[-1].reached == rig.time.now()


def test_what_was_read_and_not_stored_is_read_again() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, page=3, pages=1)
    first = next(s for s in rig.sweep() if s.feed == rig.feeds[0])
    assert not first.complete
    second = next(s for s in rig.sweep() if s.feed == rig.feeds[0])
    assert second.products == first.products


def test_a_burst_within_the_overlap_is_got_through() -> None:
    at = BEGINNING + DAYS - timedelta(minutes=10)
    burst = [
        replace(
            entry,
            product=replace(entry.product, published_at=at + timedelta(seconds=number)),
            visible_at=at,
        )
        for number, entry in enumerate(e for e in LISTED if e.product.tile)
    ]
    rig = Rig(*burst)
    rig.settings = replace(rig.settings, page=2, pages=1)
    optical = rig.feeds[0]
    rig.keep(optical, at)
    given: set[str] = set()
    for _ in range(2 * len(burst)):
        sweep = next(s for s in rig.sweep() if s.feed == optical)
        given |= rig.names((sweep,))
        if sweep.complete:
            break
        rig.keep(optical, max(sweep.reached, at))
    assert given == {entry.product.name for entry in burst}


def test_a_person_who_moves_the_cursor_back_is_obeyed() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, page=2, pages=1)
    optical = rig.feeds[0]
    rig.keep(optical, BEGINNING + timedelta(days=10))
    assert not next(s for s in rig.sweep() if s.feed == optical).complete
    back = BEGINNING + timedelta(days=3)
    rig.store.tables.cursors.put(optical, Cursor(feed=optical, until=back, deep_at=rig.time.now()))
    assert next(s for s in rig.sweep() if s.feed == optical).since == back


def test_a_slow_catalogue_holds_up_one_pass_and_the_others_come_first_in_the_next() -> None:
    rig = Rig(takes=timedelta(seconds=6))
    optical, radar = rig.feeds
    assert [s.feed for s in rig.sweep(timedelta(seconds=5))] == [optical]
    rig.time.advance(timedelta(seconds=5))
    assert [s.feed for s in rig.sweep(timedelta(seconds=5))] == [radar]


def test_a_failure_is_told_until_the_rest_is_over_and_the_rest_doubles() -> None:
    rig = Rig()
    rig.faults.order(PAGE, Fault.REFUSED, times=4)
    backoff = rig.settings.backoff
    first = rig.sweep()
    assert all("no answer" in sweep.unknown and not sweep.products for sweep in first)
    rig.time.advance(backoff - timedelta(seconds=1))
    resting = rig.sweep()
    assert [sweep.unknown for sweep in resting] == [sweep.unknown for sweep in first]
    assert len(rig.catalogue.asked) == 2
    rig.time.advance(timedelta(seconds=1))
    rig.sweep()
    assert len(rig.catalogue.asked) == 4
    rig.time.advance(2 * backoff - timedelta(seconds=1))
    rig.sweep()
    assert len(rig.catalogue.asked) == 4
    rig.time.advance(timedelta(seconds=1))
    assert rig.names(rig.sweep()) == {entry.product.name for entry in LISTED}


def test_a_catalogue_that_says_when_to_come_back_is_obeyed() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, backoff=timedelta(seconds=1))
    rig.faults.order(PAGE, Fault.THROTTLED, times=2)
    rig.sweep()
    rig.time.advance(RETRY_AFTER - timedelta(seconds=1))
    rig.sweep()
    assert len(rig.catalogue.asked) == 2
    rig.time.advance(timedelta(seconds=1))
    assert rig.names(rig.sweep()) == {entry.product.name for entry in LISTED}


def test_what_came_before_a_failure_is_used_and_the_rest_follows() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, page=3)
    rig.faults.order_at(rig.faults.calls + 2, Fault.REFUSED)
    first = next(s for s in rig.sweep() if s.feed == rig.feeds[0])
    assert (len(first.products), first.complete) == (3, False)
    assert first.unknown
    rig.time.advance(rig.settings.backoff)
    second = next(s for s in rig.sweep() if s.feed == rig.feeds[0])
    wanted = {e.product.name for e in LISTED if e.product.type is ProductType.L1C}
    assert rig.names((first, second)) == wanted


def test_what_has_its_job_is_said_to_be_known() -> None:
    rig = Rig()
    (optical, _) = rig.sweep()
    product = optical.products[0]
    job = NewJob(
        type="fsc_rlie",
        key=product.name,
        name="x",
        tile=product.tile,
        sensing_at=product.sensing.start,
    )
    rig.keep(optical.feed, rig.time.now(), job)
    again = rig.another().sweep(rig.whole, WITHIN).sweeps or ()
    assert not again[0].products
    rig.store.tables.cursors.put(
        optical.feed, Cursor(feed=optical.feed, until=BEGINNING, deep_at=rig.time.now())
    )
    (sweep, *_) = rig.another().sweep(rig.whole, WITHIN).sweeps or ()
    assert {known.key for known in sweep.known.jobs} == {product.name}


def test_how_far_behind_a_feed_is_is_shown() -> None:
    rig = Rig()
    rig.keep(rig.feeds[0], rig.time.now() - HOUR)
    rig.sweep()
    labels = {"source": "creodias", "collection": "SENTINEL-2", "type": "S2MSI1C"}
    assert rig.metrics.registry.get_sample_value("hrsi_feed_lag_seconds", labels) == 3600


def test_groups_that_wait_for_more_are_counted_and_timed() -> None:
    rig = Rig()
    today = rig.time.now().date()
    for number, minutes in enumerate((30, 90)):
        group = Group(
            job_type="gfsc",
            key=f"group-{number}",
            day=today,
            tiles=("32TLR",),
            due_at=rig.time.now() + HOUR,
            waits="for SWS",
            waits_since=rig.time.now() - minutes * HOUR / 60,
        )
        rig.store.tables.groups.put((group.job_type, group.key), group)
    rig.sweep()
    value = rig.metrics.registry.get_sample_value
    assert value("hrsi_groups_waiting", {"type": "gfsc"}) == 2
    assert value("hrsi_group_wait_seconds", {"type": "gfsc"}) == 90 * 60
    assert value("hrsi_groups_waiting", {"type": "rlies1s2"}) == 0


def test_what_each_feed_lists_of_a_day_is_known_from_the_first_look_on() -> None:
    rig = Rig()
    now = rig.time.now()

    def days() -> dict[ProductType, FeedDay]:
        found = rig.sweeper.sweep(rig.whole, WITHIN).days
        return {day.feed.type: day for day in found}

    def listed(kind: ProductType, since: datetime, until: datetime) -> int:
        return len(
            {
                entry.product.sensing.start
                for entry in LISTED
                if entry.product.type is kind
                and since <= entry.product.published_at < until
                and entry.product.tile in TILES
            }
        )

    first = days()
    assert first[ProductType.L1C].counts == {"fsc_rlie": listed(ProductType.L1C, now - DAY, now)}
    assert first[ProductType.L1C].at == now
    for feed in rig.feeds:
        rig.keep(feed, now)
    rig.time.advance(2 * rig.settings.period)
    assert days()[ProductType.L1C].at == now, "as of the last look far back"
    rig.time.advance(timedelta(days=2))
    silent = days()[ProductType.L1C]
    assert silent.counts == {"fsc_rlie": 0}, "nothing was listed since"
    assert not silent.yielded, "nor ever, as far as the store knows"
    rig.store.tables.cursors.put(
        rig.feeds[0], Cursor(feed=rig.feeds[0], until=rig.time.now(), deep_at=now, yielded=True)
    )
    rig.time.advance(2 * rig.settings.period)
    assert days()[ProductType.L1C].yielded
    rig.faults.order(PAGE, Fault.REFUSED, times=2)
    rig.time.advance(rig.settings.deep_every)
    assert days() == {}, "a catalogue that is away is told of as such"


def test_a_day_that_was_not_looked_through_is_not_judged() -> None:
    rig = Rig()
    rig.settings = replace(rig.settings, deep_overlap=DAY - HOUR)
    for feed in rig.feeds:
        rig.keep(feed, rig.time.now())
    rig.time.advance(2 * rig.settings.deep_every)
    harvest = rig.sweeper.sweep(rig.whole, WITHIN)
    assert all(look.deep for look in harvest.sweeps or ())
    assert harvest.days == ()
    for feed in rig.feeds:
        rig.keep(feed, rig.time.now(), deep=True)
    rig.time.advance(rig.settings.period)
    assert not any(look.deep for look in rig.sweep()), "it is not looked for in vain"


def test_what_is_listed_and_what_arrived_is_counted() -> None:
    rig = Rig()
    optical, _ = rig.feeds
    rig.keep(optical, BEGINNING, NewJob(type="fsc_rlie", key="a", name="a"))
    harvest = rig.sweeper.sweep(Settings(creation=rig.settings), WITHIN)
    assert harvest.arrivals is not None
    assert harvest.arrivals.counts == {"fsc_rlie": 1}
    value = rig.metrics.registry.get_sample_value
    labels = {"source": "creodias", "collection": "SENTINEL-2", "type": "S2MSI1C"}
    seen = [e for e in LISTED if e.product.type is ProductType.L1C]
    assert value("hrsi_products_seen_total", labels) == len(seen)
    assert value("hrsi_jobs_arrived", {"type": "fsc_rlie"}) == 1
