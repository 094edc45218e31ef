"""The demo: the whole program on one machine, and nothing of it left afterwards."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.commands import SAID, Run, Start

REPORT = {
    "jobs_submitted",
    "jobs_done",
    "jobs_other",
    "workers_peak",
    "workers_left",
    "servers_created",
    "servers_deleted",
    "decisions",
    "products_made",
    "products_in_bucket",
    "products_published",
    "runs_logged",
    "invariant_violations",
    "seconds",
}


def test_a_demo_processes_its_jobs_and_takes_every_worker_down(
    hrsi: Run, folder: Path, left_running: Callable[[], list[str]]
) -> None:
    ended = hrsi("demo", "--jobs", "6", "--headless", "--until-quiet", "--json", timeout=150)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert set(report) == REPORT
    assert report["jobs_submitted"] == report["jobs_done"] == 6
    assert (report["jobs_other"], report["workers_left"]) == (0, 0)
    # Five images of Sentinel-2 give FSC and RLIE each, the one of Sentinel-1 gives RLIE S1.
    made = [report[f"products_{how}"] for how in ("made", "in_bucket", "published")]
    assert made == [5 * 2 + 1] * 3
    assert report["runs_logged"] == 6
    assert report["servers_created"] == report["servers_deleted"] >= report["workers_peak"] > 0
    assert report["invariant_violations"] == 0
    assert left_running() == []
    assert list((folder / "tmp").iterdir()) == []


def test_a_demo_may_begin_at_the_catalogue(hrsi: Run) -> None:
    words = ("demo", "--from-catalogue", "--jobs", "5", "--headless", "--until-quiet", "--json")
    ended = hrsi(*words, timeout=180)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    # What jobs make of the five images makes further jobs.
    assert report["jobs_submitted"] == report["jobs_done"] >= 5
    assert (report["workers_left"], report["invariant_violations"]) == (0, 0)


@pytest.mark.parametrize(
    ("number", "when", "status"),
    [
        pytest.param(signal.SIGINT, "Starting", 130, id="ctrl-c-while-it-starts"),
        pytest.param(signal.SIGINT, "processing", 130, id="ctrl-c-while-runs-are-on-workers"),
        pytest.param(signal.SIGTERM, "booting", 143, id="sigterm-while-servers-boot"),
        pytest.param(signal.SIGHUP, "booting", 129, id="its-terminal-is-closed"),
    ],
)
def test_a_demo_that_is_interrupted_leaves_nothing_running(
    start_hrsi: Start,
    folder: Path,
    left_running: Callable[[], list[str]],
    number: signal.Signals,
    when: str,
    status: int,
) -> None:
    demo = start_hrsi("demo", "--jobs", "20", "--headless")
    wait_for_line(demo, when)
    demo.send_signal(number)
    demo.communicate(timeout=120)
    assert demo.returncode == status
    assert "Traceback" not in (folder / SAID).read_text()
    assert left_running() == []
    assert list((folder / "tmp").iterdir()) == []


def test_what_the_demo_says_to_type_in_another_terminal_works_line_by_line(
    start_hrsi: Start, folder: Path, hrsi: Run
) -> None:
    demo = start_hrsi("demo", "--jobs", "2", "--headless")
    assert demo.stdout is not None
    wait_for_line(demo, "From another terminal")
    source, command = demo.stdout.readline().strip(), demo.stdout.readline().strip()
    set_up = subprocess.run(
        ["sh", "-c", f'{source}\necho "$DATABASE_URL"; echo "$HRSI_URL"'],
        capture_output=True,
        text=True,
        check=True,
    )
    database, url = set_up.stdout.splitlines()
    name, *arguments = command.split()
    assert Path(name).name == "hrsi"
    told = hrsi(*arguments, DATABASE_URL=database)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Job 1 (")
    made = hrsi("token", "create", "ada", "--role", "operator", "--json", DATABASE_URL=database)
    way = {"HRSI_URL": url, "HRSI_TOKEN": json.loads(made.stdout)["token"]}
    for words in (("job", "list"), ("param", "preview", "pool.max_workers=1")):
        told = hrsi(*words, **way)
        assert (told.returncode, told.stderr) == (0, "")
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=120)


def wait_for_line(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"the demo ended with {process.wait()} before it said {words!r}")
