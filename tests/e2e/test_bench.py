"""`hrsi bench pass`, on a farm small enough to be quick."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.plugins.commands import SAID, Run, Start
from tests.plugins.gates import until

SMALL = ("--workers", "100", "--jobs", "30", "--history", "50", "--passes", "2")
PATIENCE = 180.0
"""Seconds in which a command that was told to end has ended."""

FIGURES = {
    "fetch_ms_p50",
    "pass_ms_p50",
    "fetch_cpu_ms_p50",
    "pass_cpu_ms_p50",
    "ratio",
    "decide_ms_p50",
    "rss_mb",
}


def test_it_measures_an_idle_and_a_busy_pass_and_says_how_it_goes_on_stderr(hrsi: Run) -> None:
    done = hrsi("bench", "pass", *SMALL, "--json", timeout=180)
    assert done.returncode == 0, done.stderr
    halves = json.loads(done.stdout)
    assert halves.keys() == {"idle", "busy"}
    for half in halves.values():
        assert half.keys() == {*FIGURES, "requests", "decided"}
        assert all(half[name] > 0 for name in FIGURES)
        assert half["requests"]["nomad"] == 4
        assert half["requests"]["openstack"] == 1
    assert halves["idle"]["decided"].keys() <= {"held"}
    assert halves["busy"]["decided"].keys() >= {"create_server", "dispatch_run", "mark_worker"}
    assert "idle" in done.stderr
    assert "busy" in done.stderr


def test_an_idle_pass_asks_the_same_of_the_store_whatever_the_size(hrsi: Run) -> None:
    counts = set()
    for workers in ("10", "40"):
        sizes = ("--workers", workers, "--jobs", "5", "--history", "0", "--passes", "1")
        done = hrsi("bench", "pass", *sizes, "--json", timeout=180)
        assert done.returncode == 0, done.stderr
        counts.add(json.loads(done.stdout)["idle"]["requests"]["postgres"])
    assert len(counts) == 1


def test_the_peak_of_memory_is_that_of_the_program_not_of_who_started_it() -> None:
    ballast = bytes(range(256)) * (1 << 20)
    asked = "from controller.bench.passes import peak_mb; print(peak_mb())"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert 10 < float(done.stdout) < len(ballast) >> 20


def test_nothing_is_left_of_one_that_is_told_to_end(start_hrsi: Start, folder: Path) -> None:
    process = start_hrsi("bench", "pass", "--workers", "10", "--passes", "10000")
    until(lambda: "idle" in (folder / SAID).read_text(), "measuring the idle half")
    process.terminate()
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert (folder / SAID).read_text().endswith("hrsi: ended by SIGTERM\n")
    assert not list((folder / "tmp").iterdir())
