"""The controller on virtual time: the real loops, rules and handlers over the systems in memory.

One thread steps the loops of one or more controllers in an order drawn from the seed, lets time
pass in between, and checks the invariants on the truth after every step. A controller can be
crashed at any call it makes; its successor is a new process that remembers nothing. The same
scenario and seed make the same history.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.crew import Inline
from controller.loop import Loop, PassReport, Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.reconcilers import RECONCILERS
from controller.sweeps import INPUTS, Subscriptions, Sweeper
from models.areas import area_of_tiles
from models.breakers import BreakerName
from models.creation import Feed
from models.errors import HrsiError, System
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.lifecycle import ERRORS
from models.plan import Decision
from models.ports import Asked
from models.records import Lease
from models.world import Site, Source, World
from simulator.faults import Crash, Faults
from simulator.stillness import Look, Stillness
from simulator.store.breakers import close
from simulator.store.people import Asking
from simulator.systems import Scenario, Systems, in_memory
from simulator.truth import RESTS, Breach, Truth

DEPLOYMENT = "sim"
TASK = TaskCommand(driver="raw_exec", command="simulated")
LANE = 10_000
SOURCES = {reconciler.name: reconciler.sources for reconciler in RECONCILERS}
ON_CALL = Asked(actor="on-call", reason="looked at cloud and Nomad: it is as they say")
RECENT = 50
"""How many decisions a report of a broken invariant shows."""


class InvariantBroken(AssertionError):
    """The simulation broke an invariant. The message has the seed, the step and what led to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a simulation is run: its world, its faults, its parameters, and how many controllers."""

    scenario: Scenario = field(default_factory=Scenario)
    faults: Callable[[], Faults] = Faults
    parameters: Mapping[str, float] = field(default_factory=dict)
    controllers: int = 1
    beat: timedelta = timedelta(seconds=5)
    """How much time passes while every loop of every controller is stepped once."""

    on_call: timedelta | None = timedelta(minutes=30)
    """How long a breaker is open before a person closes it, having looked; None: nobody comes."""

    skipping: bool = False
    """Whether passes are left out that would see nothing new (`simulator.stillness`)."""


class Unread(Metrics):
    """The metrics of a process that nobody scrapes: what would be said in every pass is not."""

    def pass_ended(self, loop: str, result: str, seconds: float) -> None:
        """Count no pass."""

    def lease(self, loop: str, lease: Lease | None) -> None:
        """Show no lease."""

    def source_read(self, source: Source, seconds: float, *, usable: bool) -> None:
        """Count no read."""

    def decided(
        self, loop: str, world: World, decisions: Iterable[Decision], now: datetime
    ) -> None:
        """Show no waits."""

    def show(self, world: World) -> None:
        """Show no world."""


class SimulatedProcess:
    """One controller process: what dies in a crash."""

    def __init__(self, systems: Systems, holder: str) -> None:
        clock, crew = systems.timeline, Inline()
        store, nomad = systems.store, systems.nomad_port(DEPLOYMENT)
        cloud = systems.cloud_port()
        metrics = Unread(CollectorRegistry(), clock)
        tools = Tools(
            store=store,
            orchestrator=nomad,
            cloud=cloud,
            clock=clock,
            ids=systems.ids,
            metrics=metrics,
            ending=threading.Event(),
            token_key=b"simulated",
        )
        observer = Observer(
            Sources(
                store=store,
                orchestrator=nomad,
                cloud=cloud,
                sweeper=_sweeper(systems, metrics),
            ),
            site=site(systems.scenario),
            registry=DEFAULT_REGISTRY,
            clock=clock,
            crew=crew,
            metrics=metrics,
        )
        lanes = {system: Lane(crew=crew, capacity=LANE) for system in System}
        executor = Executor(lanes, clock, lambda _: None)
        shell = Shell(tools=tools, observer=observer, hands=Hands(executor, metrics))
        self.holder = holder
        self.loops = {
            r.name: loop_of(r, shell, holder)
            for r in RECONCILERS
            if systems.catalogue is not None or Source.CATALOGUES not in r.sources
        }


def _sweeper(systems: Systems, metrics: Metrics) -> Sweeper | None:
    """Eyes for the catalogue of a world that has one; each process has its own."""
    port, options = systems.catalogue_port(), systems.scenario.catalogue
    if port is None or options is None:
        return None
    feeds = tuple(Feed(source=port.name, collection=c, type=t) for c, t in INPUTS)
    subscriptions = Subscriptions(
        catalogues={port.name: port}, feeds=feeds, area=area_of_tiles(options.tiles)
    )
    return Sweeper(subscriptions, systems.store, systems.timeline, metrics)


def site(scenario: Scenario) -> Site:
    """The site of a simulated installation; without a template its image is there already."""
    cloud = scenario.cloud
    return Site(
        deployment=DEPLOYMENT,
        image=None if cloud.template else cloud.images[0],
        template=cloud.template or "",
        parents=DEFAULT_REGISTRY.parents(DEPLOYMENT, TASK),
    )


class Simulation:
    """Steps controllers through a simulated world and judges each step."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.systems = in_memory(plan.scenario, plan.faults)
        self.truth = Truth(self.systems, DEPLOYMENT)
        self.steps = 0
        self.passes = 0
        """Steps in which a pass was made; the others saw that there was no need."""
        self.crashes = 0
        self.recent: deque[tuple[int, str, Decision]] = deque(maxlen=RECENT)
        self._chance = Random(f"steps:{plan.scenario.seed}")
        asked = Asked(actor="simulation", reason="scenario")
        for key, value in plan.parameters.items():
            self.systems.store.set_parameter(key, value, asked)
        self.processes = [self._process(number) for number in range(plan.controllers)]
        self._stillness = Stillness(self.systems, self.truth.settings())
        self._looks: dict[Loop, Look] = {}
        """The last look of each loop whose last pass saw nothing to do."""

    def step(self, process: int = 0, loop: str | None = None) -> PassReport | None:
        """Step one loop of one process (drawn when not named); None when the process crashed, or
        when a pass would have seen nothing new and the plan says to skip such.
        """
        self.steps += 1
        alive = self.processes[process]
        chosen = alive.loops[loop or self._chance.choice(list(alive.loops))]
        if self.plan.skipping and self._is_still(chosen):
            return None
        report: PassReport | None = None
        try:
            report = self._pass(chosen)
        except Crash:
            self.crash(process)
        self._judge()
        return report

    def _pass(self, loop: Loop) -> PassReport:
        look = self._stillness.look(SOURCES[loop.name])
        self._looks.pop(loop, None)
        self.passes += 1
        report = loop.step()
        self._note(report)
        if report.is_still:
            self._looks[loop] = look
        return report

    def _is_still(self, loop: Loop) -> bool:
        look = self._looks.get(loop)
        settings = self.truth.settings()
        return look is not None and self._stillness.since(look, SOURCES[loop.name], settings)

    def crash(self, process: int = 0) -> None:
        """Kill a process; its successor starts with nothing but the store."""
        self.crashes += 1
        for loop in self.processes[process].loops.values():
            self._looks.pop(loop, None)
        self.processes[process] = self._process(process)

    def pass_time(self, span: timedelta) -> None:
        """Let the world go on without the controllers, then judge it."""
        self.systems.timeline.advance(span)
        self._judge()

    def round(self) -> None:
        """Step every loop of every process once, in a drawn order, while one beat passes."""
        for _ in self.turns():
            pass

    def turns(self) -> Iterator[None]:
        """One round, turn by turn: whoever drives it may look, or end it, in between."""
        turns = [
            (number, name)
            for number, process in enumerate(self.processes)
            for name in process.loops
        ]
        self._chance.shuffle(turns)
        self._look_at_breakers()
        for number, name in turns:
            self.step(number, name)
            self.pass_time(self.plan.beat / len(turns))
            yield

    def run_until(self, done: Callable[[], bool], within: timedelta) -> bool:
        """Make rounds until `done` says so; False when `within` of virtual time was not enough."""
        until = self.systems.timeline.now() + within
        while not done():
            if self.systems.timeline.now() >= until:
                return False
            self.round()
        return True

    def _look_at_breakers(self) -> None:
        """The person on call closes what has been open for so long. No fault keeps a person from
        trying again.
        """
        tables, now = self.systems.store.tables, self.systems.timeline.now()
        patience = self.plan.on_call
        found = tables.open_breakers.of(*BreakerName) if patience is not None else ()
        names = [b.name for b in found if patience is not None and now - b.opened_at >= patience]
        if names:
            with tables.journal:
                close(Asking(tables=tables, asked=ON_CALL, now=now), names)

    # ---- questions -------------------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Every job rests, no worker is open, and the cloud holds no server of ours."""
        tables = self.systems.store.tables
        jobs = all(
            job.status in RESTS or (job.quarantined and job.status in ERRORS)
            for job in tables.jobs.values()
        )
        return jobs and not tables.open_workers.of(True) and not self.truth.servers()

    def story(self) -> str:
        """What happened last, for the report of a failure."""
        lines = [
            f"  step {step} {loop}: {type(decision).__name__} {decision.subject} "
            f"{decision.reason}: {decision.because}"
            for step, loop, decision in self.recent
        ]
        seed, now = self.plan.scenario.seed, self.systems.timeline.now()
        head = f"seed {seed}, step {self.steps}, {self.crashes} crashes, {now:%Y-%m-%d %H:%M:%S}"
        return "\n".join([head, *lines])

    # ---- inside ----------------------------------------------------------------------------------

    def _process(self, number: int) -> SimulatedProcess:
        return SimulatedProcess(self.systems, f"controller-{number}.{self.crashes}")

    def _note(self, report: PassReport) -> None:
        for decision in report.decisions:
            self.recent.append((self.steps, report.loop, decision))
        for found in report.violations:
            self.truth.violations.append(
                Breach(invariant=found.invariant, subject=found.subject, what=found.what)
            )
        if report.error is not None and not isinstance(report.error, HrsiError):
            raise InvariantBroken(f"a pass failed unexpectedly\n{self.story()}") from report.error

    def _judge(self) -> None:
        broken = self.truth.check()
        if broken:
            found = "\n".join(str(breach) for breach in broken)
            raise InvariantBroken(f"{found}\n{self.story()}")
