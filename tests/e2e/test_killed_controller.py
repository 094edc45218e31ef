"""`kill -9` of a controller at a bad moment: its successor loses nothing and leaves nothing."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from models.lifecycle import Status
from models.ports import JobFilter, ViewLimits
from models.records import RunEnd
from tests.plugins.commands import SAID, Start
from tests.plugins.farm import JOBS, Farm


def servers_are_being_created(farm: Farm) -> bool:
    """Half of those that are needed; by then the lease of the first pass, which knows no
    parameters yet and is long, has been renewed.
    """
    return JOBS // 2 <= farm.created < JOBS


def some_workers_are_being_deleted(farm: Farm) -> bool:
    """Some are past the mark, some are gone, and some have not begun to go."""
    going = [worker for worker in farm.workers() if worker.retirement is not None]
    return farm.created >= JOBS // 2 and bool(going)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(servers_are_being_created, id="in-mid-scale-up"),
        pytest.param(some_workers_are_being_deleted, id="in-mid-shrink"),
    ],
)
def test_a_successor_finishes_what_a_killed_controller_began(
    farm: Farm, start_hrsi: Start, folder: Path, moment: Callable[[Farm], bool]
) -> None:
    first = start_hrsi("controller", **farm.settings)
    wait_until(lambda: moment(farm), timedelta(seconds=40), every=0.02)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=120)

    second = start_hrsi("controller", **farm.settings)
    wait_until(farm.is_quiet, timedelta(seconds=60), every=0.25)
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=120) == 0, (folder / SAID).read_text()

    every_job_was_processed_once(farm)
    no_server_is_unaccounted_for(farm)


def every_job_was_processed_once(farm: Farm) -> None:
    for job in farm.database.reader.jobs(JobFilter()):
        story = farm.database.reader.story(str(job.id))
        assert [row.after for row in story.history].count(Status.PROCESSED) == 1
        assert [run.end for run in story.runs] == [RunEnd.PROCESSED]


def no_server_is_unaccounted_for(farm: Farm) -> None:
    cloud = farm.outside.outside.cloud
    totals = farm.database.reader.totals()
    assert cloud.servers() == []
    assert totals["servers.created"] == totals["servers.deleted"] == cloud.created
    made = {worker.server_id for worker in farm.database.reader.workers(closed=True)}
    assert len(made - {None}) == cloud.created
    view = farm.database.store.view(
        ViewLimits(ready_per_flavor=1, ended_since=cloud.timeline.now())
    )
    assert [intent for intent in view.intents if intent.kind.value.endswith("server")] == []


def wait_until(condition: Callable[[], bool], limit: timedelta, *, every: float) -> None:
    over = time.monotonic() + limit.total_seconds()
    while not condition():
        assert time.monotonic() < over, f"it did not come about within {limit}"
        time.sleep(every)
