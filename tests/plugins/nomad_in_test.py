"""What every Nomad to test against can do: a port, and levers for what a controller cannot.

`tests.plugins.nomad` has the simulated ones, `tests.plugins.live_nomad` the real one.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Self
from uuid import UUID, uuid4

from models.errors import Unavailable
from models.job_types import DEFAULT_REGISTRY, Parent, TaskCommand
from models.ports import Dispatch, Orchestrator
from models.world import Allocation, NomadJob

DEPLOYMENT = "test"
FLAVOR = "hm.medium"
SERVICE = "si-processing"
PARENT = f"hrsi-{DEPLOYMENT}-{SERVICE}-{FLAVOR}"
COMMAND = TaskCommand(driver="raw_exec", command="/bin/true")


def a_parent(
    deployment: str = DEPLOYMENT, *, flavor: str = FLAVOR, command: TaskCommand = COMMAND
) -> Parent:
    """One of the parents of a deployment; its runs fill a worker of the flavor."""
    known = DEFAULT_REGISTRY.parents(deployment, command)
    found = next(each for each in known if (each.service, each.flavor) == (SERVICE, FLAVOR))
    return replace(found, flavor=flavor)


def an_order(
    run: UUID | None = None,
    priority: int = 60,
    payload: bytes = b"{}",
    deployment: str = DEPLOYMENT,
) -> Dispatch:
    """The dispatch of a run that the parents of a deployment accept."""
    token = run or uuid4()
    return Dispatch(
        parent=a_parent(deployment).id,
        token=token,
        meta={
            "run": str(token),
            "job": "7",
            "unique_id": str(uuid4()),
            "attempt": "1",
            "deployment": deployment,
        },
        payload=payload,
        id_prefix="j7-a1",
        priority=priority,
    )


class NomadInTest(ABC):
    """A Nomad in which nothing of this deployment is, but for a parent once it is registered."""

    port: Orchestrator
    deployment: str
    flavor: str
    command: TaskCommand = COMMAND

    @abstractmethod
    def settle(self) -> None:
        """Let everything happen that is under way; what runs goes on running."""

    @abstractmethod
    def a_moment(self) -> None:
        """Let so little time pass that some of what is under way has happened and some has not."""

    @cached_property
    def parent(self) -> Parent:
        """The parent that orders go to."""
        return a_parent(self.deployment, flavor=self.flavor, command=self.command)

    def order(self, **changes: Any) -> Dispatch:
        """The dispatch of a run that our parent accepts; `changes` as of `an_order`."""
        return replace(an_order(**changes, deployment=self.deployment), parent=self.parent.id)

    def register(self) -> None:
        """Register our parent."""
        self.port.register(self.parent, self.deployment)

    def job(self, job_id: str) -> NomadJob:
        """A job as the snapshot shows it now."""
        return next(job for job in self.port.snapshot().jobs if job.id == job_id)

    def children(self) -> list[NomadJob]:
        """All children as the snapshot shows them now."""
        return [job for job in self.port.snapshot().jobs if job.parent_id]

    def live(self, job_id: str) -> list[Allocation]:
        """The allocations of a job that are not terminal."""
        return [a for a in self.port.snapshot().allocations if a.job_id == job_id]

    def open_evaluations(self) -> list[tuple[str, str]]:
        """Of which of our jobs there are evaluations that are not over, and their statuses."""
        return [
            (each.job_id, each.status)
            for each in self.port.snapshot().evaluations
            if each.job_id.startswith(f"hrsi-{self.deployment}-")
        ]


class NomadWithMachines(NomadInTest):
    """A Nomad that is ours alone, with machines that come and go as the test says.

    `address` is what its nodes give as their own.
    """

    flavor: str = FLAVOR
    address: str

    @abstractmethod
    def ready_node(self, name: str = "os-worker-001", **changes: str) -> str:
        """Let a worker join and wait until its node is ready; its id.

        `changes`: `flavor` and `server_id`.
        """

    @abstractmethod
    def drain(self, node_id: str) -> int:
        """Drain a node without a deadline, as a person may; the index of that write."""

    @abstractmethod
    def machine_dies(self, node_id: str) -> None:
        """Let a worker be gone, with its agent and all that runs there. Nomad knows nothing yet."""

    @abstractmethod
    def falls_silent(self, node_id: str) -> None:
        """Let nobody hear a node's agent any more; what runs there goes on."""

    @abstractmethod
    def is_heard_again(self, node_id: str) -> None:
        """Let a silent agent be heard."""

    @abstractmethod
    def miss_heartbeats(self, node_id: str) -> None:
        """Let so much time pass that Nomad knows of a node's silence, and what follows happens."""

    @abstractmethod
    def registered_again(self, node_id: str) -> None:
        """Let so much time pass after a node joined that its agent has registered once more."""

    @abstractmethod
    def come_back(self, node_id: str) -> None:
        """Let so much time pass that an agent notices that its node is gone, and mends that."""

    @abstractmethod
    def exit(self, job_id: str, code: int) -> None:
        """Let the task of a job's live allocation end, and Nomad know of it."""

    @abstractmethod
    def linger(self, job_id: str) -> None:
        """Let the task of a job's live allocation pay no heed when it is told to end."""

    @abstractmethod
    def tasks_at_work(self) -> int:
        """How many tasks run on the machines, whatever Nomad says."""

    @abstractmethod
    def collect_garbage(self) -> None:
        """Let Nomad forget whatever is over."""

    @abstractmethod
    def allocations_ever(self, job_id: str) -> int:
        """How many allocations a job ever had."""

    def running_child(self) -> str:
        """Dispatch a run and wait until it runs, if there is room for it."""
        child = self.port.dispatch(self.order())
        self.settle()
        return child


class Watcher:
    """Counts the hints of a port in a thread of its own."""

    def __init__(self, port: Orchestrator) -> None:
        self.stop = threading.Event()
        self.hints = 0
        self.error: Exception | None = None
        self._port = port
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def ended(self, within: float = 5) -> bool:
        """Whether it came to an end by itself within some seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        try:
            for _ in self._port.watch(self.stop):
                self.hints += 1
        except Unavailable as error:
            self.error = error


def eventually(what: Callable[[], bool]) -> bool:
    """Whether something becomes true within a while."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return False
