"""A process for every server: what it is told, when it starts and ends, and that none is left."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from simulator.cloud.options import CloudOptions
from simulator.cloud.servers import CloudServer, Wanted
from simulator.cloud.state import SimulatedCloud
from simulator.guests import OUTPUT, Guests
from simulator.machines import Machines, live_on
from simulator.timeline import Timeline
from tests.plugins.nomad_in_test import eventually

SHOWS = 'echo "{\\"id\\": \\"$HRSI_SERVER_ID\\", \\"name\\": \\"$HRSI_SERVER_NAME\\", '
SHOWS += '\\"ip\\": \\"$HRSI_SERVER_IP\\", \\"flavor\\": \\"$HRSI_SERVER_FLAVOR\\"}"'


class Bench:
    """A cloud on virtual time whose servers are processes of one command."""

    def __init__(self, command: str, folder: Path) -> None:
        self.told: list[str] = []
        self.lock = threading.RLock()
        self.cloud = SimulatedCloud(Timeline(), CloudOptions(), self.lock)
        self.guests = Guests(command, self.lock, {"GIVEN": "1"}, self.told.append, folder)
        machines = Machines(self.cloud.timeline, (self.guests,), timedelta(seconds=20))
        live_on(self.cloud, machines)

    def create(self) -> CloudServer:
        """One more server."""
        return self.cloud.create(
            Wanted(
                name="os-worker-001",
                flavor_id=self.cloud.flavor_id("hm.medium"),
                image_id=self.cloud.image_id("os-worker-template"),
            )
        )

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self.lock:
            self.cloud.timeline.advance(timedelta(seconds=seconds))

    def said(self, server: CloudServer) -> str:
        """What the process of a server said so far."""
        found = self.guests.folder_of(server.id) / OUTPUT
        return found.read_text() if found.exists() else ""


@pytest.fixture(name="started")
def _started(tmp_path: Path) -> Iterator[list[Bench]]:
    benches: list[Bench] = []
    yield benches
    for bench in benches:
        with bench.guests:
            pass


def a_bench(started: list[Bench], command: str, folder: Path) -> Bench:
    bench = Bench(command, folder)
    started.append(bench)
    return bench


def is_there(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_is_told_which_server_it_is(started: list[Bench], tmp_path: Path) -> None:
    bench = a_bench(started, f"{SHOWS}; echo given $GIVEN; sleep 60", tmp_path)
    server = bench.create()
    bench.wait(70)
    assert bench.said(server) == "", "ACTIVE, and booting"
    bench.wait(20)
    assert eventually(lambda: "given" in bench.said(server))
    told, given = bench.said(server).splitlines()
    assert json.loads(told) == {
        "id": server.id,
        "name": "os-worker-001",
        "ip": server.address,
        "flavor": "hm.medium",
    }
    assert given == "given 1"


def test_a_process_ends_with_its_server_and_may_put_things_away(
    started: list[Bench], tmp_path: Path
) -> None:
    command = "trap 'echo going; exit 0' TERM; echo $$; while :; do sleep 0.05; done"
    bench = a_bench(started, command, tmp_path)
    server = bench.create()
    bench.wait(90)
    assert eventually(lambda: bench.said(server).endswith("\n"))
    bench.cloud.delete(server.id)
    bench.wait(10)
    assert eventually(lambda: "going" in bench.said(server))
    assert eventually(lambda: not is_there(int(bench.said(server).split()[0])))
    assert bench.told == [], "what was asked to end is no news"


def test_what_ends_by_itself_is_told_of_and_not_started_again(
    started: list[Bench], tmp_path: Path
) -> None:
    bench = a_bench(started, "echo once; exit 3", tmp_path)
    server = bench.create()
    bench.wait(90)
    assert eventually(lambda: bool(bench.told))
    bench.wait(600)
    assert bench.said(server) == "once\n"
    (told,) = bench.told
    assert told.startswith("the process of os-worker-001 ended with 3")


def test_no_process_is_left_when_all_ends(tmp_path: Path) -> None:
    bench = Bench("sleep 600 & echo $!; wait", tmp_path)
    with bench.guests:
        server = bench.create()
        bench.wait(90)
        assert eventually(lambda: bench.said(server).endswith("\n"))
        child = int(bench.said(server))
        assert is_there(child)
    assert eventually(lambda: not is_there(child))
