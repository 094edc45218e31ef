"""Logs in pieces: what is read is what was said, byte by byte, wherever it lies."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from models.log_reading import (
    Stretch,
    pieces,
    size_of,
    stretches_of_chunks,
    stretches_of_files,
)
from models.logs import Stream, chunk_key, file_name, in_order

TEXT = bytes(range(256)) * 4
CUTS = st.lists(st.integers(0, 200), max_size=8)


def read(stretches: tuple[Stretch, ...], kept: dict[str, bytes], start: int, length: int) -> bytes:
    """What the pieces come to."""
    return b"".join(
        kept[piece.name][piece.at : piece.at + piece.size]
        for piece in pieces(stretches, start, length)
    )


@given(sizes=CUTS, start=st.integers(0, 1700), length=st.integers(0, 1700))
def test_files_in_a_row_are_one_stream(sizes: list[int], start: int, length: int) -> None:
    ends = list(accumulate(sizes))
    said = TEXT * 2
    kept = {
        file_name(Stream.STDOUT, number): said[end - size : end]
        for number, (size, end) in enumerate(zip(sizes, ends, strict=True))
    }
    stretches = stretches_of_files({name: len(text) for name, text in kept.items()}, Stream.STDOUT)
    total = sum(sizes)
    assert size_of(stretches) == total
    assert read(stretches, kept, start, length) == said[:total][start : start + length]


@given(
    spans=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 120)), max_size=8),
    start=st.integers(0, 1100),
    length=st.integers(0, 1100),
)
def test_chunks_that_overlap_or_miss_some_bytes_give_each_byte_that_there_is_once(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    kept = {chunk_key("p/", Stream.SCIENCE, at): TEXT[at : at + size] for at, size in spans}
    listing = [(key, len(text)) for key, text in kept.items()]
    stretches = stretches_of_chunks(in_order(listing, Stream.SCIENCE))
    there = sorted({byte for each in stretches for byte in range(each.start, each.end)})
    wanted = [byte for byte in there if byte >= start][:length]
    assert read(stretches, kept, start, length) == bytes(TEXT[byte] for byte in wanted)


def test_a_row_without_its_first_file_counts_from_nowhere() -> None:
    files = {file_name(Stream.STDOUT, number): 10 for number in (1, 2)}
    assert stretches_of_files(files, Stream.STDOUT) == ()
    assert stretches_of_files({"main.stderr.0": 3, "driver.log": 9}, Stream.STDOUT) == ()
