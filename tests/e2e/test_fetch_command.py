"""`hrsi job fetch` as a person types it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from models.manifest import folder_of
from simulator.buckets import ServedBuckets
from tests.plugins.commands import Run

pytestmark = pytest.mark.integration

JOB = UUID("5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def environment(s3_server: ServedBuckets, bucket: str) -> dict[str, str]:
    return {**s3_server.environment(), "HRSI_RESULTS_BUCKET": bucket}


def test_a_job_is_fetched_by_its_unique_id_without_a_database_and_not_nested(
    hrsi: Run,
    folder: Path,
    s3_server: ServedBuckets,
    bucket: str,
    environment: dict[str, str],
) -> None:
    at = folder_of(JOB)
    files = {"outputs/a/b": b"b", "run.json": b"[1,1]"}
    delivered = {"runs/1-1/products/a/b": b"b"}
    s3_server.fill(bucket, [(f"{at}{key}", c) for key, c in {**files, **delivered}.items()])
    done = hrsi("job", "fetch", str(JOB), "job", **environment)
    assert done.returncode == 0, done.stderr
    assert "2 files" in done.stdout
    assert contents(folder / "job") == files


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        pytest.param("S3_ENDPOINT_URL", "s3.endpoint", id="where"),
        pytest.param("HRSI_RESULTS_BUCKET", "s3.results", id="which"),
        pytest.param("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", id="as-whom"),
    ],
)
def test_without_its_settings_nothing_is_fetched(
    hrsi: Run, environment: dict[str, str], setting: str, told: str
) -> None:
    done = hrsi("job", "fetch", str(JOB), "job", **{**environment, setting: ""})
    assert done.returncode == 2
    assert told in done.stderr


def test_a_folder_that_holds_something_is_left_alone(
    hrsi: Run, folder: Path, environment: dict[str, str]
) -> None:
    (folder / "job").mkdir()
    (folder / "job" / "mine").write_text("mine")
    done = hrsi("job", "fetch", str(JOB), "job", **environment)
    assert done.returncode == 2
    assert contents(folder / "job") == {"mine": b"mine"}
