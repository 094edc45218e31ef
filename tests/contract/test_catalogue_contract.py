"""Every way to a catalogue keeps the promises of the port: in memory, by OData, by resto."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
import shapely

from models.areas import area_of_tiles
from models.catalogue import (
    CatalogueProduct,
    CatalogueQuery,
    Collection,
    RejectReason,
    Sensing,
    Times,
)
from models.errors import Malformed, Throttled, Unavailable
from models.product_names import ProductType
from simulator.catalogues.listing import Disorder, Listed
from simulator.catalogues.memory import RETRY_AFTER, strangeness
from simulator.catalogues.orbits import BEGINNING
from simulator.catalogues.products import Habits, ProcessedJob, entries_of
from simulator.catalogues.state import Outage
from simulator.faults import Fault
from tests.plugins.catalogues import GRD, L1C, CatalogueInTest, opened, seen

EVERYTHING_WRONG = Disorder(late=0.2, lagging=0.2, doubled=0.2, renewed=0.2, nonsense=0.1)

both = pytest.mark.parametrize(
    "query", [pytest.param(L1C, id="sentinel-2"), pytest.param(GRD, id="sentinel-1")]
)


def of(entries: list[Listed], query: CatalogueQuery) -> dict[str, Listed]:
    """The entries of a query's type that can be understood, by id."""
    return {
        entry.product.id: entry
        for entry in entries
        if entry.product.type is query.type and strangeness(entry) is None
    }


def told(product: CatalogueProduct) -> CatalogueProduct:
    """What every protocol tells alike: resto says nothing of origins, sizes and changes."""
    assert product.footprint is not None
    return replace(
        product,
        origin_at=None,
        modified_at=None,
        size=None,
        footprint=shapely.from_wkt(product.footprint).normalize().wkt,
        attributes={},
    )


@both
@pytest.mark.parametrize("limit", [1000, 7, 1])
def test_all_pages_together_give_everything(kind: str, query: CatalogueQuery, limit: int) -> None:
    entries = seen(20, disorder=EVERYTHING_WRONG, seed=5)
    wanted = of(entries, query)
    with opened(kind, *entries) as catalogue:
        pages = catalogue.read(replace(query, limit=limit))
    given = {product.id: product for page in pages for product in page.products}
    assert len(wanted) > 8
    assert {key: told(product) for key, product in given.items()} == {
        key: told(entry.product) for key, entry in wanted.items()
    }
    assert pages[-1].complete
    assert not any(page.complete for page in pages[:-1])
    assert all(len(page.products) + len(page.rejected) <= limit for page in pages)


@both
def test_what_lies_elsewhere_or_was_published_at_another_time_is_left_out(
    kind: str, query: CatalogueQuery
) -> None:
    entries = seen(30)
    area = area_of_tiles(["32TLR"])
    chosen = replace(
        query,
        since=BEGINNING + timedelta(days=9, hours=3),
        until=BEGINNING + timedelta(days=21),
        area=area.wkt,
    )
    with opened(kind, *entries) as catalogue:
        pages = catalogue.read(chosen)
    asked = shapely.from_wkt(area.wkt)
    wanted = {
        key
        for key, entry in of(entries, query).items()
        if chosen.since <= entry.product.published_at < chosen.until
        and shapely.from_wkt(entry.product.footprint or "").intersects(asked)
    }
    assert wanted
    assert {product.id for page in pages for product in page.products} == wanted


@both
def test_whatever_was_published_before_what_is_reached_has_been_given(
    kind: str, query: CatalogueQuery
) -> None:
    entries = seen(20)
    wanted = of(entries, query)
    given: set[str] = set()
    with opened(kind, *entries) as catalogue:
        for page in catalogue.read(replace(query, limit=5)):
            given |= {product.id for product in page.products}
            before = {k for k, e in wanted.items() if e.product.published_at < page.reached}
            assert before <= given
        assert page.reached == query.until


@both
@pytest.mark.parametrize("limit", [1000, 3])
def test_products_are_given_by_when_they_were_measured(
    kind: str, query: CatalogueQuery, limit: int
) -> None:
    entries = seen(30, disorder=EVERYTHING_WRONG, seed=3)
    chosen = replace(
        query,
        by=Times.SENSING,
        since=BEGINNING + timedelta(days=8, hours=10, minutes=40),
        until=BEGINNING + timedelta(days=19),
        limit=limit,
    )
    wanted = {
        key: entry
        for key, entry in of(entries, query).items()
        if chosen.since <= entry.product.sensing.start < chosen.until
    }
    given: dict[str, CatalogueProduct] = {}
    with opened(kind, *entries) as catalogue:
        for page in catalogue.read(chosen):
            given |= {product.id: product for product in page.products}
            before = {k for k, e in wanted.items() if e.product.sensing.start < page.reached}
            assert before <= set(given)
    assert len(wanted) > 5
    assert {key: told(product) for key, product in given.items()} == {
        key: told(entry.product) for key, entry in wanted.items()
    }
    assert page.reached == chosen.until


@pytest.mark.parametrize("by", Times)
def test_products_of_one_moment_are_all_given_wherever_pages_meet(kind: str, by: Times) -> None:
    at = BEGINNING + timedelta(days=9)
    entries = [
        replace(
            entry,
            product=replace(entry.product, published_at=at, sensing=Sensing(start=at, stop=at)),
        )
        for entry in seen(10)
    ]
    random.Random(1).shuffle(entries)
    with opened(kind, *entries) as catalogue:
        for limit in (2, 3):
            pages = catalogue.read(replace(L1C, limit=limit, by=by))
            assert {p.id for page in pages for p in page.products} == set(of(entries, L1C))


def test_nothing_published_is_a_complete_answer(kind: str) -> None:
    with opened(kind) as catalogue:
        (page,) = catalogue.read(L1C)
    assert (page.products, page.rejected, page.complete) == ((), (), True)
    assert page.reached == L1C.until


def test_nonsense_is_given_back_and_the_rest_goes_on(kind: str) -> None:
    entries = seen(40, disorder=Disorder(nonsense=0.5))
    strange = {
        entry.title
        for entry in entries
        if entry.product.type is L1C.type and strangeness(entry) is not None
    }
    with opened(kind, *entries) as catalogue:
        pages = catalogue.read(L1C)
    rejected = [each for page in pages for each in page.rejected]
    assert strange
    assert len(rejected) == len(strange)
    for each in rejected:
        assert each.source == "creodias"
        assert each.reason is RejectReason.NAME
        assert "no Sentinel product name" in each.why
        assert any(title in f"{each.entry} {each.text}" for title in strange)
    assert {p.id for page in pages for p in page.products} == set(of(entries, L1C))


def test_what_is_indexed_late_is_found_later_at_its_old_place(kind: str) -> None:
    first, *others = seen(20)
    late = replace(first, visible_at=BEGINNING + timedelta(days=390))
    with opened(kind, late, *others) as catalogue:
        query = L1C if late.product.type is L1C.type else GRD
        assert late.product.id not in ids(catalogue, query)
        catalogue.timeline.advance(timedelta(days=11))
        assert late.product.id in ids(catalogue, query)


def ids(catalogue: CatalogueInTest, query: CatalogueQuery) -> set[str]:
    """Of all products that are given."""
    return {product.id for page in catalogue.read(query) for product in page.products}


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY])
def test_a_page_that_does_not_come_is_asked_for_again_and_is_whole(kind: str, fault: Fault) -> None:
    with opened(kind, *seen(10)) as catalogue:
        catalogue.faults.order("catalogue.page", fault)
        with pytest.raises(Unavailable, match="creodias"):
            catalogue.port.page(L1C)
        assert ids(catalogue, L1C) == set(of(seen(10), L1C))


def test_a_catalogue_that_is_asked_too_often_says_when_to_come_back(kind: str) -> None:
    with opened(kind, *seen(10)) as catalogue:
        catalogue.faults.order("catalogue.page", Fault.THROTTLED)
        with pytest.raises(Throttled) as asked:
            catalogue.port.page(L1C)
        assert asked.value.retry_after == RETRY_AFTER
        catalogue.timeline.advance(RETRY_AFTER)
        assert ids(catalogue, L1C) == set(of(seen(10), L1C))


def test_an_outage_ends(kind: str) -> None:
    with opened(kind, *seen(10)) as catalogue:
        now = catalogue.timeline.now()
        catalogue.simulated.outages = (Outage(since=now, until=now + timedelta(hours=2)),)
        with pytest.raises(Unavailable):
            catalogue.port.page(L1C)
        catalogue.timeline.advance(timedelta(hours=2))
        assert ids(catalogue, L1C) == set(of(seen(10), L1C))


@pytest.mark.parametrize("kind", ["memory", "resto"])
@pytest.mark.parametrize("limit", [1000, 3, 1])
def test_our_own_products_are_given_whole_though_in_no_order(kind: str, limit: int) -> None:
    """The catalogue of our own products has no order, and speaks resto."""
    made = {"tiles": ["32TLR"], "unit": "S2B"}
    jobs = (
        ProcessedJob(
            type="fsc_rlie",
            key=str(number),
            input={**made, "sensing_start": f"2026-01-{number:02}T10:30:17+00:00"},
            at=BEGINNING + timedelta(days=number),
        )
        for number in range(1, 9)
    )
    entries = [entry for job in jobs for entry in entries_of(job, Habits())]
    query = replace(L1C, collection=Collection.HRSI, type=ProductType.FSC, limit=limit)
    with opened(kind, *entries, ordered=False) as catalogue:
        pages = catalogue.read(query)
    given = {product.id: told(product) for page in pages for product in page.products}
    wanted = {e.product.id: told(e.product) for e in entries if e.product.type is query.type}
    assert {
        key: (each.name, each.tile, each.sensing, each.path) for key, each in given.items()
    } == {key: (each.name, each.tile, each.sensing, each.path) for key, each in wanted.items()}
    assert len(given) == 8
    # Nothing is known of what is left out until all was given.
    assert {page.reached for page in pages[:-1]} <= {query.since}
    assert pages[-1].reached == query.until


@pytest.mark.parametrize("kind", ["memory", "resto"])
@pytest.mark.parametrize("limit", [1000, 3])
def test_several_types_of_our_own_products_come_in_one_answer_and_no_others(
    kind: str, limit: int
) -> None:
    job = ProcessedJob(
        type="fsc_rlie",
        key="1",
        input={"tiles": ["32TLR"], "unit": "S2B", "sensing_start": "2026-01-01T10:30:17+00:00"},
        at=BEGINNING + timedelta(days=1),
    )
    snow, ice = entries_of(job, Habits())
    other = replace(snow, product=replace(snow.product, id="sws", type=ProductType.SWS))
    odd = [
        replace(ice, product=replace(ice.product, id="ice"), title="RLIE_ODD"),
        replace(other, product=replace(other.product, id="odd"), title="SWS_ODD"),
    ]
    query = replace(
        L1C,
        collection=Collection.HRSI,
        type=ProductType.FSC,
        besides=(ProductType.RLIE,),
        limit=limit,
    )
    with opened(kind, snow, ice, other, *odd, ordered=False) as catalogue:
        pages = catalogue.read(query)
    products = [product for page in pages for product in page.products]
    assert {product.id for product in products} == {snow.product.id, ice.product.id}
    (rejected,) = (entry for page in pages for entry in page.rejected)
    assert (rejected.type, rejected.reason) == (ProductType.RLIE, RejectReason.NAME)


def test_a_catalogue_of_images_is_asked_for_one_type_at_a_time() -> None:
    with opened("odata", *seen(3)) as catalogue, pytest.raises(Malformed, match="by itself"):
        catalogue.port.page(replace(L1C, besides=(ProductType.GRDH,)))
