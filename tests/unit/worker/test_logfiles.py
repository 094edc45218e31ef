"""Log files on the worker, read as one stream whatever they are cut into."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.logs import Stream, file_name
from worker.logfiles import LogFiles, Position

STDOUT = Stream.STDOUT


def written(folder: Path, *contents: bytes, first: int = 0) -> LogFiles:
    """The files of one stream, numbered from `first` on, and others that are none of it."""
    for number, content in enumerate(contents, first):
        (folder / file_name(STDOUT, number)).write_bytes(content)
    (folder / "logs.stdout.0").write_bytes(b"another task's")
    return LogFiles(folder)


def all_of(files: LogFiles, position: Position, length: int) -> bytes:
    """Everything from a position on, read in pieces."""
    found, row = b"", files.rows().get(STDOUT, ())
    while True:
        piece, position = files.read(STDOUT, row, position, length)
        if not piece:
            return found
        found += piece


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.integers(1, 9), st.data())
def test_a_stream_reads_the_same_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[bytes],
    length: int,
    data: st.DataObject,
) -> None:
    files = written(tmp_path_factory.mktemp("logs"), *contents)
    whole = b"".join(contents)
    start = data.draw(st.integers(0, len(whole)))
    row = files.rows()[STDOUT]

    position = files.skip(STDOUT, row, start)

    assert position.start == start
    assert files.waiting(STDOUT, row, position) == len(whole) - start
    assert all_of(files, position, length) == whole[start:]


def test_where_the_first_file_was_dropped_it_goes_on_with_what_there_is(tmp_path: Path) -> None:
    files = written(tmp_path, b"three", b"four", first=3)
    position = files.skip(STDOUT, files.rows()[STDOUT], 100)
    assert position == Position(start=100, file=3)
    assert all_of(files, position, 4) == b"threefour"


def test_a_file_that_is_dropped_while_it_is_read_is_passed_over(tmp_path: Path) -> None:
    files = written(tmp_path, b"zero", b"one", b"two")
    row = files.rows()[STDOUT]
    (tmp_path / file_name(STDOUT, 0)).unlink()
    content, position = files.read(STDOUT, row, Position(start=2, at=2), 100)
    assert (content, position) == (b"onetwo", Position(start=8, file=2, at=3))


def test_before_there_is_a_folder_there_are_no_files(tmp_path: Path) -> None:
    assert LogFiles(tmp_path / "logs").rows() == {}


def test_the_last_bytes_are_those_before_a_position(tmp_path: Path) -> None:
    files = written(tmp_path, b"zero", b"0123456789")
    position = Position(start=10, file=1, at=6)
    assert files.last(STDOUT, position, 4) == b"2345"
    assert files.last(STDOUT, position, 100) == b"012345"
