"""Shipping of a run's logs: what was written on the worker goes to the results bucket in chunks.

How far it came stands in the bucket alone: the names and sizes of the chunks there. A shipper that
is started again lists them and goes on behind the last. A chunk whose upload was not answered is
said again with the same bytes, so that none is ever written twice with different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.logs import CHUNK_AGE, CHUNK_BYTES, MOST_BYTES, Stream, chunk_key, in_order
from models.objects import Place, Stored
from worker.logfiles import LogFiles, Position, Rows


class Shelf(Protocol):
    """What shipping needs of `models.objects.ObjectStore`."""

    def objects(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """All objects whose key begins so, in the order of their keys."""

    def put(self, place: Place, content: bytes) -> Stored:
        """Write a small object at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where the chunks of an allocation go; `prefix` ends with a slash."""

    bucket: str
    prefix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much a chunk holds, how old it may grow in seconds, how much of a stream is kept."""

    chunk: int = CHUNK_BYTES
    age: float = CHUNK_AGE.total_seconds()
    most: int = MOST_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """Bytes to be kept under a key, or not to be kept, and where the stream goes on behind them."""

    content: bytes
    start: int
    behind: Position


@dataclass(kw_only=True, slots=True)
class _Way:
    """How far one stream was shipped.

    `seen_at` is when its first byte that is not shipped was seen; `unanswered` was uploaded without
    an answer, and is uploaded again before anything else.
    """

    position: Position
    seen_at: float | None = None
    unanswered: _Piece | None = None


class Shipper:
    """Ships the streams of one allocation.

    Errors of the bucket (`PortError`) go through. Nothing is lost by them: the next call goes on
    where this one was interrupted. `monotonic` tells seconds that only ever grow.
    """

    def __init__(
        self,
        shelf: Shelf,
        target: Target,
        files: LogFiles,
        monotonic: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self._shelf = shelf
        self._target = target
        self._files = files
        self._monotonic = monotonic
        self._limits = limits or Limits()
        self._ways: Mapping[Stream, _Way] = {}

    def ship(self) -> None:
        """Write every full chunk, and smaller ones that are old enough."""
        self._ship_all(rest=False)

    def finish(self) -> bool:
        """Write all that there is; whether there was anything.

        What a task said last reaches its files after its end: ask again until there is nothing.
        """
        return self._ship_all(rest=True)

    def close(self) -> None:
        """Write the end of every stream that outgrew the limit, which `finish` left out."""
        for stream, way in self._ways.items():
            left_out = max(0, way.position.start - self._limits.most)
            length = min(left_out, self._limits.chunk)
            content = self._files.last(stream, way.position, length)
            if content:
                self._put(stream, way.position.start - len(content), content)

    def _ship_all(self, *, rest: bool) -> bool:
        rows = self._files.rows()
        if not self._ways:
            self._ways = self._where_it_stopped(rows)
        grown = [self._ship(stream, rows.get(stream, ()), rest=rest) for stream in Stream]
        return any(grown)

    def _where_it_stopped(self, rows: Rows) -> Mapping[Stream, _Way]:
        listed = self._shelf.objects(self._target.bucket, self._target.prefix)
        found = [(stored.place.key, stored.size) for stored in listed]
        ends = {stream: [c.end for c in in_order(found, stream)] for stream in Stream}
        return {
            stream: _Way(
                position=self._files.skip(
                    stream, rows.get(stream, ()), max(ends[stream], default=0)
                )
            )
            for stream in Stream
        }

    def _ship(self, stream: Stream, row: Sequence[int], *, rest: bool) -> bool:
        way, grown = self._ways[stream], False
        while (piece := way.unanswered or self._next(stream, row, way, rest=rest)) is not None:
            way.unanswered = piece
            if piece.start < self._limits.most:
                self._put(stream, piece.start, piece.content)
            way.unanswered, way.seen_at, way.position = None, None, piece.behind
            grown = True
        return grown

    def _next(self, stream: Stream, row: Sequence[int], way: _Way, *, rest: bool) -> _Piece | None:
        """What is due; None: nothing yet."""
        start, now = way.position.start, self._monotonic()
        room = self._limits.most - start
        length = min(self._limits.chunk, room) if room > 0 else self._limits.chunk
        waiting = self._files.waiting(stream, row, way.position)
        if not waiting:
            return None
        way.seen_at = now if way.seen_at is None else way.seen_at
        if waiting < length and now - way.seen_at < self._limits.age and not rest:
            return None
        content, behind = self._files.read(stream, row, way.position, length)
        return _Piece(content=content, start=start, behind=behind) if content else None

    def _put(self, stream: Stream, start: int, content: bytes) -> None:
        key = chunk_key(self._target.prefix, stream, start)
        self._shelf.put(Place(bucket=self._target.bucket, key=key), content)
