"""One source of the world: each read of it is made once, for all loops that wait for one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.crew import Crew, Promise
from models.ports import Clock

Snapshot = TypeVar("Snapshot")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[Snapshot]):
    """What one read of a source gave: a snapshot, or why there is none to go by."""

    snapshot: Snapshot | None
    unknown: str = ""
    number: int = 0

    def given(self, otherwise: Snapshot) -> Snapshot:
        """The snapshot; `otherwise` where there is none."""
        return otherwise if self.snapshot is None else self.snapshot


class Feed(Generic[Snapshot]):
    """One source, read by at most one thread at a time, shared by all who wait for it."""

    def __init__(self, crew: Crew, clock: Clock, read: Callable[[int], Reading[Snapshot]]) -> None:
        """`read` is told the number of the reading that it makes."""
        self._crew = crew
        self._clock = clock
        self._read = read
        self._lock = threading.Lock()
        self._begun_at = float("-inf")
        self._number = 0
        self._future: Promise[Reading[Snapshot]] | None = None

    def ask(self, after: float, beyond: int = 0) -> Promise[Reading[Snapshot]] | None:
        """The read with a number above `beyond` that began at or after the monotonic moment
        `after`; begun now if need be. None while an older one is under way: it has to end first.
        """
        with self._lock:
            old = self._begun_at < after or self._number <= beyond
            if self._future is None or (old and self._future.done()):
                old = False
                self._number += 1
                self._begun_at = self._clock.monotonic()
                number = self._number
                self._future = self._crew.submit(lambda: self._read(number))
            return None if old else self._future

    def under_way_since(self) -> float | None:
        """When the read began that has not come back, if there is one."""
        with self._lock:
            waiting = self._future is not None and not self._future.done()
            return self._begun_at if waiting else None

    def get(self, after: float, until: float, beyond: int = 0) -> Reading[Snapshot]:
        """The reading that `ask` speaks of; unknown when there is none at `until`."""
        allowed = until - self._clock.monotonic()
        try:
            while (wanted := self.ask(after, beyond)) is None:
                # What hung for the pass before is not waited for once more.
                self._wait_for(self._future, min(until, self._begun_at + allowed))
            return self._wait_for(wanted, until)
        except TimeoutError:
            silent = self._clock.monotonic() - self._begun_at
            return Reading(snapshot=None, unknown=f"no answer for {silent:.1f} s", number=beyond)

    def _wait_for(
        self, future: Promise[Reading[Snapshot]] | None, until: float
    ) -> Reading[Snapshot]:
        if future is None:
            return Reading(snapshot=None, unknown="never asked")
        return future.result(timeout=max(0.0, until - self._clock.monotonic()))
