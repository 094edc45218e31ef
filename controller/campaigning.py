"""Reading for campaigns: the next part of each, behind the feeds, with rests after failures.

A campaign may wait, a new image may not: while a feed of a catalogue is behind or away, no campaign
asks that catalogue for anything. What is remembered here makes reading more polite alone; how far a
campaign has come stands in the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.sweeps import INPUTS, rest_after
from models.areas import area_of_tiles
from models.campaigning import Campaigns
from models.campaigns import PRODUCT_OF, Campaign, CampaignLook, CampaignState, Tally
from models.catalogue import (
    Catalogue,
    CatalogueProduct,
    CatalogueQuery,
    RejectedEntry,
    Times,
)
from models.creation import Area, Met, acquisition_of
from models.errors import PortError, Unavailable
from models.feeds import Feeds
from models.ports import Clock
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import taken


@dataclass(kw_only=True, slots=True)
class _Memory:
    """What one process remembers of a campaign: when it may be read again (monotonic seconds), and
    how often in a row, and why, it could not be.
    """

    area: Area
    again: float = float("-inf")
    failures: int = 0
    unknown: str = ""


class Campaigner:
    """Reads the next parts of the campaigns that run. Not to be used by two threads at once."""

    def __init__(
        self,
        catalogues: Mapping[str, Catalogue],
        campaigns: Campaigns,
        feeds: Feeds,
        clock: Clock,
    ) -> None:
        self._catalogues = catalogues
        self._campaigns = campaigns
        self._feeds = feeds
        self._clock = clock
        self._again = float("-inf")
        self._memories: dict[int, _Memory] = {}

    def look(
        self, settings: CreationSettings, ends: float, busy: Collection[str]
    ) -> tuple[CampaignLook, ...]:
        """The next part of the oldest campaign that can be read, begun before the monotonic moment
        `ends`, and why others cannot. `busy` are the catalogues that feeds have to read first.

        Raises what the store raises.
        """
        if self._clock.monotonic() < self._again:
            return ()
        running = [
            each for each in self._campaigns.campaigns() if each.state is CampaignState.RUNNING
        ]
        self._memories = {c.id: self._memory(c) for c in running}
        found: list[CampaignLook] = []
        for campaign in running:
            look = self._look_at(campaign, settings, ends, busy)
            found += [look] if look is not None else []
            if look is not None and not look.unknown:
                break
        pause = timedelta(0) if running else settings.period
        self._again = self._clock.monotonic() + pause.total_seconds()
        return tuple(found)

    def _memory(self, campaign: Campaign) -> _Memory:
        former = self._memories.get(campaign.id)
        return former or _Memory(area=area_of_tiles(campaign.order.tiles))

    def _look_at(
        self, campaign: Campaign, settings: CreationSettings, ends: float, busy: Collection[str]
    ) -> CampaignLook | None:
        """None: there is no time left for it."""
        memory, source = self._memories[campaign.id], campaign.order.source
        catalogue = self._catalogues.get(source)
        blind = CampaignLook(campaign=campaign, area=memory.area, reached=campaign.reached)
        if catalogue is None:
            why = f"the settings of the controller name no catalogue {source!r}"
            return replace(blind, unknown=why)
        if self._clock.monotonic() < memory.again:
            return replace(blind, unknown=memory.unknown)
        if source in busy:
            why = f"feeds of {source} are behind or away, and new images come first"
            return replace(blind, unknown=why)
        if self._clock.monotonic() >= ends:
            return None
        try:
            look = with_known(next_part(campaign, memory.area, catalogue, settings), self._feeds)
        except PortError as error:
            memory.failures, memory.unknown = memory.failures + 1, str(error)
            rest = rest_after(memory.failures, error.retry_after, settings)
            memory.again = self._clock.monotonic() + rest.total_seconds()
            return replace(blind, unknown=memory.unknown)
        memory.failures, memory.unknown = 0, ""
        return look


def next_part(
    campaign: Campaign, area: Area, catalogue: Catalogue, settings: CreationSettings
) -> CampaignLook:
    """What a campaign finds next: at most `campaign_window` of time, and of a catalogue that keeps
    an order little more than a page of products. What has the very time that it ends with comes
    with the part that follows.

    Raises what `Catalogue.page` raises, and `Unavailable` when the catalogue gives too much at once
    to know what is left out.
    """
    order = campaign.order
    product = PRODUCT_OF[order.job_type]
    query = CatalogueQuery(
        collection=next(collection for collection, kind in INPUTS if kind is product),
        type=product,
        since=campaign.reached,
        until=min(campaign.reached + settings.campaign_window, order.until),
        area=area.wkt,
        limit=settings.page,
        by=Times.SENSING,
    )
    products, rejected, reached = _read(catalogue, query, settings.pages)
    return CampaignLook(
        campaign=campaign,
        area=area,
        reached=reached,
        products=tuple(each for each in products if each.sensing.start < reached),
        rejected=tuple(rejected),
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
    raise Unavailable(
        f"{catalogue.name} lists more than {pages} pages of {query.limit} from "
        f"{query.since:%Y-%m-%d %H:%M} to {query.until:%Y-%m-%d %H:%M} UTC, in no order; set "
        "creation.campaign_window lower, or creation.pages higher"
    )


def with_known(look: CampaignLook, feeds: Feeds) -> CampaignLook:
    """The same, with what the store has of it already."""
    if not look.products and not look.rejected:
        return look
    job_type = look.campaign.order.job_type
    images = frozenset(acquisition_of(product, job_type) for product in look.products)
    return replace(look, known=feeds.known(Met(acquisitions=images, rejected=look.rejected)))


def foretold(
    campaign: Campaign, catalogue: Catalogue, feeds: Feeds, settings: CreationSettings
) -> Iterator[Campaign]:
    """How a campaign would stand after each of its parts, were it begun now. Writes nothing.

    Raises what `next_part` and the store raise.
    """
    area = area_of_tiles(campaign.order.tiles)
    while campaign.reached < campaign.order.until:
        look = with_known(next_part(campaign, area, catalogue, settings), feeds)
        found = taken(look)
        tally = campaign.tally + found.tally + Tally(created=len(found.jobs))
        campaign = replace(campaign, reached=look.reached, tally=tally)
        yield campaign
