"""Virtual time: what happens when, in one thread, the same for the same seed.

The simulated systems put their future on a `Timeline` (a boot ends, a task exits, a heartbeat is
missed). In memory the harness advances it; behind HTTP a thread lets it follow the real clock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When every simulated world begins."""


class MachineClock:
    """The clock of one machine: its wall clock may be set wrong, its monotonic one never jumps.

    Implements `Clock`.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._off = timedelta(0)

    @property
    def is_true(self) -> bool:
        """The wall clock shows the time of the world."""
        return not self._off

    def now(self) -> datetime:
        """What the wall clock shows."""
        return self._timeline.now() + self._off

    def monotonic(self) -> float:
        """Seconds that only ever grow, whatever is done to the wall clock."""
        return self._timeline.monotonic()

    def jump(self, by: timedelta) -> None:
        """Let the wall clock jump, back when `by` is negative."""
        self._off += by

    def set_right(self) -> None:
        """Let the wall clock show the time of the world again."""
        self._off = timedelta(0)


class Timeline:
    """A clock that only moves when told, and the events that wait on it. Implements `Clock`."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._start = start
        self._now = start
        self._seconds = 0.0
        self._order = itertools.count()
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []

    def now(self) -> datetime:
        """The virtual wall clock."""
        return self._now

    def monotonic(self) -> float:
        """Virtual seconds since the world began."""
        return self._seconds

    def after(self, delay: timedelta, event: Callable[[], None]) -> None:
        """Let `event` happen `delay` from now; events at the same moment keep their order."""
        heapq.heappush(self._events, (self._now + delay, next(self._order), event))

    def next_at(self) -> datetime | None:
        """When the next event is due, if there is one."""
        return self._events[0][0] if self._events else None

    def advance_to(self, moment: datetime) -> int:
        """Move to `moment`, letting everything due on the way happen in order; how much did."""
        happened = 0
        while self._events and self._events[0][0] <= moment:
            due, _, event = heapq.heappop(self._events)
            self._move(due)
            event()
            happened += 1
        self._move(moment)
        return happened

    def _move(self, moment: datetime) -> None:
        if moment > self._now:
            self._now = moment
            self._seconds = (moment - self._start).total_seconds()

    def advance(self, step: timedelta) -> int:
        """Move on by `step`; see `advance_to`."""
        return self.advance_to(self._now + step)
