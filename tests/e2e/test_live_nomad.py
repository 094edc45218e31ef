"""The whole on a live Nomad: a simulated cloud whose servers are Nomad clients, the controller, the
HTTP API and the program of runs, each a process. Collected only where `nomad` is on the PATH.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from controller.demo.delivery import DemoBuckets, buckets
from controller.demo.stage import science
from models.job_types import DEFAULT_REGISTRY
from models.submission import parse_submission
from simulator.acquisitions import SENTINEL_2
from tests.plugins.commands import ROOT, Run, Start
from tests.plugins.live_nomad import BINARY
from tests.plugins.nomad_agents import Agents, free_ports, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

JOBS = [
    *({"type": "fsc_rlie", "product": name} for name in SENTINEL_2[:4]),
    *({"type": "gfsc", "name": f"b-{number}", "tile": "28WEU"} for number in range(2)),
]
PARAMETERS = {
    "passes.resync": "1s",
    "passes.call_deadline": "10s",
    "passes.lease": "30s",
    "pool.max_workers": "4",
    "pool.idle_for": "5s",
}
LIMIT = 240.0


class Listener:
    """Takes down what the event stream of Nomad says, from the beginning."""

    def __init__(self, url: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._response = requests.get(
            f"{url}/v1/event/stream", stream=True, timeout=60, headers={"Accept-Encoding": ""}
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        for line in self._response.iter_lines(chunk_size=1):
            self.events += (json.loads(line) if line else {}).get("Events", [])


@pytest.fixture
def inputs() -> Iterator[DemoBuckets]:
    """Buckets with what the jobs want."""
    with buckets() as made:
        lines = (json.dumps(job).encode() for job in JOBS)
        made.provide(parse_submission(lines, DEFAULT_REGISTRY).jobs)
        yield made


@pytest.fixture
def nomad(folder: Path) -> Iterator[Agents]:
    """A server without clients: they come with the servers of the cloud."""
    assert BINARY is not None
    with Agents(BINARY, folder / "nomad") as agents:
        yield agents


def environment_of(cloud: Any) -> dict[str, str]:
    """What a served cloud says that a controller is to be told."""
    found: dict[str, str] = {}
    for line in cloud.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            found[name] = value
        if line.startswith("hrsi controller"):
            return found
    raise AssertionError("the simulated cloud ended before it said where it is")


def test_jobs_run_on_a_live_nomad_and_every_worker_is_taken_down_by_the_protocol(
    nomad: Agents, hrsi: Run, start_hrsi: Start, inputs: DemoBuckets, own_database_url: str
) -> None:
    machine = f"exec {sys.executable} -m tests.plugins.nomad_machine {BINARY}"
    cloud = start_hrsi(
        *("simulator", "cloud", "--port", "0", "--active-after", "1s", "--boot-time", "1s"),
        *("--on-boot", f"PYTHONPATH={ROOT} {machine} {nomad.server.ports['rpc']}"),
    )
    web = f"127.0.0.1:{free_ports()['http']}"
    told = (*science(2.0), *inputs.environment(), ("PYTHONPATH", str(ROOT)))
    settings = {
        **environment_of(cloud),
        "NOMAD_ADDR": nomad.server.url,
        "DATABASE_URL": own_database_url,
        "HRSI_DEPLOYMENT": "live",
        "HRSI_RUNS_TOKEN_KEY": "0123456789abcdef0123456789abcdef",
        "HRSI_RUNS_COMMAND": sys.executable,
        "HRSI_RUNS_ARGS": "-m,worker.cli,run",
        "HRSI_RUNS_ENVIRONMENT": ",".join(f"{name}={value}" for name, value in told),
        "HRSI_CONTROLLER_HEALTH": "127.0.0.1:0",
        "HRSI_WEB_ADDRESS": web,
        "HRSI_URL": f"http://{web}",
    }
    heard = Listener(nomad.server.url)
    start_hrsi("web", **settings)
    for key, value in PARAMETERS.items():
        changed = hrsi("param", "set", f"{key}={value}", "--reason", "test", **settings)
        assert changed.returncode == 0, changed.stderr
    jobs = "\n".join(json.dumps(job) for job in JOBS)
    assert hrsi("job", "submit", "-", typed=jobs, **settings).returncode == 0
    controller = start_hrsi("controller", **settings)

    def statuses() -> Counter[str]:
        listed = json.loads(hrsi("job", "list", "--json", **settings).stdout)
        return Counter(job["status"] for job in listed)

    def all_is_over() -> bool:
        return (
            statuses() == {"processed": len(JOBS)}
            and requests.get(f"{nomad.server.url}/v1/nodes", timeout=120).json() == []
        )

    wait_until(all_is_over, f"all jobs to be processed and no node left; {statuses()}", LIMIT)
    controller.terminate()
    assert controller.wait(timeout=120) == 0
    nobody_was_lost(nomad.server.url)
    no_work_came_after_the_last_mark(heard.events)


def nobody_was_lost(url: str) -> None:
    """Every run ran once, to its end."""
    found = requests.get(f"{url}/v1/allocations", timeout=120).json()
    assert Counter((a["DesiredStatus"], a["ClientStatus"]) for a in found) == {
        ("run", "complete"): len(JOBS)
    }


def no_work_came_after_the_last_mark(events: list[dict[str, Any]]) -> None:
    """Each node joined ineligible, was admitted, and was marked after the last of its work."""
    marks: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    work: defaultdict[str, int] = defaultdict(int)
    for event in events:
        if event["Topic"] == "Node":
            node = event["Payload"]["Node"]
            marks[node["ID"]].append((event["Index"], node["SchedulingEligibility"]))
        if event["Topic"] == "Allocation":
            allocation = event["Payload"]["Allocation"]
            work[allocation["NodeID"]] = max(
                work[allocation["NodeID"]], allocation["CreateIndex"], event["Index"]
            )
    assert marks
    for node_id, written in marks.items():
        assert written[0][1] == "ineligible"
        assert any(eligible == "eligible" for _, eligible in written)
        last_eligible = max(index for index, eligible in written if eligible == "eligible")
        marked = min(
            index
            for index, eligible in written
            if eligible == "ineligible" and index > last_eligible
        )
        assert work[node_id] < marked
