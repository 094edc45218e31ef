"""What `models.objects.ObjectStore` promises, of the adapter over HTTP before a real S3 server."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import md5, sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.s3 import Buckets, connect
from models.errors import Conflict, NotFound, Unavailable, Unknown
from models.objects import BucketNotFound, ObjectStore, Place, Stored
from simulator.buckets import ServedBuckets
from tests.plugins.buckets import PART_BYTES, access_to
from tests.plugins.tap import Tap, tapped

CONTENT = b"snow and ice"
DIGEST = sha256(CONTENT).hexdigest()


def test_what_was_put_is_there_with_its_size_its_etag_and_its_digest(
    buckets: ObjectStore, bucket: str
) -> None:
    place = Place(bucket=bucket, key="a/b")
    put = buckets.put(place, CONTENT)
    seen = buckets.head(place)

    assert (seen.place, seen.size, seen.sha256) == (place, len(CONTENT), DIGEST)
    assert seen.etag == put.etag == md5(CONTENT, usedforsecurity=False).hexdigest()
    assert buckets.read(place) == CONTENT


@pytest.mark.parametrize(
    ("start", "length", "content"),
    [
        pytest.param(0, None, CONTENT, id="all"),
        pytest.param(5, None, CONTENT[5:], id="from-somewhere"),
        pytest.param(5, 3, CONTENT[5:8], id="some-of-it"),
        pytest.param(5, 1000, CONTENT[5:], id="more-than-there-is"),
        pytest.param(5, 0, b"", id="nothing"),
        pytest.param(len(CONTENT), None, b"", id="at-the-end"),
        pytest.param(1000, 5, b"", id="beyond-the-end"),
    ],
)
def test_a_part_of_an_object_is_read(
    buckets: ObjectStore, bucket: str, start: int, length: int | None, content: bytes
) -> None:
    place = Place(bucket=bucket, key="log")
    buckets.put(place, CONTENT)

    assert buckets.read(place, start=start, length=length) == content


def test_a_bucket_that_may_be_written_is_proved_to_be_and_nothing_stays(
    buckets: Buckets, bucket: str
) -> None:
    buckets.prove_writable(bucket)
    assert list(buckets.objects(bucket, "")) == []
    with pytest.raises(NotFound):
        buckets.prove_writable(f"{bucket}-that-is-not-there")


def test_an_empty_object_is_an_object(buckets: ObjectStore, bucket: str) -> None:
    place = Place(bucket=bucket, key="empty")
    buckets.put(place, b"")
    into = io.BytesIO()
    buckets.fetch(buckets.head(place), into)

    assert (buckets.read(place), into.getvalue()) == (b"", b"")


def test_a_list_has_every_page(buckets: ObjectStore, bucket: str, s3_server: ServedBuckets) -> None:
    """The original kept the last page of a list of more than 1,000 and lost the others."""
    keys = [f"in/{number:04}" for number in range(1001)]
    s3_server.fill(bucket, ((key, b"x") for key in [*keys, "out/1"]))

    assert [stored.place.key for stored in buckets.objects(bucket, "in/")] == keys
    assert list(buckets.folders(bucket, "")) == ["in/", "out/"]
    assert list(buckets.folders(bucket, "in/")) == []
    buckets.delete(bucket, [*keys, "never/there"])
    assert [stored.place.key for stored in buckets.objects(bucket, "")] == ["out/1"]


def test_what_broke_off_is_fetched_on_from_where_it_stopped(
    buckets: ObjectStore, bucket: str
) -> None:
    place = Place(bucket=bucket, key="image")
    buckets.put(place, CONTENT)
    into = io.BytesIO()
    into.write(CONTENT[:4])
    buckets.fetch(buckets.head(place), into, start=4)

    assert into.getvalue() == CONTENT


def test_another_content_is_not_fetched_for_the_one_that_was_seen(
    buckets: ObjectStore, bucket: str
) -> None:
    place = Place(bucket=bucket, key="image")
    seen = buckets.put(place, CONTENT)
    buckets.put(place, b"other")
    into = io.BytesIO()

    with pytest.raises(Conflict):
        buckets.fetch(seen, into)
    with pytest.raises(Conflict):
        buckets.copy(seen, Place(bucket=bucket, key="copy"))
    assert into.getvalue() == b""
    assert [stored.place.key for stored in buckets.objects(bucket, "")] == ["image"]


@pytest.mark.parametrize("size", [0, 12, PART_BYTES, PART_BYTES + 1], ids=lambda n: f"{n}-bytes")
def test_a_file_of_any_size_arrives_whole_with_its_digest(
    buckets: ObjectStore, bucket: str, tmp_path: Path, size: int
) -> None:
    content = random.Random(size).randbytes(size)
    file, place = tmp_path / "file", Place(bucket=bucket, key="file")
    file.write_bytes(content)
    with file.open("rb") as source:
        stored = buckets.upload(place, source, sha256=sha256(content).hexdigest())

    assert stored.size == size
    assert sha256(buckets.read(place)).hexdigest() == buckets.head(place).sha256 == stored.sha256


def test_a_copy_has_the_digest_of_the_original(
    buckets: ObjectStore, new_bucket: Callable[[str], str]
) -> None:
    place = Place(bucket=new_bucket("results"), key="name with spaces + and %")
    copy = Place(bucket=new_bucket("products"), key="CLMS/x")
    copied = buckets.copy(buckets.put(place, CONTENT), copy)

    assert (copied.place, copied.sha256) == (copy, DIGEST)
    assert buckets.read(copy) == CONTENT


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda s, place: s.head(place), id="head"),
        pytest.param(lambda s, place: s.read(place), id="read"),
        pytest.param(lambda s, place: s.fetch(_imagined(place), io.BytesIO()), id="fetch"),
        pytest.param(
            lambda s, place: s.copy(_imagined(place), Place(bucket=place.bucket, key="copy")),
            id="copy",
        ),
    ],
)
def test_what_is_not_there_is_not_found(
    buckets: ObjectStore, bucket: str, ask: Callable[[ObjectStore, Place], object]
) -> None:
    with pytest.raises(NotFound) as of_key:
        ask(buckets, Place(bucket=bucket, key="missing"))
    with pytest.raises(BucketNotFound):
        ask(buckets, Place(bucket="no-such-bucket-anywhere", key="missing"))

    assert not isinstance(of_key.value, BucketNotFound)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda s, name: s.check(name), id="check"),
        pytest.param(lambda s, name: list(s.objects(name, "")), id="objects"),
        pytest.param(lambda s, name: list(s.folders(name, "")), id="folders"),
        pytest.param(lambda s, name: s.put(Place(bucket=name, key="a"), b""), id="put"),
        pytest.param(lambda s, name: s.delete(name, ["a"]), id="delete"),
    ],
)
def test_a_bucket_that_is_not_there_is_said_to_be_the_bucket(
    buckets: ObjectStore, ask: Callable[[ObjectStore, str], object]
) -> None:
    with pytest.raises(BucketNotFound):
        ask(buckets, "no-such-bucket-anywhere")


@pytest.fixture
def tap(s3_server: ServedBuckets) -> Iterator[Tap]:
    """A wire before the server."""
    address = urlsplit(s3_server.url)
    with tapped((address.hostname or "", address.port or 0)) as wire:
        yield wire


@pytest.fixture
def through(tap: Tap) -> Iterator[Buckets]:
    """The adapter at the end of the wire, with little patience."""
    with closing(connect(access_to(f"http://127.0.0.1:{tap.port}", silence=0.3))) as adapter:
        yield adapter


def test_a_service_that_breaks_off_or_is_silent_may_have_done_it(
    tap: Tap, through: ObjectStore, bucket: str
) -> None:
    place = Place(bucket=bucket, key="a")
    tap.reset()
    with pytest.raises((Unknown, Unavailable)):
        through.put(place, CONTENT)
    tap.heal()
    tap.silence()
    with pytest.raises((Unknown, Unavailable)):
        through.head(place)
    tap.heal()
    assert through.put(place, CONTENT).sha256 == DIGEST


def test_nobody_at_the_address_has_done_nothing(bucket: str) -> None:
    nobody = connect(access_to("http://127.0.0.1:1"))
    with closing(nobody), pytest.raises(Unavailable, match="does not answer"):
        nobody.put(Place(bucket=bucket, key="a"), CONTENT)


def _imagined(place: Place) -> Stored:
    return Stored(place=place, size=9, etag="0" * 32, modified_at=datetime(2026, 1, 1, tzinfo=UTC))
