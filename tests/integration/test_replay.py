"""A run is fetched and its software run again: the same comes out, and nobody is asked or told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from werkzeug.wrappers import Request, Response

from controller.fetching import fetch, look
from models.objects import Shelf
from simulator.http.server import HttpServer
from tests.plugins.commands import ROOT
from tests.plugins.nomad_agents import wait_until
from tests.plugins.runs import LIMIT, PRODUCT, STANDIN, Worker
from worker.replay import BEFORE, LOG, compared
from worker.science import PARAMETERS

pytestmark = pytest.mark.integration

Replay = Callable[..., subprocess.CompletedProcess[str]]


def replaying(folder: Path) -> list[str]:
    return [sys.executable, "-m", "worker.cli", "replay", str(folder)]


def alone(scratch: Path, command: str, **environment: str) -> dict[str, str]:
    """An environment with nothing that could lead to a database or a bucket."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "HRSI_WORKER_SETTINGS": str(scratch / "no-such-file"),
        "HRSI_SCIENCE_COMMAND": command,
        "HRSI_STANDIN_SECONDS": "0",
        **environment,
    }


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Runs the command to its end."""

    def run(
        folder: Path, command: str = STANDIN, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            replaying(folder),
            cwd=ROOT,
            env=alone(tmp_path, command, **environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def with_inputs(folder: Path) -> Path:
    """Put beside a working directory what a person puts there."""
    for name in (f"{PRODUCT}.SAFE", "csi_aux"):
        (folder / "inputs" / name).mkdir(parents=True)
    return folder


def working_directory(folder: Path, job_type: str = "test", **given: object) -> Path:
    """A working directory as a run leaves it, of a job that wants nothing."""
    folder.mkdir()
    document = {"job": {"type": job_type, "unique_id": "u-1", "name": "t", "tile": None}}
    (folder / PARAMETERS).write_bytes(msgspec.json.encode({**document, "given": given}))
    return folder


def test_what_a_run_made_is_made_again_from_what_was_fetched(
    worker: Worker, replay: Replay, tmp_path: Path
) -> None:
    run = worker.queued()
    assert worker.do(run)[0] == 0
    unique_id = worker.desk.job(run.job_id).unique_id
    kept, folder = worker.kept(run), tmp_path / "fetched"
    found = look(
        Shelf(store=worker.buckets, bucket=worker.names["results"]), unique_id, products=False
    )
    assert list(fetch(worker.buckets, found, folder, lambda _: None)) == []

    missing = replay(folder)
    assert missing.returncode == 1
    assert f"{PRODUCT}.SAFE is missing" in missing.stdout
    assert not (folder / BEFORE).exists(), "nothing is set aside before it can begin"

    with_inputs(folder)
    for _ in range(2):  # as often as one likes
        done = replay(folder)
        assert done.returncode == 0, done.stdout + done.stderr
        products = {p.name for p in (folder / "outputs").iterdir()}
        assert products == {p.name for p in (folder / BEFORE).iterdir()} != set()
        assert not [line for line in done.stdout.splitlines() if line.endswith("differs")]
        assert "stand-in science" in (folder / LOG).read_text()
    assert worker.kept(run) == kept, "the bucket is as it was"
    assert worker.desk.path(run.job_id)[-1] == "processed"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("sh -c 'exit 0'", 0, id="success"),
        pytest.param("sh -c 'exit 3'", 1, id="failure"),
        pytest.param("sh -c 'kill -9 $$'", 1, id="a-signal"),
        pytest.param("/no/such/program", 1, id="no-program"),
    ],
)
def test_the_exit_status_says_how_the_software_ended(
    replay: Replay, tmp_path: Path, command: str, code: int
) -> None:
    folder = working_directory(tmp_path / "w", "gfsc")
    assert replay(folder, command).returncode == code


@pytest.mark.parametrize(
    ("there", "told"),
    [
        pytest.param(False, "does not answer", id="no-engine"),
        pytest.param(True, "docker/images/gfsc.tar of the infra bucket", id="no-image"),
    ],
)
def test_what_cannot_begin_leaves_the_folder_as_it_was(
    replay: Replay, tmp_path: Path, told: str, *, there: bool
) -> None:
    """An engine that is away, and one whose registry has no such image."""
    folder = working_directory(tmp_path / "w", "gfsc")
    (folder / "outputs").mkdir()
    before = sorted(folder.iterdir())
    with HttpServer(_has_no_image, name="engine") as server:
        address = server.url if there else "tcp://127.0.0.1:1"
        done = replay(folder, "", DOCKER_HOST=address)

    assert done.returncode == 1
    assert told in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_a_replay_ends_its_software_and_is_told_so(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = working_directory(tmp_path / "w", "gfsc")
    with subprocess.Popen(
        replaying(folder),
        cwd=ROOT,
        env=alone(tmp_path, "sh -c 'echo $$; exec sleep 600'"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        log = folder / LOG
        wait_until(lambda: log.is_file() and log.read_text().endswith("\n"), "the software", LIMIT)
        process.send_signal(number)
        said, _ = process.communicate(timeout=120)

    assert process.returncode == 130
    assert said.endswith(
        f"ended before the software was done; what it said, if it began, is in {log}\n"
    )
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def _has_no_image(_: Request) -> Response:
    return Response('{"message": "no such image"}', 404)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "is missing", id="no-parameters"),
        pytest.param(b"{", "cannot be read", id="no-json"),
        pytest.param(b"[]", "cannot be read", id="no-object"),
        pytest.param(b'{"job": {}}', "names no job type", id="not-ours"),
        pytest.param(
            b'{"job": {"type": "x", "unique_id": "u"}, "given": {}}',
            "knows no job type",
            id="another-type",
        ),
    ],
)
def test_a_folder_that_is_no_working_directory_is_told(
    replay: Replay, tmp_path: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / PARAMETERS).write_bytes(content)
    done = replay(tmp_path)
    assert done.returncode == 1
    assert told in done.stdout


def test_the_differences_are_named_file_by_file(tmp_path: Path) -> None:
    for folder, files in {
        "before": {"same": "s", "changed": "1", "gone": "g"},
        "after": {"same": "s", "changed": "2", "new": "n"},
    }.items():
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_text(content)
    assert list(compared(tmp_path / "before", tmp_path / "after")) == [
        "changed: differs",
        "gone: not made this time",
        "new: not made before",
        "1 of 3 files of the run were made again, byte for byte",
    ]
