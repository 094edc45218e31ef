"""A database with jobs beside a simulated cloud and Nomad over HTTP: what `hrsi` is started on."""

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from controller.demo.delivery import DemoBuckets, buckets
from controller.demo.stage import STANDIN_ENVIRONMENT, science
from infra.postgres import Postgres, connect
from models.job_types import DEFAULT_REGISTRY
from models.ports import Asked
from models.records import Worker
from models.submission import parse_submission
from simulator.acquisitions import acquisitions
from simulator.cloud.options import CloudOptions
from simulator.served import Served, serve
from simulator.systems import Scenario
from tests.plugins.commands import ROOT
from tests.plugins.web import serving

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
args = ["-m", "worker.cli", "run"]
environment = {{ {environment}, PYTHONPATH = "{root}" }}

[controller]
health = "127.0.0.1:0"
"""


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A database with jobs, and a simulated cloud and Nomad: what a controller is started on."""

    database: Postgres
    outside: Served
    delivery: DemoBuckets
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
    token_key = secrets.token_hex(32)
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
        with (
            serving(database, token_key.encode()) as api,
            buckets() as delivery,
            serve(scenario, {}, folder / "nomad") as outside,
        ):
            delivery.provide(jobs)
            told = (*STANDIN_ENVIRONMENT, *science(1.0), *delivery.environment())
            environment = ", ".join(f'{name} = "{value}"' for name, value in told)
            (folder / "hrsi.toml").write_text(
                SETTINGS.format(
                    key=token_key, python=sys.executable, environment=environment, root=ROOT
                )
            )
            settings = {**given, **outside.environment(), "HRSI_URL": api.url}
            yield Farm(database=database, outside=outside, delivery=delivery, settings=settings)
    finally:
        database.dispose()
