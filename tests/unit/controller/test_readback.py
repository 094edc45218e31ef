"""What was made is compared with the outbox, our catalogue and the product bucket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from controller.invariants import check
from controller.readback import Products, Reader, found_in
from models.catalogue import (
    CataloguePage,
    CatalogueProduct,
    CatalogueQuery,
    Collection,
    PageMark,
    Sensing,
)
from models.errors import Unavailable
from models.lifecycle import Status
from models.ports import Asked
from models.product_names import parse_snow_name
from models.publication import PublicationState
from models.reckoning import Made, ReadBack
from models.settings_readback import ReadbackSettings
from simulator.examples import NOW, a_world
from simulator.examples.products import FSC, RLIE
from tests.plugins.pressroom import PRODUCTS, InMemory

SETTINGS = ReadbackSettings()
NEVER = float("inf")


@dataclass
class OurCatalogue:
    """Lists products by name, each since a moment, two a page; may be away."""

    listed: dict[str, datetime] = field(default_factory=dict)
    asked: list[CatalogueQuery] = field(default_factory=list)
    away: bool = False
    name: str = "ours"

    def add(self, names: Iterable[str], at: datetime) -> None:
        self.listed |= dict.fromkeys(names, at)

    def page(self, query: CatalogueQuery, mark: PageMark | None = None) -> CataloguePage:
        if self.away:
            raise Unavailable("reading ours: no answer")
        self.asked.append(query)
        skip = mark.skip if mark is not None else 0
        found = [
            _entry(name, at)
            for name, at in sorted(self.listed.items())
            if query.since <= at < query.until and parse_snow_name(name).type is query.type
        ]
        more = PageMark(since=query.since, skip=skip + 2) if found[skip + 2 :] else None
        return CataloguePage(
            products=tuple(found[skip : skip + 2]),
            rejected=(),
            reached=query.until,
            next=more,
        )


def _entry(name: str, at: datetime) -> CatalogueProduct:
    named = parse_snow_name(name)
    return CatalogueProduct(
        id=name,
        name=name,
        collection=Collection.HRSI,
        type=named.type,
        unit=named.unit,
        sensing=Sensing(start=named.sensing_at, stop=named.sensing_at),
        published_at=at,
    )


@dataclass
class Desk:
    """A world in which two products are announced, and who reads it back."""

    world: InMemory = field(default_factory=InMemory)
    catalogue: OurCatalogue = field(default_factory=OurCatalogue)

    def __post_init__(self) -> None:
        self.job = self.world.room.made(FSC, RLIE)
        self.reader = self.another()

    def another(self) -> Reader:
        press = self.world.room.press
        return Reader(
            outbox=press.outbox,
            catalogue=self.catalogue,
            products=Products(store=press.products, shop=press.shop),
            clock=self.world.time,
        )

    def announce(self) -> None:
        self.world.room.until_done(self.job)

    def look(self, ends: float = NEVER) -> ReadBack:
        self.world.time.advance(SETTINGS.every)
        return self.reader.look(SETTINGS, ends)


def test_what_is_announced_and_listed_lacks_nothing() -> None:
    desk = Desk()
    desk.announce()
    desk.catalogue.add([FSC, RLIE], desk.world.time.now())
    look = desk.look()
    assert {(each.product, each.state) for each in look.made} == {
        (FSC, PublicationState.CONFIRMED),
        (RLIE, PublicationState.CONFIRMED),
    }
    assert (look.found, look.absent, look.unknown) == ((FSC, RLIE), (), "")


def test_what_was_found_is_not_asked_for_again() -> None:
    desk = Desk()
    desk.announce()
    desk.catalogue.add([FSC], desk.world.time.now())
    assert desk.look().found == (FSC,)
    asked = len(desk.catalogue.asked)
    desk.look()
    assert {query.type for query in desk.catalogue.asked[asked:]} == {parse_snow_name(RLIE).type}


def test_what_was_listed_before_its_message_was_confirmed_is_found() -> None:
    desk = Desk()
    desk.announce()
    # The endpoint heard the first send; the one that was confirmed came after a long outage, or a
    # person asked for it. Nothing says that a catalogue lists it under a later time then.
    desk.catalogue.add([FSC, RLIE], desk.world.time.now())
    desk.world.time.advance(timedelta(hours=2))
    asked = Asked(actor="ada@desk", reason="a test")
    desk.world.room.press.outbox.republish([FSC, RLIE], asked)
    desk.announce()
    assert desk.another().look(SETTINGS, NEVER).found == (FSC, RLIE)
    made = desk.world.room.press.outbox.made(NOW, desk.world.time.now())
    assert found_in(desk.catalogue, made, desk.world.time.now()) == {FSC, RLIE}


def test_between_two_comparisons_the_last_one_is_seen() -> None:
    desk = Desk()
    first = desk.look()
    desk.announce()
    assert desk.reader.look(SETTINGS, NEVER) is first
    assert desk.look() is not first


def test_every_page_is_read() -> None:
    desk = Desk()
    desk.announce()
    others = [FSC.replace("130318", f"1303{second}") for second in range(20, 25)]
    desk.catalogue.add([*others, FSC, RLIE], desk.world.time.now())
    assert desk.look().found == (FSC, RLIE)


def test_a_catalogue_that_is_away_is_unknown_and_nothing_is_missing_there() -> None:
    desk = Desk()
    desk.announce()
    desk.catalogue.away = True
    look = desk.look()
    assert look.found is None
    assert "no answer" in look.unknown


def test_a_catalogue_that_is_slow_is_unknown_until_it_was_read_to_its_end() -> None:
    desk = Desk()
    desk.announce()
    desk.catalogue.add([FSC, RLIE], desk.world.time.now())
    assert desk.look(ends=0.0).found is None
    assert desk.look().found == (FSC, RLIE)


@pytest.mark.parametrize("lost", [f"{FSC}_FSC.tif", "thumbnail.png"])
def test_a_product_that_lost_an_object_breaks_the_invariant(lost: str) -> None:
    desk = Desk()
    desk.announce()
    assert desk.look().absent == ()
    desk.reader = desk.another()
    objects = desk.world.objects
    (key,) = (
        stored.place.key
        for stored in objects.objects(PRODUCTS, "")
        if stored.place.key.endswith(f"{FSC}/{lost}")
    )
    objects.delete(PRODUCTS, [key])
    look = desk.look()
    assert look.absent == (FSC,)
    (violation,) = check(a_world(readback=look))
    assert (violation.invariant, violation.subject) == ("I8", f"product:{FSC}")


@pytest.mark.parametrize(
    ("status", "state", "broken"),
    [
        pytest.param(Status.DONE, PublicationState.CONFIRMED, False, id="confirmed"),
        pytest.param(Status.DONE, PublicationState.SPOOLED, False, id="in-a-file"),
        pytest.param(Status.DONE, PublicationState.SENDING, True, id="done-while-being-sent"),
        pytest.param(Status.PUBLISHED, None, True, id="published-without-a-message"),
        pytest.param(Status.START_PUBLICATION, PublicationState.SENDING, False, id="on-its-way"),
    ],
)
def test_done_means_confirmed(status: Status, state: PublicationState | None, broken: bool) -> None:
    made = Made(
        product=FSC, kind="fsc", job_id=1, status=status, made_at=NOW, since=NOW, state=state
    )
    found = check(a_world(readback=ReadBack(at=NOW, made=(made,))))
    assert [each.invariant for each in found] == ["I8"] * broken


def test_a_bucket_that_is_away_is_unknown_and_no_product_is_said_to_be_lost() -> None:
    desk = Desk()
    desk.announce()
    desk.catalogue.add([FSC, RLIE], desk.world.time.now())
    desk.world.buckets.reachable = False
    look = desk.look()
    assert look.unknown
    assert (look.found, look.absent) == ((FSC, RLIE), ())
    desk.world.buckets.reachable = True
    assert desk.look().unknown == ""


def test_products_of_days_gone_by_are_left_alone() -> None:
    desk = Desk()
    desk.announce()
    desk.world.time.advance(timedelta(days=SETTINGS.days + 1))
    assert desk.look().made == ()
    assert desk.catalogue.asked == []
