"""Inputs whose way breaks off, and that are replaced meanwhile: what arrives is one whole file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Unknown
from models.objects import Place, Stored
from simulator.examples import NOW
from simulator.objects import MemoryObjects, SimulatedBuckets
from simulator.timeline import Timeline
from worker.failures import RunFailed
from worker.inputs import PART, Inputs
from worker.patience import Insistence
from worker.recipes import Want

PLACE = Place(bucket="eodata", key="image.SAFE/a/band.jp2")
IMAGE = Want(what="the image", role="eodata", key="image.SAFE/", folder="image.SAFE")


@dataclass
class BreaksOff(MemoryObjects):
    """Breaks off after so many bytes, each time; `before_each` happens before."""

    buckets: SimulatedBuckets
    stops: deque[int]
    before_each: Callable[[], None] = lambda: None
    passed: int = 0
    starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        MemoryObjects.__init__(self, self.buckets)

    def fetch(self, stored: Stored, into: BinaryIO, *, start: int = 0) -> None:
        """See the port."""
        self.before_each()
        content = self._unchanged(stored).content[start:]
        self.starts.append(start)
        sent = content[: self.stops.popleft()] if self.stops else content
        into.write(sent)
        self.passed += len(sent)
        if len(sent) < len(content):
            raise Unknown(f"{stored.place}: the connection broke off")


def buckets(content: bytes) -> SimulatedBuckets:
    made = SimulatedBuckets(Timeline(NOW))
    made.make(PLACE.bucket)
    made.write(PLACE, content, sha256=None)
    return made


def fetched(store: BreaksOff, folder: Path) -> list[bytes]:
    """What lies in the folder when all is fetched."""
    patient = Insistence(attempts=20, sleep=lambda _: None)
    inputs = Inputs(
        store=store,
        folder=folder,
        bucket_of=lambda role: role,
        inconsistent="inconsistent",
        insistence=patient,
    )
    inputs.fetch([IMAGE])
    return [each.read_bytes() for each in folder.rglob("*") if each.is_file()]


@given(content=st.binary(min_size=1, max_size=200), stops=st.lists(st.integers(0, 99), max_size=9))
def test_what_broke_off_goes_on_where_it_stopped_and_nothing_comes_twice(
    content: bytes, stops: Iterable[int]
) -> None:
    store = BreaksOff(buckets(content), deque(stops))
    with TemporaryDirectory() as folder:
        assert fetched(store, Path(folder)) == [content]
        assert (Path(folder) / "image.SAFE" / "a" / "band.jp2").is_file()

    assert store.passed == len(content)
    assert store.starts == sorted(store.starts)


@given(
    one=st.binary(min_size=1, max_size=99),
    other=st.binary(max_size=99),
    stops=st.lists(st.integers(0, 50), min_size=1, max_size=5),
    at=st.integers(1, 5),
)
def test_what_is_replaced_on_its_way_comes_as_it_is_now(
    one: bytes, other: bytes, stops: list[int], at: int
) -> None:
    made = buckets(one)
    calls = iter(range(1, 100))

    def replace() -> None:
        if next(calls) == at:
            made.write(PLACE, other, sha256=None)

    store = BreaksOff(made, deque(stops), replace)
    with TemporaryDirectory() as folder:
        [found] = fetched(store, Path(folder))
    assert found == made.kept(PLACE).content


@pytest.mark.parametrize("key", ["image.SAFE/../out", "image.SAFE//etc/passwd"])
def test_a_key_that_leaves_its_folder_is_refused(tmp_path: Path, key: str) -> None:
    made = buckets(b"x")
    made.write(Place(bucket=PLACE.bucket, key=key), b"y", sha256=None)
    with pytest.raises(RunFailed, match="leaves its folder"):
        fetched(BreaksOff(made, deque()), tmp_path)
    assert not (tmp_path.parent / "out").exists()
    assert not list(tmp_path.rglob(f"*{PART}"))
