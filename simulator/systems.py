"""The simulated outside, put together: cloud, Nomad and job store on one timeline, one seed.

A server that becomes ACTIVE starts a Nomad client some time later, and takes it along when it
ends. The demo, the tests over HTTP and the simulation in memory are all built on `Systems`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from models.job_types import DEFAULT_REGISTRY
from models.ports import Clock
from simulator.behaviour import Behaviour, ScriptedTasks
from simulator.broker import MemoryBroker
from simulator.catalogues.memory import MemoryCatalogue
from simulator.catalogues.options import CatalogueOptions, catalogue_of, products_of
from simulator.catalogues.products import Accepted, made_by
from simulator.catalogues.state import SimulatedCatalogue
from simulator.cloud.options import CloudOptions
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Faults
from simulator.ids import SeededIds
from simulator.lens import Lens, ShownCloud, ShownNomad
from simulator.machines import Machines, live_on
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.rows import Options
from simulator.nomad.tasks import TaskDriver
from simulator.objects import MemoryObjects
from simulator.press import PressOptions, SimulatedPress
from simulator.store import MemoryStore
from simulator.store.processed import Processed
from simulator.timeline import MachineClock, Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What a simulated world is made of. `join_delay` is from ACTIVE to the client's start."""

    seed: int = 0
    cloud: CloudOptions = field(default_factory=CloudOptions)
    nomad: Options = field(default_factory=Options)
    join_delay: timedelta = timedelta(seconds=20)
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    catalogue: CatalogueOptions | None = None
    press: PressOptions | None = None
    """What stands behind publication; None: nothing is published."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """The simulated cloud and Nomad, with their machines; the store is whoever's it is."""

    timeline: Timeline
    cloud: SimulatedCloud
    nomad: NomadCluster
    machines: Machines


def outside(
    scenario: Scenario,
    timeline: Timeline,
    driver: TaskDriver,
    lock: threading.RLock | None = None,
) -> Outside:
    """Build cloud and Nomad on a timeline; `lock` when threads are to reach them."""
    shared = lock or threading.RLock()
    cloud = SimulatedCloud(timeline, replace(scenario.cloud, seed=scenario.seed), shared)
    nomad = NomadCluster(timeline, driver, options=scenario.nomad, seed=scenario.seed, lock=shared)
    machines = Machines(timeline, (nomad,), scenario.join_delay)
    live_on(cloud, machines)
    if scenario.cloud.template is not None:
        machines.never_join.add(scenario.cloud.template)
        cloud.snapshots.add_template(scenario.cloud.template, scenario.cloud.template_setup)
    return Outside(timeline=timeline, cloud=cloud, nomad=nomad, machines=machines)


@dataclass(frozen=True, kw_only=True)
class Systems:
    """A whole world in memory: the outside, the job store, the programs, and what goes wrong.

    The ports of controllers show it through `lens`.
    """

    scenario: Scenario
    outside: Outside
    store: MemoryStore
    tasks: ScriptedTasks
    faults: Faults
    ids: SeededIds
    store_clock: MachineClock
    lens: Lens = field(default_factory=Lens)
    catalogue: SimulatedCatalogue | None = None
    products: SimulatedCatalogue | None = None
    """Where what jobs made is listed, once it is announced if anything is."""
    press: SimulatedPress | None = None

    @property
    def timeline(self) -> Timeline:
        """The time of the world, by which everything happens; each machine has its own clock."""
        return self.outside.timeline

    def cloud_port(self, clock: Clock | None = None) -> ShownCloud:
        """The cloud as a controller sees it; each process has its own client and clock."""
        return ShownCloud(self.outside.cloud, self.faults, self.lens, clock)

    def nomad_port(self, deployment: str, clock: Clock | None = None) -> ShownNomad:
        """Nomad as a controller sees it; each process has its own client and clock."""
        return ShownNomad(
            self.outside.nomad,
            deployment=deployment,
            faults=self.faults,
            lens=self.lens,
            clock=clock,
        )

    def press_ports(self) -> tuple[MemoryBroker, MemoryObjects] | None:
        """Broker and buckets as a controller sees them; each process has its own connections."""
        press = self.press
        if press is None:
            return None
        return MemoryBroker(press.broker, self.faults), MemoryObjects(press.buckets, self.faults)

    def catalogue_ports(self) -> tuple[MemoryCatalogue | None, MemoryCatalogue | None]:
        """The catalogues of images and of our own products as a controller sees them, as far as
        they are there.
        """
        images, products = (
            MemoryCatalogue(found, self.faults) if found else None
            for found in (self.catalogue, self.products)
        )
        return images, products


def in_memory(scenario: Scenario, make_faults: Callable[[], Faults] = Faults) -> Systems:
    """Build a whole world on virtual time. The same scenario gives the same world."""
    timeline, faults = Timeline(), make_faults()
    ids, store_clock = SeededIds(scenario.seed), MachineClock(timeline)
    store = MemoryStore(store_clock, ids, faults, DEFAULT_REGISTRY)
    options, seed = scenario.press, scenario.seed
    press = SimulatedPress(options, timeline, seed) if options is not None else None
    tasks = ScriptedTasks(
        timeline,
        store,
        behaviours=scenario.behaviours,
        seed=seed,
        make=press.make if press else None,
    )
    return Systems(
        scenario=scenario,
        outside=outside(scenario, timeline, tasks),
        store=store,
        tasks=tasks,
        faults=faults,
        ids=ids,
        catalogue=catalogue_of(scenario.catalogue, timeline, scenario.seed),
        products=products_of(
            scenario.catalogue,
            timeline,
            scenario.seed,
            Accepted(press.endpoint) if press else made_by(Processed(store.tables, timeline)),
        ),
        store_clock=store_clock,
        press=press,
    )
