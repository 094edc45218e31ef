"""The composed program: real PostgreSQL and client libraries, simulated systems over HTTP."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from controller import bootstrap
from controller.bootstrap import Ports
from controller.config import load
from models.errors import ConfigurationError
from models.ports import Operations
from models.records import WorkerState
from simulator.examples import some_new_jobs
from simulator.faults import Fault
from tests.plugins.place import SOMEBODY, Place

PATIENCE = 120.0


def hurried(operations: Operations) -> None:
    for key, value in {"passes.resync": 0.5, "passes.merge": 0.05}.items():
        operations.set_parameter(key, value, SOMEBODY)


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


def test_a_job_is_dispatched_to_a_worker_made_for_it(place: Place) -> None:
    ports = bootstrap.connect(place.config, place.environment)
    hurried(ports.people.operations)
    (job_id,) = ports.people.operations.submit(some_new_jobs(1), SOMEBODY).added
    process = bootstrap.controller(place.config, ports)
    process.start()
    try:
        eventually(lambda: any(w.state is WorkerState.READY for w in ports.people.reader.workers()))
        eventually(lambda: any(r.nomad_job_id for r in ports.people.reader.story(str(job_id)).runs))
        held = {lease.name for lease in ports.people.reader.leases()}
        assert held == {"configuration", "execution", "monitor", "worker-pool"}
        assert not process.faults()
    finally:
        assert process.stop()

    with bootstrap.people(place.config) as desk:
        assert not desk.reader.leases()
        reasons = {row.reason for row in desk.reader.ledger([])}
        assert {"JOBS_WAITING", "NODE_NEW", "DISPATCH_SEEN"} <= reasons


def test_another_project_than_the_settings_name_stops_the_start(place: Place) -> None:
    cloud = replace(place.config.openstack, project="somebody-elses")
    config = replace(place.config, openstack=cloud)
    ports = bootstrap.connect(config, place.environment)
    try:
        with pytest.raises(ConfigurationError, match=r"somebody-elses.*nothing was touched"):
            bootstrap.controller(config, ports)
    finally:
        ports.close()
    assert not place.served.outside.cloud.servers()


def test_a_cloud_that_is_away_does_not_stop_the_rest(place: Place) -> None:
    environment = {**place.environment, "OS_AUTH_URL": "http://127.0.0.1:9/v3"}
    ports = bootstrap.connect(place.config, environment)
    ports.people.operations.submit(some_new_jobs(1), SOMEBODY)

    assert bootstrap.controller(place.config, ports).once()

    with bootstrap.people(place.config) as desk:
        rows = desk.reader.ledger([])
        assert {row.loop for row in rows if row.reason == "SOURCE_UNKNOWN"} == {"worker-pool"}
        assert {row.loop for row in rows if row.action == "RegisterParent"} == {"execution"}


def test_a_loop_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no loop named polo; there are: creation, "):
        bootstrap.reconcilers(["polo"])


def test_only_the_loops_that_were_asked_for_run(place: Place) -> None:
    ports: Ports = bootstrap.connect(place.config, place.environment)
    process = bootstrap.controller(place.config, ports, ["monitor"])

    assert [loop.name for loop in process.loops] == ["monitor"]
    assert process.once()


def test_what_goes_over_the_wire_is_counted(place: Place) -> None:
    ports = bootstrap.connect(place.config, place.environment)
    place.served.faults.order("nomad.dispatch", Fault.REFUSED)

    assert bootstrap.controller(place.config, ports).once()

    counted = {
        sample.labels["system"]
        for family in ports.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "hrsi_http_requests_total" and sample.value
    }
    assert counted == {"nomad", "openstack"}


def test_settings_that_contradict_each_other_are_named(place: Place, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("")
    config = load(None, {**place.environment, "NOMAD_CLIENT_CERT": str(certificate)})

    with pytest.raises(ConfigurationError, match="set both or none"):
        bootstrap.connect(config, place.environment)


def test_the_first_lease_is_as_long_as_the_parameters_say(place: Place) -> None:
    ports = bootstrap.connect(place.config, place.environment)
    try:
        for key, value in {"passes.call_deadline": 5, "passes.lease": 17}.items():
            ports.people.operations.set_parameter(key, value, SOMEBODY)
        process = bootstrap.controller(place.config, ports)
        before = ports.clock.now()
        # The lease outlives `once` as little as anything else, so it is looked at meanwhile.
        process.start()
        eventually(lambda: len(ports.people.reader.leases()) >= len(process.loops))
        longest = max(lease.expires_at for lease in ports.people.reader.leases())
        assert longest - before < timedelta(seconds=60)
        assert process.stop()
    finally:
        ports.close()


def test_a_lease_that_a_call_could_outlive_stops_the_start(
    place: Place, own_database_url: str
) -> None:
    with psycopg.connect(own_database_url, autocommit=True) as past_every_check:
        past_every_check.execute(
            "insert into parameters (key, value) values ('passes.lease', '40')"
        )
    ports = bootstrap.connect(place.config, place.environment)
    try:
        with pytest.raises(
            ConfigurationError,
            match=r"passes.lease: 40 s is shorter than resync \+ 2 x call_deadline \(65 s\).*"
            r"does not start; set it right with `hrsi param set`",
        ):
            bootstrap.controller(place.config, ports)
        assert ports.people.reader.leases() == ()
        ports.people.operations.set_parameter("passes.lease", 65, SOMEBODY)
        assert bootstrap.controller(place.config, ports).once()
    finally:
        ports.close()
