"""Products that belong together are kept once, looked at when something is new, and written down
together with the jobs that are made of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from models.composing import (
    OVERRIDDEN,
    Active,
    ComposeJobs,
    Group,
    GroupPlace,
    GroupWaits,
    Ingredient,
    Made,
    Material,
    Moving,
    Needs,
    Overridden,
    Touch,
    Want,
)
from models.creation import CreateJobs, Cursor, Met
from models.errors import Superseded
from models.lifecycle import Status
from models.product_names import ProductType
from models.records import NewJob
from simulator.examples import NOW
from tests.contract.test_store_feeds import FLAVORS, OPTICAL, a_job, keys
from tests.plugins.stores import ASKED, HOUR, Desk

TODAY = NOW.date()
EARLIER = NOW - timedelta(minutes=1)
TILE, OTHER = "32TLR", "32TMR"
FSC, GRDH = ProductType.FSC, ProductType.GRDH


def a_part(name: str, hours: float = 0, **changes: Any) -> Ingredient:
    """An FSC of the tile, measured so many hours after noon."""
    at = NOW + timedelta(hours=hours)
    part = Ingredient(
        place=TILE,
        type=FSC,
        name=name,
        unit="S2B",
        sensing_at=at,
        published_at=at + HOUR,
        facts={"path": f"/eodata/{name}", "tiles": [TILE], "origin_at": None, "slice": 3},
    )
    return replace(part, **changes)


def a_group(key: str = f"{TILE}-day", due_at: datetime | None = NOW, **changes: Any) -> Group:
    """A group of the tile and day."""
    group = Group(job_type="gfsc", key=key, day=TODAY, tiles=(TILE,), due_at=due_at)
    return replace(group, **changes)


class Shelf:
    """A store in which looks at a feed follow one another."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.until: datetime | None = None

    def add(self, *parts: Ingredient, **also: Any) -> None:
        """One more look found this."""
        until = (self.until or NOW) + HOUR
        cursor = Cursor(feed=OPTICAL, until=until, deep_at=NOW)
        change = CreateJobs(
            at=NOW,
            cursor=cursor,
            expected=self.until,
            flavors=FLAVORS,
            ingredients=parts,
            **also,
        )
        self.desk.do(change)
        self.until = until

    def due(self, now: datetime = NOW, limit: int = 10) -> tuple[Group, ...]:
        """What is due by then."""
        return self.desk.doors.feeds.due(now, limit)

    def material(self, **needs: Any) -> Material:
        """What there is of it."""
        return self.desk.doors.feeds.material(Needs(**needs), NOW)

    def wanted(self, *places: str, types: tuple[ProductType, ...] = (FSC,)) -> list[str]:
        """The names of what was measured today at these places."""
        want = Want(places=places, types=types, since=NOW - 12 * HOUR, until=NOW + 12 * HOUR)
        return [part.name for part in self.material(wants=(want, want)).ingredients]


@pytest.fixture
def shelf(desk: Desk) -> Shelf:
    """An empty one."""
    return Shelf(desk)


def composed(*groups: Group, **also: Any) -> ComposeJobs:
    """What was made of groups."""
    return ComposeJobs(at=NOW, groups=groups, flavors=FLAVORS, **also)


def a_gfsc(key: str, **changes: Any) -> NewJob:
    """A job of the group."""
    return a_job(key, type="gfsc", **changes)


def test_a_product_is_kept_once_as_it_was_first_met(shelf: Shelf) -> None:
    first = a_part("a")
    shelf.add(first, a_part("b", place=OTHER))
    shelf.add(replace(first, unit="S2C"), a_part("c"))
    want = Want(places=(TILE,), types=(FSC,), since=NOW, until=NOW + HOUR)
    kept = shelf.material(wants=(want,)).ingredients
    assert kept == (first, a_part("c"))
    identities = frozenset({first.identity, a_part("unknown").identity})
    assert shelf.desk.doors.feeds.known(Met(ingredients=identities)).ingredients == (
        first.identity,
    )


def test_material_is_what_is_wanted_by_place_type_and_time_each_once(shelf: Shelf) -> None:
    shelf.add(
        a_part("b"),
        a_part("a", -3),
        a_part("sws", type=ProductType.SWS),
        a_part("yesterday", -13),
        a_part("there", place=OTHER),
        a_part("slice", type=GRDH, place="S1A_046917"),
    )
    assert shelf.wanted(TILE) == ["a", "b"]
    assert shelf.wanted(OTHER, TILE, types=(FSC, ProductType.SWS)) == ["a", "b", "sws", "there"]
    assert shelf.wanted("S1A_046917", types=(GRDH,)) == ["slice"]
    assert shelf.material() == Material()


def test_days_on_which_anything_was_measured_anywhere(shelf: Shelf) -> None:
    shelf.add(a_part("a", place=OTHER), a_part("b", type=GRDH, sensing_at=NOW + 48 * HOUR))
    today = Active(types=(ProductType.SWS, FSC), day=TODAY)
    later = replace(today, day=TODAY + timedelta(days=2))
    assert shelf.material(active=(later, today)).active == (today,)


def test_groups_are_due_when_their_time_has_come_the_longest_due_first(shelf: Shelf) -> None:
    early, late = a_group("early", NOW - HOUR), a_group("late", NOW + HOUR)
    shelf.add(groups=(a_group("b"), a_group("a"), early, late, a_group("never", None)))
    assert shelf.due() == (early, a_group("a"), a_group("b"))
    assert shelf.due(limit=1) == (early,)
    assert [group.key for group in shelf.due(NOW + HOUR)] == ["early", "a", "b", "late"]


@pytest.mark.parametrize(
    ("first", "second", "due_at"),
    [
        pytest.param(NOW, NOW + HOUR, NOW, id="the-earlier-time-stays"),
        pytest.param(NOW + HOUR, NOW, NOW, id="or-comes"),
        pytest.param(None, NOW, NOW, id="where-there-was-none"),
        pytest.param(NOW, None, NOW, id="or-is-none-now"),
    ],
)
def test_a_group_that_is_met_again_is_wider_due_earlier_and_another_version(
    shelf: Shelf, first: datetime | None, second: datetime | None, due_at: datetime
) -> None:
    shelf.add(groups=(a_group(due_at=first, tiles=("32TMR", "32TLS")),))
    before = TODAY - timedelta(days=1)
    shelf.add(groups=(a_group(due_at=second, tiles=("32TLR", "32TMR"), day=before),))
    (group,) = shelf.due(NOW + HOUR)
    assert (group.tiles, group.day) == (("32TLR", "32TLS", "32TMR"), before)
    assert (group.due_at, group.version) == (due_at, 2)


@pytest.mark.parametrize(
    ("touch", "due"),
    [
        pytest.param(Touch(job_type="gfsc", tile=TILE, day=TODAY), True, id="its-day"),
        pytest.param(
            Touch(job_type="gfsc", tile=TILE, day=TODAY + timedelta(days=1)), True, id="beside-it"
        ),
        pytest.param(
            Touch(job_type="gfsc", tile=TILE, day=TODAY - timedelta(days=2)), False, id="other-days"
        ),
        pytest.param(Touch(job_type="gfsc", tile=OTHER, day=TODAY), False, id="another-tile"),
        pytest.param(Touch(job_type="sws_wds", tile=TILE, day=TODAY), False, id="another-type"),
    ],
)
def test_a_group_that_is_touched_is_due_now(shelf: Shelf, touch: Touch, *, due: bool) -> None:
    shelf.add(groups=(a_group(due_at=None, tiles=("32TLQ", TILE)),))
    shelf.add(touched=(touch, touch))
    assert [group.due_at for group in shelf.due()] == ([NOW] if due else [])


def test_what_was_made_of_a_group_is_remembered_with_the_jobs(shelf: Shelf) -> None:
    shelf.add(groups=(a_group(),))
    (group,) = shelf.due()
    made = Made(key="one", covers=("FSC/S2B/x",), note="17")
    settled = replace(group, made=(made,), due_at=NOW + HOUR, waits="for more")
    old = a_gfsc("old")
    receipt = shelf.desk.do(
        composed(settled, jobs=(a_gfsc("one"),), cancelled=(old,), why="too early")
    )
    assert receipt.created == 1
    assert shelf.due() == ()
    assert shelf.due(NOW + HOUR) == (replace(settled, version=2),)
    one, cancelled = shelf.desk.stories()
    assert (one.job.key, one.input) == ("one", a_gfsc("one").input)
    assert (cancelled.job.status, cancelled.history[0].message) == (Status.CANCELLED, "too early")


def test_groups_that_wait_are_listed_and_counted_until_they_wait_no_more(shelf: Shelf) -> None:
    shelf.add(groups=(a_group(), a_group("other"), a_group("idle")))
    assert shelf.desk.doors.feeds.waiting() == ()
    assert shelf.desk.doors.feeds.group_waits() == ()
    one, idle, other = sorted(shelf.due(), key=lambda group: group.key)
    what = "it waits for the next slice"
    late = replace(one, due_at=NOW + HOUR, waits=what, waits_since=NOW)
    early = replace(other, due_at=NOW + HOUR, waits=what, waits_since=EARLIER)
    idle = replace(idle, due_at=None, waits="no FSC is there", waits_since=NOW - HOUR)
    shelf.desk.do(composed(late, early, idle))
    feeds = shelf.desk.doors.feeds
    assert [group.key for group in feeds.waiting()] == [early.key, late.key, idle.key]
    assert feeds.waiting(limit=1)[0].waits == what
    assert feeds.waiting(one.job_type) == feeds.waiting()
    assert feeds.waiting("sws_wds") == ()
    count = GroupWaits(job_type=one.job_type, number=2, since=EARLIER)
    assert feeds.group_waits() == (count,)
    over = (replace(each, waits="", waits_since=None) for each in feeds.waiting())
    shelf.desk.do(composed(*over))
    assert (feeds.waiting(), feeds.group_waits()) == ((), ())


def test_a_group_that_has_moved_on_is_left_for_the_next_look(shelf: Shelf) -> None:
    shelf.add(groups=(a_group(), a_group("other")))
    seen = shelf.due()
    shelf.add(groups=(a_group("other"),))
    shelf.desk.refuses(composed(*seen, jobs=(a_gfsc("one"),)), Superseded)
    shelf.desk.refuses(composed(a_group("nobody"), jobs=(a_gfsc("one"),)), Superseded)
    shelf.desk.do(composed(*shelf.due(), jobs=(a_gfsc("one"),)))
    assert keys(shelf.desk) == ["one"]


def test_a_job_that_nobody_has_begun_gives_way_to_one_with_newer_input(shelf: Shelf) -> None:
    desk = shelf.desk
    shelf.add(groups=(a_group(),))
    desk.doors.operations.submit([a_gfsc("waits"), a_gfsc("gone"), a_gfsc("stays")], ASKED)
    waits, gone, stays = desk.stories()
    desk.doors.operations.cancel([gone.job.id], ASKED)
    over = tuple(Overridden(job_type="gfsc", key=each) for each in ("waits", "gone", "nobody"))
    desk.do(composed(*shelf.due(), jobs=(a_gfsc("new"),), overridden=over))
    found = {story.job.key: story for story in desk.stories()}
    assert found["waits"].job.status is Status.CANCELLED
    assert found["waits"].history[-1].message == OVERRIDDEN
    assert found["gone"].history[-1].message == ASKED.reason
    assert found["stays"].job.status is stays.job.status
    assert found["new"].job.status is not Status.CANCELLED
    assert waits.job.status is not Status.CANCELLED


def test_jobs_that_may_still_give_a_product(shelf: Shelf) -> None:
    desk = shelf.desk
    jobs = (
        a_job("cancelled"),
        a_job("moving", input={"product": "x"}),
        a_job("radar", type="rlies1", tile=None, input={"tiles": [OTHER, TILE]}),
        a_job("tomorrow", hours=13),
        a_job("of-another-type", type="gfsc"),
    )
    desk.doors.operations.submit(jobs, ASKED)
    first = desk.stories()[0]
    desk.doors.operations.cancel([first.job.id], ASKED)
    moving = Moving(
        job_types=("fsc_rlie", "rlies1"),
        since=NOW - 12 * HOUR,
        until=NOW + 12 * HOUR,
        settled_for=HOUR,
    )
    found = shelf.material(moving=(moving, moving)).moving
    assert [(job.type, job.key, job.tiles) for job in found] == [
        ("fsc_rlie", "moving", (TILE,)),
        ("rlies1", "radar", (OTHER, TILE)),
    ]
    assert found[0].sensing_at == NOW


def test_a_processed_job_gives_no_more_once_a_catalogue_had_the_time_to_list_it(
    shelf: Shelf,
) -> None:
    desk = shelf.desk
    (job_id,) = desk.submit(type="fsc_rlie", sensing_at=NOW)
    run = desk.claimed(job_id)
    desk.advanced(run, Status.POST_PROCESSING)
    desk.end(run, Status.PROCESSED)
    moving = Moving(job_types=("fsc_rlie",), since=NOW, until=NOW + HOUR, settled_for=HOUR)
    needs, at = Needs(moving=(moving,)), desk.job(job_id).status_at
    feeds = desk.doors.feeds
    assert feeds.material(needs, at + HOUR / 2).moving
    assert not feeds.material(needs, at + HOUR).moving


def test_products_and_groups_go_long_after_decisions(shelf: Shelf) -> None:
    days = timedelta(days=1)
    old, new = NOW - 62 * days - HOUR, NOW - 62 * days + HOUR
    shelf.add(
        a_part("old", sensing_at=old),
        a_part("new", sensing_at=new),
        groups=(
            a_group("old", day=date.fromordinal(old.date().toordinal() - 1)),
            a_group("new", day=new.date()),
        ),
    )
    shelf.desk.doors.jobs.prune(NOW)
    want = Want(places=(TILE,), types=(FSC,), since=old, until=NOW)
    assert [part.name for part in shelf.material(wants=(want,)).ingredients] == ["new"]
    assert [group.key for group in shelf.due()] == ["new"]


@pytest.mark.parametrize(
    ("about", "job_type", "found"),
    [
        pytest.param(f"{TILE}-{TODAY}", "gfsc", ["snow"], id="tile-and-day-and-type"),
        pytest.param(f"{TILE}-{TODAY}", None, ["snow", "take"], id="of-all-types"),
        pytest.param(f"{TILE}-{TODAY}-1768003200", "gfsc", ["snow"], id="as-the-key-of-its-job"),
        pytest.param(f"{OTHER}-{TODAY}", None, ["take"], id="another-tile"),
        pytest.param(f"{TILE}-{TODAY - timedelta(days=1)}", None, [], id="another-day"),
        pytest.param("take", "sws_wds", ["take"], id="its-key"),
        pytest.param("take", "gfsc", [], id="a-key-of-another-type"),
        pytest.param(f"{TILE}-2026-13-41", None, [], id="no-day"),
    ],
)
def test_a_group_is_found_by_its_key_or_its_tile_and_day_waiting_or_not(
    desk: Desk, about: str, job_type: str | None, found: list[str]
) -> None:
    groups = (
        a_group("snow", waits=""),
        a_group("take", job_type="sws_wds", tiles=(TILE, OTHER)),
    )
    Shelf(desk).add(groups=groups)
    place = GroupPlace.named(about)
    assert [each.key for each in desk.doors.feeds.groups_about(place, job_type)] == found
