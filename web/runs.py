"""What the program on a worker says of its run; see `models.ports.RunReports` for the rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from models.errors import Malformed
from models.lifecycle import Status
from models.manifest import Manifest
from models.ports import Claim, Placement, RunResult
from web.access import AtDesk, OwnRun
from web.bodies import WITHOUT_NUL
from web.problems import RESPONSES

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], responses=dict(RESPONSES))

MOST_TEXT = 4000
"""Characters of a message: the rest of what went wrong is in the log of the run."""

Number = Annotated[
    int, Path(ge=0, lt=2**31, description="The claim's number; of 0 nobody has any.")
]
Text = Annotated[str, Field(max_length=MOST_TEXT, pattern=WITHOUT_NUL)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(_Body):
    """Which allocation claims, and where it runs."""

    allocation_id: Annotated[str, Field(min_length=1, max_length=100, pattern=WITHOUT_NUL)]
    node_id: Annotated[str, Field(max_length=100, pattern=WITHOUT_NUL)] | None = None
    node_name: Annotated[str, Field(max_length=100, pattern=WITHOUT_NUL)] | None = None
    address: Annotated[str, Field(max_length=100, pattern=WITHOUT_NUL)] | None = None


class Step(_Body):
    """The next step of the run: pre_processing, processing or post_processing."""

    status: Status
    message: Text = ""


class End(_Body):
    """How the run ended: processed, with what it made, internal_error or external_error."""

    status: Status
    subtype: Text | None = None
    message: Text | None = None
    exit_code: Annotated[int, Field(ge=-255, le=255)] | None = None
    manifest: Manifest | None = None


_FIELDS = tuple(End.model_fields)


@router.post("/claims", summary="Claim a run")
def claim(desk: AtDesk, run: OwnRun, place: Place) -> Claim:
    """Claim the run for an allocation; the same allocation again gets the same number."""
    return desk.reports.claim(run, Placement(**place.model_dump()))


@router.post("/claims/{number}/status", status_code=204, summary="Report a step")
def report(desk: AtDesk, run: OwnRun, number: Number, step: Step) -> None:
    """Say that the run went on to its next step; saying it twice changes nothing."""
    desk.reports.report(run, number, step.status, step.message)


@router.post("/claims/{number}/end", status_code=204, summary="Report the end")
def end(desk: AtDesk, run: OwnRun, number: Number, ended: End) -> None:
    """Say how the run ended; saying it twice changes nothing. Processed needs a manifest."""
    if (ended.status is Status.PROCESSED) is not (ended.manifest is not None):
        raise Malformed(f"run {run}: processed comes with a manifest, and nothing else does")
    desk.reports.end(run, number, RunResult(**{name: getattr(ended, name) for name in _FIELDS}))
