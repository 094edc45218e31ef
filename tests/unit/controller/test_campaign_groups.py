"""Campaigns of what is made of several products: of everything that is listed, each job once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.campaign_reading import Library
from controller.campaigning import Campaigner, foretold
from models.campaigns import AdvanceCampaign, Campaign, CampaignLook, CampaignOrder, CampaignState
from models.catalogue import CataloguePage, CatalogueQuery, PageMark
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.ports import Asked, JobFilter
from models.product_names import ProductType
from models.records import Priority
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import part_of, taken
from simulator.catalogues.listing import listing
from simulator.catalogues.memory import MemoryCatalogue
from simulator.catalogues.orbits import BEGINNING
from simulator.catalogues.state import SimulatedCatalogue
from simulator.faults import Faults
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.archive import area_with_mountains, jobs_of, products_of

DAY = timedelta(days=1)
TILES = ("32TLR", "32TMS")
AREA = area_with_mountains(TILES, "32TLR")
BEGAN = datetime(BEGINNING.year, BEGINNING.month, BEGINNING.day, tzinfo=UTC)
SINCE, UNTIL = BEGAN + 8 * DAY, BEGAN + 20 * DAY
IMAGES = listing(TILES, BEGAN, BEGAN + 26 * DAY)
SNOW = products_of(jobs_of(IMAGES, AREA))
ADA = Asked(actor="ada")
TYPES = ("rlies1s2", "sws_wds", "gfsc")
EVERYTHING = JobFilter(limit=10_000)


class Shuffled:
    """A catalogue of our own products: it keeps no order, and counts what it is asked for."""

    def __init__(self, inner: MemoryCatalogue) -> None:
        self.inner = inner
        self.asked: list[tuple[ProductType, datetime, datetime]] = []

    @property
    def name(self) -> str:
        """As the inner one."""
        return self.inner.name

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        """As the inner one, of which nobody knows what is left out."""
        if mark is None:
            self.asked.append((query.type, query.since, query.until))
        page = self.inner.page(query, mark)
        return replace(page, reached=query.since) if page.next else page


class Rig:
    """A store, two catalogues and who reads them, on virtual time."""

    def __init__(self, **settings: Any) -> None:
        self.time = Timeline(BEGAN + 60 * DAY)
        self.faults = Faults()
        self.store = MemoryStore(self.time, SeededIds())
        images, snow = (
            MemoryCatalogue(SimulatedCatalogue(name, self.time, listed), self.faults)
            for name, listed in (("creodias", IMAGES), ("hrsi", SNOW))
        )
        self.own = Shuffled(snow)
        self.library = Library(
            catalogues={"creodias": images, "hrsi": self.own}, area=AREA, own=("hrsi",)
        )
        self.settings = replace(CreationSettings(), **settings)
        self.campaigner = self.another()
        lease = self.store.acquire("creation", "rig", 100 * DAY)
        assert lease is not None
        self.lease = lease

    def another(self) -> Campaigner:
        """That of a process that remembers nothing."""
        return Campaigner(self.library, self.store, self.store, self.time)

    def begin(self, job_type: str, **order: Any) -> Campaign:
        """A campaign of a type."""
        wanted = CampaignOrder(
            job_type=job_type,
            source="creodias" if job_type == "sws_wds" else "hrsi",
            since=SINCE,
            until=UNTIL,
            tiles=TILES,
        )
        return self.store.begin_campaign(replace(wanted, **order), ADA).campaign

    def look(self, *busy: str, within: float = 10) -> CampaignLook:
        """The next look."""
        ends = self.time.monotonic() + within
        (look,) = self.campaigner.look(self.settings, ends, busy)
        return look

    def keep(self, look: CampaignLook) -> None:
        """Let the store have what a look found."""
        flavors = {name: t.flavor for name, t in DEFAULT_REGISTRY.types.items()}
        change = AdvanceCampaign(
            at=self.time.now(), part=part_of(look, taken(look)), flavors=flavors
        )
        self.store.commit(self.lease, change)

    def finish(self, campaign: Campaign, *, forgetting: bool = False) -> Campaign:
        """Look on until it is done; each second look is lost with its process, if so wanted."""
        number = 0
        while self.store.campaign(campaign.id).state is CampaignState.RUNNING:
            look, number = self.look(), number + 1
            assert number < 100
            if forgetting and number % 2:
                self.campaigner = self.another()
            else:
                self.keep(look)
        return self.store.campaign(campaign.id)

    def inputs(self) -> dict[str, Any]:
        """What each job was handed in with, by its key, but for the campaign."""
        jobs = self.store.jobs(EVERYTHING)
        found = {job.key: dict(self.store.tables.inputs[job.id]) for job in jobs}
        for given in found.values():
            given.pop("campaign")
        return found


def measured(kind: ProductType, tile: str, since: datetime, until: datetime) -> set[str]:
    """The products of a type and tile that are listed of this time."""
    return {
        e.product.name
        for e in SNOW
        if e.product.type is kind and e.product.tile == tile and since <= _at(e) < until
    }


def _at(entry: Any) -> datetime:
    at: datetime = entry.product.sensing.start
    return at


def test_every_day_of_every_tile_gets_its_gfsc_from_the_seven_days_that_end_with_it() -> None:
    rig = Rig()
    done = rig.finish(rig.begin("gfsc"))
    wanted = {}
    for number in range((UNTIL - SINCE).days):
        day = SINCE + number * DAY
        for tile in TILES:
            fsc = measured(ProductType.FSC, tile, day - 6 * DAY, day + DAY)
            if fsc:
                wanted[f"{tile}-{day:%Y-%m-%d}"] = fsc
    found = {
        key.rpartition("-")[0]: {each["product"] for each in given["fsc"]}
        for key, given in rig.inputs().items()
    }
    assert found == wanted
    assert len(wanted) > 15
    assert done.tally.created == len(wanted)
    jobs = rig.store.jobs(EVERYTHING)
    assert {(job.priority, job.deadline) for job in jobs} == {(Priority.REPROCESSING, None)}


def test_ice_of_both_missions_is_put_together_for_every_day_that_has_both() -> None:
    rig = Rig()
    rig.finish(rig.begin("rlies1s2"))
    wanted = set()
    for number in range((UNTIL - SINCE).days):
        day = SINCE + number * DAY
        for tile in TILES:
            ice = measured(ProductType.RLIE, tile, day, day + DAY)
            if {name.split("_")[2][:2] for name in ice} == {"S1", "S2"}:
                wanted.add(f"{tile}-{day:%Y-%m-%d}")
    assert set(rig.inputs()) == wanted
    assert len(wanted) > 2


def test_snow_of_slices_is_made_of_both_catalogues() -> None:
    rig = Rig()
    rig.finish(rig.begin("sws_wds"))
    inputs = rig.inputs()
    assert {given["day"] for given in inputs.values()} <= {
        f"{SINCE + n * DAY:%Y-%m-%d}" for n in range((UNTIL - SINCE).days)
    }
    for given in inputs.values():
        (tile,), day = given["tiles"], datetime.fromisoformat(given["day"]).replace(tzinfo=UTC)
        fsc = measured(ProductType.FSC, tile, day, day + DAY)
        assert ("SWS" in given["products"]) is (tile == "32TLR")
        assert ("WDS" in given["products"]) is bool(fsc)
        assert {each["product"] for each in given["fsc"]} == fsc
        assert given["master"] in inputs
    assert {product for given in inputs.values() for product in given["products"]} == {
        "SWS",
        "WDS",
    }


@pytest.mark.parametrize("job_type", TYPES)
@pytest.mark.parametrize(
    ("settings", "forgetting"),
    [
        pytest.param({"campaign_window": DAY}, False, id="day-by-day"),
        pytest.param({"campaign_window": 5 * DAY}, True, id="each-second-process-dies"),
        pytest.param({"page": 4, "pages": 3}, False, id="pages-too-small-for-a-week"),
        pytest.param({"campaign_window": timedelta(hours=1)}, True, id="less-than-a-day"),
    ],
)
def test_it_makes_the_same_however_it_is_divided(
    job_type: str, settings: dict[str, Any], *, forgetting: bool
) -> None:
    whole, divided = Rig(campaign_window=30 * DAY), Rig(**settings)
    one = whole.finish(whole.begin(job_type))
    two = divided.finish(divided.begin(job_type), forgetting=forgetting)
    assert divided.inputs() == whole.inputs()
    assert two.tally == one.tally


@pytest.mark.parametrize("job_type", TYPES)
def test_what_is_foretold_is_what_comes_and_a_second_time_nothing(job_type: str) -> None:
    rig = Rig()
    first = rig.begin(job_type)
    reader = rig.library.reader_of(first.order, rig.time)
    *_, last = foretold(first, reader, rig.store, rig.settings)
    assert rig.store.campaign(first.id) == first
    done = rig.finish(first)
    assert last.tally == done.tally
    again = rig.finish(rig.begin(job_type))
    assert (again.tally.created, again.tally.existing) == (0, done.tally.created)


@pytest.mark.parametrize("job_type", TYPES)
def test_again_makes_each_once_more_under_a_key_of_its_own(job_type: str) -> None:
    rig = Rig()
    first = rig.finish(rig.begin(job_type))
    second = rig.finish(rig.begin(job_type, again=True))
    keys = [job.key for job in rig.store.jobs(EVERYTHING)]
    mine = {key for key in keys if key.endswith(f"@{second.id}")}
    assert len(mine) == second.tally.created == first.tally.created
    assert {key.partition("@")[0] for key in mine} == {*keys} - mine
    masters = [rig.inputs()[key].get("master") for key in mine]
    assert {*masters} <= ({None} if job_type != "sws_wds" else mine)


@pytest.mark.parametrize("job_type", TYPES)
def test_what_was_cancelled_is_made(job_type: str) -> None:
    rig = Rig()
    first = rig.finish(rig.begin(job_type))
    assert rig.store.cancel_waiting_jobs(first.id, 2, ADA) == 2
    second = rig.finish(rig.begin(job_type))
    assert (second.tally.created, second.tally.existing) == (
        2,
        first.tally.created - 2,
    )
    standing = [job.status for job in rig.store.jobs(EVERYTHING)]
    assert standing.count(Status.CANCELLED) == 2


def test_of_slices_only_what_no_job_makes_is_made() -> None:
    """First there is no FSC and therefore no WDS; the campaign then makes what is lacking."""
    rig = Rig()
    bare = Library(catalogues=rig.library.catalogues, area=AREA)
    rig.campaigner = Campaigner(bare, rig.store, rig.store, rig.time)
    first = rig.finish(rig.begin("sws_wds"))
    assert {tuple(given["products"]) for given in rig.inputs().values()} == {("SWS",)}
    rig.campaigner = rig.another()
    second = rig.finish(rig.begin("sws_wds"))
    keys = {job.key for job in rig.store.jobs(EVERYTHING)}
    wet = {key for key in keys if key.endswith("_WDS")}
    assert not {key for key in keys if "SWS_WDS" in key}
    assert (second.tally.created, len(keys)) == (len(wet), first.tally.created + len(wet))


def test_each_day_is_asked_for_once_while_the_process_lives() -> None:
    rig = Rig(campaign_window=3 * DAY)
    rig.finish(rig.begin("gfsc"))
    asked = sorted(rig.own.asked)
    for kind in (ProductType.FSC, ProductType.GFSC, ProductType.SWS, ProductType.WDS):
        spans = [(since, until) for each, since, until in asked if each is kind]
        assert spans[0][0] <= SINCE - 7 * DAY
        assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]


def test_reading_that_takes_longer_than_a_pass_is_gone_on_with() -> None:
    rig = Rig()
    campaign = rig.begin("gfsc")
    reader = rig.library.reader_of(campaign.order, rig.time)
    nothing = reader.read(campaign, rig.settings, ends=rig.time.monotonic())
    assert (nothing.reached, nothing.products, rig.faults.calls) == (SINCE, (), 0)
    assert taken(nothing).jobs == []
    assert reader.read(campaign, rig.settings).reached > SINCE


@pytest.mark.parametrize("late", ["creodias", "hrsi"])
def test_feeds_of_either_catalogue_come_first(late: str) -> None:
    rig = Rig()
    rig.begin("sws_wds")
    assert f"feeds of {late} are behind" in rig.look(late).unknown


def test_a_day_that_is_too_much_says_what_to_set() -> None:
    rig = Rig(page=1, pages=1)
    rig.begin("rlies1s2")
    assert "creation.pages higher" in rig.look().unknown


def test_a_catalogue_of_products_that_is_not_set_is_told() -> None:
    rig = Rig()
    rig.begin("gfsc", source="cryo")
    assert "name no catalogue 'cryo'" in rig.look().unknown
