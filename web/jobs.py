"""Jobs: lists, everything known about one, and what people do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from models.lifecycle import Status
from models.plan import Subject, SubjectKind
from models.ports import JobFilter, Verdict
from models.records import Job, LedgerRow, Run, StatusChange
from web.access import AtDesk, Operator, Viewer
from web.bodies import JobsWish, Name
from web.problems import RESPONSES

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=dict(RESPONSES))

MOST_DECISIONS = 100


class JobQuery(BaseModel):
    """Which jobs; what is left out does not filter."""

    model_config = ConfigDict(extra="forbid")
    type: Annotated[list[Name], Field(max_length=20)] = []
    status: Annotated[list[Status], Field(max_length=20)] = []
    tile: Name | None = None
    quarantined: bool | None = None
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Jobs by id; `next` is what to give as `after` for the page behind, None at the end."""

    jobs: tuple[Job, ...]
    next: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeJob:
    """Everything known about one job, decisions about it newest first."""

    job: Job
    input: Mapping[str, Any]
    history: tuple[StatusChange, ...]
    runs: tuple[Run, ...]
    decisions: tuple[LedgerRow, ...]


@router.get("")
def list_jobs(desk: AtDesk, _: Viewer, query: Annotated[JobQuery, Query()]) -> JobPage:
    """Jobs by id, page by page: give `next` of one page as `after` of the one behind."""
    wanted = JobFilter(
        types=tuple(query.type),
        statuses=tuple(query.status),
        tile=query.tile,
        quarantined=query.quarantined,
        after=query.after,
        limit=query.limit,
    )
    found = desk.reader.jobs(wanted)
    return JobPage(jobs=found, next=found[-1].id if len(found) == query.limit else None)


@router.post("/cancel")
def cancel(desk: AtDesk, operator: Operator, wish: JobsWish) -> tuple[Verdict, ...]:
    """Cancel jobs; what becomes of each is said one by one."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.cancel(wish.jobs, asked)


@router.post("/relaunch")
def relaunch(desk: AtDesk, operator: Operator, wish: JobsWish) -> tuple[Verdict, ...]:
    """Send jobs in error, done or cancelled back to work, with a new attempt budget."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.relaunch(wish.jobs, asked)


@router.get("/{reference:path}")
def show(desk: AtDesk, _: Viewer, reference: str) -> WholeJob:
    """One job by its id, its unique id or `TYPE/KEY`: row, history, runs and decisions."""
    story = desk.reader.story(reference)
    about = Subject(SubjectKind.JOB, str(story.job.id))
    return WholeJob(
        job=story.job,
        input=story.input,
        history=story.history,
        runs=story.runs,
        decisions=desk.reader.ledger([str(about)], MOST_DECISIONS),
    )
