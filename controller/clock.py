"""Real time and real chance, for those who are given a `Clock` and `Ids`.

A controller goes by the store's time: what it compares with `now` was mostly written down by that
clock, for programs report to it, or by another controller. So the wall clock of its own machine may
be wrong, or be set right, without a run that seems an hour older than it is.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from models.ports import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Only Linux has a clock that counts sleep."""


class SystemClock:
    """Implements `Clock` by the clocks of this machine."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow, also while the machine sleeps: a lease runs out then."""
        return time.clock_gettime(_MONOTONIC)


class StoreClock:
    """The store's time, carried on from what it told last by the monotonic clock of this machine.

    Before it has told anything it is the wall clock here. Threads may share it.
    """

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._lock = threading.Lock()
        self._ahead: float | None = None
        """Seconds since 1970 by the store, less those of the monotonic clock."""

    def now(self) -> datetime:
        """The store's time, aware, UTC."""
        ahead = self._ahead
        if ahead is None:
            return self._own.now()
        return _EPOCH + timedelta(seconds=ahead + self._own.monotonic())

    def monotonic(self) -> float:
        """See the clock of this machine."""
        return self._own.monotonic()

    def told(self, now: datetime, asked: float, answered: float) -> None:
        """Learn that the store's clock showed `now` at some moment between these two (monotonic).

        What is known already stays unless it contradicts that: answers that come slowly must not
        move the time to and fro. At first the later moment is believed; too early a time waits a
        little longer for everything, and does nothing too soon.
        """
        seconds = (now - _EPOCH).total_seconds()
        least, most = seconds - answered, seconds - asked
        with self._lock:
            known = least if self._ahead is None else self._ahead
            self._ahead = min(max(known, least), most)


class RandomIds:
    """Implements `Ids` by the system's chance."""

    def uuid(self) -> UUID:
        """A new random uuid."""
        return uuid4()
