"""What of the logs gets into the bucket, in which chunks, whatever goes wrong in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PortError
from models.logs import Stream, file_name
from tests.plugins.shelves import Shelf
from worker.logfiles import LogFiles
from worker.shipping import Limits, Shipper, Target

TARGET = Target(bucket="results", prefix="work/jobs/1/nomad/allocs/2/logs/")
LIMITS = Limits(chunk=8, age=30.0, most=40)


class Scene:
    """One stream that somebody writes, a bucket, a clock, and a shipper that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shelf, self.now, self.number = folder, Shelf(), 0.0, 0
        self.whole = b""
        self.starts()

    def starts(self) -> None:
        """A new shipper; whatever the one before knew is forgotten."""
        files = LogFiles(self.folder)
        self.shipper = Shipper(self.shelf, TARGET, files, lambda: self.now, LIMITS)

    def says(self, content: bytes) -> None:
        """The run says something."""
        self.whole += content
        with (self.folder / file_name(Stream.STDOUT, self.number)).open("ab") as file:
            file.write(content)

    def ship(self, *faults: str, rest: bool = False) -> bool:
        """Whether a look went without an error."""
        self.shelf.faults = list(faults)
        try:
            if rest:
                while self.shipper.finish():
                    pass
                self.shipper.close()
            else:
                self.shipper.ship()
        except PortError:
            return False
        finally:
            self.shelf.faults = []
        return True


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_chunk_is_written_as_soon_as_it_is_full(scene: Scene) -> None:
    scene.says(b"0123456789")
    scene.ship()
    assert scene.shelf.chunks() == [(0, b"01234567")]


def test_less_than_a_chunk_is_written_once_it_is_old(scene: Scene) -> None:
    scene.says(b"0123")
    scene.ship()
    scene.now = 29.0
    scene.ship()
    assert scene.shelf.chunks() == []
    scene.now = 30.0
    scene.ship()
    assert scene.shelf.chunks() == [(0, b"0123")]


def test_what_comes_after_a_chunk_has_its_own_age(scene: Scene) -> None:
    scene.says(b"0123")
    scene.ship()
    scene.now = 30.0
    scene.ship()
    scene.says(b"4567")
    scene.ship()
    scene.now = 59.0
    scene.ship()
    assert [start for start, _ in scene.shelf.chunks()] == [0]


def test_the_end_is_written_whole_and_at_once(scene: Scene) -> None:
    scene.says(b"0123456789")
    assert scene.ship(rest=True)
    assert scene.shelf.chunks() == [(0, b"01234567"), (8, b"89")]


def test_all_streams_are_shipped_side_by_side(scene: Scene) -> None:
    for stream in Stream:
        (scene.folder / file_name(stream, 0)).write_bytes(stream.value.encode())
    scene.ship(rest=True)
    found = {stream: b"".join(c for _, c in scene.shelf.chunks(stream)) for stream in Stream}
    assert found == {stream: stream.value.encode() for stream in Stream}


def test_of_a_log_that_is_too_long_the_beginning_and_the_end_are_kept(scene: Scene) -> None:
    whole = bytes(range(100))
    scene.says(whole)
    scene.ship(rest=True)
    chunks = scene.shelf.chunks()
    assert b"".join(content for _, content in chunks[:-1]) == whole[:40]
    assert chunks[-1] == (92, whole[92:])


def test_of_a_log_that_is_a_little_too_long_all_is_kept(scene: Scene) -> None:
    scene.says(bytes(range(43)))
    scene.ship(rest=True)
    assert scene.shelf.chunks()[-1] == (40, bytes([40, 41, 42]))


def test_an_upload_without_an_answer_is_repeated_with_the_same_bytes(scene: Scene) -> None:
    scene.says(b"0123")
    scene.ship()
    scene.now = 30.0
    assert not scene.ship("after")
    scene.says(b"456")
    scene.ship()
    assert scene.shelf.rewritten == []
    assert scene.shelf.chunks() == [(0, b"0123")]


def test_a_shipper_that_starts_anew_goes_on_behind_the_last_chunk(scene: Scene) -> None:
    scene.says(b"0123456789")
    scene.ship()
    scene.starts()
    scene.says(b"abcdef")
    scene.ship()
    assert scene.shelf.chunks() == [(0, b"01234567"), (8, b"89abcdef")]


def test_a_bucket_that_cannot_be_listed_is_not_taken_for_empty(scene: Scene) -> None:
    scene.says(b"01234567")
    scene.ship()
    scene.starts()
    scene.says(b"89abcdef")
    assert not scene.ship("before")
    scene.ship()
    assert scene.shelf.chunks() == [(0, b"01234567"), (8, b"89abcdef")]
    assert scene.shelf.rewritten == []


STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=12).map(lambda content: ("says", content)),
        st.sampled_from([("turns", b""), ("waits", b""), ("starts", b"")]),
        st.lists(st.sampled_from(["", "before", "after"]), max_size=3).map(
            lambda faults: ("ships", ",".join(faults).encode())
        ),
    ),
    max_size=30,
)


@given(STEPS)
def test_nothing_is_lost_or_written_twice_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    scene = Scene(tmp_path_factory.mktemp("logs"))
    for step, given_ in steps:
        match step:
            case "says":
                scene.says(given_)
            case "turns":
                scene.number += bool(scene.whole)  # a row begins with its first file
            case "waits":
                scene.now += 31
            case "starts":
                scene.starts()
            case _:
                scene.ship(*given_.decode().split(","))
    assert scene.ship(rest=True)

    chunks = scene.shelf.chunks()
    assert scene.shelf.rewritten == []
    assert all(0 < len(content) <= LIMITS.chunk for _, content in chunks)
    assert all(scene.whole[start : start + len(content)] == content for start, content in chunks)
    kept = b"".join(content for start, content in chunks if start < LIMITS.most)
    assert kept == scene.whole[: LIMITS.most]
    if len(scene.whole) > LIMITS.most:
        assert chunks[-1][0] + len(chunks[-1][1]) == len(scene.whole)
