"""A stand-in for the program that runs a job on a worker; the real one comes with its own issue.

Nomad (simulated in the demo) starts it as a process for each allocation. It claims its run, plays
the steps in order, lets a stand-in science program write plausible files, and ends the run. It
keeps to the protocol: an outdated claim stops it with exit 0, anything unexpected ends the run as
an error with its subtype. It speaks to the HTTP API, with the token that came in its payload.

Environment: `HRSI_URL`, `HRSI_CACERT` where the API's certificate is of our own making,
`NOMAD_META_run`, `NOMAD_ALLOC_ID`, `NOMAD_TASK_DIR`, `HRSI_NODE_ID`, `HRSI_NODE_NAME`,
`HRSI_ADDRESS`, and `HRSI_STANDIN_SECONDS`, how long the science takes.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

from infra.api import connect
from models.errors import HrsiError, IllegalTransition, Superseded
from models.lifecycle import Status
from models.manifest import Manifest, prefix_of
from models.payload import FILE, decode
from models.ports import Claim, Placement, RunReports, RunResult
from worker.persistent import Persistent

if TYPE_CHECKING:
    from types import FrameType

EXIT_DONE = 0
EXIT_EXTERNAL_ERROR = 2
CALL_DEADLINE = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """What Nomad told this process: which run, where, and how to play it."""

    run_id: UUID
    placement: Placement
    folder: Path
    seconds: float
    url: str
    token: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Assignment:
        """Read the assignment; a missing or senseless variable is a `ValueError` naming it."""
        try:
            return cls(
                run_id=UUID(environment["NOMAD_META_run"]),
                placement=Placement(
                    allocation_id=environment["NOMAD_ALLOC_ID"],
                    node_id=environment.get("HRSI_NODE_ID"),
                    node_name=environment.get("HRSI_NODE_NAME"),
                    address=environment.get("HRSI_ADDRESS"),
                ),
                folder=Path(environment["NOMAD_TASK_DIR"]),
                seconds=float(environment.get("HRSI_STANDIN_SECONDS", "1")),
                url=environment["HRSI_URL"],
                token=decode(Path(environment["NOMAD_TASK_DIR"], FILE).read_bytes()).token,
            )
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]} is not set: Nomad sets NOMAD_…, the settings of the controller "
                "(web.url, runs.environment) the others"
            ) from error


class Terminated(Exception):
    """Nomad asked this process to end: its job was stopped or its node goes."""


def main() -> int:
    """Play one run; the exit code tells Nomad whether the job itself failed."""
    signal.signal(signal.SIGTERM, _terminate)
    assignment = Assignment.from_environment(os.environ)
    reports = connect(
        assignment.url,
        assignment.token,
        ca_cert=os.environ.get("HRSI_CACERT") or None,
        call_deadline=CALL_DEADLINE,
    )
    try:
        return play(Persistent(reports), assignment)
    finally:
        reports.close()


def play(reports: RunReports, assignment: Assignment) -> int:
    """Claim the run, take it through its steps, end it; the process's exit code."""
    try:
        claim = reports.claim(assignment.run_id, assignment.placement)
    except Superseded as error:
        _say(f"run {assignment.run_id} is not mine to play: {error}; leaving quietly")
        return EXIT_DONE
    place = assignment.placement
    _say(f"worker {place.node_name} at {place.address}")
    _say(f"job {claim.job.id} ({claim.job.name}), attempt {claim.attempt}, claim {claim.number}")
    try:
        with _errors_reported(reports, claim):
            _steps(reports, claim, assignment)
    except Superseded as error:
        _say(f"another claim has taken over: {error}; leaving quietly")
    except Terminated:
        _say("asked to end by Nomad: the run is left as it is, the monitor requeues its job")
        return EXIT_EXTERNAL_ERROR
    return EXIT_DONE


def _steps(reports: RunReports, claim: Claim, assignment: Assignment) -> None:
    for status in (Status.PRE_PROCESSING, Status.PROCESSING):
        reports.report(claim.run_id, claim.number, status)
    files = standin_science(claim, assignment)
    reports.report(claim.run_id, claim.number, Status.POST_PROCESSING)
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        _say(f"made {file.name}, {file.stat().st_size} bytes, sha256 {digest[:12]}…")
    made = RunResult(status=Status.PROCESSED, exit_code=EXIT_DONE, manifest=_nothing_of(claim))
    reports.end(claim.run_id, claim.number, made)


def _nothing_of(claim: Claim) -> Manifest:
    """The stand-in uploads nothing, and says so."""
    unique_id = claim.job.unique_id
    return Manifest(
        unique_id=unique_id,
        run_id=claim.run_id,
        attempt=claim.attempt,
        claim=claim.number,
        prefix=prefix_of(unique_id, claim.attempt, claim.number),
        products=(),
    )


def standin_science(claim: Claim, assignment: Assignment) -> list[Path]:
    """Take `seconds` and write a metadata file per product: what the demo shows for science."""
    if subtype := claim.input.get("standin_error"):
        raise ScienceError(str(subtype))
    time.sleep(assignment.seconds)
    outputs = assignment.folder / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    file = outputs / f"{claim.job.name}_MTD.xml"
    file.write_text(
        f"<standin><job>{claim.job.unique_id}</job><tile>{claim.job.tile}</tile></standin>\n"
    )
    return [file]


class ScienceError(HrsiError):
    """The stand-in science program failed, as its input asked it to."""


@contextmanager
def _errors_reported(reports: RunReports, claim: Claim) -> Iterator[None]:
    """End the run as internal_error for what goes wrong in it; protocol errors go through."""
    try:
        yield
    except (ScienceError, OSError, IllegalTransition) as error:
        subtype = "SIP unrecoverable error" if isinstance(error, ScienceError) else "File error"
        _say(f"{subtype}: {error}")
        result = RunResult(
            status=Status.INTERNAL_ERROR, subtype=subtype, message=str(error), exit_code=EXIT_DONE
        )
        reports.end(claim.run_id, claim.number, result)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
