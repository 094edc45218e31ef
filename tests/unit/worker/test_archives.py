"""Archives of others: nothing leaves the folder. The original unpacked whatever it was given."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.archives import Corrupt, unpack


def tar_of(file: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return file


def a_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_what_is_in_an_archive_is_unpacked(tmp_path: Path) -> None:
    unpack(tar_of(tmp_path / "a.tar.gz", a_member("eu_dem/dem.tif")), tmp_path / "into")

    assert (tmp_path / "into" / "eu_dem" / "dem.tif").read_bytes() == b"x"


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(a_member("../out"), id="a-name-that-climbs"),
        pytest.param(a_member("a/../../out"), id="a-name-that-climbs-later"),
        pytest.param(a_member("link", tarfile.SYMTYPE, "/etc/passwd"), id="a-link-to-elsewhere"),
        pytest.param(a_member("link", tarfile.SYMTYPE, "../out"), id="a-link-that-climbs"),
        pytest.param(a_member("link", tarfile.LNKTYPE, "../out"), id="a-hard-link-that-climbs"),
        pytest.param(a_member("disk", tarfile.BLKTYPE), id="a-device"),
    ],
)
def test_what_would_leave_the_folder_is_refused_and_nothing_stays(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    (tmp_path / "out").write_text("untouched")
    file = tar_of(tmp_path / "bad.tar.gz", a_member("good"), member, content=b"evil")
    with pytest.raises(Corrupt):
        unpack(file, tmp_path / "into")

    assert (tmp_path / "out").read_text() == "untouched"
    assert not (tmp_path / "into").exists()


def test_an_absolute_name_stays_below_the_folder(tmp_path: Path) -> None:
    unpack(tar_of(tmp_path / "a.tar.gz", a_member(f"{tmp_path}/out")), tmp_path / "into")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100], ids=["empty", "other"])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    with pytest.raises(Corrupt, match=r"bad\.tar cannot be unpacked"):
        unpack(tmp_path / "bad.tar", tmp_path / "into")


def test_what_was_cut_short_is_said_to_be(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar.gz", a_member("dem.tif"), content=bytes(range(256)) * 400)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(Corrupt):
        unpack(file, tmp_path / "into")


@pytest.mark.parametrize("squeezed", [gzip.compress, bz2.compress, lzma.compress])
def test_content_that_was_changed_is_never_taken_for_good(
    tmp_path: Path, squeezed: Callable[[bytes], bytes]
) -> None:
    plain = tmp_path / "plain.tar"
    with tarfile.open(plain, "w") as tar:
        member = a_member("dem.tif")
        member.size = 30_000
        # Nothing that can be made shorter: what is changed in the archive is changed in the file.
        tar.addfile(member, io.BytesIO(b"".join(_blocks(member.size // 4))))
    whole = squeezed(plain.read_bytes())
    for at in (len(whole) // 3, len(whole) // 2, len(whole) - 5):
        bad = tmp_path / "bad.tar"
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with pytest.raises(Corrupt, match=r"bad\.tar"):
            unpack(bad, tmp_path / "into")
        assert not (tmp_path / "into").exists()


def _blocks(count: int) -> Iterator[bytes]:
    return (zlib.crc32(str(number).encode()).to_bytes(4) for number in range(count))


def test_a_name_that_no_file_can_have_is_corrupt(tmp_path: Path) -> None:
    file = tmp_path / "bad.tar"
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        member = a_member("dem.tif")
        member.pax_headers = {"path": "dem\0.tif"}
        tar.addfile(member)
    with pytest.raises(Corrupt, match=r"bad\.tar"):
        unpack(file, tmp_path / "into")


def test_what_would_fill_the_disk_is_not_unpacked(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar.gz", a_member("zeros"), content=b"\0" * 10_000)
    with pytest.raises(Corrupt, match="longer than it may be"):
        unpack(file, tmp_path / "into", most_bytes=5_000)
    assert not (tmp_path / "into").exists()
