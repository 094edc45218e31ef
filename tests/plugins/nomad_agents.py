"""Real Nomad agents as processes of a test: one server, and clients that join and die on order.

Everything is on 127.0.0.1 and on free ports, below one folder. What runs there is found by its
working directory: a task outlives the agent that started it, so that ending an agent's process
alone would leave its tasks behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

PATIENCE = 90.0
"""Seconds within which anything that Nomad does by itself has happened, on the slowest machine."""

SERVER: Mapping[str, Any] = {
    "enabled": True,
    "bootstrap_expect": 1,
    # A dead machine is noticed within seconds; the intervals between are Nomad's own.
    "heartbeat_grace": "1s",
    "min_heartbeat_ttl": "1s",
    "failover_heartbeat_ttl": "5s",
}
NO_CLOUD_HERE = "env_aws,env_azure,env_digitalocean,env_gce,consul,vault,cni"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a client is told to be. Sizes in MB and MHz."""

    name: str
    node_class: str
    meta: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 15_000
    cpu_mhz: int = 20_000
    default_ineligible: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One agent: its process, where it works, and where it listens."""

    process: subprocess.Popen[bytes]
    folder: Path
    ports: Mapping[str, int]

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.ports['http']}"


class Agents:
    """A server and its clients; a context manager that ends them all and what they run."""

    def __init__(self, binary: str, folder: Path, server: Mapping[str, Any] | None = None) -> None:
        self._binary = binary
        self._folder = folder
        self._more = server or {}
        self._started: list[Agent] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(self._end_all)
        try:
            self.server = self._start("server", self._server_config)
            wait_until(lambda: _leads(self.server), f"a leader; see {self.server.folder}")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self, machine: Machine) -> Agent:
        """Start a client, which registers soon after this has returned."""
        return self._start(f"client-{len(self._started)}", lambda p, f: self._client(machine, p, f))

    def end(self, agent: Agent) -> None:
        """What the loss of a machine is: the agent and all that it started are gone at once."""
        kill_all_in(agent.folder)
        agent.process.wait()

    def silence(self, agent: Agent, *, silent: bool) -> None:
        """Stop an agent in its tracks, or let it go on; its tasks do not notice."""
        agent.process.send_signal(signal.SIGSTOP if silent else signal.SIGCONT)

    # ---- configuration ---------------------------------------------------------------------------

    def _server_config(self, ports: Mapping[str, int], folder: Path) -> dict[str, Any]:
        return {**_common(ports, folder), "server": {**SERVER, **self._more.get("server", {})}} | {
            key: value for key, value in self._more.items() if key != "server"
        }

    def _client(self, machine: Machine, ports: Mapping[str, int], folder: Path) -> dict[str, Any]:
        acl = {"acl": self._more["acl"]} if "acl" in self._more else {}
        return {**client_config(machine, self.server.ports["rpc"], ports, folder), **acl}

    # ---- processes -------------------------------------------------------------------------------

    def _start(self, name: str, config: Any) -> Agent:
        folder = self._folder / name
        folder.mkdir(parents=True)
        ports = free_ports()
        path = folder / "agent.json"
        path.write_text(json.dumps(config(ports, folder)))
        with (folder / "agent.log").open("wb") as log:
            process = subprocess.Popen(
                [self._binary, "agent", f"-config={path}"],
                cwd=folder,
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        agent = Agent(process=process, folder=folder, ports=ports)
        self._started.append(agent)
        return agent

    def _end_all(self) -> None:
        for agent in reversed(self._started):
            self.end(agent)
        kill_all_in(self._folder)
        shutil.rmtree(self._folder)


def wait_until(what: Any, told: str, patience: float = PATIENCE) -> None:
    """Return once something is so; `TimeoutError` with what was waited for, if it never is."""
    over = time.monotonic() + patience
    while not what():
        if time.monotonic() > over:
            raise TimeoutError(f"waited {patience} s in vain for {told}")
        time.sleep(0.05)


def _common(ports: Mapping[str, int], folder: Path) -> dict[str, Any]:
    return {
        "data_dir": str(folder / "data"),
        "bind_addr": "127.0.0.1",
        "advertise": dict.fromkeys(("http", "rpc", "serf"), "127.0.0.1"),
        "ports": dict(ports),
        "disable_update_check": True,
        "log_level": "INFO",
    }


def _leads(agent: Agent) -> bool:
    if agent.process.poll() is not None:
        raise ChildProcessError((agent.folder / "agent.log").read_text())
    try:
        response = requests.get(f"{agent.url}/v1/status/leader", timeout=5)
    except requests.ConnectionError:
        return False
    if not response.ok or not response.json():
        return False
    # Before its keyring is there a leader refuses to register clients, who then wait for long.
    keys = requests.get(f"{agent.url}/.well-known/jwks.json", timeout=5)
    return keys.ok and bool(keys.json()["keys"])


def client_config(
    machine: Machine, server_port: int, ports: Mapping[str, int], folder: Path
) -> dict[str, Any]:
    """How a client is set up that is this machine and joins the server at this port."""
    return {
        **_common(ports, folder),
        "name": machine.name,
        "client": {
            "enabled": True,
            "servers": [f"127.0.0.1:{server_port}"],
            "node_class": machine.node_class,
            "meta": dict(machine.meta),
            "memory_total_mb": machine.memory_mb,
            "cpu_total_compute": machine.cpu_mhz,
            "default_ineligible": machine.default_ineligible,
            "options": {"fingerprint.denylist": NO_CLOUD_HERE, "driver.allowlist": "raw_exec"},
        },
        "plugin": [{"raw_exec": [{"config": [{"enabled": True}]}]}],
    }


def free_ports() -> dict[str, int]:
    """Ports of 127.0.0.1 that were free a moment ago, by what an agent uses them for."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in ("http", "rpc", "serf")}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: int(each.getsockname()[1]) for name, each in sockets.items()}


def kill_all_in(folder: Path) -> None:
    """End at once every process that works below a folder, and undo what was mounted there."""
    while pids := list(_at_work_in(folder)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    for point in reversed(_mounts_in(folder)):
        subprocess.run(["umount", point], check=True)


def _at_work_in(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(folder):
                    yield int(entry.name)


def _mounts_in(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]
