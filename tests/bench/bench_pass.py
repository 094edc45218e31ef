"""A pass beside a bare fetch, for farms of several sizes."""

import json
import math
import subprocess
import sys
from typing import Any

import pytest

from tests.bench.conftest import ROOT, Figures

RATIO = 1.5
NOMAD_LISTS = 4
MEGABYTES = 512
HRSI = (sys.executable, "-c", "from controller.cli import main; main()")

_measured: dict[int, Any] = {}


def measured(*options: object) -> Any:
    """What `hrsi bench pass` prints, in a process of its own."""
    command = [*HRSI, "bench", "pass", "--json", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(("workers", "passes"), [(210, 40), (1_000, 10), (5_000, 4)])
def test_a_pass_costs_little_more_than_its_reads(
    workers: int, passes: int, figures: Figures
) -> None:
    halves = _measured[workers] = measured("--workers", workers, "--passes", passes)
    for name, half in sorted(halves.items(), reverse=True):
        at = f"{name}, {workers:,} workers"
        most = RATIO if name == "idle" else None
        figures.ratio(f"pass ÷ fetch, {at}", half["ratio"], most)
    for name, half in sorted(halves.items(), reverse=True):
        at = f"{name}, {workers:,} workers"
        asked = half["requests"]
        figures.ratio(f"requests to Nomad per pass, {at}", asked["nomad"], NOMAD_LISTS)
        pages = math.ceil(workers / 1000)
        figures.ratio(f"requests to OpenStack per pass, {at}", asked["openstack"], pages + 1)
        figures.ratio(f"statements per pass of all loops, {at}", asked["postgres"])
        figures.time(f"CPU of a pass, {at}", f"{half['pass_cpu_ms_p50']:.1f} ms")
        figures.time(f"of which deciding, {at}", f"{half['decide_ms_p50']:.1f} ms")
        assert asked["nomad"] == NOMAD_LISTS
        assert asked["openstack"] <= pages + 1


def test_the_cost_of_a_pass_grows_at_most_linearly(figures: Figures) -> None:
    few, many = 210, 5_000
    for half in ("idle", "busy"):
        cost = {size: _measured[size][half]["pass_cpu_ms_p50"] for size in (few, many)}
        grown, most = cost[many] / cost[few], many / few
        figures.ratio(f"a pass with 5,000 ÷ with 210 workers, {half}", grown, round(most, 1))
        assert grown <= most


def test_statements_are_as_many_whatever_the_size(figures: Figures) -> None:
    counts = {_measured[size]["idle"]["requests"]["postgres"] for size in _measured}
    figures.ratio("different numbers of statements among these sizes, idle", len(counts), 1)
    assert len(counts) == 1


def test_memory_is_bounded_with_many_open_jobs(figures: Figures) -> None:
    halves = measured("--workers", 1_000, "--jobs", 100_000, "--passes", 2)
    most_mb = halves["busy"]["rss_mb"]
    figures.ratio("memory with 1,000 workers and 100,000 open jobs", most_mb, MEGABYTES, " MB")
    assert most_mb <= MEGABYTES
