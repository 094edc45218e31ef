"""Faults on order and by seed: what goes wrong with which call, before or after its effect.

Each simulated system asks `Faults.take(operation)` once per call and acts on the answer. The names
of operations are those of the ports' methods, prefixed by the system: `nomad.dispatch`,
`cloud.create`, `store.commit`. Both faces, memory and HTTP, act alike. What goes wrong with the
systems themselves, whoever calls, is in `simulator.mishaps`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from random import Random

from models.ports import Operations, Reader


class Fault(StrEnum):
    """What may happen to one call."""

    REFUSED = "refused"
    """The service says that it cannot serve now (503; Nomad without a leader: 500); nothing was
    done."""
    TIMEOUT = "timeout"
    """No answer, and nothing was done."""
    LOST_REPLY = "lost_reply"
    """No answer, but it was done."""
    THROTTLED = "throttled"
    """Asked too often (429); nothing was done."""
    SERVER_ERROR = "server_error"
    """The service fails (500, in its own words): nothing was done, which nobody can know."""
    STALE = "stale"
    """A list is older than the one before: of a server that lags behind."""
    CUT_SHORT = "cut_short"
    """A list breaks off: a page is missing, or the end of the answer."""
    CRASH = "crash"
    """The controller dies here: before the call leaves."""
    CRASH_AFTER = "crash_after"
    """The controller dies here: after the effect, before it could learn of it."""


class Crash(BaseException):
    """The controller dies. Not an `Exception`, so that nothing in the program can survive it."""


PROGRAMS = frozenset({"store.claim", "store.report", "store.end"})
"""What the programs on workers call: a crash of the controller is none of theirs."""

PEOPLE = frozenset(
    f"store.{method}" for port in (Operations, Reader) for method in vars(port) if method[0] != "_"
)
"""What people call: chance and outages leave it alone, so that whoever drives a world can."""

LISTS = frozenset({"nomad.snapshot", "cloud.snapshot", "cloud.snapshot.page"})
"""Answers that may be older than the one before, or break off."""

WRITES = frozenset(
    {
        *("nomad.dispatch", "nomad.register", "nomad.set_eligibility", "nomad.stop"),
        *("nomad.evaluate", "nomad.purge", "cloud.create", "cloud.delete"),
        *("cloud.make_image", "cloud.delete_image"),
        *("store.acquire", "store.release", "store.commit", "store.record", "store.beat"),
        *("store.end_refusals", "store.prune", *PROGRAMS),
    }
)
"""Every call of the controller and of the programs on workers that changes something."""

_CRASHES = frozenset({Fault.CRASH, Fault.CRASH_AFTER})
_OF_LISTS = frozenset({Fault.STALE, Fault.CUT_SHORT})


def may_befall(fault: Fault, operation: str) -> bool:
    """Whether this can happen to such a call at all."""
    if fault in _OF_LISTS:
        return operation in LISTS
    return not (fault in _CRASHES and operation in PROGRAMS)


@dataclass
class Faults:
    """What is to go wrong: orders first, then outages, then chance with `rates` per fault.

    Chance and outages leave the operations in `spared` alone. `before_call` is told of every call
    before it is made: whoever drives a world may let it go on in between.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    spared: frozenset[str] = PEOPLE

    def __post_init__(self) -> None:
        self.calls = 0
        """How many calls were made so far, faulty or not."""
        self.taken: list[tuple[str, Fault]] = []
        self.before_call: Callable[[str], None] | None = None
        self._at: dict[int, Fault] = {}
        self._chance = Random(self.seed)
        self._orders: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._outages: dict[str, Fault] = {}
        self._limits = tuple(zip(accumulate(self.rates.values()), self.rates, strict=True))

    def order(self, operation: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` calls of `operation` suffer `fault`."""
        self._orders[operation].extend([fault] * times)

    def order_at(self, number: int, fault: Fault) -> None:
        """Let call `number` (counted over all operations, from 1) suffer `fault`."""
        self._at[number] = fault

    def begin_outage(self, system: str, fault: Fault) -> None:
        """Let every call of a system (`nomad`, `cloud`, `store`) suffer `fault` until it ends."""
        self._outages[system] = fault

    def end_outage(self, system: str) -> None:
        """Let a system be reached again."""
        self._outages.pop(system, None)

    @property
    def is_calm(self) -> bool:
        """Nothing will go wrong with any call unless somebody orders it."""
        ordered = self._at or any(self._orders.values()) or self._outages
        return not ordered and not self._limits

    def clear(self) -> None:
        """Forget all orders and let chance rest: the world is quiet from here on."""
        self._orders.clear()
        self._at.clear()
        self._outages.clear()
        self.rates, self._limits = {}, ()

    def take(self, operation: str) -> Fault | None:
        """The fault of this call, if any. Asked exactly once per call."""
        if self.before_call is not None:
            self.before_call(operation)
        self.calls += 1
        fault = self._at.pop(self.calls, None)
        if fault is None:
            waiting = self._orders.get(operation)
            fault = waiting.popleft() if waiting else self._unordered(operation)
        if fault is None or not may_befall(fault, operation):
            return None
        self.taken.append((operation, fault))
        return fault

    def _unordered(self, operation: str) -> Fault | None:
        if operation in self.spared:
            return None
        if self._outages and (down := self._outages.get(operation.partition(".")[0])):
            return down
        return self._drawn()

    def _drawn(self) -> Fault | None:
        if not self._limits:
            return None
        drawn = self._chance.random()
        return next((fault for limit, fault in self._limits if drawn < limit), None)
