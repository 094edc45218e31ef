"""The inputs of a run, from the buckets into the working directory, several at once.

What broke off is fetched on from where it stopped; what changed meanwhile, or does not have the
length and the digest that the bucket says, from its beginning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from models.errors import Conflict, Malformed, NotFound
from models.objects import ObjectStore, Place, Stored
from worker import l2a
from worker.archives import Corrupt, unpack
from worker.failures import RunFailed, internal
from worker.patience import Insistence, side_by_side
from worker.recipes import L2A_WRONG, Form, Want

AT_ONCE = 8
PART = ".part"
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetching:
    """One file on its way from a bucket."""

    stored: Stored
    target: Path
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Fetches what a run wants below one folder. `bucket_of` names the bucket of a role."""

    store: ObjectStore
    folder: Path
    bucket_of: Callable[[str], str]
    inconsistent: str
    insistence: Insistence = field(default_factory=Insistence)

    def fetch(self, wants: Iterable[Want]) -> int:
        """Fetch everything; how many bytes came.

        Raises `RunFailed` for what is missing or unusable, and what the store and the disk raise.
        """
        wants = tuple(wants)
        found = [(want, self._files_of(want)) for want in wants]
        files = [file for _, some in found for file in some]
        for file in files:
            file.target.parent.mkdir(parents=True, exist_ok=True)
        side_by_side(self._fetch, files, AT_ONCE)
        for want, some in found:
            if want.form is Form.ARCHIVE:
                self._unpack(want, some[0].target)
        return sum(file.stored.size for file in files)

    def _files_of(self, want: Want) -> list[Fetching]:
        place = Place(bucket=self.bucket_of(want.role), key=want.key)
        if want.form is Form.ARCHIVE:
            try:
                stored = self.insistence.on(lambda: self.store.head(place))
            except NotFound as error:
                if type(error) is not NotFound:
                    raise
                raise _missing(want, place) from error
            name = PurePosixPath(want.key).name
            return [Fetching(stored=stored, target=self.folder / f".{name}")]
        if want.form is Form.KEPT:
            return list(self._kept(want, place))
        listed = self.insistence.on(lambda: list(self.store.objects(place.bucket, want.key)))
        files = [one for one in listed if not one.place.key.endswith("/")]
        if not files:
            raise _missing(want, place)
        root = self.folder / want.folder
        return [Fetching(stored=one, target=self._below(root, one, want.key)) for one in files]

    def _kept(self, want: Want, place: Place) -> Iterator[Fetching]:
        """The files that the document at a place names."""
        marker = Place(bucket=place.bucket, key=f"{place.key}{l2a.MARKER}")
        try:
            kept = l2a.decode(self.insistence.on(lambda: self.store.read(marker)))
        except Malformed as error:
            raise internal(L2A_WRONG, f"{marker}: {error}; {want.remedy}") from error
        except NotFound as error:
            if type(error) is not NotFound:
                raise
            raise _missing(want, marker) from error
        begins = f"{place.key}{kept.folder}"
        listed = self.insistence.on(lambda: list(self.store.objects(place.bucket, begins)))
        found = {one.place.key: one for one in listed}
        for file in kept.files:
            one = found.get(f"{begins}{file.key}")
            if one is None or one.size != file.size:
                raise internal(
                    L2A_WRONG,
                    f"{marker} names {file.key} of {file.size} bytes, which is not there as such; "
                    f"{want.remedy}",
                )
            target = self._below(self.folder / want.folder, one, begins)
            yield Fetching(stored=one, target=target, sha256=file.sha256)

    def _below(self, root: Path, stored: Stored, begins: str) -> Path:
        """Where a file of a tree goes. Keys may hold anything: one that climbs is refused."""
        parts = PurePosixPath(stored.place.key.removeprefix(begins)).parts
        if not parts or any(part in {"..", "/"} for part in parts):
            raise internal(self.inconsistent, f"{stored.place} has a key that leaves its folder")
        return root.joinpath(*parts)

    def _fetch(self, file: Fetching) -> None:
        fetch_whole(self.store, file, self.insistence)

    def _unpack(self, want: Want, archive: Path) -> None:
        try:
            unpack(archive, self.folder / want.folder)
        except Corrupt as error:
            raise internal(
                self.inconsistent,
                f"{want.what} (key {want.key}) came as it lies in the bucket, but {error}; put a "
                "good one there and relaunch the job",
            ) from error
        archive.unlink()


def fetch_whole(store: ObjectStore, file: Fetching, insistence: Insistence) -> None:
    """Fetch one file, going on where it broke off, and compare it.

    Raises what the store and the disk raise.
    """
    part = file.target.with_name(file.target.name + PART)
    wanted = _Current(file.stored, file.sha256)
    insistence.on(lambda: _fetch_once(store, wanted, part))
    part.replace(file.target)


@dataclass
class _Current:
    """The object as it was last looked at: it may be replaced while it is fetched."""

    stored: Stored
    sha256: str | None


def _fetch_once(store: ObjectStore, wanted: _Current, part: Path) -> None:
    """Go on where the last attempt stopped; compare what is whole with what it should be."""
    with part.open("ab") as into:
        try:
            store.fetch(wanted.stored, into, start=into.tell())
        except Conflict:
            into.truncate(0)
            wanted.stored = store.head(wanted.stored.place)
            raise
    if (wrong := _difference(wanted, part)) is not None:
        part.unlink()
        # Of the wire, the worker's disk or the bucket: each may be right next time.
        raise Conflict(f"{wanted.stored.place}: {wrong}; it is fetched again")


def _difference(wanted: _Current, file: Path) -> str | None:
    """What is wrong with a file that came whole; an ETag of several parts says nothing of it."""
    stored, size = wanted.stored, file.stat().st_size
    if size != stored.size:
        return f"{size} bytes came, the bucket says {stored.size}"
    if wanted.sha256 is not None:
        sha256 = _digest(file, "sha256")
        same = sha256 == wanted.sha256
        return None if same else f"its SHA-256 is {sha256}, its maker says {wanted.sha256}"
    if _MD5.fullmatch(stored.etag) is None:
        return None
    md5 = _digest(file, "md5")
    return None if md5 == stored.etag else f"its MD5 is {md5}, the bucket says {stored.etag}"


def _digest(file: Path, name: str) -> str:
    with file.open("rb") as content:
        made = hashlib.file_digest(content, lambda: hashlib.new(name, usedforsecurity=False))
        return made.hexdigest()


def _missing(want: Want, place: Place) -> RunFailed:
    return internal(want.missing, f"{want.what} is not in the bucket: {place}; {want.remedy}")
