"""Tasks as real local processes: what the raw_exec driver of a Nomad client does.

How they are started, ended and never left behind is in `simulator.groups`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.groups import ProcessGroups
from simulator.nomad.environment import interpolated, task_environment
from simulator.nomad.tasks import Exited, Task

EXIT_NOT_STARTED = 127


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
        """The directory of an allocation: `local/` is the task's, `logs/` has what it said."""
        return self._folder / allocation_id

    def start(self, task: Task, exited: Exited) -> None:
        """Start the command of a task; one that cannot be started has exited with 127."""
        allocation_id = task.allocation.id
        try:
            told_by = signal.Signals[task.job.task.kill_signal]
            self._processes.start(allocation_id, lambda: self._spawn(task), exited, told_by)
        except OSError as error:
            _log(self.folder_of(allocation_id), str(error))
            exited(EXIT_NOT_STARTED)

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """The signal that its job asks for, and SIGKILL after `grace`; at once without grace."""
        self._processes.kill(allocation_id, grace)

    def close(self) -> None:
        """End every task and thread; returns when they have ended. Twice is fine."""
        self._processes.close()
        if self._kept is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self, task: Task) -> subprocess.Popen[bytes]:
        folder, spec = self.folder_of(task.allocation.id), task.job.task
        local = folder / "local"
        for each in (local, folder / "alloc", folder / "secrets", folder / "logs"):
            each.mkdir(parents=True, exist_ok=True)
        if spec.payload_file:
            (local / spec.payload_file).write_bytes(task.job.payload)
        environment = task_environment(task, folder, self._environment)
        if spec.driver not in {"raw_exec", "exec"}:
            raise OSError(f"this client has no driver {spec.driver!r}, only raw_exec and exec")
        command = [str(spec.config.get("command", "")), *map(str, spec.config.get("args", ()))]
        with (
            (folder / "logs" / f"{spec.task}.stdout.0").open("ab") as stdout,
            (folder / "logs" / f"{spec.task}.stderr.0").open("ab") as stderr,
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
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "logs" / "driver.log").open("a") as log:
        log.write(f"{text}\n")
