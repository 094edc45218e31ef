"""A look at what would be done, and one pass of doing it, against the simulated cloud and Nomad."""

import json
from typing import Any

import pytest

from models.ports import ViewLimits
from simulator.faults import Fault
from tests.plugins.commands import Run
from tests.plugins.farm import JOBS, Farm
from tests.plugins.readiness import make_ready


@pytest.fixture
def hrsi(hrsi: Run, farm: Farm) -> Run:
    """The command, set up for the farm."""

    def run(*arguments: str, **given: str) -> Any:
        return hrsi(*arguments, **{**farm.settings, **given})

    return run


def test_a_plan_says_what_would_be_done_and_does_none_of_it(hrsi: Run, farm: Farm) -> None:
    reader, store, cloud = farm.database.reader, farm.database.store, farm.outside.outside.cloud
    limits = ViewLimits(ready_per_flavor=JOBS, ended_since=cloud.timeline.now())

    def traces() -> tuple[object, ...]:
        view = store.view(limits)
        return reader.totals(), reader.leases(), reader.ledger(()), view.workers, view.intents

    assert "configure jobs of type fsc_rlie" in hrsi("plan").stdout
    make_ready(store, cloud.timeline.now())
    before = traces()
    told = hrsi("plan")
    assert told.returncode == 0, told.stderr
    assert "  + register hrsi-e2e-si-processing-hm.medium: " in told.stdout
    assert "  + create server os-worker-001 (" in told.stdout
    last = told.stdout.splitlines()[-1]
    assert last.startswith("Plan: 2 to create, 0 to delete, 0 to dispatch")
    asked = hrsi("plan", "--only", "worker-pool", "--json")
    plan = json.loads(asked.stdout)
    assert {row["loop"] for row in plan["decisions"]} == {"worker-pool"}
    assert plan["summary"]["create"] == 2
    assert traces() == before
    assert (cloud.created, farm.outside.outside.nomad.state.jobs.by_id()) == (0, [])


def test_one_pass_of_each_loop_does_what_the_plan_said(hrsi: Run, farm: Farm) -> None:
    ended = hrsi("controller", "--once")
    assert ended.returncode == 0, ended.stderr
    assert farm.created == 2
    assert [worker.name for worker in farm.workers()] == ["os-worker-001", "os-worker-002"]
    told = hrsi("why", "worker", "os-worker-001")
    assert "JOBS_WAITING" in told.stdout


def test_a_silent_nomad_is_said_and_the_rest_is_planned(hrsi: Run, farm: Farm) -> None:
    farm.outside.faults.order("nomad.snapshot", Fault.REFUSED, times=50)
    told = hrsi("plan")
    assert told.returncode == 0, told.stderr
    assert "(SOURCE_UNKNOWN)" in told.stdout
    assert "Plan: 0 to create" in told.stdout


def test_somebody_elses_project_stops_the_start(hrsi: Run, farm: Farm) -> None:
    ended = hrsi("controller", "--once", HRSI_OPENSTACK_PROJECT="theirs")
    assert ended.returncode == 2
    assert "theirs" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert farm.created == 0


def test_systems_that_nobody_listens_for_are_told_in_a_sentence_each(hrsi: Run) -> None:
    nobody = "http://127.0.0.1:1"
    told = hrsi("plan", NOMAD_ADDR=nobody, OS_AUTH_URL=f"{nobody}/v3")
    assert told.returncode == 0, told.stderr
    assert f"Nomad at {nobody} refuses connections; check NOMAD_ADDR" in told.stdout
    assert f"Keystone at {nobody} refuses connections; check OS_AUTH_URL" in told.stdout
    assert "HTTPConnectionPool" not in told.stdout
    assert told.stderr == ""


def test_one_pass_with_an_unknown_source_says_so_and_fails(hrsi: Run, farm: Farm) -> None:
    farm.outside.faults.order("nomad.snapshot", Fault.REFUSED, times=50)
    ended = hrsi("controller", "--once")
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if line.startswith("hrsi controller: ")]
    assert len(said) == 1
    assert said[0].startswith("hrsi controller: Nomad is unknown: ")
