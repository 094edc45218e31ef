"""Jobs of one tile in a store, for tests of series and of what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from models.configuration import Aside, Configured, ConfigureJobs, Unready
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.records import NewJob
from simulator.examples import NOW
from simulator.examples.products import a_manifest
from tests.plugins.readiness import a_config, configured
from tests.plugins.stores import ASKED, Desk

TYPES = DEFAULT_REGISTRY.types
DAY = timedelta(days=1)


def handed_in(desk: Desk, *days: float, job_type: str = "fsc_rlie", **given: Any) -> list[int]:
    """Jobs of one tile, measured on these days."""
    jobs = [
        NewJob(
            type=job_type,
            key=f"image-{next(desk.numbers)}",
            name="32TLR",
            tile="32TLR",
            sensing_at=NOW + day * DAY,
            input={"path": f"/eodata/{day}", **given},
        )
        for day in days
    ]
    return list(desk.doors.operations.submit(jobs, ASKED).added)


def seen(desk: Desk) -> dict[int, Unready]:
    """What configuration is to look at."""
    return {each.job.id: each for each in desk.doors.jobs.backlog(TYPES).jobs}


def become(desk: Desk, *jobs: Configured, unfit: Sequence[Aside] = ()) -> int:
    """Commit what becomes of jobs; how many were not left."""
    change = ConfigureJobs(at=desk.now(), jobs=jobs, unfit=tuple(unfit))
    return desk.do(change).created


def ready(desk: Desk, job_id: int, **config: Any) -> None:
    """Make it ready, whatever is before it."""
    job = desk.job(job_id)
    assert become(desk, configured(job, config=a_config(job.type, **config), overtakes=True)) == 1


def processed(desk: Desk, job_id: int, exit_code: int = 0) -> None:
    """Let a run of it come to its end; it made no product."""
    run = desk.claimed(job_id)
    desk.advanced(run, Status.POST_PROCESSING)
    made = a_manifest(desk.job(job_id).unique_id, desk.run(run), products=())
    desk.end(run, Status.PROCESSED, exit_code=exit_code, manifest=made)
