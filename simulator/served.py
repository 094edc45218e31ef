"""The simulated cloud and Nomad on ports of this machine, in real time, for real client libraries.

    with serve(scenario, environment) as outside:
        subprocess.run(["hrsi", "controller"], env={**os.environ, **outside.environment()})

Runs are real local processes. Leaving the block ends every one of them, and every thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator.cloud.http.serve import RunningCloud, serve_cloud
from simulator.faults import Faults
from simulator.http.server import HttpServer
from simulator.nomad.processes import LocalProcesses
from simulator.nomad.web import serve_nomad
from simulator.systems import Outside, Scenario, outside
from simulator.timeline import Timeline

TICK = timedelta(milliseconds=20)
"""How late an event of the simulated systems may be."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """Where the simulated systems are reached, and what they are."""

    outside: Outside
    cloud: RunningCloud
    nomad: HttpServer
    faults: Faults

    def environment(self) -> dict[str, str]:
        """The variables with which OpenStack and Nomad clients find them."""
        cloud = self.outside.cloud.options
        image = {} if cloud.template else {"HRSI_OPENSTACK_IMAGE": cloud.images[0]}
        return {**self.cloud.auth_environment(), "NOMAD_ADDR": self.nomad.url, **image}


@contextmanager
def serve(
    scenario: Scenario, environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[Served]:
    """Serve a scenario from now on. `environment` is what the processes of runs are given, `folder`
    where they have their files (a temporary one, if none is given).
    """
    lock = threading.RLock()
    timeline = Timeline(datetime.now(UTC))
    faults = Faults(seed=scenario.seed)
    with ExitStack() as stack:
        processes = stack.enter_context(LocalProcesses(lock, environment, folder))
        world = outside(scenario, timeline, processes, lock)
        stack.enter_context(pacing(timeline, lock))
        yield Served(
            outside=world,
            cloud=stack.enter_context(serve_cloud(world.cloud, faults)),
            nomad=stack.enter_context(
                serve_nomad(world.nomad, faults=faults, folder_of=processes.folder_of)
            ),
            faults=faults,
        )


@contextmanager
def pacing(timeline: Timeline, lock: threading.RLock) -> Iterator[None]:
    """Let a timeline keep step with the clock on the wall, whatever is done to that one."""
    began_at, began = timeline.now(), time.monotonic()
    stop = threading.Event()

    def pace() -> None:
        while not stop.wait(TICK.total_seconds()):
            with lock:
                timeline.advance_to(began_at + timedelta(seconds=time.monotonic() - began))

    thread = threading.Thread(target=pace, name="pacer")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
