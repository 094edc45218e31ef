"""Every accepted product has its job once, in whatever order and however often it is met."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import AddJobs
from models.areas import area_of_tiles, tiles_under
from models.catalogue import CatalogueProduct, RejectedEntry
from models.creation import Cursor, Feed, Known, KnownJob, Sweep, acquisition_of
from models.plan import Decision, Held, Reason
from models.product_names import ProductType, parse_product_name
from models.records import NewJob, Priority
from models.settings_composition import CompositionSettings
from models.settings_creation import CreationSettings
from models.world import Source, World
from reconcilers import creation
from reconcilers.creation.rules import RULES, priority_of
from simulator.catalogues.listing import Disorder, listing
from simulator.catalogues.memory import strangeness
from simulator.catalogues.orbits import BEGINNING
from simulator.examples import a_world

HOUR = timedelta(hours=1)
TILES = ("32TLR", "32TMS")
AREA = area_of_tiles(TILES)
SETTINGS = CreationSettings()
NOW = BEGINNING + timedelta(days=30)
WRONG = Disorder(late=0.1, doubled=0.3, renewed=0.3, lagging=0, nonsense=0)
LISTED = [
    entry.product
    for entry in listing(TILES, BEGINNING, BEGINNING + timedelta(days=12), disorder=WRONG)
    if strangeness(entry) is None
]
OPTICAL = next(product for product in LISTED if product.type is ProductType.L1C)
RADAR = next(product for product in LISTED if product.type is ProductType.GRDH)
FEEDS = {
    each.type: Feed(source="creodias", collection=each.collection, type=each.type)
    for each in (OPTICAL, RADAR)
}
REJECTED = RejectedEntry(
    source="creodias", collection=OPTICAL.collection, entry="odd", why="no name", text="{}"
)


ELSEWHERE = replace(OPTICAL, tile="33WXS")


def a_sweep(products: Sequence[CatalogueProduct] = (), **changes: Any) -> Sweep:
    """A look at the feed of these products, an hour long, at a cursor that is at its end."""
    feed = FEEDS[products[0].type if products else ProductType.L1C]
    cursor = Cursor(feed=feed, until=NOW, deep_at=NOW)
    sweep = Sweep(
        feed=feed, cursor=cursor, since=NOW - HOUR, at=NOW, reached=NOW, products=tuple(products)
    )
    return replace(sweep, **changes)


def seen(*sweeps: Sweep) -> World:
    """A world in which the feeds were looked at so."""
    return replace(a_world(), area=AREA, sweeps=sweeps)


def decide(world: World, settings: CreationSettings = SETTINGS) -> list[Decision]:
    """What creation decides about it."""
    return creation.decide(world, settings, NOW, CompositionSettings())


def added(*sweeps: Sweep, settings: CreationSettings = SETTINGS) -> AddJobs | None:
    """What is added of these looks, if anything."""
    found = [d for d in decide(seen(*sweeps), settings) if isinstance(d, AddJobs)]
    assert len(found) <= 1
    return found[0] if found else None


def jobs_of(*sweeps: Sweep) -> tuple[NewJob, ...]:
    """The jobs of these looks."""
    action = added(*sweeps)
    return action.jobs if action else ()


def again(product: CatalogueProduct, later: timedelta, **changes: Any) -> CatalogueProduct:
    """The same image, published again under another name."""
    name = product.name.replace("N0511", "N0512")
    at = product.published_at + later
    return replace(product, id=f"{product.id}+", name=name, published_at=at, **changes)


PACKED = replace(RADAR, id="packed", name=f"{RADAR.name[:-4]}0F0F", is_cog=True)
"""An image in its cloud-optimised packing."""
ANEW = replace(
    RADAR,
    id="anew",
    name=f"{RADAR.name[:-4]}0A0A",
    published_at=RADAR.published_at + HOUR,
)
LATE = replace(
    ANEW, id="late", name=f"{RADAR.name[:-4]}0B0B", published_at=RADAR.published_at + 30 * HOUR
)
"""The same, published again, while it is young and later."""


def is_late(product: CatalogueProduct) -> bool:
    """Published too late to be done once more."""
    return product.published_at - product.sensing.start > SETTINGS.late_after


def known(*products: CatalogueProduct) -> Known:
    """The store has their jobs."""
    jobs = {
        KnownJob(key=p.name, acquisition=acquisition_of(p, kind), stands_in=p.is_cog or is_late(p))
        for p in products
        for kind, rule in RULES.items()
        if (kind == "fsc_rlie") is (p.type is ProductType.L1C)
    }
    return Known(jobs=tuple(jobs))


def test_an_optical_image_of_the_area_becomes_a_job_of_its_tile() -> None:
    (job,) = jobs_of(a_sweep([OPTICAL]))
    assert (job.type, job.key, job.tile) == ("fsc_rlie", OPTICAL.name, OPTICAL.tile)
    assert job.name == f"{OPTICAL.tile}-{OPTICAL.sensing.start:%Y-%m-%d}"
    assert job.sensing_at == parse_product_name(OPTICAL.name).sensing_at
    assert job.deadline == OPTICAL.published_at + 3 * HOUR
    assert job.input["path"] == OPTICAL.path
    assert job.input["tiles"] == [OPTICAL.tile]


def test_a_radar_image_becomes_one_job_for_all_the_tiles_under_it() -> None:
    (job,) = jobs_of(a_sweep([RADAR]))
    assert (job.type, job.key, job.tile) == ("rlies1", RADAR.name, None)
    assert job.input["tiles"] == list(tiles_under(AREA, RADAR.footprint or ""))
    assert job.input["tiles"]


@pytest.mark.parametrize(
    "product",
    [
        pytest.param(ELSEWHERE, id="a-tile-elsewhere"),
        pytest.param(
            replace(RADAR, footprint="POLYGON ((0 0, 1 0, 1 1, 0 0))"), id="a-slice-elsewhere"
        ),
        pytest.param(replace(RADAR, footprint=None), id="a-slice-nobody-knows-where"),
        pytest.param(replace(OPTICAL, type=ProductType.FSC), id="of-a-type-that-makes-no-job"),
    ],
)
def test_what_is_of_no_interest_makes_nothing(product: CatalogueProduct) -> None:
    assert jobs_of(replace(a_sweep([OPTICAL]), products=(product,))) == ()


def hours(value: float) -> timedelta:
    """So many."""
    return timedelta(hours=value)


@pytest.mark.parametrize(
    ("to_origin", "to_catalogue", "priority"),
    [
        pytest.param(hours(3), hours(1), Priority.NRT, id="fresh-and-quick"),
        pytest.param(hours(23.9), hours(2.9), Priority.NRT, id="just-in-time"),
        pytest.param(hours(24), hours(1), Priority.DELAYED, id="a-day-to-its-origin"),
        pytest.param(hours(3), hours(3), Priority.DELAYED, id="three-hours-to-us"),
        pytest.param(hours(6.57), hours(26), Priority.DELAYED, id="28WEU-of-27-august-2022"),
        pytest.param(hours(6.47), hours(0.7), Priority.NRT, id="28WEU-of-6-september-2022"),
        pytest.param(None, hours(1), Priority.DELAYED, id="nobody-knows-its-origin"),
    ],
)
def test_priority_follows_how_fast_an_image_came(
    to_origin: timedelta | None, to_catalogue: timedelta, priority: Priority
) -> None:
    start = OPTICAL.sensing.start
    origin = start + to_origin if to_origin is not None else None
    published = (origin or start) + to_catalogue
    assert priority_of(replace(OPTICAL, origin_at=origin, published_at=published)) is priority


def test_what_was_measured_before_the_operation_began_is_cancelled_and_says_so() -> None:
    long_ago = datetime(2019, 1, 5, 10, tzinfo=UTC)
    old = replace(OPTICAL, sensing=replace(OPTICAL.sensing, start=long_ago))
    action = added(a_sweep([old]))
    assert action is not None
    assert action.jobs == ()
    assert [job.key for job in action.cancelled] == [old.name]
    assert "reprocessing" in action.why


@pytest.mark.parametrize(
    ("new", "before", "accepted"),
    [
        pytest.param(OPTICAL, [OPTICAL], False, id="the-same-again"),
        pytest.param(replace(OPTICAL, id="other"), [OPTICAL], False, id="listed-twice"),
        pytest.param(again(OPTICAL, HOUR), [OPTICAL], True, id="a-new-baseline-soon"),
        pytest.param(again(OPTICAL, 30 * HOUR), [OPTICAL], False, id="a-new-baseline-late"),
        pytest.param(again(OPTICAL, 30 * HOUR), [], True, id="late-but-never-seen"),
        pytest.param(
            PACKED,
            [RADAR],
            False,
            id="the-same-image-in-another-packing",
        ),
        pytest.param(replace(RADAR, is_cog=True), [], True, id="a-packing-alone"),
        pytest.param(RADAR, [PACKED], False, id="the-image-of-a-packing-that-has-a-job"),
        pytest.param(RADAR, [LATE], False, id="young-and-listed-after-its-late-version"),
    ],
)
def test_an_image_that_comes_again_gets_another_job_only_while_it_is_young(
    new: CatalogueProduct, before: list[CatalogueProduct], *, accepted: bool
) -> None:
    assert bool(jobs_of(a_sweep([new], known=known(*before)))) is accepted


def test_what_is_not_understood_is_kept_once() -> None:
    action = added(a_sweep(rejected=(REJECTED,)))
    assert action is not None
    assert action.rejected == (REJECTED,)
    identity = ("creodias", OPTICAL.collection.value, "odd")
    known_already = Known(rejected=(identity,))
    assert added(a_sweep(rejected=(REJECTED,), known=known_already)) is None


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        pytest.param({}, False, id="nothing-new"),
        pytest.param({"reached": NOW + HOUR / 6}, False, id="a-little-behind"),
        pytest.param({"reached": NOW + HOUR}, True, id="far-behind"),
        pytest.param({"deep": True, "at": NOW + HOUR / 6}, True, id="looked-through-deeply"),
        pytest.param(
            {"reached": NOW + HOUR / 6, "complete": False}, True, id="on-its-way-through-much"
        ),
        pytest.param({"cursor": None}, True, id="for-the-first-time"),
        pytest.param({"products": (ELSEWHERE,)}, True, id="it-lists-something-for-the-first-time"),
        pytest.param({"reached": NOW - HOUR}, False, id="back-in-the-overlap"),
    ],
)
def test_the_cursor_follows_without_being_written_all_the_time(
    change: dict[str, Any], *, moves: bool
) -> None:
    action = added(a_sweep(**change))
    assert (action is not None) is moves
    if action is not None:
        assert action.reason is Reason.CURSOR_BEHIND
        assert action.cursor.yielded is ("products" in change)
        assert action.cursor.until >= NOW or change == {"cursor": None}


def test_a_feed_that_was_not_read_to_its_end_says_so_and_what_came_is_used() -> None:
    world = seen(a_sweep([OPTICAL], unknown="503", complete=False))
    held, action = decide(world)
    assert isinstance(held, Held)
    assert (held.reason, str(held.subject)) == (
        Reason.SOURCE_UNKNOWN,
        "source:creodias/SENTINEL-2/S2MSI1C",
    )
    assert isinstance(action, AddJobs)


def test_a_feed_that_gave_nothing_moves_no_cursor() -> None:
    world = seen(a_sweep(cursor=None, unknown="503", complete=False))
    (held,) = decide(world)
    assert isinstance(held, Held)


def test_nothing_is_created_while_the_catalogues_are_unknown() -> None:
    blind = replace(a_world(), area=AREA, unknown={Source.CATALOGUES: "no answer for 30 s"})
    (held,) = decide(blind)
    assert (held.reason, str(held.subject)) == (Reason.SOURCE_UNKNOWN, "system:catalogues")
    assert decide(a_world()) == []


# ---- in any order --------------------------------------------------------------------------------

PROMPT = [
    product
    for product in LISTED
    if product.type is ProductType.L1C
    and product.published_at - product.sensing.start <= SETTINGS.late_after
]


@given(st.permutations(PROMPT), st.data())
def test_any_order_and_any_pages_give_the_same_jobs(
    order: list[CatalogueProduct], data: st.DataObject
) -> None:
    """Every prompt product has its job exactly once, however often and late it is met."""
    created: dict[str, CatalogueProduct] = {}
    left = [*order, *data.draw(st.lists(st.sampled_from(PROMPT), max_size=10))]
    while left:
        size = data.draw(st.integers(1, len(left)))
        page, left = left[:size], left[size:]
        for job in jobs_of(a_sweep(page, known=known(*created.values()))):
            assert job.key not in created
            created[job.key] = next(p for p in page if p.name == job.key)
    assert set(created) == {product.name for product in PROMPT}


@given(st.data())
def test_an_image_has_as_many_jobs_as_young_versions_and_one_at_least_in_any_order(
    data: st.DataObject,
) -> None:
    """However its versions and packings come: in looks of a few, then in one look far back."""
    versions = st.sampled_from((RADAR, ANEW, LATE, PACKED))
    listed = data.draw(st.lists(versions, min_size=1, unique_by=lambda each: each.id))
    left = data.draw(st.permutations([*listed, *listed]))
    created: list[str] = []

    def look(products: Sequence[CatalogueProduct]) -> None:
        mine = [product for product in listed if product.name in created]
        created.extend(job.key for job in jobs_of(a_sweep(products, known=known(*mine))))

    while left:
        size = data.draw(st.integers(1, len(left)))
        look(left[:size])
        left = left[size:]
    look(listed)
    young = [p for p in listed if not p.is_cog and not is_late(p)]
    assert len(created) == len(set(created)) == max(1, len(young))


@given(st.permutations([(RADAR,), (PACKED,), (ANEW, PACKED)]))
def test_looks_of_one_pass_at_several_catalogues_know_of_one_another(
    looks: list[tuple[CatalogueProduct, ...]],
) -> None:
    sweeps = (
        replace(a_sweep(page), feed=replace(FEEDS[ProductType.GRDH], source=f"catalogue-{number}"))
        for number, page in enumerate(looks)
    )
    found = [d for d in decide(seen(*sweeps)) if isinstance(d, AddJobs)]
    assert len([job.key for action in found for job in action.jobs]) == 2


@given(st.permutations([product for product in LISTED if product.type is ProductType.L1C]))
def test_no_acquisition_is_left_out_in_any_order(order: list[CatalogueProduct]) -> None:
    created: dict[str, CatalogueProduct] = {}
    for product in order:
        for job in jobs_of(a_sweep([product], known=known(*created.values()))):
            created[job.key] = product
    covered = {acquisition_of(product, "fsc_rlie") for product in created.values()}
    assert covered == {acquisition_of(product, "fsc_rlie") for product in order}
