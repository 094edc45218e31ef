"""The controller on virtual time: the real loops, rules and handlers over the systems in memory.

One thread steps the loops of one or more controllers in an order drawn from the seed, lets time
pass in between, and checks the invariants on the truth after every step. A controller can be
crashed at any call it makes; its successor is a new process that remembers nothing. With `Unrest`
the world goes on in the middle of a pass as well: before any of its calls time may pass, another
loop may make a pass, or the process may be frozen until its lease is another's. The same scenario
and seed make the same history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from controller.loop import Loop, PassReport
from controller.reconcilers import RECONCILERS
from controller.simulate.process import DEPLOYMENT, SimulatedProcess
from models.breakers import BreakerName
from models.errors import HrsiError
from models.lifecycle import ERRORS
from models.plan import Action, Decision
from models.ports import Asked
from simulator.faults import PEOPLE, PROGRAMS, WRITES, Crash, Faults
from simulator.stillness import Look, Stillness
from simulator.store.breakers import close
from simulator.store.people import Asking
from simulator.systems import Scenario, in_memory
from simulator.timeline import MachineClock
from simulator.truth import Breach, Truth

SOURCES = {reconciler.name: reconciler.sources for reconciler in RECONCILERS}
ON_CALL = Asked(actor="on-call", reason="looked at cloud and Nomad: it is as they say")
RECENT = 50
"""How many decisions a report of a broken invariant shows."""


class InvariantBroken(AssertionError):
    """The simulation broke an invariant. The message has the seed, the step and what led to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrest:
    """What happens in the middle of passes, before their calls: chances per call."""

    latency: timedelta = timedelta(0)
    """Up to how long each call takes on its way."""
    overtaken: float = 0.0
    """Another loop, of this process or of another, makes a pass meanwhile."""
    frozen: float = 0.0
    """The process stands still for longer than its lease lasts, and the others go on."""

    @property
    def is_any(self) -> bool:
        """Anything happens at all."""
        return bool(self.latency or self.overtaken or self.frozen)


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
    unrest: Unrest = field(default_factory=Unrest)
    command: str | None = None
    """The command line that simulates the same, for the report of a failure."""

    skipping: bool = False
    """Whether passes are left out that would see nothing new (`simulator.stillness`)."""


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
        self.actions = 0
        """Actions decided so far."""
        self._chance = Random(f"steps:{plan.scenario.seed}")
        asked = Asked(actor="simulation", reason="scenario")
        for key, value in plan.parameters.items():
            self.systems.store.set_parameter(key, value, asked)
        self.clocks = [MachineClock(self.systems.timeline) for _ in range(plan.controllers)]
        """The clocks of the machines on which the controllers run."""
        self.processes = [self._process(number) for number in range(plan.controllers)]
        self._within: list[tuple[int, str]] = []
        """Whose passes are being made, the innermost last."""
        if plan.unrest.is_any:
            self.systems.faults.before_call = self._meanwhile
        self._stillness = Stillness(self.systems, self.truth.settings())
        self._looks: dict[Loop, Look] = {}
        """The last look of each loop whose last pass saw nothing to do."""

    def step(self, process: int = 0, loop: str | None = None) -> PassReport | None:
        """Step one loop of one process (drawn when not named); None when the process crashed, or
        when a pass would have seen nothing new and the plan says to skip such.
        """
        self.steps += 1
        name = loop or self._chance.choice(list(self.processes[process].loops))
        if self.plan.skipping and self._is_still(self.processes[process].loops[name]):
            return None
        report = self._step(process, name)
        self._judge()
        return report

    def _step(self, process: int, name: str) -> PassReport | None:
        self._within.append((process, name))
        try:
            return self._pass(self.processes[process].loops[name])
        except Crash:
            if any(other == process for other, _ in self._within[:-1]):
                raise  # it is the same process that makes the pass around this one
            self.crash(process)
            return None
        finally:
            self._within.pop()

    def _pass(self, loop: Loop) -> PassReport:
        look = self._stillness.look(loop.name, SOURCES[loop.name])
        self._looks.pop(loop, None)
        self.passes += 1
        self.truth.a_pass_begins(within_another=len(self._within) > 1)
        report = loop.step()
        self._note(report)
        if report.is_still:
            self._looks[loop] = look
        return report

    def _is_still(self, loop: Loop) -> bool:
        look = self._looks.get(loop)
        settings = self.truth.settings()
        right = all(clock.is_true for clock in (*self.clocks, self.systems.store_clock))
        sources = SOURCES[loop.name]
        still = look is not None and self._stillness.since(look, loop.name, sources, settings)
        return still and right

    def crash(self, process: int = 0) -> None:
        """Kill a process; its successor starts with nothing but the store."""
        self.crashes += 1
        for loop in self.processes[process].loops.values():
            self._looks.pop(loop, None)
        self.processes[process].die()
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
        turns = self._turns()
        self._chance.shuffle(turns)
        self._look_at_breakers()
        for number, name in turns:
            self.step(number, name)
            self.pass_time(self.plan.beat / len(turns))
            yield

    def _turns(self) -> list[tuple[int, str]]:
        return [
            (number, name)
            for number, process in enumerate(self.processes)
            for name in process.loops
        ]

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

    # ---- in the middle of a pass -----------------------------------------------------------------

    def _meanwhile(self, operation: str) -> None:
        """Let the world go on before a call of the pass under way."""
        if len(self._within) != 1 or operation in PROGRAMS or operation in PEOPLE:
            return
        mine, unrest, chance = self._within[0], self.plan.unrest, self._chance
        self._within.append(mine)
        try:
            if unrest.latency:
                self.systems.timeline.advance(unrest.latency * chance.random())
            if chance.random() < unrest.overtaken:
                self._overtake(mine, operation)
            if chance.random() < unrest.frozen:
                self._freeze(mine)
        finally:
            self._within.pop()

    def _overtake(self, mine: tuple[int, str], operation: str) -> None:
        """Loops of one process share what they read: only while one of them writes, another one
        can be in the middle of a pass.
        """
        others = [turn for turn in self._turns() if self._may_overtake(turn, mine, operation)]
        if others:
            self._step(*self._chance.choice(others))

    @staticmethod
    def _may_overtake(turn: tuple[int, str], mine: tuple[int, str], operation: str) -> bool:
        if turn[0] != mine[0]:
            return True
        return turn[1] != mine[1] and operation in WRITES

    def _freeze(self, mine: tuple[int, str]) -> None:
        """The process stands still, on both its clocks' time, while the others go on."""
        others = [turn for turn in self._turns() if turn[0] != mine[0]]
        lease = self.truth.settings().passes.lease
        for _ in range(4):
            self.systems.timeline.advance(lease * self._chance.uniform(0.1, 0.5))
            self._chance.shuffle(others)
            for turn in others:
                self._step(*turn)

    # ---- questions -------------------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Every job rests, no worker is open, the cloud holds no server of ours, and the endpoint
        has nothing left to take.
        """
        tables, press = self.systems.store.tables, self.systems.press
        if press is not None and not press.is_quiet:
            return False
        if self.open_jobs() or tables.open_workers.count(True):
            return False
        return not self.truth.servers()

    def open_jobs(self) -> int:
        """How many jobs do not rest. Counted by status: asked after every turn, it may not cost
        more the more jobs there have been.
        """
        rests, standing = self.truth.rests, self.systems.store.tables.jobs_by_status
        return sum(
            standing.count((status, quarantined))
            for status, quarantined in standing.values()
            if status not in rests and not (quarantined and status in ERRORS)
        )

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

    def story_at(self, step: int) -> str:
        """What had happened at a step, once it was gone to; where none is so late, at the end."""
        if self.steps >= step:
            return self.story()
        head = f"There is no step {step}: all was over after step {self.steps}. What happened last:"
        return f"{head}\n{self.story()}"

    def broken(self, found: str) -> InvariantBroken:
        """The report of what was found: that, what led to it, and how to see it again."""
        command, seed = self.plan.command, self.plan.scenario.seed
        how = f"\nReplay it: {command} --replay {seed}@{self.steps}" if command else ""
        return InvariantBroken(f"{found}\n{self.story()}{how}")

    # ---- inside ----------------------------------------------------------------------------------

    def _process(self, number: int) -> SimulatedProcess:
        holder = f"controller-{number}.{self.crashes}"
        return SimulatedProcess(self.systems, holder, self.clocks[number])

    def _note(self, report: PassReport) -> None:
        for decision in report.decisions:
            self.recent.append((self.steps, report.loop, decision))
            self.actions += isinstance(decision, Action)
        for found in report.violations:
            breach = Breach(invariant=found.invariant, subject=found.subject, what=found.what)
            if not self.truth.is_others_doing(breach):
                self.truth.violations.append(breach)
        if report.error is not None and not isinstance(report.error, HrsiError):
            raise self.broken("a pass failed unexpectedly") from report.error

    def _judge(self) -> None:
        broken = self.truth.check()
        if broken:
            raise self.broken("\n".join(str(breach) for breach in broken))
