"""Buckets in memory, with faults on order: `models.objects.ObjectStore` for simulated worlds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, TypeVar

from models.errors import Conflict, Malformed, NotFound, PortError, Throttled, Unavailable, Unknown
from models.objects import BucketNotFound, Place, Stored
from models.ports import Clock
from simulator.faults import Crash, Fault, Faults

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One object."""

    content: bytes
    stored: Stored


@dataclass
class SimulatedBuckets:
    """What lies where. A bucket that is not in it does not exist."""

    clock: Clock
    buckets: dict[str, dict[str, Kept]] = field(default_factory=dict)
    reachable: bool = True

    def make(self, *names: str) -> None:
        """Make empty buckets."""
        for name in names:
            self.buckets.setdefault(name, {})

    def write(self, place: Place, content: bytes, *, sha256: str | None) -> Stored:
        """Put an object there; the one that was there is gone."""
        stored = Stored(
            place=place,
            size=len(content),
            etag=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            modified_at=self.clock.now(),
            sha256=sha256,
        )
        self._bucket(place.bucket)[place.key] = Kept(content=content, stored=stored)
        return stored

    def kept(self, place: Place) -> Kept:
        """What lies there. Raises `NotFound`."""
        found = self._bucket(place.bucket).get(place.key)
        if found is None:
            raise NotFound(f"there is no {place}")
        return found

    def _bucket(self, name: str) -> dict[str, Kept]:
        found = self.buckets.get(name)
        if found is None:
            raise BucketNotFound(f"there is no bucket {name}")
        return found


class MemoryObjects:
    """Implements the port. Operations: `objects.<method>`; each asks `faults` once per call."""

    def __init__(self, buckets: SimulatedBuckets, faults: Faults | None = None) -> None:
        self._buckets = buckets
        self._faults = faults or Faults()

    def check(self, bucket: str) -> None:
        """See the port."""
        self._call("check", lambda: self._within(bucket, ""))

    def objects(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """See the port."""
        yield from self._call("objects", lambda: self._within(bucket, prefix))

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """See the port."""
        found = self._call("folders", lambda: self._within(bucket, prefix))
        rest = (stored.place.key.removeprefix(prefix) for stored in found)
        yield from sorted({f"{key.partition('/')[0]}/" for key in rest if "/" in key})

    def head(self, place: Place) -> Stored:
        """See the port."""
        return self._call("head", lambda: self._buckets.kept(place).stored)

    def read(self, place: Place, *, start: int = 0, length: int | None = None) -> bytes:
        """See the port."""
        content = self._call("read", lambda: self._buckets.kept(place).content)
        return content[start:] if length is None else content[start : start + max(0, length)]

    def fetch(self, stored: Stored, into: BinaryIO, *, start: int = 0) -> None:
        """See the port."""
        into.write(self._call("fetch", lambda: self._unchanged(stored)).content[start:])

    def put(self, place: Place, content: bytes) -> Stored:
        """See the port."""
        digest = hashlib.sha256(content).hexdigest()
        return self._call("put", lambda: self._buckets.write(place, content, sha256=digest))

    def upload(self, place: Place, source: BinaryIO, *, sha256: str) -> Stored:
        """See the port."""
        content = source.read()
        return self._call("upload", lambda: self._buckets.write(place, content, sha256=sha256))

    def copy(self, stored: Stored, target: Place) -> Stored:
        """See the port."""

        def copied() -> Stored:
            kept = self._unchanged(stored)
            return self._buckets.write(target, kept.content, sha256=kept.stored.sha256)

        return self._call("copy", copied)

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """See the port."""
        wanted = {*keys}

        def deleted() -> None:
            found = [s.place for s in self._within(bucket, "") if s.place.key in wanted]
            for place in found:
                del self._buckets.buckets[bucket][place.key]

        self._call("delete", deleted)

    def _within(self, bucket: str, prefix: str) -> list[Stored]:
        found = self._buckets.buckets.get(bucket)
        if found is None:
            raise BucketNotFound(f"there is no bucket {bucket}")
        # A list does not tell what the writer said of the content.
        return [
            replace(found[key].stored, sha256=None)
            for key in sorted(found)
            if prefix == key[: len(prefix)]
        ]

    def _unchanged(self, stored: Stored) -> Kept:
        kept = self._buckets.kept(stored.place)
        if kept.stored.etag != stored.etag:
            raise Conflict(f"{stored.place} has another content than when it was looked at")
        return kept

    def _call(self, method: str, work: Callable[[], T]) -> T:
        operation = f"objects.{method}"
        fault = self._faults.take(operation)
        match fault:
            case Fault.CRASH:
                raise Crash(operation)
            case Fault.THROTTLED:
                raise Throttled(f"{operation}: asked too often")
            case Fault.REFUSED | Fault.TIMEOUT:
                raise Unavailable(f"{operation}: no answer")
            case Fault.SERVER_ERROR:
                raise Malformed(f"{operation}: an answer that makes no sense")
            case _:
                pass
        if not self._buckets.reachable:
            raise Unavailable(f"{operation}: nobody answers")
        try:
            done = work()
        except PortError as error:
            if fault is Fault.CRASH_AFTER:
                raise Crash(operation) from error
            raise
        if fault is Fault.CRASH_AFTER:
            raise Crash(operation)
        if fault is Fault.LOST_REPLY:
            raise Unknown(f"{operation}: the answer broke off")
        return done
