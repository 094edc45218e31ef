"""What reading the logs of a run asks of Nomad, and how what is there fits together. Pure.

While an allocation's worker lives, Nomad has its log files whole and up to the last byte; the
bucket has them in chunks, half a minute behind, and for ever. Both count bytes from the beginning
of the stream, as long as Nomad has not dropped the first file of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.logs import Chunk, Stream, file_name, number_of


class LiveLogs(Protocol):
    """The log files of allocations that Nomad still has."""

    def knows(self, allocation_id: str) -> bool:
        """Whether Nomad has not forgotten it. Raises `Unavailable` and the like in doubt."""

    def files(self, allocation_id: str) -> Mapping[str, int]:
        """Its log files by name, with their sizes in bytes.

        Raises `NotFound` when Nomad has forgotten the allocation or its worker is gone,
        `Unavailable` when nobody answers.
        """

    def read(self, allocation_id: str, name: str, start: int, length: int) -> bytes:
        """At most `length` bytes of one file from byte `start` of it on. Raises as `files`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of a stream and where it lies: the bytes from `start` on, `size` of them, which are
    those from byte `at` of the file or object `name` on.
    """

    name: str
    start: int
    size: int
    at: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size


def stretches_of_files(files: Mapping[str, int], stream: Stream) -> tuple[Stretch, ...]:
    """A stream as Nomad has it; nothing once its first file is dropped: where the others begin
    nobody knows then.
    """
    numbers = sorted(
        found[1] for found in map(number_of, files) if found is not None and found[0] is stream
    )
    if not numbers or numbers[0] != 0:
        return ()
    stretches: list[Stretch] = []
    start = 0
    for number in numbers:
        name = file_name(stream, number)
        stretches.append(Stretch(name=name, start=start, size=files[name]))
        start += files[name]
    return tuple(stretches)


def stretches_of_chunks(chunks: Sequence[Chunk]) -> tuple[Stretch, ...]:
    """A stream as the bucket has it, in order."""
    return tuple(Stretch(name=each.key, start=each.start, size=each.size) for each in chunks)


def size_of(stretches: Sequence[Stretch]) -> int:
    """How long the stream is as far as it lies there, gaps included."""
    return max((stretch.end for stretch in stretches), default=0)


def pieces(stretches: Sequence[Stretch], start: int, length: int) -> Iterator[Stretch]:
    """What to read for `length` bytes from byte `start` on, in order and each byte once.

    Where nothing is, because nobody kept it, it goes on with the next that there is.
    """
    left, place = length, start
    for stretch in stretches:
        if stretch.end <= place or left <= 0:
            continue
        begin = max(place, stretch.start)
        size = min(stretch.end - begin, left)
        yield Stretch(
            name=stretch.name, start=begin, size=size, at=stretch.at + begin - stretch.start
        )
        place, left = begin + size, left - size
