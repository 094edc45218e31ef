"""Real local processes that end when they are told to, and at the latest with this one.

Each process runs in a session of its own, so that ending it ends what it started, whatever groups
it made in that session: a Nomad client does the same with a control group. Nothing is left running:
`close` ends every one, and should this process die without closing, even by SIGKILL, a warden
notices the end of their pipe and ends them instead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from simulator import warden

SIGNALLED = 128
"""A process that a signal ended has this plus the signal's number as its exit code."""

Ended = Callable[[int], None]
"""Told once, under the lock, with the exit code of a process that ended before `close`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A process, and whom to tell of its end."""

    process: subprocess.Popen[bytes]
    ended: Ended
    told_by: signal.Signals


class ProcessGroups:
    """Processes by a key of the caller's, each the leader of a group. `lock` is the caller's."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._running: dict[str, Running] = {}
        self._waiters: set[threading.Thread] = set()
        self._timers: set[threading.Timer] = set()
        self._closed = False
        self._warden = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", warden.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        atexit.register(self.close)

    @property
    def groups(self) -> tuple[int, ...]:
        """The process groups that run now."""
        with self._lock:
            return tuple(each.process.pid for each in self._running.values())

    def start(
        self,
        key: str,
        spawn: Callable[[], subprocess.Popen[bytes]],
        ended: Ended,
        told_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start a process, unless one of this key runs or all was closed.

        `spawn` makes it in a session of its own, `told_by` is the signal that later tells it to
        end. Raises `OSError` when `spawn` does.
        """
        with self._lock:
            if self._closed or key in self._running:
                return
            process = spawn()
            self._tell_warden("+", process.pid)
            waiter = threading.Thread(
                target=self._await_end,
                args=(key, process),
                name=f"process-{key}",
                daemon=True,  # at the interpreter's exit, threads are waited for before `close`
            )
            self._running[key] = Running(process=process, ended=ended, told_by=told_by)
            self._waiters.add(waiter)
            waiter.start()

    def kill(self, key: str, grace: timedelta) -> bool:
        """Tell it to end, and SIGKILL after `grace`; at once without grace. Never blocks.

        Whether there was such a process.
        """
        with self._lock:
            running = self._running.get(key)
            if running is None:
                return False
            if not grace:
                _signal(running.process, signal.SIGKILL)
                return True
            _signal(running.process, running.told_by)
            timer = threading.Timer(
                grace.total_seconds(), self._kill_after_grace, args=(key, running)
            )
            timer.daemon = True
            self._timers.add(timer)
            timer.start()
            return True

    def close(self) -> None:
        """End every process, thread and the warden; returns when they have ended. Twice is fine."""
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

    def _await_end(self, key: str, process: subprocess.Popen[bytes]) -> None:
        # Not reaped yet, its group's number is still its own: what it left behind ends with it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _signal(process, signal.SIGKILL)
        code = process.wait()
        self._tell_warden("-", process.pid)
        with self._lock:
            running = self._running.pop(key)
            self._waiters.discard(threading.current_thread())
            if not self._closed:
                running.ended(SIGNALLED - code if code < 0 else code)

    def _kill_after_grace(self, key: str, running: Running) -> None:
        with self._lock:
            timer = threading.current_thread()
            self._timers = {each for each in self._timers if each is not timer}
            if self._running.get(key) is running:
                _signal(running.process, signal.SIGKILL)

    def _tell_warden(self, change: str, group: int) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            if self._warden.stdin is not None:
                self._warden.stdin.write(f"{change}{group}\n")
                self._warden.stdin.flush()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if number is signal.SIGKILL:
        warden.end_session(process.pid)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
