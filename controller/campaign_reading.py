"""How the next part of a campaign is read from its catalogues: of one type of product, or several.

A type of job that is for one product is read as its catalogue gives it. One that is made of several
is read day by day and type by type, each day once: the days before a part, from which gaps are
filled, were read for the part before it. What is remembered makes it quicker alone: whoever begins
anew reads those days again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from math import inf
from typing import Protocol

from controller.config_groups import CreationConfig
from controller.sweeps import INPUTS, OWN, Subscriptions
from models.areas import area_of_tiles
from models.campaigning import Offer
from models.campaigns import PRODUCT_OF, Campaign, CampaignLook, CampaignOrder
from models.catalogue import (
    Catalogue,
    CatalogueProduct,
    CatalogueQuery,
    Collection,
    PageMark,
    RejectedEntry,
    Times,
)
from models.creation import Area, Feed
from models.errors import Unavailable
from models.ports import Clock
from models.product_names import ProductType
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import CAMPAIGN_TYPES
from reconcilers.creation.composition import Composition, begin_of
from reconcilers.creation.compositions import COMPOSITIONS

DAY = timedelta(days=1)
MOST_JOBS = 2_000
"""Tiles times days of a part that is made of several products: about its jobs, where each tile has
one every day. They are added in one transaction."""

IMAGES = frozenset(kind for _, kind in INPUTS)


def offers_of(wanted: CreationConfig) -> Mapping[str, Offer]:
    """Which catalogues of the settings can be the source of a campaign, for each type of job that
    can have one: those of images, or, for what is made of our own products alone, those of these.
    """
    images = Offer(
        names=tuple(name for name, _ in (*wanted.odata, *wanted.resto)),
        setting="creation.odata or creation.resto",
    )
    own = Offer(names=tuple(name for name, _ in wanted.products), setting="creation.products")
    return {name: images if _is_of_images(name) else own for name in CAMPAIGN_TYPES}


def feeds_of_order(order: CampaignOrder, own: tuple[str, ...]) -> tuple[Feed, ...]:
    """What is read for a campaign; where it needs images and own products, those of `own`."""
    kinds, of_images = _kinds(order.job_type), _is_of_images(order.job_type)

    def sources(kind: ProductType) -> tuple[str, ...]:
        return own if of_images and kind not in IMAGES else (order.source,)

    return tuple(
        Feed(source=source, collection=collection, type=kind)
        for collection, kind in (*INPUTS, *OWN)
        if kind in kinds
        for source in sources(kind)
    )


def _kinds(job_type: str) -> tuple[ProductType, ...]:
    composition = COMPOSITIONS.get(job_type)
    return composition.feeds_on if composition else (PRODUCT_OF[job_type],)


def _is_of_images(job_type: str) -> bool:
    return not IMAGES.isdisjoint(_kinds(job_type))


class PartReader(Protocol):
    """Reads the parts of one campaign."""

    def read(
        self, campaign: Campaign, settings: CreationSettings, ends: float = inf
    ) -> CampaignLook:
        """The next part, or one of no length when it is not read whole at the monotonic moment
        `ends`: then it is gone on with.

        Raises what `Catalogue.page` raises, and `Unavailable` when a catalogue gives too much at
        once to know what is left out.
        """


@dataclass(frozen=True, slots=True)
class OneReader:
    """Reads a type of job that is for one product."""

    area: Area
    feed: Feed
    catalogue: Catalogue

    def read(
        self, campaign: Campaign, settings: CreationSettings, ends: float = inf
    ) -> CampaignLook:
        """At most `campaign_window` of time, and of a catalogue that keeps an order little more
        than a page of products. What has the very time that it ends with comes with the part that
        follows.
        """
        del ends
        until = min(campaign.reached + settings.campaign_window, campaign.order.until)
        query = _query(self.feed, self.area, campaign.reached, until, settings)
        products, rejected, reached = _read(self.catalogue, query, settings.pages)
        return CampaignLook(
            campaign=campaign,
            area=self.area,
            reached=reached,
            products=tuple(each for each in products if each.sensing.start < reached),
            rejected=tuple(rejected),
        )


def _query(
    feed: Feed, area: Area, since: datetime, until: datetime, settings: CreationSettings
) -> CatalogueQuery:
    return CatalogueQuery(
        collection=feed.collection,
        type=feed.type,
        since=since,
        until=until,
        area=area.wkt,
        limit=settings.page,
        by=Times.SENSING,
    )


def _read(
    catalogue: Catalogue, query: CatalogueQuery, pages: int
) -> tuple[list[CatalogueProduct], list[RejectedEntry], datetime]:
    products: list[CatalogueProduct] = []
    rejected: list[RejectedEntry] = []
    page = None
    for _ in range(pages):
        page = catalogue.page(query, page.next if page else None)
        products += page.products
        rejected += page.rejected
        if page.complete or page.reached > query.since:
            return products, rejected, page.reached
    raise too_much(catalogue, query, pages)


def too_much(catalogue: Catalogue, query: CatalogueQuery, pages: int) -> Unavailable:
    """What is raised when nobody knows what a catalogue leaves out."""
    return Unavailable(
        f"{catalogue.name} lists more than {pages} pages of {query.limit} from "
        f"{query.since:%Y-%m-%d %H:%M} to {query.until:%Y-%m-%d %H:%M} UTC, in no order; set "
        "creation.campaign_window lower, or creation.pages higher"
    )


@dataclass(kw_only=True, slots=True)
class _Listed:
    """What a feed lists of one day of measurement, each product once: pages may overlap."""

    products: dict[str, CatalogueProduct] = field(default_factory=dict)
    rejected: list[RejectedEntry] = field(default_factory=list)


class DayReader:
    """Reads a type of job that is made of several products. Not for two threads at once."""

    def __init__(
        self,
        composition: Composition,
        area: Area,
        feeds: Mapping[Feed, Catalogue],
        clock: Clock,
    ) -> None:
        self._reach = composition.reach
        self._area = area
        self._feeds = feeds
        self._clock = clock
        self._days: dict[tuple[Feed, date], _Listed] = {}
        self._at_once: dict[Feed, int] = {}

    def read(
        self, campaign: Campaign, settings: CreationSettings, ends: float = inf
    ) -> CampaignLook:
        """Whole days, as many as make a transaction."""
        reached = self._end(campaign, settings)
        days = _days(campaign.reached - self._reach.before, reached + self._reach.after)
        self._days = {key: kept for key, kept in self._days.items() if key[1] >= days[0]}
        for feed in self._feeds:
            while missing := [day for day in days if (feed, day) not in self._days]:
                if self._clock.monotonic() >= ends:
                    return CampaignLook(
                        campaign=campaign, area=self._area, reached=campaign.reached
                    )
                self._fetch(feed, missing, settings)
        listed = [self._days[feed, day] for feed in self._feeds for day in days]
        return CampaignLook(
            campaign=campaign,
            area=self._area,
            reached=reached,
            products=tuple(product for each in listed for product in each.products.values()),
            rejected=tuple(self._rejected(campaign, reached, days)),
        )

    def _end(self, campaign: Campaign, settings: CreationSettings) -> datetime:
        days = min(MOST_JOBS // len(self._area.tiles), settings.campaign_window // DAY)
        end = begin_of(campaign.reached.date()) + max(days, 1) * DAY
        return min(end, campaign.order.until)

    def _fetch(self, feed: Feed, missing: Sequence[date], settings: CreationSettings) -> None:
        """The first of the missing days, and those after it, as far as one answer holds them."""
        number = self._at_once.get(feed, max(settings.campaign_window // DAY, 1))
        wanted = list(_in_a_row(missing))[:number]
        since, until = begin_of(wanted[0]), begin_of(wanted[-1]) + DAY
        query = _query(feed, self._area, since, until, settings)
        listed = {day: _Listed() for day in wanted}
        mark: PageMark | None = None
        for _ in range(settings.pages):
            page = self._feeds[feed].page(query, mark)
            for product in page.products:
                day = product.sensing.start.date()
                if day in listed:
                    listed[day].products[product.id] = product
            listed[wanted[0]].rejected += page.rejected
            mark = page.next
            if mark is None:
                self._days |= {(feed, day): found for day, found in listed.items()}
                return
        if len(wanted) == 1:
            raise too_much(self._feeds[feed], query, settings.pages)
        self._at_once[feed] = len(wanted) // 2

    def _rejected(
        self, campaign: Campaign, reached: datetime, days: Sequence[date]
    ) -> Iterator[RejectedEntry]:
        """What nobody understood, each with one part: of the days around the campaign with its
        first and its last.
        """
        order = campaign.order
        first = days[0] if campaign.reached <= order.since else campaign.reached.date()
        last = days[-1] if reached >= order.until else reached.date() - DAY
        for (_, day), found in self._days.items():
            if first <= day <= last:
                yield from found.rejected


def _days(since: datetime, until: datetime) -> list[date]:
    """Every day of which something lies in this time, which ends before `until`."""
    first, last = since.date(), (until - timedelta(microseconds=1)).date()
    return [first + DAY * number for number in range((last - first).days + 1)]


def _in_a_row(days: Iterable[date]) -> Iterator[date]:
    """The first days, up to a gap."""
    former: date | None = None
    for day in days:
        if former is not None and day - former != DAY:
            return
        former = day
        yield day


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """The catalogues that campaigns are read from; `own` are those of our own products, `area` is
    that of the settings.
    """

    catalogues: Mapping[str, Catalogue]
    area: Area
    own: tuple[str, ...] = ()

    def reader_of(self, order: CampaignOrder, clock: Clock) -> PartReader:
        """The reader of a campaign. Raises `KeyError` with a catalogue that there is not."""
        feeds = {feed: self.catalogues[feed.source] for feed in feeds_of_order(order, self.own)}
        area = replace(
            area_of_tiles(order.tiles),
            mountains=self.area.mountains,
            without_rlie=self.area.without_rlie,
        )
        composition = COMPOSITIONS.get(order.job_type)
        if composition is not None:
            return DayReader(composition, area, feeds, clock)
        ((feed, catalogue),) = feeds.items()
        return OneReader(area, feed, catalogue)


def library_of(read: Subscriptions) -> Library:
    """What campaigns are read from: the catalogues that creation reads."""
    own = (feed.source for feed in read.feeds if feed.collection is Collection.HRSI)
    return Library(catalogues=read.catalogues, area=read.area, own=tuple(dict.fromkeys(own)))
