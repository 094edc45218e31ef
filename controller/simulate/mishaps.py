"""What goes wrong in a simulation, by level: calls that fail, machines that are lost, crashes.

`none` is a world in which everything works. `some` is a bad week in production pressed into a day;
`all` is ten times that. Both are drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from controller.simulate.scenario import BEHAVIOURS, FaultLevel, Options
from controller.simulation import Simulation
from simulator.behaviour import Behaviour, Ending
from simulator.cloud.options import BootFailure
from simulator.faults import Fault, Faults

PEOPLE = frozenset({"store.submit", "store.set_parameter"})
"""Calls that are not the controller's: what people and the simulation itself ask for works."""

AWAY_SECONDS = (30, 600)
"""How long a node that is heard again was silent."""

LATE_SECONDS = (1, 20)

BOOTED_BY = timedelta(minutes=10)
"""After which a name that never joins is an ordinary one again: its server has long been ACTIVE."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wear:
    """How often things go wrong. `calls` are shares of all calls, `endings` of all runs; the rest
    is times a day: nodes that fall silent and come back, machines that vanish, allocations that
    Nomad loses, placements that come late, boots that fail, and servers that never join.
    """

    calls: Mapping[Fault, float] = field(default_factory=dict)
    endings: Mapping[Ending, float] = field(default_factory=dict)
    silent_nodes: float = 0
    vanished_servers: float = 0
    lost_allocations: float = 0
    late_placements: float = 0
    failed_boots: float = 0
    stuck_boots: float = 0
    never_joined: float = 0

    def times(self, factor: float) -> Wear:
        """The same, that much as often."""
        return Wear(
            calls={fault: rate * factor for fault, rate in self.calls.items()},
            endings={ending: share * factor for ending, share in self.endings.items()},
            silent_nodes=self.silent_nodes * factor,
            vanished_servers=self.vanished_servers * factor,
            lost_allocations=self.lost_allocations * factor,
            late_placements=self.late_placements * factor,
            failed_boots=self.failed_boots * factor,
            stuck_boots=self.stuck_boots * factor,
            never_joined=self.never_joined * factor,
        )


SOME = Wear(
    calls={
        Fault.REFUSED: 0.001,
        Fault.TIMEOUT: 0.001,
        Fault.LOST_REPLY: 0.001,
        Fault.THROTTLED: 0.001,
        Fault.CRASH: 0.00002,
        Fault.CRASH_AFTER: 0.00002,
    },
    endings={
        Ending.EXTERNAL_ERROR: 0.01,
        Ending.INTERNAL_ERROR: 0.004,
        Ending.SILENT_EXIT: 0.003,
        Ending.HANG: 0.001,
    },
    silent_nodes=4,
    vanished_servers=1,
    lost_allocations=4,
    late_placements=6,
    failed_boots=4,
    stuck_boots=2,
    never_joined=2,
)

LEVELS: Mapping[FaultLevel, Wear] = {
    FaultLevel.NONE: Wear(),
    FaultLevel.SOME: SOME,
    FaultLevel.ALL: SOME.times(10),
}


def faults_of(options: Options) -> Faults:
    """What goes wrong with calls."""
    wear = LEVELS[options.faults]
    return Faults(rates=wear.calls, seed=options.seed, spared=PEOPLE)


def behaviours_of(options: Options) -> dict[str, Behaviour]:
    """What programs do, failures included."""
    endings = LEVELS[options.faults].endings
    return {kind: replace(usual, endings=endings) for kind, usual in BEHAVIOURS.items()}


class Mishaps:
    """Lets things go wrong outside, at moments drawn from the seed, until `until` has passed."""

    def __init__(self, sim: Simulation, options: Options, until: timedelta) -> None:
        self._sim = sim
        self._chance = Random(f"mishaps:{options.seed}")
        self._until = sim.systems.timeline.now() + until
        wear = LEVELS[options.faults]
        for rate, happen in (
            (wear.silent_nodes, self._silence_node),
            (wear.vanished_servers, self._vanish_server),
            (wear.lost_allocations, self._lose_allocation),
            (wear.late_placements, self._delay_placement),
            (wear.failed_boots, lambda: self._fail_boot(BootFailure.SPAWN)),
            (wear.stuck_boots, lambda: self._fail_boot(BootFailure.NEVER_ENDS)),
            (wear.never_joined, self._never_join),
        ):
            if rate:
                self._again(timedelta(days=1) / rate, happen)

    def _again(self, mean: timedelta, happen: Callable[[], None]) -> None:
        """Let it happen after a wait, and then again, as often as `mean` says."""

        def event() -> None:
            if timeline.now() < self._until:
                happen()
                self._again(mean, happen)

        timeline = self._sim.systems.timeline
        timeline.after(mean * self._chance.expovariate(1), event)

    def _silence_node(self) -> None:
        nomad = self._sim.systems.outside.nomad
        nodes = nomad.state.nodes.by_id()
        if nodes:
            away = timedelta(seconds=self._chance.uniform(*AWAY_SECONDS))
            nomad.lose_node(self._chance.choice(nodes).id, away)

    def _vanish_server(self) -> None:
        servers = self._sim.truth.servers()
        if servers:
            self._sim.systems.outside.cloud.vanish(self._chance.choice(servers).id)

    def _lose_allocation(self) -> None:
        nomad = self._sim.systems.outside.nomad
        live = list(nomad.state.allocs.live)
        if live:
            nomad.lose_allocation(self._chance.choice(live))

    def _delay_placement(self) -> None:
        late = timedelta(seconds=self._chance.uniform(*LATE_SECONDS))
        self._sim.systems.outside.nomad.delay_next_placement(late)

    def _fail_boot(self, how: BootFailure) -> None:
        self._sim.systems.outside.cloud.fail_boots(how)

    def _never_join(self) -> None:
        booting = [server for server in self._sim.truth.servers() if server.boot_pending]
        if booting:
            name = self._chance.choice(booting).name
            names = self._sim.systems.outside.machines.never_join
            names.add(name)
            self._sim.systems.timeline.after(BOOTED_BY, lambda: names.discard(name))
