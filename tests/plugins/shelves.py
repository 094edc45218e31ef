"""A bucket in memory, as far as the shipping of logs needs one, that fails on order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from models.errors import Unavailable, Unknown
from models.logs import Stream, in_order
from models.objects import Place, Stored

AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Shelf:
    """A bucket in memory. The coming calls go wrong as `faults` say, in their order."""

    held: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)

    def objects(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """See `models.objects.ObjectStore.objects`."""
        self._next()
        found = [key for key in self.held if key.startswith(prefix)]
        return iter([self._stored(Place(bucket=bucket, key=key)) for key in sorted(found)])

    def put(self, place: Place, content: bytes) -> Stored:
        """See `models.objects.ObjectStore.put`."""
        fault = self._next()
        if self.held.get(place.key, content) != content:
            self.rewritten.append(place.key)
        self.held[place.key] = content
        if fault == "after":
            raise Unknown("the answer broke off")
        return self._stored(place)

    def chunks(self, stream: Stream = Stream.STDOUT) -> list[tuple[int, bytes]]:
        """What there is of a stream, by its first byte."""
        listing = [(key, len(content)) for key, content in self.held.items()]
        return [(chunk.start, self.held[chunk.key]) for chunk in in_order(listing, stream)]

    def _stored(self, place: Place) -> Stored:
        return Stored(place=place, size=len(self.held[place.key]), etag="", modified_at=AT)

    def _next(self) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise Unavailable("nobody answers")
        return fault
