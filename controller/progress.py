"""Where one loop stands: in which stage of its pass, since when, and how long that may take.

Each stage is progress. One that waits for somebody outside may take that call's own deadline; one
that is our own code, or a wait for a wake-up, may take nothing of its own. Two resyncs beyond that
the loop hangs (`controller.watchdog`). The limit is taken when the stage begins: a parameter that
is changed meanwhile makes nobody late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from models.ports import Clock
from models.settings import PassSettings

NOTHING = timedelta(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What a loop is doing, since when (monotonic seconds), and when it is late; None: never."""

    what: str
    since: float
    limit: timedelta | None


class Progress:
    """The stages of one loop. Written by the thread that makes its passes, read by the watchdog."""

    def __init__(self, clock: Clock, passes: Callable[[], PassSettings]) -> None:
        self._clock = clock
        self._passes = passes
        self._thread: int | None = None
        self._allowed = NOTHING
        self.stage = Stage(what="", since=0.0, limit=None)
        self.enter("starting", passes().call_deadline)

    def begin(self) -> None:
        """The calling thread makes the passes from here on."""
        self._thread = threading.get_ident()

    def enter(self, what: str, allowed: timedelta = NOTHING) -> None:
        """The next stage begins; `allowed` is what it may take by itself."""
        self._allowed = allowed
        limit = allowed + 2 * self._passes().resync
        self.stage = Stage(what=what, since=self._clock.monotonic(), limit=limit)

    def leave(self) -> None:
        """The loop has ended: nothing more is to be expected of it."""
        self.stage = Stage(what="ended", since=self._clock.monotonic(), limit=None)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A call with the deadline of all calls, and then what was before. In other threads, which
        call in this loop's name, it is no stage of the loop.
        """
        if threading.get_ident() != self._thread:
            yield
            return
        before, allowed = self.stage.what, self._allowed
        self.enter(what, self._passes().call_deadline)
        try:
            yield
        finally:
            self.enter(before, allowed)
