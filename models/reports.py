"""What the program on a worker says of its run. Part of `models.ports`, where the rules are.

It is imported from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from models.lifecycle import Status
from models.manifest import Manifest
from models.records import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an allocation runs, as its program says when it claims."""

    allocation_id: str
    node_id: str | None = None
    node_name: str | None = None
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right of one allocation to speak for a run, and what it needs to know of its job; `input`
    is what it was handed in with and, over that, what configuration found out.
    """

    run_id: UUID
    number: int
    attempt: int
    job: Job
    input: Mapping[str, Any]


class RunReports(Protocol):
    """What the program on a worker may say. Every call but the first carries its claim number."""

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """Claim a run for an allocation; the last claim wins.

        queued → started with claim 1. The same allocation again gets the same number (its answer
        was lost). Another allocation, while the job is started … post_processing, passes through
        external_error "Worker lost" to started in one transaction and gets the next number: same
        attempt, no failure of the job. The dispatch intent is done, the run's `server_id` is that
        of the node's stored identity, and that worker's `busy_at` is set. Only the newest claim's
        allocation is "the same". Raises `Superseded` when the run is not its job's current open
        one, `NotFound` when there is no such run.

        In the history the actor of everything that a program says is `worker`.
        """

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """Move the job on to pre_processing, processing or post_processing.

        Saying the same twice is no error and writes nothing. Raises `Superseded` for an outdated
        claim and `IllegalTransition` for a step that may not follow.
        """

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """End the run: processed, internal_error or external_error (else `IllegalTransition`).

        An error counts in the job's budget and stands until the monitor goes on with it. The same
        claim saying the same status and exit code again writes nothing; anything else after the
        end raises `Superseded`. Sets the worker's `busy_at`. Raises `NotFound` like `claim`.
        What the run made is written in the same transaction, once, and with processed alone;
        `Malformed` when the manifest is none that this claim of this run can have made.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended, by its own program; `manifest` says what one that is processed has made.

    `exit_code` is that of the science software where it came to its end: `models.configuration`
    reads from it what a job has left for others. It is the program's own otherwise.
    """

    status: Status
    subtype: str | None = None
    message: str | None = None
    exit_code: int | None = None
    manifest: Manifest | None = None
