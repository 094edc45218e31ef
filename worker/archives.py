"""Archives of others, unpacked with distrust: nothing leaves the folder, nothing fills the disk."""

from __future__ import annotations

import shutil
import tarfile
from lzma import LZMAError
from pathlib import Path
from zlib import error as ZlibError  # noqa: N812  an error of theirs that does not look like one

MOST_BYTES = 100 << 30
"""What is longer unpacked is no auxiliary data of ours."""

MOST_MEMBERS = 1_000_000

_PIECE = 1 << 20


class Corrupt(Exception):
    """The archive is cut short, is none, or wants what no archive of ours wants."""


def unpack(archive: Path, into: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a tar, compressed or not. Raises `Corrupt`; `OSError` of the disk goes through."""
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            _unpack(tar, archive, into, most_bytes)
    except Corrupt:
        shutil.rmtree(into, ignore_errors=True)
        raise
    except (tarfile.TarError, EOFError, ZlibError, LZMAError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # What unpacks gzip and bzip2 says with an `OSError` of no number that a sum is wrong.
        shutil.rmtree(into, ignore_errors=True)
        raise Corrupt(f"{archive.name} cannot be unpacked: {error}") from error


def _unpack(tar: tarfile.TarFile, archive: Path, into: Path, most_bytes: int) -> None:
    total = number = 0
    for number, member in enumerate(tar):
        total += member.size
        _check_length(archive, total, most_bytes, number)
        # Refuses absolute names, names and links that climb out, and devices.
        tar.extract(member, into, filter="data")
    # The sum over all of it stands behind the last member, and is compared once that is read.
    while piece := tar.fileobj.read(_PIECE):
        total += len(piece)
        _check_length(archive, total, most_bytes, number)


def _check_length(archive: Path, total: int, most_bytes: int, members: int) -> None:
    if total > most_bytes or members >= MOST_MEMBERS:
        raise Corrupt(f"{archive.name} is longer than it may be: {total} bytes so far")
