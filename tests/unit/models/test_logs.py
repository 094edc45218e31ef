"""Names of log files and of the chunks that are made of them."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import logs
from models.logs import Chunk, Stream

JOB = UUID("5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6")
PREFIX = logs.logs_prefix(JOB, "alloc-1")


def test_chunks_lie_where_the_operations_guide_looks_for_them() -> None:
    assert f"work/jobs/{JOB}/nomad/allocs/alloc-1/logs/" == PREFIX
    assert logs.chunk_key(PREFIX, Stream.STDOUT, 262_144) == PREFIX + "main.stdout.000000000262144"


@given(st.sampled_from(Stream), st.integers(0, 10**15 - 1), st.integers(0, 10**9))
def test_a_chunk_is_read_back_from_its_key(stream: Stream, start: int, size: int) -> None:
    key = logs.chunk_key(PREFIX, stream, start)
    assert logs.chunk_of(key, size) == Chunk(key=key, stream=stream, start=start, size=size)


@given(st.lists(st.integers(0, 10**15 - 1), unique=True))
def test_a_listing_by_key_has_the_chunks_in_the_order_of_their_bytes(starts: list[int]) -> None:
    keys = sorted(logs.chunk_key(PREFIX, Stream.SCIENCE, start) for start in starts)
    found = logs.in_order([(key, 1) for key in keys], Stream.SCIENCE)
    assert [chunk.key for chunk in found] == keys


def test_chunks_of_other_streams_are_left_out() -> None:
    listing = [(logs.chunk_key(PREFIX, stream, 7), 3) for stream in Stream]
    assert [c.stream for c in logs.in_order(listing, Stream.STDERR)] == [Stream.STDERR]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("main.stdout.7", id="a-file-of-Nomads-is-no-chunk"),
        pytest.param("other.stdout.000000000000007", id="another-tasks"),
        pytest.param("main.stdout.00000000000000x", id="no-number"),
        pytest.param("main.stdout.0000000000000007", id="too-many-digits"),
        pytest.param("main.stdout", id="no-number-at-all"),
        pytest.param(".000000000000007", id="no-stream"),
    ],
)
def test_an_object_that_is_no_chunk_is_not_taken_for_one(name: str) -> None:
    assert logs.chunk_of(PREFIX + name, 5) is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("main.stdout.0", (Stream.STDOUT, 0), id="first"),
        pytest.param("main.stderr.12", (Stream.STDERR, 12), id="turned-over"),
        pytest.param(logs.SCIENCE_FILE, (Stream.SCIENCE, 0), id="science"),
        pytest.param("logs.stdout.0", None, id="another-task"),
        pytest.param(".main.stdout.fifo", None, id="the-pipe-that-Nomad-reads"),
    ],
)
def test_a_log_file_tells_its_stream_and_number(
    name: str, found: tuple[Stream, int] | None
) -> None:
    assert logs.number_of(name) == found
