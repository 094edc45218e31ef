"""The endpoint of a demo: a simulated broker, and somebody behind it who takes what is announced.

It is away at first, so that announcements wait for it, and refuses some products once: they come
back, and are announced again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from models.ports import Clock
from simulator.broker import SimulatedBroker
from simulator.broker.endpoint import Endpoint, LockedBroker, announced

AWAY_FOR = timedelta(seconds=20)
REFUSES_EVERY = 7
LOOKS_EVERY = 0.2
"""Seconds between two looks at what was announced."""


class DemoEndpoint:
    """The broker as the controller has it, and what was announced through it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = SimulatedBroker()
        self._endpoint = Endpoint(
            self._state, refuse_every=REFUSES_EVERY, opens_at=clock.now() + AWAY_FOR
        )
        self.broker = LockedBroker(self._state, self._lock)

    def published(self) -> int:
        """How many products were announced and confirmed."""
        with self._lock:
            return len(announced(self._state))

    def work(self, ending: threading.Event) -> None:
        """Take announcements until the demo ends."""
        while not ending.wait(LOOKS_EVERY):
            with self._lock:
                self._endpoint.work(self._clock.now())


@contextmanager
def endpoint(clock: Clock) -> Iterator[DemoEndpoint]:
    """An endpoint at work, for the length of a block."""
    found, ending = DemoEndpoint(clock), threading.Event()
    thread = threading.Thread(target=found.work, args=(ending,), name="endpoint", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ending.set()
        thread.join()
