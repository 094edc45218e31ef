"""`kill -9` of a controller at a bad moment: its successor loses nothing and leaves nothing."""

import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from controller.demo.stage import STANDIN_ENVIRONMENT
from controller.submission import parse_submission
from infra.postgres import Postgres, connect
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.ports import Asked, JobFilter, ViewLimits
from models.records import RunEnd, Worker
from simulator.acquisitions import acquisitions
from simulator.cloud.options import CloudOptions
from simulator.served import Served, serve
from simulator.systems import Scenario
from tests.plugins.commands import ROOT, SAID, Start

JOBS = 8
TEST = Asked(actor="test", reason="test")
QUICK = {
    "passes.resync": 0.5,
    "passes.call_deadline": 2,
    "passes.lease": 5,
    "execution.resend_after": 2,
    "pool.idle_for": 1,
    "pool.create_burst": 2,
    "pool.create_period": 1,
    "pool.redelete_after": 3,
    # What the killed one committed and never sent is given up after this rather than 10 minutes.
    "pool.refute_after": 3,
}
SETTINGS = """\
deployment = "e2e"

[openstack]
project = "hrsi"
networks = ["farm-net"]

[runs]
token_key = "{key}"
command = "{python}"
args = ["-m", "worker.standin"]
environment = {{ {environment}, HRSI_STANDIN_SECONDS = "1", PYTHONPATH = "{root}" }}

[controller]
health = "127.0.0.1:0"
"""


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A database with jobs, and a simulated cloud and Nomad: what a controller is started on."""

    database: Postgres
    outside: Served
    settings: dict[str, str]

    @property
    def created(self) -> int:
        """Servers that the cloud has ever created."""
        return self.outside.outside.cloud.created

    def workers(self) -> tuple[Worker, ...]:
        """Workers whose rows are open."""
        return self.database.reader.workers()

    def is_quiet(self) -> bool:
        """Every job is processed and no worker is left."""
        totals = self.database.reader.totals()
        return totals.get("jobs.processed", 0) == JOBS and not self.workers()


@pytest.fixture
def farm(own_database_url: str, folder: Path) -> Iterator[Farm]:
    environment = ", ".join(f'{name} = "{value}"' for name, value in STANDIN_ENVIRONMENT)
    (folder / "hrsi.toml").write_text(
        SETTINGS.format(
            key=secrets.token_hex(32), python=sys.executable, environment=environment, root=ROOT
        )
    )
    cloud = CloudOptions(
        boot_time=timedelta(seconds=1),
        boot_spread=0.5,
        delete_time=timedelta(seconds=0.5),
        deleted_shown=timedelta(seconds=0.2),
    )
    scenario = Scenario(cloud=cloud, join_delay=timedelta(seconds=0.5))
    given = {"DATABASE_URL": own_database_url}
    database = connect(own_database_url, application_name="hrsi-test")
    try:
        for key, value in QUICK.items():
            database.operations.set_parameter(key, value, TEST)
        jobs = parse_submission(acquisitions(JOBS), DEFAULT_REGISTRY).jobs
        database.operations.submit(jobs, TEST)
        with serve(scenario, given, folder / "nomad") as outside:
            settings = {**given, **outside.environment()}
            yield Farm(database=database, outside=outside, settings=settings)
    finally:
        database.dispose()


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
    first.wait(timeout=10)

    second = start_hrsi("controller", **farm.settings)
    wait_until(farm.is_quiet, timedelta(seconds=60), every=0.25)
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=30) == 0, (folder / SAID).read_text()

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
