"""What goes wrong with a run, as operators are told: a status, a subtype they know, a sentence.

*External*: the world outside failed, and the same may go well another time or elsewhere.
*Internal*: it will fail the same way until somebody changes something. The subtypes are those of
the system that we replace.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.errors import (
    Conflict,
    HrsiError,
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

SOFTWARE_GAVE_UP = "SIP unrecoverable error"
SOFTWARE_FAILED = "SIP expected error"
MISSING_SETTING = "Missing env var"
MISSING_INFOS = "Missing infos file"
MISSING_FOLDER = "Directory not found"
MISSING_FILE = "File not found"
NOT_WRITTEN = "File write error"
NO_ENGINE = "Docker connection error"
NO_IMAGE = "SI software docker image pull error"
CORRUPT_DOWNLOAD = "S3 object download error"
UNKNOWN = "Unknown exception"

INTERNAL, EXTERNAL = Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """How a run that failed is ended."""

    status: Status
    subtype: str
    message: str


class RunFailed(HrsiError):
    """The run cannot go on; `failure` says how it is to be ended."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def internal(subtype: str, message: str) -> RunFailed:
    """It will fail the same way until somebody changes something."""
    return RunFailed(Failure(status=INTERNAL, subtype=subtype, message=message))


def external(subtype: str, message: str) -> RunFailed:
    """It may go well another time or elsewhere."""
    return RunFailed(Failure(status=EXTERNAL, subtype=subtype, message=message))


# Of two that fit the first counts: the narrower one stands before the wider.
_BUCKETS: Mapping[type[PortError], tuple[Status, str]] = MappingProxyType(
    {
        BucketNotFound: (INTERNAL, "S3 bucket not found"),
        NotFound: (INTERNAL, "S3 object not found"),
        Refused: (INTERNAL, "Bad S3 credentials"),
        Malformed: (INTERNAL, "unknown S3 error"),
        Throttled: (EXTERNAL, "S3 HTTP error"),
        Unavailable: (EXTERNAL, "S3 endpoint error"),
        Conflict: (EXTERNAL, CORRUPT_DOWNLOAD),
        Unknown: (EXTERNAL, "S3 HTTP error"),
    }
)


def of_buckets(error: PortError) -> Failure:
    """What a bucket that did not do its part means for the run.

    What is not there stays away however often one asks: a missing auxiliary tile is for a person.
    """
    for kind, (status, subtype) in _BUCKETS.items():
        if isinstance(error, kind):
            return Failure(status=status, subtype=subtype, message=str(error))
    return Failure(status=EXTERNAL, subtype="unknown S3 error", message=str(error))


def of_engine(error: PortError) -> Failure:
    """What a container engine that did not do its part means for the run."""
    if isinstance(error, NotFound):
        return Failure(status=INTERNAL, subtype=NO_IMAGE, message=str(error))
    return Failure(status=EXTERNAL, subtype=NO_ENGINE, message=str(error))


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def of_system(error: OSError) -> Failure:
    """What the worker's own disk or kernel means for the run.

    A full disk is this worker's trouble, not the job's: on another there may be room.
    """
    if error.errno in _FULL:
        return Failure(
            status=EXTERNAL,
            subtype=NOT_WRITTEN,
            message=f"the disk of this worker is full: {error}; the run may find room elsewhere",
        )
    subtype = MISSING_FILE if isinstance(error, FileNotFoundError) else NOT_WRITTEN
    return Failure(status=INTERNAL, subtype=subtype, message=f"the worker's system: {error}")
