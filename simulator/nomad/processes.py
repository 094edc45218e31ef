"""Tasks as real local processes: what the raw_exec driver of a Nomad client does.

How they are started, ended and never left behind is in `simulator.groups`. The tasks beside the one
that leads run as long as it does: they are told to end when it has ended, and only once they have,
too, is the allocation over. They share its directories, and none of them is started again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.groups import ProcessGroups
from simulator.nomad.environment import interpolated, task_environment
from simulator.nomad.tasks import Exited, Task

EXIT_NOT_STARTED = 127

LOGS = "alloc/logs"
"""Where tasks' output is, below the directory of their allocation."""


class LocalProcesses:
    """A `TaskDriver` and a context manager. `lock` is the cluster's: ends are told under it.

    `environment` is what every task is given besides what Nomad says; `folder` is where tasks
    have their directories, and is kept; without one a temporary folder is made and removed.
    """

    def __init__(
        self,
        lock: threading.RLock,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._environment = {"PATH": os.defpath, **(environment or {})}
        self._kept = folder
        self._folder = folder or Path(tempfile.mkdtemp(prefix="hrsi-nomad-"))
        self._processes = ProcessGroups(lock)
        self._others: dict[str, dict[str, timedelta]] = {}
        self._waiting: dict[str, Callable[[], None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def groups(self) -> tuple[int, ...]:
        """The process groups of the tasks that run now."""
        return self._processes.groups

    def folder_of(self, allocation_id: str) -> Path:
        """The directory of an allocation: `local/` is the task's, `alloc/logs/` what it said."""
        return self._folder / allocation_id

    def start(self, task: Task, exited: Exited) -> None:
        """Start the tasks of an allocation; a leader that cannot be started has exited with 127."""
        allocation_id = task.allocation.id

        def leader_ended(code: int) -> None:
            self._end_others(allocation_id, code, exited)

        try:
            self._start_one(allocation_id, task, leader_ended)
        except OSError as error:
            _log(self.folder_of(allocation_id), str(error))
            exited(EXIT_NOT_STARTED)
            return
        for spec in task.job.task.others:
            self._start_other(replace(task, job=replace(task.job, task=spec)))

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """The signal that its job asks for, and SIGKILL after `grace`; at once without grace."""
        self._processes.kill(allocation_id, grace)
        if not grace:
            for key in self._others.get(allocation_id, ()):
                self._processes.kill(key, grace)

    def _start_one(self, key: str, task: Task, ended: Exited) -> None:
        told_by = signal.Signals[task.job.task.kill_signal]
        self._processes.start(key, lambda: self._spawn(task), ended, told_by)

    def _start_other(self, task: Task) -> None:
        allocation_id, spec = task.allocation.id, task.job.task
        key = f"{allocation_id}/{spec.task}"
        running = self._others.setdefault(allocation_id, {})
        running[key] = spec.kill_timeout
        try:
            self._start_one(key, task, lambda _: self._other_ended(allocation_id, key))
        except OSError as error:
            del running[key]
            _log(self.folder_of(allocation_id), str(error))

    def _end_others(self, allocation_id: str, code: int, exited: Exited) -> None:
        running = self._others.get(allocation_id)
        if not running:
            self._others.pop(allocation_id, None)
            exited(code)
            return
        self._waiting[allocation_id] = lambda: exited(code)
        for key, grace in running.items():
            self._processes.kill(key, grace)

    def _other_ended(self, allocation_id: str, key: str) -> None:
        running = self._others[allocation_id]
        del running[key]
        if not running and (told := self._waiting.pop(allocation_id, None)) is not None:
            del self._others[allocation_id]
            told()

    def close(self) -> None:
        """End every task and thread; returns when they have ended. Twice is fine."""
        self._processes.close()
        if self._kept is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self, task: Task) -> subprocess.Popen[bytes]:
        folder, spec = self.folder_of(task.allocation.id), task.job.task
        local, logs = folder / "local", folder / LOGS
        for each in (local, folder / "secrets", logs):
            each.mkdir(parents=True, exist_ok=True)
        if spec.payload_file:
            (local / spec.payload_file).write_bytes(task.job.payload)
        environment = task_environment(task, folder, self._environment)
        if spec.driver not in {"raw_exec", "exec"}:
            raise OSError(f"this client has no driver {spec.driver!r}, only raw_exec and exec")
        command = [str(spec.config.get("command", "")), *map(str, spec.config.get("args", ()))]
        with (
            (logs / f"{spec.task}.stdout.0").open("ab") as stdout,
            (logs / f"{spec.task}.stderr.0").open("ab") as stderr,
        ):
            return subprocess.Popen(  # noqa: S603 - running what jobs say is what a client is for
                [interpolated(part, task.node, environment) for part in command],
                cwd=local,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )


def _log(folder: Path, text: str) -> None:
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    with (folder / LOGS / "driver.log").open("a") as log:
        log.write(f"{text}\n")
