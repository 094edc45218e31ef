"""All loops of one process: start, watch, and a stop that leaves nothing half done.

Order of the start: health first, so that a supervisor sees what follows; then the hints, then the
loops. Order of the stop: no new pass and no new call, calls in flight end, leases go back, health
last. Every thread is a daemon: one that hangs in a call is reported and cannot hold up the end.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import FrameType

import structlog

from controller import watchdog
from controller.attempt import Failed, attempt
from controller.config_values import Address
from controller.health import HealthServer
from controller.loop import Loop, Shell
from controller.wakeups import Bell, Wakeups
from controller.watchdog import Hung, Pending, Pulse
from models.ports import Hints
from models.settings import PassSettings

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5
PRUNE_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a process runs: where it says how it is, what wakes it, how long its end may take.

    `hints` opens the store's wake-ups. `close` is called last and closes what the loops were given.
    """

    health: Address
    hints: Callable[[], Hints] | None
    stop_within: timedelta
    close: Callable[[], None]


class Process:
    """The loops of one process and everything around them."""

    def __init__(
        self, loops: Sequence[Loop], shell: Shell, ending: threading.Event, manner: Manner
    ) -> None:
        self.loops = tuple(loops)
        self._shell = shell
        self._ending = ending
        self._manner = manner
        self._bells = [Bell() for _ in loops]
        self._wakeups = Wakeups(zip(self.loops, self._bells, strict=True), ending)
        self._loop_threads: list[threading.Thread] = []
        self._reported: frozenset[str] = frozenset()
        self._health: HealthServer | None = None
        self._hints: Hints | None = None

    # ---- running ---------------------------------------------------------------------------------

    def run(self) -> bool:
        """Run until SIGTERM, SIGINT or SIGHUP, then stop; whether all came to its end in time."""
        with self._signals():
            self.start()
            self._ending.wait()
            return self.stop()

    def start(self) -> None:
        """Start every thread and return. Raises `ConfigurationError` when health cannot listen."""
        self._health = HealthServer(
            self._manner.health,
            self._shell.tools.metrics.registry,
            faults=self.faults,
            obstacles=lambda: [*watchdog.not_ready(self._pulses())],
            remarks=self.unknown,
        )
        self._health.start()
        if self._manner.hints is not None:
            self._hints = self._manner.hints()
            self._thread("hints-store", self._wakeups.follow_store, self._hints)
        self._thread("hints-nomad", self._wakeups.follow_nomad, self._shell.tools.orchestrator)
        self._thread("watchdog", self._watch)
        self._thread("prune", self._prune)
        for loop, bell in zip(self.loops, self._bells, strict=True):
            self._loop_threads.append(
                self._thread(f"loop-{loop.name}", loop.run, self._ending, bell)
            )
        log.info("controller started", action="started", loops=[loop.name for loop in self.loops])

    def once(self) -> bool:
        """Make one pass of each loop and see its calls through; whether no pass failed."""
        reports = [loop.step() for loop in self.loops]
        self._shell.hands.executor.settle(self._manner.stop_within.total_seconds())
        return self.stop() and all(report.error is None for report in reports)

    def unknown(self) -> list[str]:
        """A sentence for every source that the last passes did not know."""
        return self._shell.observer.known.unknown()

    @property
    def health_address(self) -> Address | None:
        """Where /metrics, /healthz and /readyz are, once started."""
        return self._health.address if self._health else None

    def stop(self) -> bool:
        """Stop; whether everything came to its end in time. Then the leases are given back, else
        they expire: a call that is still out may yet take effect in their name.
        """
        until = time.monotonic() + self._manner.stop_within.total_seconds()
        self._ending.set()
        self._wakeups.ring_all()
        if self._hints is not None:
            self._hints.wake()
        for thread in self._loop_threads:
            thread.join(max(0.0, until - time.monotonic()))
        quiet = self._shell.hands.executor.settle(max(0.0, until - time.monotonic()))
        quiet = quiet and not any(thread.is_alive() for thread in self._loop_threads)
        if quiet:
            self._give_back()
        else:
            busy = sorted(self._shell.hands.executor.busy())
            log.warning("calls are still out", action="stop_unclean", subjects=busy)
        self._shell.close()
        if self._health is not None:
            self._health.stop()
        self._manner.close()
        log.info("controller stopped", action="stopped", clean=quiet)
        return quiet

    def _give_back(self) -> None:
        for loop in self.loops:
            released = attempt(loop.leadership.release)
            if isinstance(released, Failed):
                log.warning(
                    "lease not given back, it will expire",
                    action="release_failed",
                    loop=loop.name,
                    error=str(released.error),
                )

    # ---- watching --------------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """What hangs, in words; empty while the process does its work."""
        return [str(each) for each in self._hung()]

    def _hung(self) -> list[Hung]:
        now = self._shell.tools.clock.monotonic()
        return [*watchdog.hung(self._pulses(), self._pending(), self._passes(), now)]

    def _passes(self) -> PassSettings:
        return self._shell.observer.parameters.settings.passes

    def _pulses(self) -> list[Pulse]:
        return [loop.pulse() for loop in self.loops]

    def _pending(self) -> list[Pending]:
        reads = (
            Pending(what=f"reading the {source}", threads="observe", since=since)
            for source, since in self._shell.observer.under_way().items()
        )
        actions = (
            Pending(
                what=f"acting on {task.subject}",
                threads=task.system.value,
                since=task.since,
                deadlines=2,  # the wait for its turn and the call, as its intent has it
            )
            for task in self._shell.hands.executor.under_way()
        )
        return [*reads, *actions]

    def _watch(self) -> None:
        while not self._ending.wait(WATCH_SECONDS):
            self.watch_once()

    def watch_once(self) -> None:
        """Report what hangs, once each, with the stack of whoever is stuck in it."""
        found = self._hung()
        now_hung = frozenset(each.what for each in found)
        for loop in self.loops:
            self._shell.tools.metrics.hung(loop.name, is_hung=f"loop {loop.name}" in now_hung)
        for each in found:
            if each.what not in self._reported:
                log.error(
                    "something hangs",
                    action="hung",
                    what=each.what,
                    stage=each.stage,
                    seconds=round(each.silence.total_seconds()),
                    stacks=stacks(each.threads),
                )
        for what in self._reported - now_hung:
            log.info("it came back", action="hung_over", what=what)
        self._reported = now_hung

    def _prune(self) -> None:
        """Drop what nobody looks at any more, now and then."""
        tools = self._shell.tools
        while not self._ending.wait(PRUNE_SECONDS):
            before = tools.clock.now() - self._passes().decisions_kept
            dropped = attempt(partial(tools.store.prune, before))
            if isinstance(dropped, Failed):
                log.warning("nothing pruned", action="prune_failed", error=str(dropped.error))
            else:
                log.info("old rows pruned", action="pruned", rows=dropped.answer)

    # ---- threads and signals ---------------------------------------------------------------------

    def _thread(self, name: str, work: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, name=name, daemon=True)
        thread.start()
        return thread

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """End gracefully at the first SIGTERM, SIGINT or SIGHUP; a second one of the first two does
        what it always did. A hang-up may come twice, from the shell and from the kernel: the second
        is ignored. One that was ignored before, as under nohup, stays so.
        """
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        hang_up = signal.getsignal(signal.SIGHUP)

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        def end(_number: int, _frame: FrameType | None) -> None:
            restore()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._ending.set()

        for number in before:
            signal.signal(number, end)
        if hang_up is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, end)
        try:
            yield
        finally:
            restore()
            signal.signal(signal.SIGHUP, hang_up)


def stacks(prefix: str) -> dict[str, list[str]]:
    """Where every thread stands whose name begins so, innermost call last."""
    frames = sys._current_frames()  # noqa: SLF001 - the only way to see another thread's stack
    return {
        thread.name: traceback.format_stack(frames[thread.ident])
        for thread in threading.enumerate()
        if thread.name.startswith(prefix) and thread.ident in frames
    }
