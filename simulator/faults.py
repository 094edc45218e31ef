"""Faults on order and by seed: what goes wrong with which call, before or after its effect.

Each simulated system asks `Faults.take(operation)` once per call and acts on the answer. The names
of operations are those of the ports' methods, prefixed by the system: `nomad.dispatch`,
`cloud.create`, `store.commit`. Both faces, memory and HTTP, act alike.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What may happen to one call."""

    REFUSED = "refused"
    """The service says that it cannot serve now; nothing was done."""
    TIMEOUT = "timeout"
    """No answer, and nothing was done."""
    LOST_REPLY = "lost_reply"
    """No answer, but it was done."""
    THROTTLED = "throttled"
    """Asked too often; nothing was done."""
    CRASH = "crash"
    """The controller dies here: before the call leaves."""
    CRASH_AFTER = "crash_after"
    """The controller dies here: after the effect, before it could learn of it."""


class Crash(BaseException):
    """The controller dies. Not an `Exception`, so that nothing in the program can survive it."""


PROGRAMS = frozenset({"store.claim", "store.report", "store.end"})
"""What the programs on workers call: a crash of the controller is none of theirs."""

_CRASHES = frozenset({Fault.CRASH, Fault.CRASH_AFTER})


@dataclass
class Faults:
    """What is to go wrong: orders first, then chance with `rates` per fault from the seed.

    Chance leaves the operations in `spared` alone. A crash never hits a program on a worker.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    spared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.calls = 0
        """How many calls were made so far, faulty or not."""
        self._at: dict[int, Fault] = {}
        self._chance = Random(self.seed)
        self._orders: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.taken: list[tuple[str, Fault]] = []

    def order(self, operation: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` calls of `operation` suffer `fault`."""
        self._orders[operation].extend([fault] * times)

    def order_at(self, number: int, fault: Fault) -> None:
        """Let call `number` (counted over all operations, from 1) suffer `fault`."""
        self._at[number] = fault

    @property
    def is_calm(self) -> bool:
        """Nothing will go wrong with any call unless somebody orders it."""
        ordered = self._at or any(self._orders.values())
        return not ordered and not any(self.rates.values())

    def clear(self) -> None:
        """Forget all orders and let chance rest: the world is quiet from here on."""
        self._orders.clear()
        self._at.clear()
        self.rates = {}

    def take(self, operation: str) -> Fault | None:
        """The fault of this call, if any. Asked exactly once per call."""
        self.calls += 1
        waiting = self._orders.get(operation)
        fault = self._at.pop(self.calls, None)
        if fault is None:
            fault = waiting.popleft() if waiting else self._drawn(operation)
        if fault in _CRASHES and operation in PROGRAMS:
            fault = None
        if fault is not None:
            self.taken.append((operation, fault))
        return fault

    def _drawn(self, operation: str) -> Fault | None:
        if operation in self.spared:
            return None
        for fault, rate in self.rates.items():
            if self._chance.random() < rate:
                return fault
        return None
