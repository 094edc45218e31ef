"""What every error of the outside means for a run."""

from __future__ import annotations

import errno

import pytest

from models.errors import (
    Conflict,
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)
from models.lifecycle import Status
from models.objects import BucketNotFound
from worker.failures import of_buckets, of_engine, of_system

INTERNAL, EXTERNAL = Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR


@pytest.mark.parametrize(
    ("error", "status", "subtype"),
    [
        (NotFound, INTERNAL, "S3 object not found"),
        (BucketNotFound, INTERNAL, "S3 bucket not found"),
        (Refused, INTERNAL, "Bad S3 credentials"),
        (Malformed, INTERNAL, "unknown S3 error"),
        (Throttled, EXTERNAL, "S3 HTTP error"),
        (Unknown, EXTERNAL, "S3 HTTP error"),
        (Unavailable, EXTERNAL, "S3 endpoint error"),
        (Conflict, EXTERNAL, "S3 object download error"),
        (PortError, EXTERNAL, "unknown S3 error"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_a_bucket_does_has_the_class_and_the_word_that_operators_know(
    error: type[PortError], status: Status, subtype: str
) -> None:
    failure = of_buckets(error("what came back"))

    assert (failure.status, failure.subtype, failure.message) == (status, subtype, "what came back")


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(errno.ENOSPC, EXTERNAL, id="full"),
        pytest.param(errno.EDQUOT, EXTERNAL, id="over-its-quota"),
        pytest.param(errno.EACCES, INTERNAL, id="forbidden"),
        pytest.param(errno.EROFS, INTERNAL, id="read-only"),
    ],
)
def test_a_full_disk_is_this_workers_trouble_and_any_other_is_for_a_person(
    number: int, status: Status
) -> None:
    failure = of_system(OSError(number, "words", "file"))

    assert (failure.status, failure.subtype) == (status, "File write error")


def test_an_engine_that_is_away_may_be_back_and_an_image_that_is_not_there_is_not() -> None:
    away, missing = of_engine(Unavailable("x")), of_engine(NotFound("x"))

    assert (away.status, away.subtype) == (EXTERNAL, "Docker connection error")
    assert (missing.status, missing.subtype) == (INTERNAL, "SI software docker image pull error")
