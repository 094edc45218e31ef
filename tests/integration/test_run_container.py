"""The run program with the science in a container of a real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.fetching import fetch, look
from infra.containers import Engine
from models.lifecycle import Status
from models.objects import Shelf
from tests.plugins.commands import ROOT
from tests.plugins.engine import IMAGE, PRODUCT, image_archive
from tests.plugins.nomad_agents import wait_until
from tests.plugins.runs import LIMIT, Worker
from tests.plugins.runs import PRODUCT as L1C_PRODUCT
from tests.plugins.tap import tapped
from worker.replay import LOG
from worker.run import CONTAINERS

pytestmark = pytest.mark.integration

IN_BUCKET = f"docker/images/{IMAGE.replace('/', '_')}.tar"


@pytest.fixture
def contained(worker: Worker, engine: Engine, engine_address: str) -> Iterator[Worker]:
    """A worker with an engine, and the stand-in's image in the infra bucket."""
    worker.settings |= {"HRSI_SCIENCE_COMMAND": "", "DOCKER_HOST": engine_address}
    worker.served.fill(worker.names["infra"], [(IN_BUCKET, image_archive())])
    yield worker
    for name in engine.names(CONTAINERS):
        engine.remove(name)


def test_the_image_comes_from_the_bucket_and_the_science_runs_in_its_container(
    contained: Worker, engine: Engine
) -> None:
    run = contained.queued(image=IMAGE)
    code, said = contained.do(run)
    assert code == 0, said
    [manifest] = contained.story(run).manifests

    assert [product.name for product in manifest.products] == [PRODUCT]
    assert manifest == contained.manifest(run)
    assert "science in a container" in contained.science_log()
    assert "csi_aux" in contained.science_log()
    assert engine.names(CONTAINERS) == ()
    assert contained.left() == []
    again, said = contained.do(contained.queued(image=IMAGE), "a2")
    assert again == 0, said
    assert "pulling" not in said, "the image was here"


@pytest.mark.parametrize(
    ("given", "code", "status", "subtype", "message"),
    [
        pytest.param(
            {"exit": 137},
            2,
            Status.EXTERNAL_ERROR,
            "SIP expected error",
            "SIGKILL",
            id="killed-science",
        ),
        pytest.param({"exit": 205}, 0, Status.PROCESSED, None, "", id="a-missing-band"),
        pytest.param(
            {"image": "localhost:1/no/such:1"},
            2,
            Status.EXTERNAL_ERROR,
            "SI software docker image pull error",
            "s3://",
            id="no-image-and-no-registry",
        ),
    ],
)
def test_what_goes_wrong_with_a_container_is_told_as_what_it_is(
    contained: Worker,
    given: dict[str, object],
    code: int,
    status: Status,
    subtype: str | None,
    message: str,
) -> None:
    run = contained.queued(**{"image": IMAGE, **given})
    assert contained.do(run)[0] == code
    newest = contained.story(run).history[-1]

    assert (newest.after, newest.subtype) == (status, subtype)
    assert message in (newest.message or "")
    assert contained.left() == []


def test_an_engine_that_is_down_is_an_external_error(worker: Worker, tmp_path: Path) -> None:
    worker.settings |= {"HRSI_SCIENCE_COMMAND": "", "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    run = worker.queued(image=IMAGE)
    assert worker.do(run)[0] == 2
    newest = worker.story(run).history[-1]

    assert (newest.after, newest.subtype) == (Status.EXTERNAL_ERROR, "Docker connection error")
    assert "does not answer" in (newest.message or "")


def test_a_container_that_somebody_takes_away_is_no_missing_image(
    contained: Worker, engine: Engine
) -> None:
    run = contained.queued(image=IMAGE, hang=True)
    process = contained.start(run)
    wait_until(lambda: "hanging" in contained.science_log(), "the science to be under way", LIMIT)
    [name] = engine.names(CONTAINERS)
    engine.remove(name)
    said, _ = process.communicate(timeout=120)
    newest = contained.story(run).history[-1]

    assert (newest.after, newest.subtype) == (Status.EXTERNAL_ERROR, "Docker connection error")
    assert f"{name} was removed" in (newest.message or "")
    assert process.returncode == 2, said


def test_who_is_asked_to_end_ends_its_container_and_saves_what_an_operator_needs(
    contained: Worker, engine: Engine
) -> None:
    run = contained.queued(image=IMAGE, hang=True)
    process = contained.start(run)
    wait_until(lambda: "hanging" in contained.science_log(), "the science to be under way", 60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)

    assert process.returncode == 2
    assert engine.names(CONTAINERS) == ()
    assert contained.status(run) is Status.PROCESSING, "the monitor ends what Nomad ends"
    assert "processing_parameters.yaml" in contained.kept(run)
    assert contained.left() == []


@pytest.mark.parametrize("under_way", [False, True], ids=["from-the-beginning", "later"])
def test_an_engine_that_hangs_keeps_nobody_from_saving_what_an_operator_needs(
    contained: Worker, engine_address: str, *, under_way: bool
) -> None:
    """It accepts and never answers. Nomad's patience is shorter than that with the engine."""
    contained.settings["HRSI_KILL_TIMEOUT"] = "40"
    run = contained.queued(image=IMAGE, hang=True)
    with tapped(engine_address.removeprefix("unix://")) as tap:
        if not under_way:
            tap.silence()
        process = contained.start(run, DOCKER_HOST=f"tcp://127.0.0.1:{tap.port}")
        if under_way:
            wait_until(lambda: "hanging" in contained.science_log(), "the science at work", LIMIT)
            tap.silence()
        # At the latest then it is with the engine, or about to ask it.
        wait_until(lambda: contained.status(run) is Status.PROCESSING, "the API to know it", LIMIT)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=120)

    assert process.returncode == 2, said
    assert "processing_parameters.yaml" in contained.kept(run), said
    assert contained.left() == []


def test_what_a_killed_program_left_running_is_ended_by_the_next_on_that_worker(
    contained: Worker, engine: Engine
) -> None:
    hung = contained.queued(image=IMAGE, hang=True)
    process = contained.start(hung)
    wait_until(lambda: "hanging" in contained.science_log(), "the science to be under way", 60)
    process.kill()
    process.communicate(timeout=120)
    assert len(engine.names(CONTAINERS)) == 1
    code, said = contained.do(contained.queued(image=IMAGE), "a2")

    assert code == 0, said
    assert engine.names(CONTAINERS) == ()


def test_what_ran_in_a_container_is_replayed_in_one_and_makes_the_same(
    contained: Worker, engine: Engine, engine_address: str, tmp_path: Path
) -> None:
    run = contained.queued(image=IMAGE)
    assert contained.do(run)[0] == 0
    shelf = Shelf(store=contained.buckets, bucket=contained.names["results"])
    folder, unique_id = tmp_path / "fetched", contained.desk.job(run.job_id).unique_id
    found = look(shelf, unique_id, products=False)
    assert list(fetch(contained.buckets, found, folder, lambda _: None)) == []
    for name in (f"{L1C_PRODUCT}.SAFE", "csi_aux"):
        (folder / "inputs" / name).mkdir(parents=True)
    kept = contained.kept(run)
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "replay", str(folder)],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HRSI_WORKER_SETTINGS": str(tmp_path / "no-such-file"),
            "DOCKER_HOST": engine_address,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 files of the run were made again, byte for byte" in done.stdout
    assert "science in a container" in (folder / LOG).read_text()
    assert engine.names("hrsi-") == ()
    assert contained.kept(run) == kept, "the bucket is as it was"
