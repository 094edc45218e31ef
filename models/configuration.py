"""What configuration knows of jobs that are not ready yet, and the one change that it makes.

A job is *unready* while it is initialized or configured. A configured job waits for one other job
at a time, and not for ever; its *wait* is over when that job is settled: processed, cancelled or
quarantined. A pass looks at new jobs and at those whose wait is over, a bounded number of them,
however many wait: the store marks a wait in the transaction that settles the other job.

Jobs of one type and tile are a *series* in the order of measurement. One is *open* in its series
from when it is added until it is settled for the first time; a relaunch opens it no more. What is
handed in for reprocessing holds up only what is for reprocessing as well: new images come first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from models.changes import Change
from models.lifecycle import Status
from models.records import Job, NewJob, Priority

MOST_AT_ONCE = 1_000
"""How many unready jobs one pass looks at; the others follow in the next, which comes at once."""

IN_SERIES = frozenset({"fsc_rlie"})
"""Types whose jobs of one tile must run in the order of measurement."""

REFERENCE_AGE = timedelta(days=60)
"""How much older than an image the L2A may be that MAJA begins with
[maja_consecutive_jobs_threshold_value]."""

BACKWARD_IMAGES = 8
"""How many images in a row MAJA needs to go backward, the first included
[maja_backward_required_job_number]."""

MADE = (Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED, Status.DONE)
"""What the job had to make is made."""

NOTHING_MADE = range(200, 208)
"""Exit codes of the snow program that end a job well and without an L2A: too cloudy, for instance.
"""

REFERENCE = "reference_job"
"""The field of a configuration that names the job with whose L2A another begins."""

AGAIN = "@backward"
"""What the key of a job that does another one's work again has behind that one's."""

MASTER = "master"
"""The field of an input that names, by its key, the job of the same type that makes the assembly.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """Another job that one may have to wait for, or begins with; `exit_code` of its last run."""

    id: int
    key: str
    status: Status
    quarantined: bool = False
    sensing_at: datetime | None = None
    exit_code: int | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_made(self) -> bool:
        """What it had to make is made."""
        return self.status in MADE

    @property
    def is_given_up(self) -> bool:
        """Nothing more comes of it before a person acts."""
        return self.quarantined or self.status is Status.CANCELLED


def finished_beginning(reference: Neighbour | None) -> int | None:
    """The job that a chain began with, if it has made `BACKWARD_IMAGES` L2A before this one."""
    if reference is None:
        return None
    made = int(reference.config.get("n_l2a_produced_since_last_init", 0)) + 1
    return reference.config.get("first_job") if made >= BACKWARD_IMAGES else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """What a configured job waits for: another job, until that is settled or `until` has come."""

    for_job: int
    since: datetime
    until: datetime
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unready:
    """A job that is to be looked at, with what it was handed in with.

    Of its series: `before` is the nearest open one before it, `reference` the nearest one not older
    than `REFERENCE_AGE` whose L2A is kept, `between` how many ran since that one and made none, and
    `after` those that follow it and made one, the nearest first. `chain` are the jobs that made the
    first L2A of the chain that it goes on with, the first first, `BACKWARD_IMAGES` at most: looked
    for once the chain has made so many, and while the first of them was not done again. Of an image
    that was done again all these mean the newest job.

    `master` is the job that it names as such. `wait` is what it has waited for.
    """

    job: Job
    input: Mapping[str, Any] = field(default_factory=dict)
    sensing_at: datetime | None = None
    before: Neighbour | None = None
    reference: Neighbour | None = None
    between: int = 0
    after: tuple[Neighbour, ...] = ()
    chain: tuple[Neighbour, ...] = ()
    master: Neighbour | None = None
    wait: Wait | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Jobs that configuration is to look at now: new ones by id, then those whose wait is over."""

    jobs: tuple[Unready, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Configured:
    """What becomes of one job: its fields, as they are stored, if its seq is `expected_seq`.

    With a `wait` it is configured, or stays so; without it is ready. `overtakes`: it goes on though
    an earlier one of its series is open.
    """

    job_id: int
    expected_seq: int
    priority: Priority
    deadline: datetime | None
    config: Mapping[str, Any]
    wait: Wait | None = None
    overtakes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """A job that is not configured, if its seq is `expected_seq`, and why."""

    job_id: int
    expected_seq: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigureJobs(Change):
    """initialized → configured → ready for many jobs, with what was found out about each.

    `unfit` ones, whose input makes no sense, rest in internal_error, quarantined; `futile` ones, of
    which nothing would come, are cancelled; both with their reason. A job whose seq is another by
    now is left as it is, and so is one that is to be ready though an earlier job of its series
    holds it up by now and it does not `overtake`, or one whose `reference_job` has no L2A any more:
    it is looked at again. The receipt says how many were not left. A job whose wait is for one that
    is settled by now is looked at again. One that is ready resumes as ready after an error, until
    then as initialized. `again` are jobs that do something once more: they are added as in
    `CreateJobs`, `flavors` having that of their type.
    Every `config` fits the schema of its type (`models.job_configs`), else `Malformed`.
    """

    jobs: tuple[Configured, ...]
    unfit: tuple[Aside, ...] = ()
    futile: tuple[Aside, ...] = ()
    again: tuple[NewJob, ...] = ()
    flavors: Mapping[str, str] = field(default_factory=dict)


UNFIT = "Job Configuration Error"
"""The error subtype of a job that cannot be configured, as operators know it."""


class Backlogs(Protocol):
    """Where the backlog is read: a part of `models.ports.JobStore`, whose rules hold."""

    def backlog(self, types: Collection[str]) -> Backlog:
        """What configuration is to look at of these types, in one consistent read; what waits
        costs nothing, and jobs of other types hold nobody up.
        """
