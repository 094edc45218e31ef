"""What goes wrong in a simulation, by level: calls that fail, everything outside, the controllers.

`none` is a world in which everything works. `some` is a bad week in production pressed into a day;
`all` is ten times that. Both draw from everything that can go wrong (`simulator.faults`,
`simulator.mishaps`, and `TROUBLES` here), by the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from types import MappingProxyType
from typing import TypeAlias

from controller.simulate.scenario import BEHAVIOURS, FaultLevel, Options
from controller.simulation import Simulation
from simulator.behaviour import Behaviour, Ending
from simulator.faults import Fault, Faults
from simulator.mishaps import MISHAPS, calm
from simulator.press import PressOptions
from simulator.press_mishaps import PRESS_MISHAPS

Trouble: TypeAlias = Callable[[Simulation, Random], bool]

CLOCK_JUMP = 120
"""By how many seconds a controller's wall clock may jump at most, ahead or back."""


def _controller_dies(sim: Simulation, chance: Random) -> bool:
    sim.crash(chance.randrange(len(sim.processes)))
    return True


def _clock_jumps(sim: Simulation, chance: Random) -> bool:
    clock = chance.choice(sim.clocks)
    clock.jump(timedelta(seconds=chance.uniform(-CLOCK_JUMP, CLOCK_JUMP)))
    return True


def _outside(name: str) -> Trouble:
    return lambda sim, chance: MISHAPS[name](sim.systems, chance)


def _of_press(name: str) -> Trouble:
    return lambda sim, chance: PRESS_MISHAPS[name](sim.systems, chance)


TROUBLES: Mapping[str, Trouble] = MappingProxyType(
    {
        **{name: _outside(name) for name in MISHAPS},
        "controller_dies": _controller_dies,
        "clock_jumps": _clock_jumps,
    }
)
"""Everything that may happen to a simulated world besides failing calls, by name."""

PRESS_TROUBLES: Mapping[str, Trouble] = MappingProxyType(
    {name: _of_press(name) for name in PRESS_MISHAPS}
)
"""And what may, where something is published."""

_ANY = MappingProxyType({**TROUBLES, **PRESS_TROUBLES})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wear:
    """How often things go wrong. `calls` are shares of all calls, `endings` of all runs, `refused`
    of what is announced; `troubles` are times a day, by their names in `TROUBLES` and
    `PRESS_TROUBLES`.
    """

    calls: Mapping[Fault, float] = field(default_factory=dict)
    endings: Mapping[Ending, float] = field(default_factory=dict)
    troubles: Mapping[str, float] = field(default_factory=dict)
    refused: float = 0.0

    def times(self, factor: float) -> Wear:
        """The same, that much as often."""
        return Wear(
            calls={fault: rate * factor for fault, rate in self.calls.items()},
            endings={ending: share * factor for ending, share in self.endings.items()},
            troubles={name: rate * factor for name, rate in self.troubles.items()},
            refused=self.refused * factor,
        )


OFTEN = ("placement_late", "node_silent_for_a_while", "allocation_lost", "boot_spawn")
"""What happens several times in a bad week; the rest happens about once."""

SOME = Wear(
    calls={
        Fault.REFUSED: 0.001,
        Fault.TIMEOUT: 0.001,
        Fault.LOST_REPLY: 0.001,
        Fault.THROTTLED: 0.001,
        Fault.SERVER_ERROR: 0.001,
        Fault.STALE: 0.001,
        Fault.CUT_SHORT: 0.001,
        Fault.CRASH: 0.00002,
        Fault.CRASH_AFTER: 0.00002,
    },
    endings={
        Ending.EXTERNAL_ERROR: 0.01,
        Ending.INTERNAL_ERROR: 0.004,
        Ending.SILENT_EXIT: 0.003,
        Ending.HANG: 0.001,
    },
    troubles={name: 4 if name in OFTEN else 1 for name in _ANY},
    refused=0.005,
)

LEVELS: Mapping[FaultLevel, Wear] = {
    FaultLevel.NONE: Wear(),
    FaultLevel.SOME: SOME,
    FaultLevel.ALL: SOME.times(10),
}


def faults_of(options: Options) -> Faults:
    """What goes wrong with calls."""
    return Faults(rates=LEVELS[options.faults].calls, seed=options.seed)


def behaviours_of(options: Options) -> dict[str, Behaviour]:
    """What programs do, failures included."""
    endings = LEVELS[options.faults].endings
    return {kind: replace(usual, endings=endings) for kind, usual in BEHAVIOURS.items()}


def press_of(options: Options) -> PressOptions:
    """What the endpoint does with what is announced."""
    return PressOptions(refused=LEVELS[options.faults].refused)


class Mishaps:
    """Lets things go wrong at moments drawn from the seed, until `until` has passed: then the world
    is left in peace. `happened` counts what did, by name.
    """

    def __init__(self, sim: Simulation, wear: Wear, until: timedelta) -> None:
        self.happened: Counter[str] = Counter()
        self._sim = sim
        self._chance = Random(f"mishaps:{sim.plan.scenario.seed}")
        self._until = sim.systems.timeline.now() + until
        self._wear = wear
        self._rate = sum(wear.troubles.values())
        if self._rate:
            self._next()
            sim.systems.timeline.after(until, self._peace)

    def _next(self) -> None:
        """Let something happen after a wait, and then again, as often as the wear says."""
        timeline, chance = self._sim.systems.timeline, self._chance
        timeline.after(timedelta(days=1) / self._rate * chance.expovariate(1), self._happen)

    def _happen(self) -> None:
        if self._sim.systems.timeline.now() >= self._until:
            return
        troubles, chance = self._wear.troubles, self._chance
        name = chance.choices(list(troubles), list(troubles.values()))[0]
        if _ANY[name](self._sim, chance):
            self.happened[name] += 1
        self._next()

    def _peace(self) -> None:
        leave_in_peace(self._sim)


def leave_in_peace(sim: Simulation) -> None:
    """From here on nothing goes wrong but what is under way."""
    calm(sim.systems)
    for clock in sim.clocks:
        clock.set_right()
