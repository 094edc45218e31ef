"""The L2A of a run, with which later images of its tile begin: kept in the data bucket.

It lies at the place that the configuration of the job names: the files in a folder that is the
claim's alone, and beside it, put last, a document that names them. Who reads that finds all of one
L2A, however many claims, runs and campaigns have made one of this image: each is whole.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from models.errors import Malformed
from models.l2a import place_of
from models.ports import Claim
from worker.failures import SOFTWARE_GAVE_UP, internal
from worker.patience import side_by_side
from worker.uploads import AT_ONCE, Uploads

FOLDER = "l2a"
"""Where the software leaves it, in the working directory; below `inputs/` that of another run."""

MARKER = "l2a.json"
"""The document, put last."""


class KeptFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file. `key` is below the folder, `size` in bytes."""

    key: str
    size: int
    sha256: str


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole L2A. `folder`, beside the document, ends with a slash."""

    folder: str
    files: tuple[KeptFile, ...]


def decode(text: bytes) -> Kept:
    """The L2A that a document names. Raises `Malformed`."""
    try:
        return msgspec.json.decode(text, type=Kept)
    except msgspec.MsgspecError as error:
        raise Malformed(f"this names no L2A: {error}") from error


def keep(uploads: Uploads, claim: Claim, folder: Path, path: str) -> Kept:
    """Upload what the software left in `folder`; what is kept now.

    Raises `RunFailed` when it left nothing: whoever comes after this job would wait for it in vain.
    """
    files = sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
    if not files:
        raise internal(
            SOFTWARE_GAVE_UP,
            f"the software said success and left no L2A in {folder.name}/, with which the next "
            "image of the tile begins; see its log",
        )
    place, own = place_of(path), f"{claim.run_id}-{claim.number}/"

    def upload(file: Path) -> KeptFile:
        key = file.relative_to(folder).as_posix()
        arrived = uploads.upload(file, f"{place}{own}{key}")
        return KeptFile(key=key, size=arrived.size, sha256=arrived.sha256)

    kept = Kept(folder=own, files=tuple(side_by_side(upload, files, AT_ONCE)))
    uploads.put(msgspec.json.encode(kept), f"{place}{MARKER}")
    return kept
