"""The results bucket is kept small, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from controller.keeping import Keeper
from infra.s3 import Buckets
from models.errors import NotFound
from models.manifest import folder_of
from models.objects import Shelf
from models.ports import Asked, JobFilter
from models.records import NewJob
from models.settings_retention import RetentionSettings
from simulator.buckets import ServedBuckets
from simulator.examples import NOW
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline

pytestmark = pytest.mark.integration

ASKED = Asked(actor="ada@host")
LATER = timedelta(days=31)


class House:
    """A bucket, jobs, and whoever keeps the one by the other; its clock is a month ahead."""

    def __init__(self, bucket: str, buckets: Buckets, server: ServedBuckets) -> None:
        self.bucket, self.buckets, self._server = bucket, buckets, server
        self.store = MemoryStore(Timeline(NOW), SeededIds())
        self.settings = RetentionSettings()
        self.keeper = Keeper(
            shelf=Shelf(store=buckets, bucket=bucket),
            reader=self.store,
            clock=self,
            settings=lambda: self.settings,
        )
        self.ahead = LATER

    def now(self) -> datetime:
        """The time by which objects that were just written are old."""
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        """See `models.ports.Clock`."""
        return self.now().timestamp()

    def job(self, key: str, *, cancelled: bool = True) -> UUID:
        """A job that is over, or one that is not."""
        self.store.submit([NewJob(type="test", key=key, name=key)], ASKED)
        job = next(j for j in self.store.jobs(JobFilter(limit=1000)) if j.key == key)
        if cancelled:
            self.store.cancel([job.id], ASKED)
        return job.unique_id

    def fill(self, unique_id: UUID, names: Iterable[str] = ("run.json", "outputs/a")) -> None:
        """Let a run have left files."""
        self.put((f"{folder_of(unique_id)}{name}" for name in names), self.bucket)

    def put(self, keys: Iterable[str], bucket: str) -> None:
        """Objects, past the wire."""
        self._server.fill(bucket, [(key, b"x") for key in keys])

    def left(self, bucket: str | None = None) -> list[str]:
        """The keys that there are."""
        return [each.place.key for each in self.buckets.objects(bucket or self.bucket, "")]

    def round(self) -> int:
        """A whole round and a look beyond it; how many objects went."""
        removed = 0
        for _ in range(40):
            went = self.keeper.look()
            removed += went
        return removed


@pytest.fixture
def house(bucket: str, buckets: Buckets, s3_server: ServedBuckets) -> House:
    return House(bucket, buckets, s3_server)


def test_what_a_job_left_goes_and_that_of_an_open_one_stays(house: House) -> None:
    over, under_way = house.job("over"), house.job("open", cancelled=False)
    house.fill(over)
    house.fill(under_way)
    assert house.keeper.look() == 2
    assert house.left() == [f"{folder_of(under_way)}{name}" for name in ("outputs/a", "run.json")]


def test_more_than_a_page_of_objects_goes_in_one_look(house: House) -> None:
    over = house.job("over")
    house.fill(over, (f"temp/{number:04}" for number in range(1_100)))
    assert house.keeper.look() == 1_100
    assert house.left() == []


def test_what_was_written_lately_stays(house: House) -> None:
    house.fill(house.job("over"))
    house.ahead = timedelta(days=29)
    assert house.keeper.look() == 0
    assert len(house.left()) == 2


def test_what_is_no_jobs_of_ours_stays(house: House) -> None:
    odd = ["work/jobs/readme/a", "work/jobs/a", f"work/{uuid4()}/a", "elsewhere/a"]
    house.put([f"{folder_of(uuid4())}a", *odd], house.bucket)
    assert house.round() == 0
    assert len(house.left()) == 5


def test_no_other_bucket_is_touched(house: House, new_bucket: Callable[[str], str]) -> None:
    products = new_bucket("products")
    over = house.job("over")
    house.put([f"{folder_of(over)}a"], products)
    house.fill(over)
    house.round()
    assert house.left() == []
    assert house.left(products) == [f"{folder_of(over)}a"]


def test_a_look_deletes_so_many_and_the_next_ones_the_rest(house: House) -> None:
    house.settings = RetentionSettings(objects=3)
    for key in ("a", "b", "c"):
        house.fill(house.job(key))
    assert [house.keeper.look() for _ in range(3)] == [3, 3, 0]
    assert house.left() == []


def test_a_look_judges_so_many_jobs_and_the_next_ones_the_rest(house: House) -> None:
    house.settings = RetentionSettings(folders=2)
    for key in "abcde":
        house.fill(house.job(key), ["a"])
    assert [house.keeper.look() for _ in range(3)] == [2, 2, 1]


def test_a_round_begins_anew_after_the_last(house: House) -> None:
    house.fill(house.job("first"))
    assert house.round() == 2
    house.fill(house.job("second"))
    assert house.round() == 2


def test_a_job_that_is_sent_back_to_work_meanwhile_keeps_the_rest(house: House) -> None:
    house.settings = RetentionSettings(objects=1)
    over = house.job("over")
    house.fill(over)
    assert house.keeper.look() == 1
    (job,) = house.store.of_unique_ids([over])
    house.store.relaunch([job.id], ASKED)
    assert house.round() == 0
    assert len(house.left()) == 1


def test_while_everything_is_paused_nothing_is_deleted(house: House) -> None:
    house.fill(house.job("over"))
    house.store.pause(["everything"], ASKED)
    assert house.round() == 0
    house.store.resume(["everything"], ASKED)
    assert house.round() == 2


def test_a_bucket_that_fails_is_begun_anew(
    house: House, s3_server: ServedBuckets, new_bucket: Callable[[str], str]
) -> None:
    house.fill(house.job("over"))
    good = house.keeper.shelf
    house.keeper.shelf = Shelf(store=good.store, bucket="no-such-bucket")
    with pytest.raises(NotFound):
        house.keeper.look()
    house.keeper.shelf = good
    assert house.round() == 2
