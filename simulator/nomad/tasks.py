"""What a task does, behind one small protocol; the clients in `agents` start and kill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from simulator.nomad.rows import AllocRow, JobRow, NodeRow

Exited = Callable[[int], None]
"""Told once, with the exit code, when a task is over by itself or was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One execution: which allocation of which job on which node."""

    allocation: AllocRow
    job: JobRow
    node: NodeRow


class TaskDriver(Protocol):
    """Runs tasks. Called under the cluster's lock, hence never blocks."""

    def start(self, task: Task, exited: Exited) -> None:
        """Start a task, unless its allocation is being run already."""

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """Ask a task to end and make sure of it after `grace`; 0: its machine is gone.

        One that is over, or was never started, is no error.
        """


class Sleepers:
    """Tasks that do nothing until they are killed, or until a test ends them with `exit`."""

    def __init__(self) -> None:
        self.running: dict[str, Exited] = {}
        self.killed: list[str] = []
        self.lingering: set[str] = set()

    def start(self, task: Task, exited: Exited) -> None:
        """Remember the task."""
        self.running.setdefault(task.allocation.id, exited)

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """End at once, except that a lingering one waits for `exit` while it has grace."""
        self.killed.append(allocation_id)
        if not grace or allocation_id not in self.lingering:
            self.exit(allocation_id, 137)

    def exit(self, allocation_id: str, code: int = 0) -> None:
        """Let a task end with this code."""
        exited = self.running.pop(allocation_id, None)
        if exited is not None:
            exited(code)
