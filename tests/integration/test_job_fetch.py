"""Everything of a job in a folder, and nothing outside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.fetching import fetch, is_free, look, make_room, path_of
from infra.s3 import Buckets
from models.errors import ConfigurationError, NotFound
from models.manifest import folder_of
from models.objects import Shelf
from simulator.buckets import ServedBuckets

pytestmark = pytest.mark.integration

JOB = UUID("5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6")
FILES = {
    "processing_parameters.yaml": b"{}",
    "outputs/FSC_1/FSC_1_MTD.xml": b"<xml/>",
    "nomad/allocs/a/logs/main.stdout.000000000000000": b"said\n",
    "run.json": b"[1,1]",
}
DELIVERED = {"runs/1-1/products/FSC_1/FSC_1_MTD.xml": b"<xml/>"}


@pytest.fixture
def put(bucket: str, s3_server: ServedBuckets) -> Callable[[dict[str, bytes]], None]:
    """Puts objects at the job's place."""

    def fill(files: dict[str, bytes]) -> None:
        s3_server.fill(bucket, [(f"{folder_of(JOB)}{key}", c) for key, c in files.items()])

    return fill


@pytest.fixture
def shelf(bucket: str, buckets: Buckets) -> Shelf:
    return Shelf(store=buckets, bucket=bucket)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_what_runs_delivered_comes_when_it_is_asked_for(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None], tmp_path: Path
) -> None:
    put({**FILES, **DELIVERED})
    found = look(shelf, JOB, products=True)
    came: list[int] = []
    assert list(fetch(shelf.store, found, tmp_path, came.append)) == []
    assert contents(tmp_path) == {**FILES, **DELIVERED}
    assert sum(came) == found.size


def test_a_job_that_left_nothing_is_told(shelf: Shelf) -> None:
    with pytest.raises(NotFound, match="is empty"):
        look(shelf, uuid4(), products=False)


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="it cannot be made: Not a directory; nothing was"):
        make_room(tmp_path / "file" / "job")


def test_more_than_a_page_of_objects_comes_whole(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None]
) -> None:
    put({f"temp/{number:04}": b"" for number in range(1_100)})
    assert len(look(shelf, JOB, products=False).files) == 1_100


def test_keys_that_climb_out_of_the_folder_are_left_out_and_told(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None], tmp_path: Path
) -> None:
    put({"../../escaped": b"x", "a/../../b": b"x", "/etc/passwd": b"x", "good": b"good"})
    found = look(shelf, JOB, products=False)
    folder = tmp_path / "in" / "here"
    assert list(fetch(shelf.store, found, folder, lambda _: None)) == []
    assert contents(tmp_path) == {"in/here/good": b"good"}
    assert len(found.refused) == 3


def test_a_file_that_cannot_be_written_does_not_stop_the_others(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None], tmp_path: Path
) -> None:
    put({"a": b"file", "a/b": b"in a folder of the same name", "c": b"good"})
    found = look(shelf, JOB, products=False)
    told = list(fetch(shelf.store, found, tmp_path, lambda _: None))
    assert len(told) == 1
    assert contents(tmp_path)["c"] == b"good"


def test_an_object_that_is_written_anew_meanwhile_is_fetched_as_it_is_now(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None], tmp_path: Path
) -> None:
    put({"a": b"before"})
    found = look(shelf, JOB, products=False)
    put({"a": b"after it"})
    assert list(fetch(shelf.store, found, tmp_path, lambda _: None)) == []
    assert contents(tmp_path) == {"a": b"after it"}


def test_an_object_that_is_deleted_meanwhile_is_told(
    shelf: Shelf, put: Callable[[dict[str, bytes]], None], tmp_path: Path
) -> None:
    put({"a": b"a", "b": b"b"})
    found = look(shelf, JOB, products=False)
    shelf.store.delete(shelf.bucket, [f"{folder_of(JOB)}a"])
    (told,) = fetch(shelf.store, found, tmp_path, lambda _: None)
    assert told.startswith("a: it was deleted")
    assert contents(tmp_path)["b"] == b"b"


@given(st.text(max_size=40))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    path = path_of(key)
    if path is not None:
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert (Path("/folder") / path).resolve().is_relative_to("/folder")


@pytest.mark.parametrize(
    "key",
    ["", "/", "a//b", "./a", "a/..", "a\x00b", "a\nb", "a\\..\\b", "x" * 201],
    ids=repr,
)
def test_a_key_that_no_file_may_be_called_is_refused(key: str) -> None:
    assert path_of(key) is None


def test_a_folder_is_free_when_it_is_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert is_free(tmp_path / "new")
    assert is_free(tmp_path / "empty")
    assert not is_free(tmp_path)
    assert not is_free(tmp_path / "file")
