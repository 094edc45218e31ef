"""Everything about a job in the results bucket, fetched into an empty folder.

The content is not nested: what lies at the job's place lies directly in the folder. Keys are words
of others and not trusted: one that would leave the folder, or that no file can be called, is left
out and told. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import UUID

from models.errors import ConfigurationError, Conflict, NotFound, Temporary, Unknown
from models.manifest import folder_of
from models.objects import ObjectStore, Shelf, Stored

PRODUCTS = "runs/"
"""Where a job's place has what its runs delivered: large, and nothing that a replay needs."""

PART = ".part"
ATTEMPTS = 5

_SPOKEN = re.compile(r"[^\x00-\x1f\x7f\\]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What there is of a job: what is fetched, by its path in the folder, and what is left out."""

    files: tuple[tuple[Path, Stored], ...]
    refused: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(stored.size for _, stored in self.files)


def look(shelf: Shelf, unique_id: UUID, *, products: bool) -> Found:
    """List a job's place. Raises `NotFound` when there is nothing, and `PortError`."""
    prefix = folder_of(unique_id)
    listed = list(shelf.store.objects(shelf.bucket, prefix))
    if not listed:
        raise NotFound(
            f"s3://{shelf.bucket}/{prefix} is empty: no run of the job has been there yet, or it "
            "is older than the results bucket keeps anything"
        )
    wanted = [each for each in listed if products or not _below(each, prefix).startswith(PRODUCTS)]
    named = [(path_of(_below(each, prefix)), each) for each in wanted]
    return Found(
        files=tuple((path, each) for path, each in named if path is not None),
        refused=tuple(each.place.key for path, each in named if path is None),
    )


def path_of(key: str) -> Path | None:
    """Where in the folder an object goes, by its key below the job's place; None: nowhere."""
    parts = key.split("/")
    if any(part in {"", ".", ".."} or _SPOKEN.fullmatch(part) is None for part in parts):
        return None
    if any(len(part.encode()) > 200 for part in parts):
        return None
    return Path(PurePosixPath(*parts))


def _below(stored: Stored, prefix: str) -> str:
    return stored.place.key.removeprefix(prefix)


def fetch(
    store: ObjectStore, found: Found, folder: Path, came: Callable[[int], None]
) -> Iterator[str]:
    """Fetch all files into a folder; what could not be written, a sentence each.

    `came` is told how many bytes came with each file. What breaks off is gone on with. Raises
    `PortError` when the bucket does not answer again and again.
    """
    for path, stored in found.files:
        try:
            _fetch(store, stored, folder / path)
        except OSError as error:
            yield f"{path}: {error.strerror or error}"
        except NotFound:
            yield f"{path}: it was deleted in the bucket meanwhile"
        came(stored.size)


def _fetch(store: ObjectStore, stored: Stored, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    with part.open("xb") as into:
        for left in reversed(range(ATTEMPTS)):
            try:
                store.fetch(stored, into, start=into.tell())
                break
            except (Temporary, Unknown) as error:
                if not left:
                    raise
                if isinstance(error, Conflict):
                    # Another run of the job has written it anew: from the beginning.
                    into.seek(0)
                    into.truncate()
                    stored = store.head(stored.place)
    part.replace(target)


def is_free(folder: Path) -> bool:
    """Whether a folder may be filled: there is none yet, or nothing is in it."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def make_room(folder: Path) -> None:
    """Make the folder: else every file by itself would say that there is none.

    Raises `ConfigurationError` when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: it cannot be made: {error.strerror}; nothing was fetched"
        ) from error
