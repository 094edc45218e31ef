"""The image of workers over HTTP: made by a controller, seen by doctor, booted from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.images import ACTIVE, image_name
from models.ports import Asked, ViewLimits
from models.records import IntentKind
from simulator.cloud.options import CloudOptions, SnapshotFailure
from simulator.examples import NOW, some_new_jobs
from tests.plugins.installation import Installation, installed
from tests.plugins.readiness import make_ready

TEMPLATE = "tf-titi"
SOON = timedelta(seconds=0.1)
NEVER = timedelta(days=1)
VIEW = ViewLimits(ready_per_flavor=10, ended_since=NOW)


def farm(database_url: str, folder: Path, setup: timedelta) -> Any:
    """An installation with a template that takes so long to set up."""
    options = CloudOptions(
        template=TEMPLATE, template_setup=setup, boot_time=SOON, image_time=4 * SOON
    )
    return installed(database_url, folder, options)


@pytest.fixture
def place(
    own_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """An installation whose template is set up in a moment."""
    monkeypatch.chdir(tmp_path)
    with farm(own_database_url, tmp_path, SOON) as made:
        wait_until(lambda: "init_instance_finished" in console(made))
        yield made


def console(place: Installation) -> str:
    return place.served.outside.cloud.servers()[-1].console


def wait_until(what: Callable[[], bool]) -> None:
    """Fails when something does not come to be within a long while."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def images(place: Installation) -> list[tuple[str, str]]:
    """Names and statuses of the images that were made of servers."""
    with place.served.outside.cloud.lock:
        found = place.served.outside.cloud.images.values()
        return [(image.name, image.status) for image in found if image.made_of]


def health_of_the_image(place: Installation, **settings: str) -> tuple[str, str]:
    """What doctor says of it."""
    typed = place.type("doctor", "--json", **settings)
    assert typed.out, typed.refused
    told = typed.json["checks"]
    (check,) = [c for c in told if (c["about"], c["name"]) == ("openstack", "image")]
    return check["health"], f"{check['found']} | {check['remedy']}"


def test_a_controller_makes_the_image_and_boots_workers_from_it(place: Installation) -> None:
    place.database.operations.submit(some_new_jobs(1), Asked(actor="test"))
    make_ready(place.database.store, NOW)
    health, told = health_of_the_image(place)
    assert (health, "a running controller makes the image" in told) == ("warning", True), told
    place.one_pass("worker-pool")
    (template,) = place.served.outside.cloud.servers()
    name = image_name(template.id)
    assert [made[0] for made in images(place)] == [name]
    wait_until(lambda: images(place) == [(name, ACTIVE)])
    place.one_pass("worker-pool")
    kinds = {intent.kind for intent in place.database.store.view(VIEW).intents}
    assert IntentKind.MAKE_IMAGE not in kinds
    (image,) = (i for i in place.served.outside.cloud.images.values() if i.made_of)
    (worker,) = (s for s in place.served.outside.cloud.servers() if s.id != template.id)
    assert worker.wanted.image_id == image.id
    health, told = health_of_the_image(place)
    assert (health, name in told) == ("ok", True), told


def test_an_image_that_hangs_is_told_by_doctor_and_in_the_ledger(place: Installation) -> None:
    place.served.outside.cloud.snapshots.fail(SnapshotFailure.STUCK)
    place.one_pass("worker-pool")
    assert [status for _, status in images(place)] == ["queued"]
    assert health_of_the_image(place)[0] == "warning"
    place.type("param", "set", "pool.image_limit=1s", "--reason", "test")
    wait_until(lambda: health_of_the_image(place)[0] == "failed")
    assert "openstack image delete" in health_of_the_image(place)[1]
    place.one_pass("worker-pool")
    newest = place.database.reader.ledger((), 1)[0]
    assert newest.reason == "IMAGE_FROZEN"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [pytest.param("1h", "warning", id="young"), pytest.param("1s", "failed", id="too-old")],
)
def test_a_template_that_is_not_set_up_is_told_and_no_image_made(
    own_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with farm(own_database_url, tmp_path, NEVER) as place:
        wait_until(lambda: place.served.outside.cloud.servers()[-1].status == "ACTIVE")
        place.type("param", "set", f"pool.template_limit={limit}", "--reason", "test")
        wait_until(lambda: health_of_the_image(place)[0] == expected)
        assert "console does not say" in health_of_the_image(place)[1]
        place.one_pass("worker-pool")
        assert images(place) == []


def test_a_template_that_is_not_there_is_told_with_its_setting(place: Installation) -> None:
    health, told = health_of_the_image(place, HRSI_OPENSTACK_TEMPLATE="tf-toto")
    assert (health, "tf-toto" in told) == ("failed", True), told
    fixed = health_of_the_image(place, HRSI_OPENSTACK_IMAGE="os-worker-template")
    assert fixed[0] == "ok"
