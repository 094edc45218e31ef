"""L2A that runs left in the data bucket, and how one is given up.

An L2A is kept from when its job is settled. Once no image is to begin with it any more it is first
*going*, in a transaction that no job can begin with it behind; then its files are deleted, and only
then it is forgotten: whatever stops in between is gone on with in another round.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from models.changes import Change
from models.lifecycle import FINAL
from models.records import Intent, Job


def place_of(path: str) -> str:
    """What all keys of an L2A begin with that lies at a path of a job's configuration."""
    return f"{path.strip('/')}/"


class L2aState(StrEnum):
    """Of an L2A that is in the data bucket."""

    KEPT = "kept"
    GOING = "going"


@dataclass(frozen=True, kw_only=True, slots=True)
class L2a:
    """What `job` left at `path` of the data bucket.

    `made`: the job ended well and made one, so that others may begin with it. `later` is the job
    that made the next one of its series that is kept, `wanted_by` one that is not over and begins
    with this one, or would if it were configured now.
    """

    job: Job
    sensing_at: datetime
    path: str
    state: L2aState
    made: bool
    later: int | None = None
    wanted_by: int | None = None

    def may_go(self, before: datetime) -> bool:
        """Its job is over since `before` or earlier, and no other one is about to begin with it."""
        over = self.job.status in FINAL or self.job.quarantined
        return over and self.job.status_at <= before and self.wanted_by is None


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveUpL2a(Change):
    """kept → going, with the intent to delete it; what is going already stays so.

    Guard: it is in the bucket and `L2a.may_go`.
    """

    job_id: int
    before: datetime
    intent: Intent


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetL2a(Change):
    """going → gone: nothing of it is left. One that was made anew meanwhile stays as it is."""

    job_id: int


class L2as(Protocol):
    """Where L2A are listed: a part of `models.ports.JobStore`, whose rules hold."""

    def l2as(self, after: int, most: int) -> tuple[L2a, ...]:
        """Those in the data bucket of jobs whose id is greater than `after`, by that id; at most so
        many. What is gone costs nothing.
        """
