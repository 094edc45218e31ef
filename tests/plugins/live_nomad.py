"""A live Nomad to test against: a private one of real agents, or one that somebody else runs.

The private one is there when `nomad` is on the PATH. It is a server of its own for every test, and
a client process for every machine that the test lets join.

One that somebody else runs is only asked what nothing but a name of ours is needed for: it is named
by NOMAD_ADDR (with NOMAD_TOKEN) for `make contract-nomad`, which hands it on under another name:
an ordinary test run asks no Nomad, whatever the environment says. All that is made there bears a
deployment id made up for the test, wants a node class that no node has, and is purged at the end;
nothing else is touched.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from infra.nomad import NomadAccess, connect
from models.job_types import TaskCommand
from models.ports import Orchestrator
from models.world import Node, NomadSnapshot
from tests.plugins.nomad_agents import Agent, Agents, Machine, wait_until
from tests.plugins.nomad_in_test import COMMAND, FLAVOR, NomadInTest, NomadWithMachines

BINARY = shutil.which("nomad")
ADDRESS = os.environ.get("CONTRACT_NOMAD_ADDR", "")
TOKEN = os.environ.get("CONTRACT_NOMAD_TOKEN") or None

PATIENCE = timedelta(seconds=60)
"""The deadline of calls."""

QUIET_LOOKS = 8
"""How many looks in a row must find the same before all is taken to be settled."""

TASK = """#!/bin/sh
# Runs until a file named like its allocation says with which code to end.
trap 'test -e "$1/$NOMAD_ALLOC_ID.lingers" || exit 143' TERM
trap 'exit 130' INT
while ! test -e "$1/$NOMAD_ALLOC_ID"; do sleep 0.05; done
exit "$(cat "$1/$NOMAD_ALLOC_ID")"
"""


@dataclass(kw_only=True)
class AddressedNomad(NomadInTest):
    """A Nomad at an address, in which others may be at work."""

    url: str
    port: Orchestrator
    deployment: str
    flavor: str
    command: TaskCommand = COMMAND

    def settle(self) -> None:
        """Wait until the same is seen for a while and nothing of it is on its way."""
        seen: list[NomadSnapshot] = []

        def settled() -> bool:
            now = self.port.snapshot()
            if self._on_its_way(now) or (seen and _differs(seen[-1], now)):
                seen.clear()
            else:
                seen.append(now)
            return len(seen) == QUIET_LOOKS

        wait_until(settled, "everything to settle")

    def a_moment(self) -> None:
        """As long as a few evaluations take."""
        time.sleep(0.01)

    def _on_its_way(self, seen: NomadSnapshot) -> bool:
        ours = f"hrsi-{self.deployment}-"
        return any(e.status == "pending" for e in seen.evaluations if e.job_id.startswith(ours))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One bare request, which has to succeed."""
        headers = {"X-Nomad-Token": TOKEN} if TOKEN else {}
        response = requests.request(
            method, f"{self.url}/v1/{path}", timeout=30, headers=headers, **options
        )
        response.raise_for_status()
        return response


@dataclass(kw_only=True)
class LiveNomad(AddressedNomad, NomadWithMachines):
    """A Nomad of our own agents. `folder` is where its tasks are told when to end."""

    agents: Agents
    folder: Path
    default_ineligible: bool
    flavor: str = FLAVOR
    address: str = "127.0.0.1"
    _machines: dict[str, Agent] = field(default_factory=dict)
    _ready_at: dict[str, int] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _lingering: set[str] = field(default_factory=set)

    def _on_its_way(self, seen: NomadSnapshot) -> bool:
        heard = {n.id for n in seen.nodes if n.status == "ready" and n.id not in self._silent}
        return (
            any(evaluation.status == "pending" for evaluation in seen.evaluations)
            or any(node.status == "initializing" for node in seen.nodes)
            or any(
                (a.desired_status, a.client_status) != ("run", "running")
                and a.id not in self._lingering
                for a in seen.allocations
                if a.node_id in heard
            )
        )

    def ready_node(self, name: str = "os-worker-001", **changes: str) -> str:
        """Start a client and wait until its node is ready."""
        known = {node.id for node in self.port.snapshot().nodes}
        machine = Machine(
            name=name,
            node_class=changes.pop("flavor", FLAVOR),
            meta={"openstack_server_id": changes.pop("server_id", str(uuid4()))},
            default_ineligible=self.default_ineligible,
        )
        agent, joined = self.agents.join(machine), list[Node]()

        def is_ready() -> bool:
            nodes = self.port.snapshot().nodes
            joined.extend(n for n in nodes if n.id not in known and n.status == "ready")
            return bool(joined)

        wait_until(is_ready, f"{name} to be ready; see {agent.folder}")
        (node,) = joined
        self._machines[node.id] = agent
        self._ready_at[node.id] = node.modify_index
        return node.id

    def drain(self, node_id: str) -> int:
        """PUT /v1/node/:id/drain."""
        wanted = {"DrainSpec": {"Deadline": 0, "IgnoreSystemJobs": True}}
        return int(self.ask("put", f"node/{node_id}/drain", json=wanted).json()["Index"])

    def machine_dies(self, node_id: str) -> None:
        """End all processes of the machine."""
        self._silent.add(node_id)
        self.agents.end(self._machines[node_id])

    def falls_silent(self, node_id: str) -> None:
        """Stop the agent in its tracks."""
        self._silent.add(node_id)
        self.agents.silence(self._machines[node_id], silent=True)

    def is_heard_again(self, node_id: str) -> None:
        """Let the agent go on, until its node is ready."""
        self._silent.discard(node_id)
        self.agents.silence(self._machines[node_id], silent=False)
        wait_until(lambda: self._status(node_id) == "ready", f"node {node_id} to be ready")
        self.settle()

    def miss_heartbeats(self, node_id: str) -> None:
        """Wait until the node is down."""
        wait_until(lambda: self._status(node_id) == "down", f"node {node_id} to be down")
        self.settle()

    def registered_again(self, node_id: str) -> None:
        """Wait until the node was written after it became ready, which was its second write."""

        def again() -> bool:
            node = self.ask("get", f"node/{node_id}").json()
            return bool(node["ModifyIndex"] > self._ready_at[node_id])

        wait_until(again, f"node {node_id} to register again")

    def come_back(self, node_id: str) -> None:
        """Wait until the node is ready again."""
        wait_until(lambda: self._status(node_id) == "ready", f"node {node_id} to come back")

    def exit(self, job_id: str, code: int) -> None:
        """Tell the task, and wait until its allocation is terminal."""
        (allocation,) = self.live(job_id)
        said = self.folder / f"{allocation.id}.said"
        said.write_text(str(code))
        said.rename(self.folder / allocation.id)
        wait_until(
            lambda: allocation.id not in {a.id for a in self.live(job_id)},
            f"allocation {allocation.id} to end",
        )

    def linger(self, job_id: str) -> None:
        """Tell the task."""
        (allocation,) = self.live(job_id)
        (self.folder / f"{allocation.id}.lingers").touch()
        self._lingering.add(allocation.id)

    def tasks_at_work(self) -> int:
        """As the machine has them: every task is a shell with the folder for its argument."""
        told = str(self.folder).encode()
        return sum(
            told in line.split(b"\0") for line in map(_command_of, Path("/proc").glob("[0-9]*"))
        )

    def collect_garbage(self) -> None:
        """PUT /v1/system/gc, and wait until nothing that is over is left."""
        self.ask("put", "system/gc")
        wait_until(
            lambda: not any(job.dead for job in self.port.snapshot().jobs), "garbage to be gone"
        )

    def allocations_ever(self, job_id: str) -> int:
        """As the job's own list has them."""
        return len(self.ask("get", f"job/{job_id}/allocations").json())

    def _status(self, node_id: str) -> str:
        return next((n.status for n in self.port.snapshot().nodes if n.id == node_id), "gone")


def _command_of(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _differs(before: NomadSnapshot, now: NomadSnapshot) -> bool:
    return (before.nodes, before.jobs, before.evaluations, before.allocations) != (
        now.nodes,
        now.jobs,
        now.evaluations,
        now.allocations,
    )


@contextmanager
def a_live_nomad(folder: Path, *, default_ineligible: bool = False) -> Iterator[LiveNomad]:
    """A server of our own; it and all that it runs has ended when the block is left."""
    assert BINARY is not None, "nomad is not on the PATH"
    task, told = folder / "task.sh", folder / "told"
    task.write_text(TASK)
    task.chmod(0o755)
    told.mkdir()
    with Agents(BINARY, folder / "agents") as agents:
        deployment = f"contract-{uuid4().hex[:8]}"
        with _connected(agents.server.url, deployment, None) as port:
            yield LiveNomad(
                url=agents.server.url,
                port=port,
                deployment=deployment,
                command=TaskCommand(driver="raw_exec", command=str(task), args=(str(told),)),
                agents=agents,
                folder=told,
                default_ineligible=default_ineligible,
            )


@contextmanager
def an_addressed_nomad() -> Iterator[AddressedNomad]:
    """The Nomad at CONTRACT_NOMAD_ADDR; what was made there is purged at the end."""
    deployment = f"contract-{uuid4().hex[:8]}"
    with _connected(ADDRESS, deployment, TOKEN) as port:
        made = AddressedNomad(url=ADDRESS, port=port, deployment=deployment, flavor=deployment)
        try:
            yield made
        finally:
            for job in port.snapshot().jobs:
                made.ask("delete", f"job/{job.id}", params={"purge": "true"})


@contextmanager
def _connected(url: str, deployment: str, token: str | None) -> Iterator[Orchestrator]:
    access = NomadAccess(address=url, deployment=deployment, token=token, call_deadline=PATIENCE)
    port = connect(access)
    try:
        yield port
    finally:
        port.close()
