"""The log files of an allocation, read as endless streams.

Each stream is a row of numbered files (`models.logs`). Whoever writes goes on to the next number
only when the one before is finished, and Nomad drops the oldest ones of a long row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.logs import Stream, file_name, number_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A byte of a stream: `start` counts from the beginning of it all, `at` from that of `file`."""

    start: int = 0
    file: int = 0
    at: int = 0


Rows = Mapping[Stream, Sequence[int]]
"""The numbers of the files that there are of each stream, in order."""


class LogFiles:
    """The log folder of one allocation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self) -> Rows:
        """Which files there are; no folder yet is no file yet."""
        found: defaultdict[Stream, list[int]] = defaultdict(list)
        try:
            names = [entry.name for entry in self._folder.iterdir()]
        except FileNotFoundError:
            return {}
        for stream, number in filter(None, map(number_of, names)):
            found[stream].append(number)
        return {stream: sorted(numbers) for stream, numbers in found.items()}

    def waiting(self, stream: Stream, row: Sequence[int], position: Position) -> int:
        """How many bytes there are from a position on."""
        sizes = (self._size(file_name(stream, n)) for n in row if n >= position.file)
        before = position.at if position.file in row else 0
        return max(0, sum(sizes) - before)

    def read(
        self, stream: Stream, row: Sequence[int], position: Position, length: int
    ) -> tuple[bytes, Position]:
        """At most `length` bytes from a position on, and where the next one is.

        `row` was looked at before: a file of it that has a next one is finished. What was dropped
        meanwhile is passed over.
        """
        content = bytearray()
        file, at = position.file, position.at
        for number in (each for each in row if each >= position.file):
            if number != file:
                file, at = number, 0
            piece = self._piece(file_name(stream, number), at, length - len(content))
            content += piece
            at += len(piece)
            if len(content) == length:
                break
        return bytes(content), Position(start=position.start + len(content), file=file, at=at)

    def skip(self, stream: Stream, row: Sequence[int], start: int) -> Position:
        """Where byte `start` of a stream is: what is before it is in the bucket already.

        Where the first file is dropped nobody knows: then it is the first byte that there is.
        """
        if not row or row[0] != 0:
            return Position(start=start, file=row[0] if row else 0)
        left = start
        for number in row:
            size = self._size(file_name(stream, number))
            if left <= size or number == row[-1]:
                return Position(start=start, file=number, at=min(left, size))
            left -= size
        return Position(start=start)

    def last(self, stream: Stream, position: Position, length: int) -> bytes:
        """At most the last `length` bytes before a position, as far as its file has them."""
        at = max(0, position.at - length)
        return self._piece(file_name(stream, position.file), at, position.at - at)

    def _piece(self, name: str, at: int, length: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(at)
                return file.read(length)
        except FileNotFoundError:
            return b""

    def _size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0
