"""What reading the logs of a run asks of Nomad, and how what is there fits together. Pure.

While an allocation's worker lives, Nomad has its log files whole and up to the last byte; the
bucket has them in chunks, half a minute behind, and for ever. Both count bytes from the beginning
of the stream, as long as Nomad has not dropped the first file of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from models.logs import Chunk, Stream, file_name, number_of
from models.records import Run


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


class Where(StrEnum):
    """Where a log is read."""

    NOMAD = "nomad"
    BUCKET = "bucket"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogNow:
    """One log: how many bytes it has by now, and where it is read."""

    allocation_id: str
    stream: Stream
    size: int
    where: Where


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Bytes of a log: `next` is where to go on, `size` how many there are by now."""

    content: bytes
    start: int
    next: int
    size: int


class JobLogs(Protocol):
    """What runs of jobs said, wherever it lies. Both raise `NotFound` for a job or a log that there
    is not, and what went wrong when nobody can be asked.
    """

    def logs(self, reference: str) -> tuple[LogNow, ...]:
        """Every log that there is of any run of a job, also when Nomad has forgotten it. Those of
        an allocation that cannot be asked for are left out.
        """

    def read(
        self, reference: str, allocation_id: str, stream: Stream, start: int | None, length: int
    ) -> Part:
        """At most `length` bytes from byte `start` on; None: the last ones."""


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


def is_over(runs: Iterable[Run], allocation_id: str) -> bool:
    """Whether an allocation says nothing more: its run, one of these, has ended or goes on
    elsewhere. The last words may come a little later.
    """
    return not any(run.allocation_id == allocation_id and run.ended_at is None for run in runs)


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
