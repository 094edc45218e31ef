"""Files on their way to a bucket: each with its SHA-256, asked again while the bucket is away."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from models.objects import ObjectStore, Place
from worker.patience import Insistence

AT_ONCE = 10
"""As many as boto3 has under way by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """What arrived: bytes, and their SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """The way into one bucket. Both methods raise what the store and the disk raise."""

    store: ObjectStore
    bucket: str
    insistence: Insistence = field(default_factory=Insistence)

    def upload(self, file: Path, key: str) -> Uploaded:
        """Upload a file of any size."""
        place = Place(bucket=self.bucket, key=key)
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        size = self.insistence.on(lambda: self._once(file, place, sha256))
        return Uploaded(size=size, sha256=sha256)

    def put(self, content: bytes, key: str) -> None:
        """Write a few bytes."""
        place = Place(bucket=self.bucket, key=key)
        self.insistence.on(lambda: self.store.put(place, content))

    def _once(self, file: Path, place: Place, sha256: str) -> int:
        with file.open("rb") as content:
            return self.store.upload(place, content, sha256=sha256).size
