"""The frozen world on paper: which workers there are and what runs on them. Pure.

Made alike by the process that serves it and by the one that fills the store: the same numbers give
the same names and identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from uuid import NAMESPACE_URL, UUID, uuid5

from models.job_types import TaskCommand

DEPLOYMENT = "bench"
TASK = TaskCommand(driver="raw_exec", command="/usr/local/bin/hrsi-worker")

_FLAVORS = ("hm.medium",) * 6 + ("hm.large",) * 2 + ("hm.xlarge", "eo2.medium")
_TYPES: Mapping[str, str] = {
    "hm.medium": "fsc_rlie",
    "hm.large": "rlies1",
    "hm.xlarge": "sws_wds",
    "eo2.medium": "gfsc",
}
_TENTHS = 10
BUSY_TENTHS = 8
"""Of ten workers of a flavor this many run a job; the others are free."""

WAITING_TYPES = ("fsc_rlie",) * 7 + ("sws_wds",) * 2 + ("gfsc",)
"""Types of the jobs that wait in the busy half: none for hm.large, whose idle workers may go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """A job that runs on a worker, and its run."""

    job_id: int
    unique_id: UUID
    run_id: UUID
    type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A worker: its name, its flavor, the intent in its server's metadata, and what it runs."""

    number: int
    name: str
    flavor: str
    intent_id: UUID
    errand: Errand | None


def posts(workers: int, busy_tenths: int = BUSY_TENTHS) -> Iterator[Post]:
    """So many workers of all flavors, most of them at work."""
    job_id = 0
    for number, flavor in enumerate(islice(cycle(_FLAVORS), workers)):
        errand = None
        if number // len(_FLAVORS) % _TENTHS < busy_tenths:
            job_id += 1
            errand = Errand(
                job_id=job_id,
                unique_id=identity(f"job {job_id}"),
                run_id=identity(f"run {job_id}"),
                type=_TYPES[flavor],
            )
        yield Post(
            number=number,
            name=f"os-worker-{number:03d}",
            flavor=flavor,
            intent_id=identity(f"intent {number}"),
            errand=errand,
        )


def identity(name: str) -> UUID:
    """The same identity for the same name."""
    return uuid5(NAMESPACE_URL, f"hrsi-bench:{name}")
