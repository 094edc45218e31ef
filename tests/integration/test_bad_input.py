"""What people and places get wrong: one clear message that names what, where and the remedy.

Whatever does not hang on it goes on. Unknown keys and impossible values of the settings are in
`unit/controller/test_config.py`, bad lines of jobs in `unit/controller/test_submission.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller import bootstrap
from infra.postgres import connect
from models.errors import ConfigurationError
from models.fleet import DEPLOYMENT_METADATA
from models.ports import Reader
from models.records import LedgerRow
from simulator.cloud.memory import MemoryCloud
from simulator.cloud.options import CloudOptions
from simulator.examples import some_new_jobs
from simulator.faults import Faults
from tests.plugins.cloud import an_order
from tests.plugins.nomad import ADMITTING, over_http
from tests.plugins.place import QUICK, SOMEBODY, Place, a_place

pytestmark = pytest.mark.integration


@contextmanager
def after_one_pass(place: Place, *, jobs: tuple[str, ...] = ()) -> Iterator[Reader]:
    """What the store holds after one pass of each loop, none of which failed."""
    ports = bootstrap.connect(place.config, place.environment)
    for job_type in jobs:
        ports.people.operations.submit(some_new_jobs(1, type=job_type), SOMEBODY)
    assert bootstrap.controller(place.config, ports).once()
    with bootstrap.people(place.config) as desk:
        yield desk.reader


def told(reader: Reader, reason: str) -> LedgerRow:
    """The one decision with this reason."""
    (row,) = (row for row in reader.ledger([], limit=500) if row.reason == reason)
    return row


def actions(reader: Reader) -> set[str]:
    return {row.action for row in reader.ledger([], limit=500)}


def test_a_flavor_that_the_cloud_lacks_holds_its_own_jobs_alone(
    own_database_url: str, tmp_path: Path
) -> None:
    offered = tuple(f for f in CloudOptions().flavors if f.name != "hm.large")
    scenario = replace(QUICK, cloud=replace(QUICK.cloud, flavors=offered))
    with (
        a_place(scenario, own_database_url, tmp_path) as place,
        after_one_pass(place, jobs=("rlies1", "fsc_rlie")) as reader,
    ):
        refusal = told(reader, "FLAVOR_UNKNOWN")
        assert refusal.subject == "flavor:hm.large"
        assert refusal.because == (
            "1 hm.large job waits for a worker, none created: FLAVOR_UNKNOWN, OpenStack offers no "
            "flavor hm.large: have it made, or shared with our project"
        )
        assert [worker.flavor for worker in reader.workers()] == ["hm.medium"]


def test_an_image_that_the_cloud_lacks_is_named_with_its_setting(place: Place) -> None:
    imageless = place.changed(HRSI_OPENSTACK_IMAGE="os-worker-tempalte")
    with after_one_pass(imageless, jobs=("fsc_rlie",)) as reader:
        assert told(reader, "IMAGE_MISSING").because.endswith(
            "OpenStack has no active image os-worker-tempalte: make it, or correct openstack.image"
        )
        assert "RegisterParent" in actions(reader)


def test_wrong_credentials_of_the_cloud_are_told_and_nomad_is_served(place: Place) -> None:
    locked_out = place.changed(OS_PASSWORD="hunter2")
    with capture_logs() as lines, after_one_pass(locked_out, jobs=("fsc_rlie",)) as reader:
        refusal = told(reader, "SOURCE_UNKNOWN")
        at_start = next(line for line in lines if line.get("action") == "guard")
        for message in (refusal.because, str(at_start["error"])):
            assert f"user '{place.environment['OS_USERNAME']}'" in message
            assert place.environment["OS_AUTH_URL"] in message
            assert "check OS_USERNAME and OS_PASSWORD" in message
            assert "hunter2" not in message
        assert "RegisterParent" in actions(reader)
        assert not reader.workers()


def test_another_project_than_ours_stops_the_start_before_anything_is_touched(
    place: Place,
) -> None:
    elsewhere = place.changed(HRSI_OPENSTACK_PROJECT="theirs")
    ports = bootstrap.connect(elsewhere.config, elsewhere.environment)
    try:
        with pytest.raises(
            ConfigurationError,
            match=r"'theirs'.*opens project 'hrsi'.*nothing was touched: correct the setting",
        ):
            bootstrap.controller(elsewhere.config, ports)
        assert not ports.people.reader.leases()
    finally:
        ports.close()
    assert not place.served.outside.nomad.state.jobs.by_id()


def test_a_token_that_nomad_refuses_is_told_with_what_it_needs(place: Place) -> None:
    with over_http(ADMITTING, token="the right one") as nomad:
        refused = place.changed(NOMAD_ADDR=nomad.url, NOMAD_TOKEN="hunter2")
        with after_one_pass(refused, jobs=("fsc_rlie",)) as reader:
            rows = [r for r in reader.ledger([], limit=500) if r.reason == "SOURCE_UNKNOWN"]
            assert {row.loop for row in rows} == {"execution", "worker-pool"}
            for row in rows:
                assert "check NOMAD_TOKEN; its policy needs list-jobs" in row.because
                assert "hunter2" not in row.because


def test_a_server_with_our_prefix_that_is_not_ours_is_told_and_left_alone(place: Place) -> None:
    cloud = place.served.outside.cloud
    theirs = MemoryCloud(cloud, Faults()).create(
        replace(an_order("os-worker-001"), metadata={DEPLOYMENT_METADATA: "theirs"})
    )
    with after_one_pass(place, jobs=("fsc_rlie",)) as reader:
        report = told(reader, "NOT_OURS")
        assert report.subject == f"server:{theirs}"
        assert report.because == (
            f"server os-worker-001 ({theirs}) has our name prefix but is that of deployment "
            "theirs; left alone, and its name is not used: if that is no accident, give ours "
            "another openstack.worker_prefix"
        )
        assert [worker.name for worker in reader.workers()] == ["os-worker-002"]
    assert cloud.server(theirs).status in {"BUILD", "ACTIVE"}


def of_revision(revision: str) -> Callable[[str], None]:
    """A database that was migrated so far."""

    def migrate(url: str) -> None:
        database = connect(url)
        database.migrate(revision)
        database.dispose()

    return migrate


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda _: None, id="never-migrated"),
        pytest.param(of_revision("0002"), id="without-leases"),
        pytest.param(of_revision("0003"), id="without-a-column"),
    ],
)
def test_an_old_schema_stops_the_start_with_the_command_that_mends_it(
    place: Place, empty_database_url: str, prepare: Callable[[str], None]
) -> None:
    prepare(empty_database_url)
    old = place.changed(DATABASE_URL=empty_database_url)
    ports = bootstrap.connect(old.config, old.environment)

    try:
        with pytest.raises(ConfigurationError, match=r"does not exist; run `hrsi migrate`$"):
            bootstrap.controller(old.config, ports)
    finally:
        ports.close()


@pytest.mark.parametrize(
    ("url", "where"),
    [
        pytest.param("postgresql://hrsi:hunter2@127.0.0.1:1/hrsi", "127.0.0.1", id="nobody-there"),
        pytest.param("postgresql://hrsi:hunter2@nowhere.invalid/hrsi", "nowhere.invalid",
                     id="no-such-host"),
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_reached_is_told_with_its_setting(
    place: Place, url: str, where: str
) -> None:
    away = place.changed(DATABASE_URL=url)
    ports = bootstrap.connect(away.config, away.environment)

    with capture_logs() as lines:
        assert not bootstrap.controller(away.config, ports).once()

    failures = [str(line["error"]) for line in lines if line["event"] == "pass failed"]
    assert len(failures) == 4
    for failure in failures:
        assert where in failure
        assert "start PostgreSQL there, or correct DATABASE_URL" in failure
        assert "hunter2" not in failure
    assert not any(line.get("exc_info") for line in lines)
