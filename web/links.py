"""Where people find what a job left: in Nomad's pages, and in the results bucket."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter

from models.errors import PortError
from models.log_reading import LiveLogs
from models.manifest import folder_of
from models.ports import JobStory
from models.records import Run
from web.access import AtDesk, Viewer
from web.jobs import Reference
from web.places import Places
from web.problems import RESPONSES

router = APIRouter(prefix="/jobs/{reference}/links", tags=["jobs"], responses=dict(RESPONSES))


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocationLink:
    """The last allocation of a job; `url` None: `because` says why there is no page of it."""

    allocation_id: str
    attempt: int
    url: str | None
    because: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderLink:
    """The folder of a job in the results bucket: its page, its path, and a line that downloads it
    into an empty folder of that name, contents not nested.
    """

    url: str | None
    s3: str
    rclone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Where to look. `allocation` None: nothing has run yet. `folder` None: no bucket is set."""

    allocation: AllocationLink | None
    folder: FolderLink | None


@router.get("", summary="Show where to look")
def job_links(desk: AtDesk, _: Viewer, reference: Reference) -> Links:
    """The last allocation in Nomad's pages, or that Nomad has forgotten it, and the folder of the
    job in the results bucket, where logs and working directory stay.
    """
    story = desk.reader.story(reference)
    return Links(
        allocation=_allocation(story, desk.places, desk.live),
        folder=_folder(story, desk.places),
    )


def _allocation(story: JobStory, places: Places, live: LiveLogs | None) -> AllocationLink | None:
    ran = [run for run in story.runs if run.allocation_id is not None]
    if not ran:
        return None
    newest = ran[-1]
    because = _why_no_page(newest, places, live)
    url = f"{places.nomad_ui}/ui/allocations/{quote(newest.allocation_id or '', safe='')}"
    return AllocationLink(
        allocation_id=newest.allocation_id or "",
        attempt=newest.attempt,
        url=url if because is None else None,
        because=because,
    )


def _why_no_page(run: Run, places: Places, live: LiveLogs | None) -> str | None:
    if places.nomad_ui is None or live is None:
        return "no Nomad is set whose pages could be linked"
    try:
        known = live.knows(run.allocation_id or "")
    except PortError as error:
        return f"Nomad does not say whether it still knows it: {error}"
    return None if known else "forgotten by Nomad; its logs are in the results bucket"


def _folder(story: JobStory, places: Places) -> FolderLink | None:
    if places.bucket is None:
        return None
    prefix, unique_id = folder_of(story.job.unique_id), story.job.unique_id
    page = places.bucket_ui
    return FolderLink(
        url=page.format(bucket=quote(places.bucket), folder=quote(prefix)) if page else None,
        s3=f"s3://{places.bucket}/{prefix}",
        rclone=f"rclone copy {places.rclone_remote}:{places.bucket}/{prefix} {unique_id}/",
    )
