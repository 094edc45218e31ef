"""How campaigns are read: part by part, behind the feeds, on from where they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.campaign_reading import Library
from controller.campaigning import Campaigner, foretold
from models.areas import area_of_tiles
from models.campaigns import AdvanceCampaign, Campaign, CampaignLook, CampaignOrder, CampaignState
from models.catalogue import CataloguePage, CatalogueQuery, PageMark
from models.job_types import DEFAULT_REGISTRY
from models.ports import Asked, JobFilter
from models.product_names import ProductType
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import part_of, taken
from simulator.catalogues.listing import Disorder, listing
from simulator.catalogues.memory import RETRY_AFTER, MemoryCatalogue, strangeness
from simulator.catalogues.orbits import BEGINNING
from simulator.catalogues.state import SimulatedCatalogue
from simulator.faults import Fault, Faults
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline

TILES = ("32TLR", "32TMS")
SPAN = timedelta(days=30)
LISTED = listing(
    TILES, BEGINNING, BEGINNING + SPAN, disorder=Disorder(late=0.1, doubled=0.2, nonsense=0.1)
)
ADA = Asked(actor="ada")
WANTED = {
    entry.product.name
    for entry in LISTED
    if entry.product.type is ProductType.L1C and strangeness(entry) is None
}


class Disordered:
    """A catalogue that keeps no order, as resto: nothing is reached before all is given."""

    def __init__(self, inner: MemoryCatalogue) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """As the inner one."""
        return self.inner.name

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """As the inner one, of which nobody knows what is left out."""
        page = self.inner.page(query, mark)
        return replace(page, reached=query.since) if page.next else page


class Rig:
    """A store, a catalogue and whoever reads it, on virtual time."""

    def __init__(self, *, ordered: bool = True, **settings: Any) -> None:
        self.time = Timeline(BEGINNING + 2 * SPAN)
        self.faults = Faults()
        self.store = MemoryStore(self.time, SeededIds())
        inner = MemoryCatalogue(SimulatedCatalogue("creodias", self.time, LISTED), self.faults)
        self.catalogue = inner if ordered else Disordered(inner)
        self.library = Library(catalogues={"creodias": self.catalogue}, area=area_of_tiles(TILES))
        self.settings = replace(CreationSettings(), **settings)
        self.campaigner = self.another()
        lease = self.store.acquire("creation", "rig", 100 * SPAN)
        assert lease is not None
        self.lease = lease

    def another(self) -> Campaigner:
        """That of a process that remembers nothing."""
        return Campaigner(self.library, self.store, self.store, self.time)

    def begin(self, **order: Any) -> Campaign:
        """A campaign over everything, unless said otherwise."""
        whole = CampaignOrder(
            job_type="fsc_rlie",
            source="creodias",
            since=BEGINNING,
            until=BEGINNING + SPAN,
            tiles=TILES,
        )
        return self.store.begin_campaign(replace(whole, **order), ADA).campaign

    def look(self, *busy: str) -> tuple[CampaignLook, ...]:
        """The next looks, with all the time there is."""
        return self.campaigner.look(self.settings, self.time.monotonic() + 10, busy)

    def keep(self, look: CampaignLook) -> None:
        """Let the store have what a look found."""
        flavors = {name: t.flavor for name, t in DEFAULT_REGISTRY.types.items()}
        part = part_of(look, taken(look))
        self.store.commit(
            self.lease, AdvanceCampaign(at=self.time.now(), part=part, flavors=flavors)
        )

    def keys(self) -> list[str]:
        """Of all jobs."""
        return [job.key for job in self.store.jobs(JobFilter(limit=10_000))]

    def finish(self, campaign: Campaign, *, forgetting: bool = False) -> list[CampaignLook]:
        """Look on until it is done; each second look is lost with its process, if so wanted."""
        looks: list[CampaignLook] = []
        while self.store.campaign(campaign.id).state is CampaignState.RUNNING:
            assert len(looks) < 200
            (look,) = self.look()
            looks.append(look)
            if forgetting and len(looks) % 2:
                self.campaigner = self.another()
            else:
                self.keep(look)
        return looks


@pytest.mark.parametrize(
    ("ordered", "settings"),
    [
        pytest.param(True, {}, id="at-once"),
        pytest.param(True, {"page": 3}, id="page-by-page"),
        pytest.param(True, {"page": 1, "pages": 20}, id="product-by-product"),
        pytest.param(False, {"page": 7, "campaign_window": timedelta(days=4)}, id="no-order"),
    ],
)
def test_every_image_of_the_window_has_its_job_once(ordered: bool, settings: Any) -> None:
    rig = Rig(ordered=ordered, **settings)
    campaign = rig.begin()
    looks = rig.finish(campaign, forgetting=True)
    keys, tally = rig.keys(), rig.store.campaign(campaign.id).tally
    assert sorted(keys) == sorted(WANTED)
    assert tally.created == len(keys)
    assert tally.listed == len({p.id for look in looks for p in look.products})
    assert tally.listed == tally.created + tally.existing + tally.left_out
    assert [a.reached for a in looks[1::2]] == [b.campaign.reached for b in looks[2::2]] + [
        campaign.order.until
    ]


def test_what_is_foretold_is_what_comes() -> None:
    rig = Rig(page=5)
    campaign = rig.begin(until=BEGINNING + SPAN / 2)
    rig.finish(campaign)
    second = rig.begin()
    reader = rig.library.reader_of(second.order, rig.time)
    *_, last = foretold(second, reader, rig.store, rig.settings)
    assert rig.store.campaign(second.id) == second
    rig.finish(second)
    done = rig.store.campaign(second.id)
    assert last.tally == done.tally
    assert done.tally.existing > 0
    assert sorted(rig.keys()) == sorted(WANTED)


def test_a_campaign_waits_while_feeds_read_its_catalogue() -> None:
    rig = Rig()
    rig.begin()
    (held,) = rig.look("creodias")
    assert "new images come first" in held.unknown
    assert rig.faults.calls == 0
    (look,) = rig.look("another")
    assert look.products


def test_nothing_begins_after_the_time_for_it() -> None:
    rig = Rig()
    rig.begin()
    assert rig.campaigner.look(rig.settings, rig.time.monotonic(), ()) == ()


def test_campaigns_that_do_not_run_are_not_read() -> None:
    rig = Rig()
    campaign = rig.begin()
    rig.store.turn_campaign(campaign.id, CampaignState.PAUSED, ADA)
    assert rig.look() == ()
    rig.time.advance(rig.settings.period)
    rig.store.turn_campaign(campaign.id, CampaignState.RUNNING, ADA)
    assert len(rig.look()) == 1


def test_a_catalogue_that_fails_is_left_alone_and_told_and_others_go_on() -> None:
    rig = Rig()
    first, second = rig.begin(), rig.begin(source="elsewhere")
    rig.faults.order("catalogue.page", Fault.THROTTLED)
    told = rig.look()
    assert [(look.campaign.id, bool(look.unknown)) for look in told] == [
        (first.id, True),
        (second.id, True),
    ]
    assert "name no catalogue 'elsewhere'" in told[1].unknown
    rig.time.advance(RETRY_AFTER - timedelta(seconds=1))
    assert rig.look()[0].unknown == told[0].unknown
    rig.time.advance(rig.settings.backoff)
    (look,) = rig.look()
    assert (look.campaign.id, look.unknown) == (first.id, "")
    assert look.products


def test_too_much_in_no_order_says_what_to_set() -> None:
    rig = Rig(ordered=False, page=1, pages=2)
    rig.begin()
    (look,) = rig.look()
    assert "creation.campaign_window" in look.unknown
    assert look.reached == look.campaign.reached
