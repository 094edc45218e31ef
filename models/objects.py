"""Buckets: what the program on a worker, publication and the readers of logs ask of them.

Part of `models.ports`, where the rules are. `infra.s3` implements it over S3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from models.errors import NotFound


class BucketNotFound(NotFound):
    """There is no bucket of that name, or none that these credentials may see."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an object is, or is to be."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What a bucket says of one object.

    `etag` is without its quotes; it changes whenever the content does, and is the MD5 of the
    content only where that was put in one part. `sha256` is what the writer said, in hex; a list
    does not tell it.
    """

    place: Place
    size: int
    etag: str
    modified_at: datetime
    sha256: str | None = None


class ObjectStore(Protocol):
    """Buckets behind one endpoint, with one pair of keys. Several threads may ask at once.

    Every method raises `NotFound` (of the object; `BucketNotFound` of the bucket), `Refused` for
    wrong or insufficient credentials, `Throttled`, `Unavailable` when nobody answers, and `Unknown`
    when an answer broke off. What writes says the same twice without harm; nothing is repeated
    below this port.
    """

    def check(self, bucket: str) -> None:
        """Raise `BucketNotFound` or `Refused` when this bucket cannot be used."""

    def objects(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """All objects whose key begins so, in the order of their keys, page by page.

        It raises rather than end early.
        """

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """What follows `prefix` in the keys up to and with the next "/", each once, in order.

        It raises rather than end early.
        """

    def head(self, place: Place) -> Stored:
        """What the bucket says of one object."""

    def read(self, place: Place, *, start: int = 0, length: int | None = None) -> bytes:
        """The content from byte `start` on, at most `length` bytes; empty from the end on."""

    def fetch(self, stored: Stored, into: BinaryIO, *, start: int = 0) -> None:
        """Write the content from byte `start` on into a file, as it comes.

        Raises `Conflict` when the object is no longer the one that `stored` speaks of. After any
        error `into` holds the beginning, from where the next call may go on. What writing to
        `into` raises (`OSError`) goes through.
        """

    def put(self, place: Place, content: bytes) -> Stored:
        """Write a small object at once, with its SHA-256 beside it."""

    def upload(self, place: Place, source: BinaryIO, *, sha256: str) -> Stored:
        """Write a file of any size, in parts where it is long, with its SHA-256 beside it.

        The object appears whole or not at all. Raises `Malformed` when what arrived is not as long
        as the file.
        """

    def copy(self, stored: Stored, target: Place) -> Stored:
        """Copy within the service: nothing passes through us, the SHA-256 goes along.

        Raises `Conflict` when the object is no longer the one that `stored` speaks of.
        """

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is no error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """One bucket."""

    store: ObjectStore
    bucket: str
