"""What wakes the loops between their resyncs: the store's NOTIFY and Nomad's event stream.

Hints only. A stream that breaks rings once (something may have been missed) and is opened again
after a pause; all of them may be gone and the loops are right all the same, only later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from controller.attempt import Failed, attempt
from models.ports import Hints, Orchestrator

log = structlog.get_logger(__name__)

LISTEN_FOR = timedelta(seconds=5)
"""How long one wait for the store's hints lasts: at most this long a stop has to wait for it."""

PAUSE_SECONDS = 5.0
"""How long a broken stream is left alone."""


class Bell:
    """Wakes one loop. Rung while nobody waits, it ends the next wait at once."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def wait(self, timeout: timedelta) -> bool:
        """Wait to be rung, at most `timeout`; whether it was."""
        rung = self._rung.wait(timeout.total_seconds())
        self._rung.clear()
        return rung

    def wake(self) -> None:
        """Ring."""
        self._rung.set()


class Wakeups:
    """Listens to the sources of hints and rings the bells of all loops."""

    def __init__(
        self, bells: Iterable[Hints], ending: threading.Event, pause: float = PAUSE_SECONDS
    ) -> None:
        self._bells = tuple(bells)
        self._ending = ending
        self._pause = pause

    def ring(self) -> None:
        """Wake every loop."""
        for bell in self._bells:
            bell.wake()

    def follow_store(self, hints: Hints) -> None:
        """The body of a thread: ring whenever the store says so."""

        def listen() -> None:
            while not self._ending.is_set():
                if hints.wait(LISTEN_FOR):
                    self.ring()

        self._keep(listen, "store")

    def follow_nomad(self, orchestrator: Orchestrator) -> None:
        """The body of a thread: ring whenever the event stream says so."""

        def listen() -> None:
            for _ in orchestrator.watch(self._ending):
                self.ring()

        self._keep(listen, "nomad")

    def _keep(self, listen: Callable[[], None], stream: str) -> None:
        while not self._ending.is_set():
            heard = attempt(listen)
            if isinstance(heard, Failed):
                log.info(
                    "wake-ups are lost for a while",
                    action="hints_broken",
                    stream=stream,
                    error=str(heard.error),
                )
            self.ring()
            self._ending.wait(self._pause)
