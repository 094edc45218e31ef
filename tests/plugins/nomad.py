"""Nomads to test against: the port in memory, the adapter over HTTP on the same state machine, and
the adapter before a live Nomad where one can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest

from infra.nomad import NomadAccess, connect
from models.ports import Orchestrator
from simulator.faults import Faults
from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.memory import MemoryNomad
from simulator.nomad.rows import Options
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import serve_nomad
from simulator.timeline import Timeline
from tests.plugins.live_nomad import ADDRESS, BINARY, LiveNomad, a_live_nomad, an_addressed_nomad
from tests.plugins.nomad_in_test import (
    DEPLOYMENT,
    FLAVOR,
    NomadInTest,
    NomadWithMachines,
)

PATIENCE = timedelta(seconds=20)
"""The deadline of calls in tests: no slow machine may meet it by chance."""

ADMITTING = Options(default_ineligible=False)
"""A cluster whose nodes take work as soon as they are ready."""

GUARDED = Options(default_ineligible=True)
"""A cluster whose nodes join ineligible, as the image of workers says."""


@dataclass(kw_only=True)
class SimulatedNomad(NomadWithMachines):
    """One face of a simulated Nomad, with the levers behind it.

    `hurried` is the same face with a deadline that is soon met, for calls that nobody answers.
    """

    port: Orchestrator
    hurried: Orchestrator
    cluster: NomadCluster
    tasks: Sleepers
    faults: Faults
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    deployment: str = DEPLOYMENT
    flavor: str = FLAVOR
    address: str = "10.0.0.7"

    def wait(self, seconds: float = 60) -> None:
        """Let virtual time pass; by default until everything has settled."""
        with self.cluster.lock:
            self.cluster.timeline.advance(timedelta(seconds=seconds))

    def settle(self) -> None:
        """Ten seconds are more than anything takes that is under way."""
        self.wait(10)

    def a_moment(self) -> None:
        """As long as a few evaluations take."""
        self.wait(0.06)

    def boot(self, name: str = "os-worker-001", **changes: str) -> str:
        """Let a worker's agent join; its node's id. The node is ready a moment later."""
        server_id = changes.pop("server_id", None) or str(uuid4())
        boot = Boot(
            server_id=server_id,
            name=name,
            node_class=changes.pop("flavor", FLAVOR),
            memory_mb=15_000,
            address=self.address,
            identified_by=changes.pop("identified_by", "meta"),
        )
        return self.cluster.node_boots(boot)

    def ready_node(self, name: str = "os-worker-001", **changes: str) -> str:
        """Let a worker join and wait until its node is ready."""
        node_id = self.boot(name, **changes)
        self.wait(10)
        return node_id

    def drain(self, node_id: str) -> int:
        """As the endpoint does it."""
        with self.cluster.lock:
            return self.cluster.nodes.drain(node_id, None)

    def machine_dies(self, node_id: str) -> None:
        """The server behind the node is gone."""
        self.cluster.node_dies(self.cluster.nodes.get(node_id).server_id)

    def falls_silent(self, node_id: str) -> None:
        """Nobody hears the agent."""
        self.cluster.lose_node(node_id)

    def is_heard_again(self, node_id: str) -> None:
        """The agent is heard."""
        self.cluster.find_node(node_id)
        self.settle()

    def miss_heartbeats(self, node_id: str) -> None:
        """A minute is longer than any heartbeat is waited for."""
        self.wait(60)

    def registered_again(self, node_id: str) -> None:
        """Ten seconds are longer than an agent takes to look at its machine."""
        self.wait(10)

    def come_back(self, node_id: str) -> None:
        """Half a minute is longer than any interval between heartbeats."""
        self.wait(30)

    def exit(self, job_id: str, code: int) -> None:
        """End the task, which tells its agent at once."""
        (allocation,) = self.live(job_id)
        with self.cluster.lock:
            self.tasks.exit(allocation.id, code)

    def linger(self, job_id: str) -> None:
        """Note that the task ends by `exit` alone."""
        (allocation,) = self.live(job_id)
        self.tasks.lingering.add(allocation.id)

    def tasks_at_work(self) -> int:
        """As the driver has them."""
        return len(self.tasks.running)

    def collect_garbage(self) -> None:
        """Do what PUT /v1/system/gc does."""
        with self.cluster.lock:
            self.cluster.gc.collect_all()

    def allocations_ever(self, job_id: str) -> int:
        """As the tables have them."""
        return len(self.cluster.state.allocs_of(job_id))


Wired: TypeAlias = SimulatedNomad | LiveNomad
"""One that speaks HTTP."""

MakeNomad: TypeAlias = Callable[[Options], SimulatedNomad]


def in_memory(options: Options) -> SimulatedNomad:
    """The port in memory."""
    tasks, faults = Sleepers(), Faults()
    cluster = NomadCluster(Timeline(), tasks, options=options)
    port = MemoryNomad(cluster, deployment=DEPLOYMENT, faults=faults)
    return SimulatedNomad(port=port, hurried=port, cluster=cluster, tasks=tasks, faults=faults)


@contextmanager
def over_http(options: Options, token: str | None = None) -> Iterator[SimulatedNomad]:
    """The adapter, speaking to the same state machine over HTTP."""
    tasks, faults = Sleepers(), Faults()
    cluster = NomadCluster(Timeline(), tasks, options=options)
    requests: list[tuple[str, str]] = []

    def count(name: str, outcome: str, _: float) -> None:
        requests.append((name, outcome))

    with serve_nomad(cluster, faults=faults, token=token) as server, ExitStack() as stack:
        ports = []
        for deadline in (PATIENCE, timedelta(seconds=0.3)):
            access = NomadAccess(
                address=server.url, deployment=DEPLOYMENT, token=token, call_deadline=deadline
            )
            port = connect(access, on_request=count)
            stack.callback(port.close)
            ports.append(port)
        yield SimulatedNomad(
            port=ports[0],
            hurried=ports[1],
            cluster=cluster,
            tasks=tasks,
            faults=faults,
            requests=requests,
            url=server.url,
        )


# ---- fixtures ------------------------------------------------------------------------------------

SIMULATED = ["memory", "http"]
LIVE = [pytest.param("live", marks=pytest.mark.live)] if BINARY else []
WITH_MACHINES = [*SIMULATED, *LIVE]
EVERY = [
    *WITH_MACHINES,
    *([pytest.param("addressed", marks=pytest.mark.live)] if ADDRESS else []),
]
"""A live Nomad is no parameter where there is none: nothing is skipped."""


@contextmanager
def _simulated(face: str, options: Options) -> Iterator[SimulatedNomad]:
    if face == "memory":
        yield in_memory(options)
        return
    with over_http(options) as made:
        yield made


@contextmanager
def _with_machines(face: str, options: Options, folder: Path) -> Iterator[NomadWithMachines]:
    if face != "live":
        with _simulated(face, options) as simulated:
            yield simulated
        return
    with a_live_nomad(folder, default_ineligible=options.default_ineligible) as live:
        yield live


def wired(face: str, folder: Path) -> AbstractContextManager[Wired]:
    """A Nomad that admits every node, live or simulated."""
    return a_live_nomad(folder) if face == "live" else over_http(ADMITTING)


@pytest.fixture(params=SIMULATED)
def make_nomad(request: pytest.FixtureRequest) -> Iterator[MakeNomad]:
    """Make simulated Nomads with the options of the test, in memory and over HTTP."""
    with ExitStack() as stack:
        yield lambda options: stack.enter_context(_simulated(request.param, options))


@pytest.fixture
def simulated_nomad(make_nomad: MakeNomad) -> SimulatedNomad:
    """One that admits every node, with our parent registered and levers for every fault."""
    made = make_nomad(ADMITTING)
    made.register()
    return made


@pytest.fixture(params=WITH_MACHINES)
def nomad(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NomadWithMachines]:
    """A Nomad that admits every node, with our parent registered."""
    with _with_machines(request.param, ADMITTING, tmp_path) as made:
        made.register()
        yield made


@pytest.fixture(params=WITH_MACHINES)
def guarded_nomad(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NomadWithMachines]:
    """A Nomad whose nodes join ineligible."""
    with _with_machines(request.param, GUARDED, tmp_path) as made:
        made.register()
        yield made


@pytest.fixture(params=["http", *LIVE])
def wired_nomad(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wired]:
    """A Nomad that admits every node, with our parent registered, for a bare HTTP client."""
    with wired(request.param, tmp_path) as made:
        made.register()
        yield made


@pytest.fixture(params=EVERY)
def any_nomad(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NomadInTest]:
    """A Nomad of which nothing is wanted but its servers; it may have other work as well."""
    with ExitStack() as stack:
        made: NomadInTest = (
            stack.enter_context(an_addressed_nomad())
            if request.param == "addressed"
            else stack.enter_context(_with_machines(request.param, ADMITTING, tmp_path))
        )
        made.register()
        yield made


@pytest.fixture
def served_nomad() -> Iterator[SimulatedNomad]:
    """The simulated one over HTTP alone, for what only a client can get wrong."""
    with over_http(ADMITTING) as made:
        made.register()
        yield made
