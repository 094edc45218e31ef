"""An image comes onto a worker from its registry, else from the bucket, though that breaks off."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from models.errors import Malformed, NotFound, PortError, Refused, Throttled, Unavailable, Unknown
from models.objects import Place, Stored
from simulator.examples import NOW
from simulator.objects import MemoryObjects, SimulatedBuckets
from simulator.timeline import Timeline
from worker.failures import EXTERNAL, INTERNAL, RunFailed
from worker.patience import Insistence
from worker.science import Images

IMAGE = "registry/gfsc:2"
PLACE = Place(bucket="infra", key="docker/images/registry_gfsc:2.tar")
ARCHIVE = hashlib.sha256(b"an image").digest() * 9


@dataclass
class Registry:
    """An engine whose registry answers so; what it loads is the image that it lacked."""

    answer: PortError | None
    loaded: list[bytes] = field(default_factory=list)
    pulled: bool = False

    def has(self, image: str) -> bool:
        return image == IMAGE and (self.pulled or self.loaded == [ARCHIVE])

    def pull(self, image: str) -> None:
        assert image == IMAGE
        if self.answer is not None:
            raise self.answer
        self.pulled = True

    def load(self, archive: BinaryIO) -> None:
        self.loaded.append(archive.read())


class BreaksOff(MemoryObjects):
    """Breaks off after so many bytes, each time."""

    def __init__(self, buckets: SimulatedBuckets, stops: Iterable[int]) -> None:
        super().__init__(buckets)
        self.stops, self.passed = deque(stops), 0

    def fetch(self, stored: Stored, into: BinaryIO, *, start: int = 0) -> None:
        """See the port."""
        content = self._unchanged(stored).content[start:]
        sent = content[: self.stops.popleft()] if self.stops else content
        self.passed += into.write(sent)
        if len(sent) < len(content):
            raise Unknown(f"{stored.place}: the connection broke off")


def ensured(
    folder: Path, registry: Registry, *, there: bool = True, stops: Iterable[int] = ()
) -> BreaksOff:
    """Ensure the image, with the bucket that has it or has it not."""
    buckets = SimulatedBuckets(Timeline(NOW))
    buckets.make(PLACE.bucket)
    if there:
        buckets.write(PLACE, ARCHIVE, sha256=None)
    store = BreaksOff(buckets, stops)
    Images(
        engine=registry,
        store=store,
        bucket=lambda: PLACE.bucket,
        scratch=folder,
        say=lambda _: None,
        insistence=Insistence(sleep=lambda _: None),
    ).ensure(IMAGE)
    return store


def test_an_image_that_its_registry_has_is_not_looked_for_in_the_bucket(tmp_path: Path) -> None:
    registry = Registry(None)

    assert ensured(tmp_path, registry, there=False).passed == 0
    assert registry.pulled


@pytest.mark.parametrize(
    "answer",
    [
        NotFound("no"),
        Refused("log in first"),
        Throttled("too many pulls"),
        Malformed("no manifest of this kind"),
        Unavailable("away"),
        Unknown("?"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_gigabytes_from_the_bucket_go_on_where_they_stopped(
    tmp_path: Path, answer: PortError
) -> None:
    registry = Registry(answer)
    store = ensured(tmp_path, registry, stops=[100, 0, 50])

    assert registry.loaded == [ARCHIVE]
    assert store.passed == len(ARCHIVE), "nothing came twice"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(NotFound("no"), INTERNAL, id="nobody-has-it"),
        pytest.param(Refused("log in first"), INTERNAL, id="the-registry-lets-nobody-in"),
        pytest.param(Throttled("too many pulls"), EXTERNAL, id="asked-too-often"),
        pytest.param(Unavailable("away"), EXTERNAL, id="the-registry-may-be-back"),
    ],
)
def test_an_image_that_is_nowhere_is_told_with_both_places(
    tmp_path: Path, answer: PortError, status: object
) -> None:
    with pytest.raises(RunFailed, match=PLACE.key) as raised:
        ensured(tmp_path, Registry(answer), there=False)

    failure = raised.value.failure
    assert (failure.status, failure.subtype) == (status, "SI software docker image pull error")
