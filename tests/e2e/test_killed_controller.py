"""`kill -9` of a controller at a bad moment: its successor loses nothing and leaves nothing."""

import signal
from pathlib import Path

import pytest

from models.lifecycle import Status
from models.ports import JobFilter, ViewLimits
from models.records import RunEnd
from simulator.cloud.servers import CloudServer
from tests.plugins.commands import SAID, Start
from tests.plugins.farm import JOBS, Farm
from tests.plugins.gates import until


@pytest.mark.parametrize(
    "event",
    [
        pytest.param("on_active", id="in-mid-scale-up"),
        pytest.param("on_gone", id="in-mid-shrink"),
    ],
)
def test_a_successor_finishes_what_a_killed_controller_began(
    farm: Farm, start_hrsi: Start, folder: Path, event: str
) -> None:
    first, cloud = start_hrsi("controller", **farm.settings), farm.outside.outside.cloud

    def kill(_: CloudServer) -> None:
        # Half of what is needed: by then the lease of the first pass, which knows no parameters yet
        # and is long, has been renewed.
        if cloud.created >= JOBS // 2:
            first.kill()

    # By what happens, at once: who looks now and then may miss the moment.
    getattr(cloud, event).append(kill)
    first.wait(timeout=120)

    second = start_hrsi("controller", **farm.settings)
    until(farm.is_quiet, "the successor has done all work and taken all workers down")
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
