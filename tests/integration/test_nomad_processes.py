"""Tasks as real processes: what they are told, how they end, and that nothing is left running."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.processes import LOGS, LocalProcesses
from simulator.nomad.rows import AllocRow, NomadError, Options
from simulator.timeline import Timeline

DISPATCH = DispatchOrder(meta={"run": "r-1", "odd.key": "7"}, payload=b'{"tile":"32TLS"}')
SERVER_ID = "11111111-2222-3333-4444-555555555555"


class Bench:
    """A cluster of one node whose tasks are real processes of one command."""

    def __init__(self, folder: Path) -> None:
        self.timeline = Timeline()
        self.lock = threading.RLock()
        self.processes = LocalProcesses(self.lock, {"HOME": "/nowhere"}, folder)
        self.cluster = NomadCluster(
            self.timeline,
            self.processes,
            options=Options(default_ineligible=False),
            lock=self.lock,
        )
        boot = Boot(server_id=SERVER_ID, name="os-worker-001", node_class="c", memory_mb=9_000)
        self.node_id = self.cluster.node_boots(boot)
        self.wait(10)

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self.lock:
            self.timeline.advance(timedelta(seconds=seconds))

    def run(
        self,
        *command: str,
        kill_timeout: float = 5,
        beside: tuple[dict[str, Any], ...] = (),
        **more: Any,
    ) -> str:
        """Dispatch a child that runs a command; its id, once it was started."""
        task = {
            "Name": "main",
            "Driver": "raw_exec",
            "Config": {"command": command[0], "args": list(command[1:])},
            "DispatchPayload": {"File": "payload.json"},
            "KillTimeout": int(kill_timeout * 1e9),
            **more,
        }
        group = {
            "Name": "main",
            "RestartPolicy": {"Attempts": 0},
            "ReschedulePolicy": {"Attempts": 0},
            "Tasks": [task, *beside],
        }
        spec = {
            "ID": "parent",
            "Type": "batch",
            "ParameterizedJob": {"MetaOptional": ["run", "odd.key"]},
            "TaskGroups": [group],
        }
        with self.lock:
            self.cluster.jobs.register(spec)
            child = self.cluster.jobs.dispatch("parent", DISPATCH).job_id
            self.wait(5)
        return child

    def allocation(self, child: str) -> AllocRow:
        """The one allocation of a child."""
        with self.lock:
            (allocation,) = self.cluster.state.allocs_of(child)
            return allocation

    def ended(self, child: str) -> AllocRow:
        """The allocation of a child once it has ended."""
        assert eventually(lambda: self.allocation(child).client_terminal)
        return self.allocation(child)

    def said(self, child: str) -> str:
        """What a child's task wrote to its standard output."""
        logs = self.processes.folder_of(self.allocation(child).id) / LOGS
        return (logs / "main.stdout.0").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose every process has ended when the test has."""
    made = Bench(tmp_path)
    yield made
    groups = made.processes.groups
    made.processes.close()
    assert eventually(lambda: not any(is_alive(group) for group in groups))


def eventually(what: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether something becomes true within a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return what()


def is_alive(group: int) -> bool:
    """Whether a process group has members that run; one that waits to be buried does not."""
    return any(
        state != "Z" and int(of_group) == group for state, of_group in map(stat_of, processes())
    )


def processes() -> list[int]:
    """All process ids of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def stat_of(pid: int) -> tuple[str, str]:
    """State and process group of a process; one that is gone counts as buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "Z", "0"
    state, _, group, *_ = stat.rpartition(")")[2].split()
    return state, group


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        pytest.param("exit 0", "complete", 0, id="success"),
        pytest.param("exit 3", "failed", 3, id="failure"),
        pytest.param("kill -9 $$", "failed", 137, id="killed-by-a-signal"),
    ],
)
def test_the_exit_code_of_a_process_is_that_of_its_task(
    bench: Bench, script: str, status: str, code: int
) -> None:
    ended = bench.ended(bench.run("/bin/sh", "-c", script))
    assert (ended.client_status, ended.exit_code) == (status, code)


def test_a_command_that_cannot_be_started_has_failed(bench: Bench) -> None:
    child = bench.run("/no/such/program")
    ended = bench.ended(child)
    assert (ended.client_status, ended.exit_code) == ("failed", 127)
    log = bench.processes.folder_of(ended.id) / LOGS / "driver.log"
    assert "/no/such/program" in log.read_text()


SHIPPER = """
import os, pathlib, signal, sys, time
def finish(*_):
    said = pathlib.Path(os.environ["NOMAD_ALLOC_DIR"], "logs", "main.stdout.0").read_text()
    pathlib.Path(os.environ["NOMAD_ALLOC_DIR"], "shipped").write_text(said)
    sys.exit(3)
signal.signal(signal.SIGTERM, finish)
pathlib.Path(os.environ["NOMAD_ALLOC_DIR"], "ready").touch()
while True:
    time.sleep(60)
"""
"""Ships what the leader said once it is told to end, and fails."""

WAITING = 'until test -e "$NOMAD_ALLOC_DIR/ready"; do sleep 0.02; done; echo the last word; exit 7'


def beside(script: str, kill_timeout: float = 20) -> dict[str, Any]:
    """A task beside the leader, in Python."""
    return {
        "Name": "logs",
        "Driver": "raw_exec",
        "Config": {"command": sys.executable, "args": ["-c", script]},
        "KillSignal": "SIGTERM",
        "KillTimeout": int(kill_timeout * 1e9),
    }


def test_a_task_beside_the_leader_is_heard_out_and_its_end_counts_for_nothing(
    bench: Bench,
) -> None:
    child = bench.run("/bin/sh", "-c", WAITING, Leader=True, beside=(beside(SHIPPER),))
    ended = bench.ended(child)
    assert (ended.client_status, ended.exit_code) == ("failed", 7)
    folder = bench.processes.folder_of(ended.id) / "alloc"
    assert (folder / "shipped").read_text() == "the last word\n"


def test_a_task_beside_the_leader_that_cannot_be_started_harms_nobody(bench: Bench) -> None:
    missing = {**beside(""), "Config": {"command": "/no/such/program"}}
    ended = bench.ended(bench.run("/bin/true", Leader=True, beside=(missing,)))
    assert (ended.client_status, ended.exit_code) == ("complete", 0)


def test_a_task_beside_the_leader_that_will_not_end_is_killed_after_its_grace(
    bench: Bench,
) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SHIPPER}"
    deaf = deaf.replace("signal.signal(signal.SIGTERM, finish)\n", "")
    child = bench.run(
        "/bin/sh", "-c", WAITING, Leader=True, beside=(beside(deaf, kill_timeout=0.2),)
    )
    ended = bench.ended(child)
    assert (ended.client_status, ended.exit_code) == ("failed", 7)
    assert not bench.processes.groups


def test_several_tasks_without_a_leader_are_refused(bench: Bench) -> None:
    with pytest.raises(NomadError, match="the first leads"):
        bench.run("/bin/true", beside=(beside(""),))


def test_a_task_knows_who_and_where_it_is(bench: Bench) -> None:
    print_environment = "import json, os; print(json.dumps(dict(os.environ)))"
    child = bench.run(
        sys.executable,
        "-c",
        print_environment,
        Env={"HRSI_NODE_ID": "${node.unique.id}", "WHO": "${NOMAD_META_run}@${node.class}"},
    )
    allocation = bench.ended(child)
    environment: dict[str, str] = json.loads(bench.said(child))
    expected = {
        "NOMAD_ALLOC_ID": allocation.id,
        "NOMAD_JOB_ID": child,
        "NOMAD_JOB_PARENT_ID": "parent",
        "NOMAD_META_run": "r-1",
        "NOMAD_META_RUN": "r-1",
        "NOMAD_META_odd_key": "7",
        "HRSI_NODE_ID": bench.node_id,
        "WHO": "r-1@c",
        "HOME": "/nowhere",
    }
    assert expected.items() <= environment.items()
    payload = Path(environment["NOMAD_TASK_DIR"]) / "payload.json"
    assert payload.read_bytes() == DISPATCH.payload


def test_the_environment_of_the_simulator_is_not_handed_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRSI_SECRET", "x")
    child = bench.run("/bin/sh", "-c", 'echo "[$HRSI_SECRET]"')
    bench.ended(child)
    assert bench.said(child) == "[]\n"


def test_arguments_are_interpolated(bench: Bench) -> None:
    child = bench.run("/bin/echo", "${node.unique.name}", "${NOMAD_META_run}", "${unknown}")
    bench.ended(child)
    assert bench.said(child) == "os-worker-001 r-1 ${unknown}\n"


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        pytest.param({}, "INT", id="unasked"),
        pytest.param({"KillSignal": "SIGTERM"}, "TERM", id="as-asked"),
    ],
)
def test_a_stopped_task_is_asked_to_end_and_counts_as_complete(
    bench: Bench, asked: dict[str, Any], heard: str
) -> None:
    script = f"trap 'echo asked; exit 5' {heard}; echo up; while :; do sleep 0.05; done"
    child = bench.run("/bin/sh", "-c", script, **asked)
    assert eventually(lambda: bench.said(child) == "up\n")
    with bench.lock:
        bench.cluster.jobs.stop(child)
    bench.wait(1)
    ended = bench.ended(child)
    assert (ended.desired, ended.client_status, ended.exit_code) == ("stop", "complete", 5)
    assert bench.said(child) == "up\nasked\n"


def test_a_task_that_will_not_end_is_killed_after_its_grace(bench: Bench) -> None:
    script = "trap '' INT; echo up; while :; do sleep 0.05; done"
    child = bench.run("/bin/sh", "-c", script, kill_timeout=0.3)
    assert eventually(lambda: bench.said(child) == "up\n")
    with bench.lock:
        bench.cluster.jobs.stop(child)
    bench.wait(1)
    assert bench.allocation(child).client_status == "running"
    assert bench.ended(child).exit_code == 137


def test_what_a_task_left_behind_ends_with_it(bench: Bench) -> None:
    child = bench.run("/bin/sh", "-c", "sleep 300 & echo $!; exit 0")
    bench.ended(child)
    left = int(bench.said(child))
    assert eventually(lambda: stat_of(left)[0] == "Z")


IN_A_GROUP_OF_ITS_OWN = """
import subprocess
print(subprocess.Popen(["/bin/sleep", "300"], process_group=0).pid, flush=True)
"""


def test_what_a_task_left_behind_in_another_group_ends_with_it(bench: Bench) -> None:
    child = bench.run(sys.executable, "-c", IN_A_GROUP_OF_ITS_OWN)
    bench.ended(child)
    left = int(bench.said(child))
    assert eventually(lambda: not is_alive(left))


def test_a_machine_that_dies_takes_its_processes_with_it(bench: Bench) -> None:
    child = bench.run("/bin/sleep", "300")
    (group,) = bench.processes.groups
    bench.cluster.node_dies(SERVER_ID)
    assert eventually(lambda: not is_alive(group))
    assert bench.allocation(child).client_status == "running"
    bench.wait(60)
    assert bench.allocation(child).client_status == "lost"


def test_closing_ends_every_task_and_starts_none(bench: Bench) -> None:
    bench.run("/bin/sh", "-c", "trap '' TERM; sleep 300 & sleep 300")
    (group,) = bench.processes.groups
    bench.processes.close()
    assert eventually(lambda: not is_alive(group))
    bench.cluster.node_boots(
        Boot(server_id="another", name="os-worker-002", node_class="c", memory_mb=9_000)
    )
    bench.wait(10)
    bench.run("/bin/sleep", "300")
    assert bench.processes.groups == ()


SIMULATOR = """
import sys, threading, time
from pathlib import Path
from tests.integration.{module} import Bench
bench = Bench(Path(sys.argv[1]))
bench.run("/bin/sh", "-c", "trap '' TERM; sleep 300 & sleep 300")
print(bench.processes.groups[0], flush=True)
if sys.argv[2] == "wait":
    time.sleep(300)
"""


@pytest.mark.parametrize(
    ("ending", "number"),
    [
        pytest.param("wait", signal.SIGKILL, id="killed"),
        pytest.param("wait", signal.SIGINT, id="interrupted"),
        pytest.param("return", None, id="returned-without-closing"),
    ],
)
def test_nothing_outlives_the_simulator(
    tmp_path: Path, ending: str, number: signal.Signals | None
) -> None:
    script = SIMULATOR.format(module=Path(__file__).stem)
    simulator: subprocess.Popen[Any] = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), ending],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with simulator:
        assert simulator.stdout is not None
        group = int(simulator.stdout.readline())
        if number is not None:
            assert is_alive(group)
            simulator.send_signal(number)
        simulator.wait(20)
        assert eventually(lambda: not is_alive(group))
