"""How the logs of a run lie on the worker and in the results bucket: names, sizes, nothing else.

On the worker each stream is a row of files `<stream>.<n>` in `$NOMAD_ALLOC_DIR/logs`. Nomad writes
and turns over those of its task `main`; the run program writes the science software's output to
`science.0` beside them, and only ever appends. The log API of Nomad gives the first two, its file
API (`/v1/client/fs/…`, path `alloc/logs/science.0`) the third.

In the bucket a stream is a row of *chunks* `<prefix><stream>.<first byte>`, 15 digits, so that a
listing has them in order, and tells with the sizes alone where each begins and ends. A chunk is
written once and never again. Between two chunks there may be a gap: the log outgrew `MOST_BYTES`,
and only its end was kept besides. What Nomad dropped before anybody could ship it counts nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from models.manifest import folder_of

TASK = "main"
"""The task of a run in Nomad: names its log files."""

CHUNK_BYTES = 256 * 1024
"""A chunk is written as soon as there is so much of it."""

CHUNK_AGE = timedelta(seconds=30)
"""A smaller chunk is written once its first byte is so old: how far the bucket is behind."""

MOST_BYTES = 64 * 1024 * 1024
"""How much of one stream is kept from its beginning. Of what is longer the end is kept besides."""


class Stream(StrEnum):
    """What a run says: the run program's two outputs, and the science software's."""

    STDOUT = "main.stdout"
    STDERR = "main.stderr"
    SCIENCE = "science"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A part of a stream as it lies in the bucket: bytes `start` to `end`, without `end`."""

    key: str
    stream: Stream
    start: int
    size: int

    @property
    def end(self) -> int:
        """The first byte that it has no more."""
        return self.start + self.size


def allocations_prefix(unique_id: UUID) -> str:
    """Where the logs of all allocations of a job lie, one folder each; ends with a slash."""
    return f"{folder_of(unique_id)}nomad/allocs/"


def logs_prefix(unique_id: UUID, allocation_id: str) -> str:
    """Where the chunks of one allocation lie; ends with a slash."""
    return f"{allocations_prefix(unique_id)}{allocation_id}/logs/"


def file_name(stream: Stream, number: int) -> str:
    """The name of a log file on the worker."""
    return f"{stream.value}.{number}"


SCIENCE_FILE = file_name(Stream.SCIENCE, 0)
"""Where the run program writes what the science software says."""


def chunk_key(prefix: str, stream: Stream, start: int) -> str:
    """The key of the chunk whose first byte is byte `start` of the stream."""
    return f"{prefix}{stream.value}.{start:015d}"


_STREAMS = "|".join(re.escape(stream.value) for stream in Stream)
_CHUNK = re.compile(rf"(?:.*/)?({_STREAMS})\.([0-9]{{15}})")
_FILE = re.compile(rf"({_STREAMS})\.([0-9]+)")


def chunk_of(key: str, size: int) -> Chunk | None:
    """The chunk that an object is; None for one that is none of ours."""
    match = _CHUNK.fullmatch(key)
    if match is None:
        return None
    return Chunk(key=key, stream=Stream(match[1]), start=int(match[2]), size=size)


def number_of(name: str) -> tuple[Stream, int] | None:
    """The stream and the number of a log file on the worker; None for any other file."""
    match = _FILE.fullmatch(name)
    return None if match is None else (Stream(match[1]), int(match[2]))


def in_order(listing: Iterable[tuple[str, int]], stream: Stream) -> tuple[Chunk, ...]:
    """The chunks of one stream among listed objects (key, size), in the order of their bytes."""
    chunks = (chunk_of(key, size) for key, size in listing)
    mine = (chunk for chunk in chunks if chunk is not None and chunk.stream is stream)
    return tuple(sorted(mine, key=lambda chunk: chunk.start))
