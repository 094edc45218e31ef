"""Where calls wait for their turn: one bounded, paced crew per outside system.

A subject with an action in the hands of the executor is *busy*: the world says so, and it gets no
second one. In simulation the crews are `Inline` and nothing ever waits.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.crew import Crew
from models.errors import System
from models.ports import Clock

NO_PACE = float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """How one system is called: by whom, how many may wait or be under way, how many a second."""

    crew: Crew
    capacity: int
    per_second: float = NO_PACE


@dataclass(frozen=True, kw_only=True, slots=True)
class UnderWay:
    """An action in the hands of the executor, and since when (monotonic seconds)."""

    subject: str
    system: System
    since: float


class Executor:
    """Performs effects and knows which subjects are busy."""

    def __init__(
        self, lanes: Mapping[System, Lane], clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self._lanes = lanes
        self._clock = clock
        self._pause = pause
        self._next_turn = dict.fromkeys(lanes, 0.0)
        self._changed = threading.Condition()
        self._under_way: dict[int, UnderWay] = {}
        self._number = 0

    def admits(self, system: System) -> bool:
        """Whether one more action of this system may be prepared now. The store is always open."""
        lane = self._lanes.get(system)
        return lane is None or self._load()[system] < lane.capacity

    def busy(self) -> frozenset[str]:
        """Subjects with an action waiting or under way."""
        with self._changed:
            return frozenset(task.subject for task in self._under_way.values())

    def under_way(self) -> tuple[UnderWay, ...]:
        """Everything waiting or under way, the oldest first."""
        with self._changed:
            return tuple(self._under_way.values())

    def run(self, subject: str, system: System, work: Callable[[], None]) -> None:
        """Perform `work` when its turn comes. `work` handles its own failures."""
        with self._changed:
            self._number += 1
            number = self._number
            self._under_way[number] = UnderWay(
                subject=subject, system=system, since=self._clock.monotonic()
            )
        lane = self._lanes[system]

        def take_turn() -> None:
            try:
                self._await_turn(system, lane)
                work()
            finally:
                self._finished(number)

        if lane.crew.submit(take_turn).cancelled():
            self._finished(number)

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is under way, at most `timeout` seconds; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, timeout)

    def close(self) -> None:
        """Take nothing new."""
        for lane in self._lanes.values():
            lane.crew.close()

    def _finished(self, number: int) -> None:
        with self._changed:
            del self._under_way[number]
            self._changed.notify_all()

    def _load(self) -> Counter[System]:
        with self._changed:
            return Counter(task.system for task in self._under_way.values())

    def _await_turn(self, system: System, lane: Lane) -> None:
        """Wait for the next place in the pace of the system."""
        if lane.per_second == NO_PACE:
            return
        with self._changed:
            now = self._clock.monotonic()
            turn = max(now, self._next_turn[system])
            self._next_turn[system] = turn + 1 / lane.per_second
        if turn > now:
            self._pause(turn - now)
