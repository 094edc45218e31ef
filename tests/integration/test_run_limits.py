"""What ends a run from outside: a full disk, its time, and a person who wants it no more."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest

from models.lifecycle import Status
from tests.plugins.nomad_agents import wait_until
from tests.plugins.runs import LIMIT, Worker
from tests.plugins.web import ASKED

pytestmark = pytest.mark.integration

ON_A_SMALL_DISK = """
mount -t tmpfs -o size={size} disk {folder} && exec {python} -m worker.cli run
"""
"""In a mount namespace of its own: the disk is gone with the program."""


def on_a_small_disk(worker: Worker, folder: Path, size: str) -> Worker:
    """Let its working directory lie on a disk of this size, made and filled by nobody else."""
    folder.mkdir()
    worker.settings["HRSI_WORK_DIR"] = str(folder / "work")
    worker.program = (
        *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
        ON_A_SMALL_DISK.format(
            size=size, folder=shlex.quote(str(folder)), python=shlex.quote(sys.executable)
        ),
    )
    return worker


@pytest.mark.parametrize(
    ("size", "science"),
    [
        pytest.param("64k", "true", id="for-its-inputs"),
        pytest.param(
            "256k",
            "sh -c 'cat /dev/zero > outputs/big || exit 101'",
            id="for-what-the-software-makes",
        ),
    ],
)
def test_a_disk_without_room_is_an_external_error_and_is_told_though_nothing_can_be_written(
    worker: Worker, tmp_path: Path, size: str, science: str
) -> None:
    on_a_small_disk(worker, tmp_path / "disk", size).settings["HRSI_SCIENCE_COMMAND"] = science
    run = worker.queued()
    code, said = worker.do(run)
    newest = worker.story(run).history[-1]

    assert (code, newest.after) == (2, Status.EXTERNAL_ERROR), said
    assert newest.subtype in {"File write error", "SIP expected error"}
    assert "disk" in (newest.message or "")
    assert "run.json" in worker.kept(run), "what there was is in the bucket"


def test_software_that_takes_too_long_is_ended_and_so_is_what_it_started(worker: Worker) -> None:
    worker.settings |= {
        "HRSI_SCIENCE_COMMAND": "sh -c 'echo begun; sleep 600 & wait'",
        "HRSI_SCIENCE_LIMIT": "0.5",
    }
    run = worker.queued()
    code, said = worker.do(run)
    newest = worker.story(run).history[-1]

    assert (code, newest.after) == (0, Status.INTERNAL_ERROR), said
    assert newest.subtype == "SIP unrecoverable error"
    assert "did not end within 0:00:00.5" in (newest.message or "")
    assert "begun" in worker.science_log()
    assert worker.left() == []


@pytest.mark.parametrize("told", [True, False], ids=["nomad-stops-it", "it-hears-of-it-itself"])
def test_a_run_that_a_person_cancels_leaves_and_changes_nothing_more(
    worker: Worker, *, told: bool
) -> None:
    waits = "sh -c 'echo begun; until [ -e go ]; do sleep 0.1; done'"
    run = worker.queued()
    process = worker.start(run, HRSI_SCIENCE_COMMAND=waits)
    wait_until(lambda: "begun" in worker.science_log(), "the software to be at work", LIMIT)
    # Only then nothing is on its way to the API any more that would be refused.
    wait_until(lambda: worker.status(run) is Status.PROCESSING, "the API to know it", LIMIT)
    worker.desk.doors.operations.cancel([run.job_id], ASKED)
    if told:
        process.send_signal(signal.SIGTERM)
    else:
        (worker.folder / "a1" / "main" / "local" / "work" / "go").touch()
    said, _ = process.communicate(timeout=LIMIT)
    story = worker.story(run)

    assert process.returncode == (2 if told else 0), said
    assert (story.history[-1].after, story.manifests) == (Status.CANCELLED, ())
    assert worker.left() == []
    assert ("processing_parameters.yaml" in worker.kept(run)) is told


def test_who_has_no_time_left_frees_the_disk_and_uploads_no_more(worker: Worker) -> None:
    """Of Nomad's patience four seconds are kept for the end; here there are no more than these."""
    worker.settings["HRSI_KILL_TIMEOUT"] = "4"
    run = worker.queued()
    process = worker.start(run, HRSI_STANDIN_SECONDS="600")
    wait_until(lambda: "stand-in" in worker.science_log(), "the software to be at work", LIMIT)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=LIMIT)

    assert process.returncode == 2, said
    assert worker.kept(run).keys() <= {"run.json"}
    assert worker.left() == []
