"""What configuration knows of jobs that are not ready yet, and the one change that it makes.

A job is *unready* while it is initialized or configured. A pass looks at those that nobody looked
at since they changed, a bounded number of them, however many wait.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from models.changes import Change
from models.records import Job, Priority

MOST_AT_ONCE = 1_000
"""How many unready jobs one pass looks at; the others follow in the next, which comes at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unready:
    """A job that is to be configured, with what it was handed in with."""

    job: Job
    input: Mapping[str, Any] = field(default_factory=dict)
    sensing_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Jobs that configuration is to look at now, by id, at most `MOST_AT_ONCE`."""

    jobs: tuple[Unready, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Configured:
    """What becomes of one job: its fields, as they are stored, if its seq is `expected_seq`."""

    job_id: int
    expected_seq: int
    priority: Priority
    deadline: datetime | None
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigureJobs(Change):
    """initialized → configured → ready for many jobs, with what was found out about each.

    A job whose seq is another by now is left as it is; the receipt says how many were not. One that
    is ready resumes as ready after an error, until then as initialized.
    """

    jobs: tuple[Configured, ...]


class Backlogs(Protocol):
    """Where the backlog is read: a part of `models.ports.JobStore`, whose rules hold."""

    def backlog(self, types: Collection[str]) -> Backlog:
        """What configuration is to look at of these types, in one consistent read; what waits
        costs nothing, and jobs of other types hold nobody up.
        """
