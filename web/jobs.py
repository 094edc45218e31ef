"""Jobs: lists, everything known about one, and what people do with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from models.causes import about_job, parent_of
from models.configuration import Wait
from models.errors import Malformed
from models.job_types import Registry
from models.lifecycle import Status
from models.listing import JobFilter, JobKey, JobSort, key_of, key_of_text, text_of_key
from models.manifest import Manifest
from models.ports import JobStory, Submitted, Verdict
from models.publication import Publication
from models.records import Job, LedgerRow, NewJob, Priority, Run, StatusChange
from models.submission import Line, job_of
from web.access import AtDesk, Operator, Viewer
from web.bodies import JobsWish, JobWish, Name, SubmitWish
from web.desk import Desk
from web.problems import RESPONSES

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=dict(RESPONSES))

MOST_DECISIONS = 100
TYPE_NAME = r"^[A-Za-z0-9_.-]*$"

Reference = Annotated[
    str,
    Path(
        min_length=1,
        max_length=36,
        description="Its id or its unique id. Its type and key: `/jobs/by-key`.",
        examples=["17"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]


class JobQuery(BaseModel):
    """Which jobs; what is left out does not filter."""

    model_config = ConfigDict(extra="forbid")
    type: Annotated[list[Name], Field(max_length=20)] = []
    status: Annotated[list[Status], Field(max_length=20)] = []
    flavor: Annotated[list[Name], Field(max_length=20)] = []
    priority: Annotated[list[Priority], Field(max_length=3)] = []
    tile: Name | None = None
    quarantined: bool | None = None
    sort: Annotated[
        JobSort,
        Field(
            description="By id, which is the order in which they came, or by the time of the last "
            "change; with a minus from the end."
        ),
    ] = JobSort.OLDEST
    after: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]{1,18}(\.[0-9]{1,17})?$",
            description="`next` of the page before, of the same list.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    def wanted(self) -> JobFilter:
        """What the store is asked for. Raises `Malformed` for the key of another list."""
        return JobFilter(
            types=tuple(self.type),
            statuses=tuple(self.status),
            flavors=tuple(self.flavor),
            priorities=tuple(self.priority),
            tile=self.tile,
            quarantined=self.quarantined,
            sort=self.sort,
            after=None if self.after is None else _key(self.after, self.sort),
            limit=self.limit,
        )


def _key(text: str, sort: JobSort) -> JobKey:
    try:
        return key_of_text(text, sort)
    except ValueError as error:
        raise Malformed(f"query.after: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """A page of a list; `next` is what to give as `after` for the page behind, None at the end."""

    jobs: tuple[Job, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeJob:
    """Everything known about one job: `config` is what configuration found out, `wait` what a
    configured one waits for, `manifests` say what each processed run has made, `publications` how
    each product is announced; decisions are newest first.
    """

    job: Job
    input: Mapping[str, Any]
    config: Mapping[str, Any] | None
    wait: Wait | None
    history: tuple[StatusChange, ...]
    runs: tuple[Run, ...]
    manifests: tuple[Manifest, ...]
    publications: tuple[Publication, ...]
    decisions: tuple[LedgerRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedJob:
    """A job that was not taken: its place in the request, from 1, and why."""

    number: int
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Handed:
    """What became of jobs that were handed in: ids of the new ones, of those that were there
    already, and what was refused.
    """

    added: tuple[int, ...]
    existing: tuple[int, ...]
    refused: tuple[RefusedJob, ...]


@router.get("", summary="List jobs")
def list_jobs(desk: AtDesk, _: Viewer, query: Annotated[JobQuery, Query()]) -> JobPage:
    """Jobs, page by page: give `next` of one page as `after` of the one behind.

    Jobs that come, go or change in between neither shift nor double a page. A page costs the same
    however many jobs there are, whatever is asked for.
    """
    found = desk.reader.jobs(query.wanted())
    more = len(found) == query.limit
    return JobPage(jobs=found, next=text_of_key(key_of(found[-1], query.sort)) if more else None)


@router.post("", summary="Hand in jobs")
def submit(desk: AtDesk, operator: Operator, wish: SubmitWish) -> Handed:
    """Add jobs. What cannot be a job is refused by its number; the others are added all at once.

    Handing in the same again adds nothing: it is told as existing.
    """
    jobs, refused = _sorted_out(wish.jobs, desk.registry)
    submitted = Submitted(added=(), existing=())
    if jobs:
        asked = operator.asks(wish.reason, dry_run=wish.dry_run)
        submitted = desk.operations.submit(jobs, asked)
    return Handed(added=submitted.added, existing=submitted.existing, refused=tuple(refused))


def _sorted_out(
    wishes: Iterable[JobWish], registry: Registry
) -> tuple[list[NewJob], list[RefusedJob]]:
    jobs: list[NewJob] = []
    refused: list[RefusedJob] = []
    for number, wish in enumerate(wishes, start=1):
        try:
            jobs.append(job_of(Line(**wish.model_dump()), registry))
        except ValueError as error:
            refused.append(RefusedJob(number=number, error=str(error)))
    return jobs, refused


@router.post("/cancel", summary="Cancel jobs")
def cancel(desk: AtDesk, operator: Operator, wish: JobsWish) -> tuple[Verdict, ...]:
    """Cancel jobs; what becomes of each is said one by one. A run on a worker is stopped."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.cancel(wish.jobs, asked)


@router.post("/relaunch", summary="Relaunch jobs")
def relaunch(desk: AtDesk, operator: Operator, wish: JobsWish) -> tuple[Verdict, ...]:
    """Send jobs in error, done or cancelled back to work, with a new attempt budget."""
    asked = operator.asks(wish.reason, dry_run=wish.dry_run)
    return desk.operations.relaunch(wish.jobs, asked)


@router.get("/by-key", summary="Show a job by type and key")
def show_job_by_key(
    desk: AtDesk,
    _: Viewer,
    kind: Annotated[
        str,
        Query(alias="type", min_length=1, max_length=100, pattern=TYPE_NAME, examples=["gfsc"]),
    ],
    key: Annotated[Name, Query(examples=["28WEU-2022-09-06"])],
) -> WholeJob:
    """Everything known about the job that has this key within its type."""
    return _whole(desk, desk.reader.story(f"{kind}/{key}"))


@router.get("/{reference}", summary="Show a job")
def show_job(desk: AtDesk, _: Viewer, reference: Reference) -> WholeJob:
    """Everything known about one job: row, input, history, runs and decisions."""
    return _whole(desk, desk.reader.story(reference))


@router.get("/{reference}/history", summary="List status changes of a job")
def job_history(desk: AtDesk, _: Viewer, reference: Reference) -> tuple[StatusChange, ...]:
    """Its status changes in their order."""
    return desk.reader.story(reference).history


@router.get("/{reference}/runs", summary="List runs of a job")
def job_runs(desk: AtDesk, _: Viewer, reference: Reference) -> tuple[Run, ...]:
    """Its runs by attempt; the worker and the allocation of each are kept when both are gone."""
    return desk.reader.story(reference).runs


@router.get("/{reference}/decisions", summary="List decisions about a job")
def job_decisions(
    desk: AtDesk, _: Viewer, reference: Reference, limit: Limit = MOST_DECISIONS
) -> tuple[LedgerRow, ...]:
    """Why it stands where it stands: decisions about it, its runs and, in its time, the groups
    that it is in, newest first.
    """
    return _decisions(desk, desk.reader.story(reference), limit)


def _whole(desk: Desk, story: JobStory) -> WholeJob:
    return WholeJob(
        job=story.job,
        input=story.input,
        config=story.config,
        wait=story.wait,
        history=story.history,
        runs=story.runs,
        manifests=story.manifests,
        publications=tuple(each.publication for each in desk.outbox.outgoing(story.job.id)),
        decisions=_decisions(desk, story, MOST_DECISIONS),
    )


def _decisions(desk: Desk, story: JobStory, limit: int) -> tuple[LedgerRow, ...]:
    parent = parent_of(story.job, desk.registry, desk.deployment)
    return about_job(desk.reader, story, parent, limit)
