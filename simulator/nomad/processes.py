"""Tasks as real local processes: what the raw_exec driver of a Nomad client does.

Each task runs in a session of its own, so that ending it ends what it started. Nothing is left
running: leaving the `with` block ends every task, and should this process die without leaving it,
even by SIGKILL, a warden notices the end of their pipe and ends them instead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.nomad.environment import interpolated, task_environment
from simulator.nomad.tasks import Exited, Task

EXIT_NOT_STARTED = 127
SIGNALLED = 128
"""A task that a signal ended has this plus the signal's number as its exit code."""

_WARDEN = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A task's process and whom to tell of its end."""

    process: subprocess.Popen[bytes]
    waiter: threading.Thread
    exited: Exited


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
        self._lock = lock
        self._environment = {"PATH": os.defpath, **(environment or {})}
        self._kept = folder
        self._folder = folder or Path(tempfile.mkdtemp(prefix="hrsi-nomad-"))
        self._running: dict[str, Running] = {}
        self._waiters: set[threading.Thread] = set()
        self._timers: set[threading.Timer] = set()
        self._closed = False
        self._warden = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", "-c", _WARDEN],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        atexit.register(self.close)

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
        with self._lock:
            return tuple(each.process.pid for each in self._running.values())

    def folder_of(self, allocation_id: str) -> Path:
        """The directory of an allocation: `local/` is the task's, `logs/` has what it said."""
        return self._folder / allocation_id

    # ---- the driver ------------------------------------------------------------------------------

    def start(self, task: Task, exited: Exited) -> None:
        """Start the command of a task; one that cannot be started has exited with 127."""
        allocation_id = task.allocation.id
        if self._closed or allocation_id in self._running:
            return
        try:
            process = self._spawn(task)
        except OSError as error:
            _log(self.folder_of(allocation_id), str(error))
            exited(EXIT_NOT_STARTED)
            return
        self._tell_warden("+", process.pid)
        waiter = threading.Thread(
            target=self._await_end,
            args=(allocation_id, process),
            name=f"task-{allocation_id}",
            daemon=True,  # at the interpreter's exit, threads are waited for before `close` runs
        )
        self._running[allocation_id] = Running(process=process, waiter=waiter, exited=exited)
        self._waiters.add(waiter)
        waiter.start()

    def kill(self, allocation_id: str, grace: timedelta) -> None:
        """SIGTERM, and SIGKILL after `grace`; at once without grace."""
        with self._lock:
            running = self._running.get(allocation_id)
            if running is None:
                return
            if not grace:
                _signal(running.process, signal.SIGKILL)
                return
            _signal(running.process, signal.SIGTERM)
            timer = threading.Timer(
                grace.total_seconds(), self._kill_after_grace, args=(allocation_id, running)
            )
            timer.daemon = True
            self._timers.add(timer)
            timer.start()

    def close(self) -> None:
        """End every task, thread and the warden; returns when they have ended. Twice is fine."""
        with self._lock:
            self._closed = True
            for running in self._running.values():
                _signal(running.process, signal.SIGKILL)
            waiters, timers = list(self._waiters), list(self._timers)
        atexit.unregister(self.close)
        for timer in timers:
            timer.cancel()
            timer.join()
        for waiter in waiters:
            waiter.join()
        if self._warden.stdin is not None:
            self._warden.stdin.close()
        self._warden.wait()
        if self._kept is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # ---- processes -------------------------------------------------------------------------------

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

    def _await_end(self, allocation_id: str, process: subprocess.Popen[bytes]) -> None:
        # Not reaped yet, its group's number is still its own: what it left behind ends with it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _signal(process, signal.SIGKILL)
        code = process.wait()
        self._tell_warden("-", process.pid)
        with self._lock:
            running = self._running.pop(allocation_id)
            self._waiters.discard(threading.current_thread())
            if not self._closed:
                running.exited(SIGNALLED - code if code < 0 else code)

    def _kill_after_grace(self, allocation_id: str, running: Running) -> None:
        with self._lock:
            timer = threading.current_thread()
            self._timers = {each for each in self._timers if each is not timer}
            if self._running.get(allocation_id) is running:
                _signal(running.process, signal.SIGKILL)

    def _tell_warden(self, change: str, group: int) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            if self._warden.stdin is not None:
                self._warden.stdin.write(f"{change}{group}\n")
                self._warden.stdin.flush()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _log(folder: Path, text: str) -> None:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "logs" / "driver.log").open("a") as log:
        log.write(f"{text}\n")
