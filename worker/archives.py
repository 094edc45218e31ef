"""Archives of others, unpacked with distrust: nothing leaves the folder, nothing fills the disk."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from zlib import error as ZlibError  # noqa: N812  an error of theirs that does not look like one

MOST_BYTES = 100 << 30
"""What is longer unpacked is no auxiliary data of ours."""

MOST_MEMBERS = 1_000_000


class Corrupt(Exception):
    """The archive is cut short, is none, or wants what no archive of ours wants."""


def unpack(archive: Path, into: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a tar, compressed or not. Raises `Corrupt`; `OSError` of the disk goes through."""
    into.mkdir(parents=True, exist_ok=True)
    total = 0
    try:
        with tarfile.open(archive) as tar:
            for number, member in enumerate(tar):
                total += member.size
                _check_length(archive, total, most_bytes, number)
                # Refuses absolute names, names and links that climb out, and devices.
                tar.extract(member, into, filter="data")
    except Corrupt:
        shutil.rmtree(into, ignore_errors=True)
        raise
    except (tarfile.TarError, EOFError, ZlibError) as error:
        shutil.rmtree(into, ignore_errors=True)
        raise Corrupt(f"{archive.name} cannot be unpacked: {error}") from error


def _check_length(archive: Path, total: int, most_bytes: int, members: int) -> None:
    if total > most_bytes or members >= MOST_MEMBERS:
        raise Corrupt(f"{archive.name} is longer than it may be: {total} bytes so far")
