"""One controller process over systems in memory, composed as `controller.bootstrap` does it.

Its calls are made at once, in the thread that steps it; its metrics are nobody's to read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.act.press import Press
from controller.campaign_reading import library_of
from controller.campaigning import Campaigner
from controller.clock import StoreClock
from controller.crew import Inline
from controller.loop import Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.readback import Products, Reader
from controller.reconcilers import RECONCILERS, working
from controller.sweeps import INPUTS, OWN, Subscriptions, Sweeper, feeds_of
from models.errors import System
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.plan import Decision
from models.ports import Clock
from models.records import Lease
from models.settings import PoolSettings
from models.world import Site, Source, World
from simulator.catalogues.options import area_around
from simulator.press import RESULTS, SHOP
from simulator.systems import Scenario, Systems
from simulator.timeline import MachineClock

DEPLOYMENT = "sim"
TASK = TaskCommand(driver="raw_exec", command="simulated")
LANE = 10_000


class Unread(Metrics):
    """The metrics of a process that nobody scrapes: what would be said in every pass is not."""

    def add_loop(self, loop: str, sources: Iterable[Source]) -> None:
        """Begin no row of a loop."""

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

    def show(self, world: World, pool: PoolSettings) -> None:
        """Show no world."""


class SimulatedProcess:
    """One controller process: what dies in a crash."""

    def __init__(self, systems: Systems, holder: str, own: MachineClock) -> None:
        clock, crew = StoreClock(own), Inline()
        store, nomad = systems.store, systems.nomad_port(DEPLOYMENT, clock)
        cloud = systems.cloud_port(clock)
        metrics = Unread(CollectorRegistry(), clock)
        self._press = _press(systems)
        tools = Tools(
            store=store,
            orchestrator=nomad,
            cloud=cloud,
            clock=clock,
            ids=systems.ids,
            metrics=metrics,
            ending=threading.Event(),
            token_key=b"simulated",
            press=self._press,
        )
        observer = Observer(
            Sources(
                store=store,
                orchestrator=nomad,
                cloud=cloud,
                sweeper=_sweeper(systems, metrics),
                campaigner=_campaigner(systems),
                outbox=store if self._press else None,
                broker=self._press.broker if self._press else None,
                reader=_reader(systems, self._press, clock),
            ),
            site=site(systems.scenario),
            registry=DEFAULT_REGISTRY,
            clock=clock,
            crew=crew,
            metrics=metrics,
        )
        lanes = {system: Lane(crew=crew, capacity=LANE) for system in System}
        executor = Executor(lanes, clock, lambda _: None)
        shell = Shell(
            tools=tools, observer=observer, hands=Hands(executor, metrics), told=clock.told
        )
        self.holder = holder
        there = working(
            RECONCILERS,
            catalogues=systems.catalogue is not None,
            shop=self._press is not None,
        )
        self.loops = {r.name: loop_of(r, shell, holder) for r in there}

    def die(self) -> None:
        """Its connections break: what it had in hand at the broker is given back."""
        if self._press is not None:
            self._press.broker.close()


def _press(systems: Systems) -> Press | None:
    """What publishes, in a world where anything is published."""
    ports = systems.press_ports()
    if ports is None:
        return None
    broker, objects = ports
    return Press(
        results=objects,
        results_bucket=RESULTS,
        products=objects,
        shop=SHOP,
        broker=broker,
        outbox=systems.store,
    )


def _reader(systems: Systems, press: Press | None, clock: Clock) -> Reader | None:
    """What reads back, in a world in which what is published is listed."""
    _, listed = systems.catalogue_ports()
    if press is None or listed is None:
        return None
    products = Products(store=press.products, shop=press.shop)
    return Reader(outbox=systems.store, catalogue=listed, products=products, clock=clock)


def _sweeper(systems: Systems, metrics: Metrics) -> Sweeper | None:
    """Eyes for the catalogues of a world that has some; each process has its own."""
    read = _subscriptions(systems)
    return Sweeper(read, systems.store, systems.timeline, metrics) if read else None


def _subscriptions(systems: Systems) -> Subscriptions | None:
    """What is read of the catalogues of a world that has some."""
    options = systems.scenario.catalogue
    if options is None:
        return None
    ports = [
        (port, wanted)
        for port, wanted in zip(systems.catalogue_ports(), (INPUTS, OWN), strict=True)
        if port is not None
    ]
    return Subscriptions(
        catalogues={port.name: port for port, _ in ports},
        feeds=tuple(feed for port, wanted in ports for feed in feeds_of(port.name, wanted)),
        area=area_around(options.tiles),
    )


def _campaigner(systems: Systems) -> Campaigner | None:
    """Who reads for campaigns, in a world of catalogues."""
    read = _subscriptions(systems)
    if read is None:
        return None
    store = systems.store
    return Campaigner(library_of(read), store, store, systems.timeline)


def site(scenario: Scenario) -> Site:
    """The site of a simulated installation; without a template its image is there already."""
    cloud = scenario.cloud
    return Site(
        deployment=DEPLOYMENT,
        image=None if cloud.template else cloud.images[0],
        template=cloud.template or "",
        parents=DEFAULT_REGISTRY.parents(DEPLOYMENT, TASK),
    )
