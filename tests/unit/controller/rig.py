"""A shell around simulated systems in virtual time, for tests: one thread, nothing waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from controller.act.effects import Acting, Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.crew import Inline
from controller.leader import Leadership
from controller.loop import Loop, PassReport, Reconciler, Shell
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from models.errors import System
from models.job_types import DEFAULT_REGISTRY
from models.plan import Decision
from models.ports import Asked
from models.records import Intent, IntentState, Job, Worker
from models.world import Source, World
from reconcilers import configuration, execution, monitor, pool
from simulator.examples import a_site, some_new_jobs
from simulator.faults import Faults
from simulator.systems import Scenario, Systems, in_memory
from tests.plugins.readiness import make_ready

EVERYTHING = frozenset({Source.NOMAD, Source.CLOUD, Source.BACKLOG})
SOMEBODY = Asked(actor="test@rig")
REAL: dict[str, tuple[Callable[..., list[Decision]], Callable[[Any], object]]] = {
    "configuration": (configuration.decide, lambda s: s.configuration),
    "execution": (execution.decide, lambda s: s.execution),
    "monitor": (monitor.decide, lambda s: s.monitor),
    "worker-pool": (pool.decide, lambda s: s.pool),
}


class Script:
    """A reconciler that decides what the test says, one list per pass, then nothing."""

    def __init__(self, *passes: Sequence[Decision]) -> None:
        self.passes = list(passes)
        self.worlds: list[World] = []

    def __call__(self, world: World, _settings: object, _now: datetime) -> list[Decision]:
        self.worlds.append(world)
        return list(self.passes.pop(0)) if self.passes else []


class Rig:
    """One controller process in a simulated world."""

    def __init__(
        self,
        systems: Systems | None = None,
        *,
        scenario: Scenario | None = None,
        faults: Callable[[], Faults] = Faults,
        holder: str = "first",
        orchestrator: Callable[[Any], Any] = lambda port: port,
    ) -> None:
        self.systems = systems or in_memory(scenario or Scenario(), faults)
        self.store, self.time = self.systems.store, self.systems.timeline
        self.site = a_site(networks=("farm-net",), key_name=None)
        self.metrics = Metrics(CollectorRegistry(), self.time)
        self.ending = threading.Event()
        self.holder = holder
        self.tools = Tools(
            store=self.store,
            orchestrator=orchestrator(self.systems.nomad_port(self.site.deployment)),
            cloud=self.systems.cloud_port(),
            clock=self.time,
            ids=self.systems.ids,
            metrics=self.metrics,
            ending=self.ending,
            token_key=b"a key for tests that is long enough",
        )
        self.observer = Observer(
            Sources(store=self.store, orchestrator=self.tools.orchestrator, cloud=self.tools.cloud),
            site=self.site,
            registry=DEFAULT_REGISTRY,
            clock=self.time,
            crew=Inline(),
            metrics=self.metrics,
        )
        lanes = {system: Lane(crew=Inline(), capacity=1000) for system in System}
        self.executor = Executor(lanes, self.time, lambda _: None)
        self.shell = Shell(
            tools=self.tools, observer=self.observer, hands=Hands(self.executor, self.metrics)
        )

    # ---- loops -----------------------------------------------------------------------------------

    def loop(
        self,
        decide: Callable[..., list[Decision]],
        *,
        name: str = "scripted",
        settings_of: Callable[[Any], object] = lambda settings: settings,
    ) -> Loop:
        """A loop that decides so."""
        reconciler = Reconciler(
            name=name, decide=decide, sources=EVERYTHING, settings_of=settings_of
        )
        leadership = Leadership(self.store, self.time, name=name, holder=self.holder)
        return Loop(reconciler, self.shell, leadership)

    def real_loops(self) -> list[Loop]:
        """Loops with the real rules."""
        return [self.loop(d, name=name, settings_of=of) for name, (d, of) in REAL.items()]

    def act(self, *decisions: Decision) -> PassReport:
        """One pass that decides this."""
        return self.loop(Script(decisions)).step()

    def live(self, span: timedelta, loops: Sequence[Loop] | None = None) -> None:
        """Let the real loops run for a while."""
        loops = loops or self.real_loops()
        until = self.time.now() + span
        while self.time.now() < until:
            for loop in loops:
                report = loop.step()
                assert report.error is None, report.error
                assert not report.violations
            self.time.advance(timedelta(seconds=5))

    def live_until(self, happened: Callable[[], bool], within: timedelta) -> None:
        """Let the real loops run until something has happened."""
        loops, until = self.real_loops(), self.time.now() + within
        while not happened():
            assert self.time.now() < until, "it did not happen in time"
            self.live(timedelta(seconds=5), loops)

    def acting(self, **changes: Any) -> Acting:
        """A pass that has seen the world as it is, and leads."""
        leadership = Leadership(self.store, self.time, name="scripted", holder=self.holder)
        settings = self.observer.parameters.settings
        lease = leadership.renew(settings.passes.lease)
        assert lease is not None
        now, nobody = self.time.monotonic(), frozenset[str]()
        shared = self.observer.observe(EVERYTHING, now, nobody)
        world = self.observer.observe(EVERYTHING, now, nobody, shared.used).world
        default = Acting(
            tools=self.tools,
            world=world,
            settings=settings,
            fence=lease,
            leadership=leadership,
            at=self.time.now(),
            send_before=self.time.monotonic() + 30,
        )
        return replace(default, **changes)

    # ---- what there is ---------------------------------------------------------------------------

    def submit(self, count: int = 1) -> list[Job]:
        """Hand in jobs; they are ready."""
        made = self.store.submit(some_new_jobs(count), SOMEBODY)
        make_ready(self.store, self.time.now())
        return [self.store.story(str(job_id)).job for job_id in made.added]

    def job(self, job_id: int) -> Job:
        """A job as it is now."""
        return self.store.story(str(job_id)).job

    def intents(self, state: IntentState = IntentState.OPEN) -> list[Intent]:
        """The intents in a state."""
        return [i for i in self.store.tables.intents.values() if i.state is state]

    def workers(self) -> list[Worker]:
        """Every worker there ever was."""
        return list(self.store.workers(closed=True))

    def children(self) -> list[str]:
        """Ids of the dispatched children that Nomad has."""
        jobs = self.systems.nomad_port(self.site.deployment).snapshot().jobs
        return [job.id for job in jobs if job.parent_id]

    def counted(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of one metric that are not 0, by the values of their labels."""
        return {
            tuple(sample.labels.values()): sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name and sample.value
        }

    def outcomes(self) -> dict[tuple[str, ...], float]:
        """How actions ended so far."""
        return self.counted("hrsi_actions_total")
