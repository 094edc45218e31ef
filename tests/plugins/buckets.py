"""A real S3 server over HTTP, one per process of the tests, and buckets that are one test's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from infra.s3 import Buckets, S3Access, connect
from simulator.buckets import ACCESS_KEY, REGION, SECRET_KEY, ServedBuckets, serving

PART_BYTES = 5 << 20
"""The shortest part that S3 takes, but for the last one."""


def access_to(url: str, *, silence: float = 30.0) -> S3Access:
    """The keys that open the buckets of tests."""
    return S3Access(
        endpoint=url,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        region=REGION,
        silence=timedelta(seconds=silence),
        part_bytes=PART_BYTES,
    )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ServedBuckets]:
    """The server."""
    with serving() as served:
        yield served


@pytest.fixture
def new_bucket(s3_server: ServedBuckets) -> Iterator[Callable[[str], str]]:
    """Makes an empty bucket whose name begins as asked."""
    made: list[str] = []

    def make(begins: str) -> str:
        name = f"{begins}-{secrets.token_hex(6)}"
        s3_server.make(name)
        made.append(name)
        return name

    yield make
    s3_server.remove(*made)


@pytest.fixture
def bucket(new_bucket: Callable[[str], str]) -> str:
    """An empty bucket."""
    return new_bucket("bucket")


@pytest.fixture(scope="session")
def buckets(s3_server: ServedBuckets) -> Iterator[Buckets]:
    """The adapter before the server."""
    with closing(connect(access_to(s3_server.url))) as adapter:
        yield adapter
