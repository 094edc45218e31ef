"""When the program beside a run looks, how it ends, and what it says."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from models.errors import ConfigurationError
from models.logs import Stream, file_name
from tests.plugins.shelves import Shelf
from worker.logfiles import LogFiles
from worker.ship import EXIT_LEFT, EXIT_SHIPPED, Assignment, Hands, Pace, Shipping
from worker.shipping import Shipper, Target

ENVIRONMENT = {
    "NOMAD_ALLOC_DIR": "/alloc",
    "NOMAD_ALLOC_ID": "2c5d7a0e",
    "NOMAD_META_unique_id": "5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6",
    "HRSI_RESULTS_BUCKET": "results",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "us",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
TARGET = Target(bucket="results", prefix="logs/")
PACE = Pace(look=0.0, longest=0.0, end=5.0, settle=1.0)


class Scene:
    """A log on the disk, a bucket, and a program whose waits pass at once."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / file_name(Stream.STDOUT, 0)
        self.shelf, self.said, self.now = Shelf(), list[str](), 0.0
        self.late: list[bytes] = []
        shipper = Shipper(self.shelf, TARGET, LogFiles(folder), lambda: self.now)
        hands = Hands(say=self.said.append, sleep=self._sleep, monotonic=lambda: self.now)
        self.shipping = Shipping(shipper, hands, PACE)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.late:
            with self.file.open("ab") as file:
                file.write(self.late.pop(0))

    def end(self) -> int:
        """Tell the program to end; its exit code."""
        told = threading.Event()
        told.set()
        return self.shipping.until(told)

    def shipped(self) -> bytes:
        """What there is in the bucket."""
        return b"".join(content for _, content in self.shelf.chunks())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_reaches_the_file_after_the_end_is_shipped_too(scene: Scene) -> None:
    scene.file.write_bytes(b"nearly ")
    scene.late = [b"the last ", b"word"]
    assert scene.end() == EXIT_SHIPPED
    assert scene.shipped() == b"nearly the last word"
    assert scene.said == []


def test_a_bucket_that_comes_back_in_time_gets_it_all(scene: Scene) -> None:
    scene.file.write_bytes(b"all")
    scene.shelf.faults = ["before", "", "before"]
    assert scene.end() == EXIT_SHIPPED
    assert scene.shipped() == b"all"


def test_a_bucket_that_stays_away_is_told_of_before_the_kill(scene: Scene) -> None:
    scene.file.write_bytes(b"all")
    scene.shelf.faults = ["before"] * 100
    assert scene.end() == EXIT_LEFT
    assert scene.now <= PACE.end + PACE.settle
    assert "stays on this worker alone" in scene.said[-1]


def test_a_log_that_never_stops_growing_does_not_outlast_the_kill(scene: Scene) -> None:
    scene.file.write_bytes(b"on ")
    scene.late = [b"and on "] * 100
    assert scene.end() == EXIT_LEFT
    assert scene.now <= PACE.end + PACE.settle


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_is_missing_is_named(name: str) -> None:
    rest = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(ConfigurationError, match=name):
        Assignment.from_environment(rest)


def test_the_chunks_go_where_the_readers_look() -> None:
    found = Assignment.from_environment(ENVIRONMENT)
    unique_id = ENVIRONMENT["NOMAD_META_unique_id"]
    prefix = f"work/jobs/{unique_id}/nomad/allocs/2c5d7a0e/logs/"
    assert found.target == Target(bucket="results", prefix=prefix)
    assert found.folder == Path("/alloc/logs")
