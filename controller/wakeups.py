"""What wakes the loops between their resyncs: the store's NOTIFY and Nomad's event stream.

A loop is woken by the streams of what its rules read, and by no other. Hints only: a stream that
breaks rings once (something may have been missed) and is opened again after a pause; all of them
may be gone and the loops are right all the same, only later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

import structlog

from controller.attempt import Failed, attempt
from models.ports import Hints, Orchestrator
from models.world import Source

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


class Sleeper(Protocol):
    """A loop, as far as it can be woken."""

    def heeds(self, source: Source) -> bool:
        """Whether it is to be woken when something happened there."""


class Wakeups:
    """Listens to the sources of hints and rings the bells of the loops that heed them."""

    def __init__(
        self,
        bells: Iterable[tuple[Sleeper, Hints]],
        ending: threading.Event,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._bells = tuple(bells)
        self._ending = ending
        self._pause = pause

    def ring_all(self) -> None:
        """Wake every loop."""
        for _, bell in self._bells:
            bell.wake()

    def ring(self, source: Source) -> None:
        """Wake the loops whose rules read what has happened there."""
        for loop, bell in self._bells:
            if loop.heeds(source):
                bell.wake()

    def follow_store(self, hints: Hints) -> None:
        """The body of a thread: ring whenever the store says so."""

        def listen() -> None:
            while not self._ending.is_set():
                if hints.wait(LISTEN_FOR):
                    self.ring(Source.STORE)

        self._keep(listen, Source.STORE)

    def follow_nomad(self, orchestrator: Orchestrator) -> None:
        """The body of a thread: ring whenever the event stream says so."""

        def listen() -> None:
            for _ in orchestrator.watch(self._ending):
                self.ring(Source.NOMAD)

        self._keep(listen, Source.NOMAD)

    def _keep(self, listen: Callable[[], None], stream: Source) -> None:
        while not self._ending.is_set():
            heard = attempt(listen)
            if isinstance(heard, Failed):
                log.info(
                    "wake-ups are lost for a while",
                    action="hints_broken",
                    stream=stream.value,
                    error=str(heard.error),
                )
            self.ring(stream)
            self._ending.wait(self._pause)
