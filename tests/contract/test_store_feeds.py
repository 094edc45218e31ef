"""What a look at a feed found is added all at once or not at all, and once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.catalogue import Collection, RejectedEntry, RejectReason
from models.creation import Acquisition, Arrivals, CreateJobs, Cursor, Feed, Known, KnownJob, Met
from models.errors import Superseded
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.ports import JobFilter, Receipt
from models.product_names import ProductType
from models.records import NewJob, Priority
from simulator.examples import NOW
from tests.plugins.stores import ASKED, HOUR, Desk

OPTICAL = Feed(source="creodias", collection=Collection.SENTINEL_2, type=ProductType.L1C)
RADAR = Feed(source="creodias", collection=Collection.SENTINEL_1, type=ProductType.GRDH)
ODD = RejectedEntry(
    source="creodias",
    collection=Collection.SENTINEL_2,
    entry="S2C_ODD",
    why="no name",
    text='{"Name": "S2C_ODD", "\x00": "é"}',
    reason=RejectReason.NAME,
)
FLAVORS: Mapping[str, str] = {name: found.flavor for name, found in DEFAULT_REGISTRY.types.items()}
DRY = replace(ASKED, dry_run=True)


def a_job(key: str, hours: float = 0, **changes: Any) -> NewJob:
    """A job of an image measured so many hours after noon."""
    job = NewJob(
        type="fsc_rlie",
        key=key,
        name=f"name-of-{key}",
        tile="32TLR",
        priority=Priority.NRT,
        deadline=NOW + 3 * HOUR,
        sensing_at=NOW + timedelta(hours=hours),
        input={"product": key, "tiles": ["32TLR"]},
    )
    return replace(job, **changes)


def a_find(until: datetime = NOW, expected: datetime | None = None, **changes: Any) -> CreateJobs:
    """What a look at the optical feed found."""
    cursor = Cursor(feed=OPTICAL, until=until, deep_at=NOW, yielded=True)
    return CreateJobs(at=NOW, cursor=cursor, expected=expected, flavors=FLAVORS, **changes)


def keys(desk: Desk) -> list[str]:
    """Of all jobs, in the order in which they were added."""
    return [job.key for job in desk.doors.reader.jobs(JobFilter(limit=1000))]


def test_found_jobs_are_added_in_their_order_with_all_that_was_found(desk: Desk) -> None:
    receipt = desk.do(a_find(jobs=(a_job("b"), a_job("a"))))
    assert receipt == Receipt(created=2)
    first, second = (desk.story(job.id) for job in desk.doors.reader.jobs(JobFilter()))
    assert [first.job.key, second.job.key] == ["b", "a"]
    assert [row.after for row in first.history] == [Status.INITIALIZED]
    assert {row.at for row in first.history} == {NOW}
    assert {row.actor for row in first.history} == {desk.lease.name}
    assert (first.job.tile, first.job.flavor) == ("32TLR", FLAVORS["fsc_rlie"])
    assert (first.job.priority, first.job.deadline) == (Priority.NRT, NOW + 3 * HOUR)
    assert first.input == {"product": "b", "tiles": ["32TLR"]}
    assert desk.doors.feeds.cursors() == (
        Cursor(feed=OPTICAL, until=NOW, deep_at=NOW, yielded=True),
    )


def test_what_has_its_job_gets_no_second_one(desk: Desk) -> None:
    desk.do(a_find(jobs=(a_job("a"),)))
    before = desk.stories()
    later = NOW + HOUR
    receipt = desk.do(a_find(later, NOW, jobs=(a_job("a", name="other"), a_job("b"))))
    assert receipt.created == 1
    assert desk.stories()[: len(before)] == before
    assert keys(desk) == ["a", "b"]


def test_a_product_of_before_the_operation_rests_cancelled_and_says_why(desk: Desk) -> None:
    desk.do(a_find(cancelled=(a_job("old"),), why="measured too early"))
    (story,) = desk.stories()
    assert story.job.status is Status.CANCELLED
    (row,) = story.history
    assert (row.before, row.message) == (None, "measured too early")


def test_a_look_that_is_overtaken_by_a_person_adds_nothing(desk: Desk) -> None:
    desk.do(a_find())
    feeds = desk.doors.feeds
    verdict = feeds.rewind(OPTICAL, NOW - HOUR, ASKED)
    assert verdict.done
    desk.refuses(a_find(NOW + HOUR, NOW, jobs=(a_job("a"),), rejected=(ODD,)), Superseded)
    desk.do(a_find(NOW + HOUR, NOW - HOUR, jobs=(a_job("a"),)))
    assert keys(desk) == ["a"]


def test_a_feed_begins_once(desk: Desk) -> None:
    desk.do(a_find())
    desk.refuses(a_find(jobs=(a_job("a"),)), Superseded)


def test_a_feed_that_never_was_cannot_be_gone_on_with(desk: Desk) -> None:
    desk.refuses(a_find(NOW, NOW - HOUR, jobs=(a_job("a"),)), Superseded)


def test_a_look_under_a_lost_lease_adds_nothing(desk: Desk) -> None:
    desk.doors.jobs.release(desk.lease)
    other = desk.doors.jobs.acquire(desk.name, "somebody", HOUR)
    assert other is not None
    desk.refuses(a_find(jobs=(a_job("a"),)), Superseded)


def test_each_feed_has_its_own_cursor(desk: Desk) -> None:
    desk.do(a_find())
    radar = Cursor(feed=RADAR, until=NOW - HOUR, deep_at=NOW)
    desk.do(CreateJobs(at=NOW, cursor=radar, expected=None, flavors=FLAVORS))
    desk.do(a_find(NOW + HOUR, NOW))
    assert [(c.feed, c.until) for c in desk.doors.feeds.cursors()] == [
        (RADAR, NOW - HOUR),
        (OPTICAL, NOW + HOUR),
    ]


def test_what_is_not_understood_is_kept_with_its_text_and_counted(desk: Desk) -> None:
    other = replace(ODD, entry="another", text="x" * 20_000)
    desk.do(a_find(rejected=(ODD, other, ODD)))
    desk.do(replace(a_find(NOW, NOW, rejected=(replace(ODD, why="still none"),)), at=NOW + HOUR))
    newest, older = desk.doors.feeds.rejects()
    assert (newest.entry.entry, newest.entry.why) == ("S2C_ODD", "still none")
    assert newest.entry.text.startswith('{"Name": "S2C_ODD"')
    assert newest.entry.text.endswith('é"}')
    assert (newest.first_at, newest.last_at, newest.count) == (NOW, NOW + HOUR, 2)
    assert (older.entry, older.count) == (other, 1)
    assert desk.doors.feeds.rejects("elsewhere") == ()
    assert [row.entry.entry for row in desk.doors.feeds.rejects("creodias", 1)] == ["S2C_ODD"]


def test_rejected_entries_are_forgotten_with_old_decisions(desk: Desk) -> None:
    desk.do(a_find(rejected=(ODD,)))
    desk.doors.jobs.prune(NOW)
    assert len(desk.doors.feeds.rejects()) == 1
    desk.doors.jobs.prune(NOW + HOUR)
    assert desk.doors.feeds.rejects() == ()


def test_the_store_says_what_it_knows_of_what_was_met(desk: Desk) -> None:
    assert desk.doors.feeds.known(Met()) == Known()
    submitted = a_job("by-hand", hours=5)
    desk.doors.operations.submit([submitted], ASKED)
    packed = a_job("s1", type="rlies1", tile=None, input={"stands_in": True})
    found = (a_job("a"), a_job("a2"), packed, a_job("b", hours=1))
    desk.do(a_find(jobs=found, rejected=(ODD,)))

    def seen(job: NewJob) -> Acquisition:
        assert job.sensing_at is not None
        return Acquisition(job_type=job.type, sensing_at=job.sensing_at, tile=job.tile)

    met = Met(
        acquisitions=frozenset({seen(found[0]), seen(found[2]), seen(submitted)}),
        rejected=(ODD, replace(ODD, entry="never seen")),
    )
    known = desk.doors.feeds.known(met)
    assert known.jobs == tuple(
        KnownJob(key=job.key, acquisition=seen(job), stands_in=job is packed)
        for job in (found[0], found[1], submitted, found[2])
    )
    assert known.rejected == (("creodias", "SENTINEL-2", "S2C_ODD"),)


def test_a_person_rewinds_a_feed_and_is_named(desk: Desk) -> None:
    desk.do(a_find())
    with desk.nothing_written():
        assert desk.doors.feeds.rewind(OPTICAL, NOW - HOUR, DRY).done
    verdict = desk.doors.feeds.rewind(OPTICAL, NOW - HOUR, ASKED)
    assert (verdict.subject, verdict.done) == (f"source:{OPTICAL}", True)
    (cursor,) = desk.doors.feeds.cursors()
    assert (cursor.until, cursor.deep_at) == (NOW - HOUR, NOW)
    assert desk.audit() == [(ASKED.actor, f"source:{OPTICAL}")]


@pytest.mark.parametrize(
    ("feed", "to", "says"),
    [
        pytest.param(RADAR, NOW - HOUR, "never read", id="a-feed-that-was-never-read"),
        pytest.param(OPTICAL, NOW, "not after", id="to-where-it-is"),
        pytest.param(OPTICAL, NOW + HOUR, "not after", id="forward"),
    ],
)
def test_nothing_may_be_passed_over(desk: Desk, feed: Feed, to: datetime, says: str) -> None:
    desk.do(a_find())
    with desk.nothing_written():
        verdict = desk.doors.feeds.rewind(feed, to, ASKED)
    assert not verdict.done
    assert says in verdict.because


def test_500_products_are_added_at_once(desk: Desk) -> None:
    jobs = tuple(a_job(f"job-{number}") for number in range(500))
    assert desk.doors.jobs.commit(desk.lease, a_find(jobs=jobs)).created == 500
    assert len(keys(desk)) == 500


def test_what_arrived_is_counted_by_type_and_hour(desk: Desk) -> None:
    assert desk.doors.feeds.arrivals(NOW - HOUR) == Arrivals()
    radar = a_job("s", type="rlies1")
    desk.do(a_find(jobs=(a_job("a"), a_job("b"), radar), cancelled=(a_job("c"),), why="too early"))
    later = replace(a_find(NOW + HOUR, NOW, jobs=(a_job("a"), a_job("d"))), at=NOW + HOUR)
    desk.do(later)
    found = desk.doors.feeds.arrivals(NOW)
    assert found == Arrivals(began=NOW, counts={"fsc_rlie": 3, "rlies1": 1})
    assert desk.doors.feeds.arrivals(NOW + HOUR).counts == {"fsc_rlie": 1, "rlies1": 0}
    desk.doors.jobs.prune(NOW + HOUR)
    assert desk.doors.feeds.arrivals(NOW).counts == {"fsc_rlie": 1}
