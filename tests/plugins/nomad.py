"""A Nomad to test against: the port in memory, or the real adapter over HTTP, on one state."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self, TypeAlias
from uuid import UUID, uuid4

import pytest

from infra.nomad import NomadAccess, connect
from models.errors import Unavailable
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.ports import Dispatch, Orchestrator
from models.world import Allocation, NomadJob
from simulator.faults import Faults
from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.memory import MemoryNomad
from simulator.nomad.rows import Options
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import serve_nomad
from simulator.timeline import Timeline

DEPLOYMENT = "test"
FLAVOR = "hm.medium"
PARENT = f"hrsi-{DEPLOYMENT}-si-processing-{FLAVOR}"
COMMAND = TaskCommand(driver="raw_exec", command="/bin/true")

PATIENCE = timedelta(seconds=20)
"""The deadline of calls in tests: no slow machine may meet it by chance."""

ADMITTING = Options(default_ineligible=False)
"""A cluster whose nodes take work as soon as they are ready."""


@dataclass(kw_only=True)
class NomadInTest:
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

    def wait(self, seconds: float = 60) -> None:
        """Let virtual time pass; by default until everything has settled."""
        with self.cluster.lock:
            self.cluster.timeline.advance(timedelta(seconds=seconds))

    def boot(self, name: str = "os-worker-001", **changes: str) -> str:
        """Let a worker's agent join; its node's id. The node is ready a moment later."""
        server_id = changes.pop("server_id", None) or str(uuid4())
        boot = Boot(
            server_id=server_id,
            name=name,
            node_class=changes.pop("flavor", FLAVOR),
            memory_mb=15_000,
            address="10.0.0.7",
            identified_by=changes.pop("identified_by", "meta"),
        )
        return self.cluster.node_boots(boot)

    def ready_node(self, name: str = "os-worker-001", **changes: str) -> str:
        """Let a worker join and wait until its node is ready."""
        node_id = self.boot(name, **changes)
        self.wait(10)
        return node_id

    def server_of(self, node_id: str) -> str:
        """The server that a node is."""
        return self.cluster.nodes.get(node_id).server_id

    def register(self, parent: str = PARENT) -> None:
        """Register one of our parents."""
        known = DEFAULT_REGISTRY.parents(DEPLOYMENT, COMMAND)
        self.port.register(next(p for p in known if p.id == parent), DEPLOYMENT)

    def running_child(self) -> str:
        """Dispatch a run and wait until it runs."""
        child = self.port.dispatch(an_order())
        self.wait(10)
        return child

    def job(self, job_id: str) -> NomadJob:
        """A job as the snapshot shows it now."""
        return next(job for job in self.port.snapshot().jobs if job.id == job_id)

    def children(self) -> list[NomadJob]:
        """All children as the snapshot shows them now."""
        return [job for job in self.port.snapshot().jobs if job.parent_id]

    def live(self, job_id: str) -> list[Allocation]:
        """The allocations of a job that are not terminal."""
        return [a for a in self.port.snapshot().allocations if a.job_id == job_id]

    def exit(self, job_id: str, code: int) -> None:
        """Let the task of a job's live allocation end."""
        (allocation,) = self.live(job_id)
        with self.cluster.lock:
            self.tasks.exit(allocation.id, code)


MakeNomad: TypeAlias = Callable[[Options], NomadInTest]


def an_order(run: UUID | None = None, priority: int = 60, payload: bytes = b"{}") -> Dispatch:
    """The dispatch of a run that our parents accept."""
    token = run or uuid4()
    return Dispatch(
        parent=PARENT,
        token=token,
        meta={
            "run": str(token),
            "job": "7",
            "unique_id": str(uuid4()),
            "attempt": "1",
            "deployment": DEPLOYMENT,
        },
        payload=payload,
        id_prefix="j7-a1",
        priority=priority,
    )


class Watcher:
    """Counts the hints of a port in a thread of its own."""

    def __init__(self, port: Orchestrator) -> None:
        self.stop = threading.Event()
        self.hints = 0
        self.error: Exception | None = None
        self._port = port
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def ended(self, within: float = 5) -> bool:
        """Whether it came to an end by itself within some seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        try:
            for _ in self._port.watch(self.stop):
                self.hints += 1
        except Unavailable as error:
            self.error = error


def eventually(what: Callable[[], bool]) -> bool:
    """Whether something becomes true within a while."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return False


def in_memory(options: Options) -> NomadInTest:
    """The port in memory."""
    tasks, faults = Sleepers(), Faults()
    cluster = NomadCluster(Timeline(), tasks, options=options)
    port = MemoryNomad(cluster, deployment=DEPLOYMENT, faults=faults)
    return NomadInTest(port=port, hurried=port, cluster=cluster, tasks=tasks, faults=faults)


@contextmanager
def over_http(options: Options, token: str | None = None) -> Iterator[NomadInTest]:
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
        yield NomadInTest(
            port=ports[0],
            hurried=ports[1],
            cluster=cluster,
            tasks=tasks,
            faults=faults,
            requests=requests,
            url=server.url,
        )


@pytest.fixture(params=["memory", "http"])
def make_nomad(request: pytest.FixtureRequest) -> Iterator[MakeNomad]:
    """Make Nomads with the options of the test, in memory and over HTTP."""
    with ExitStack() as stack:

        def make(options: Options) -> NomadInTest:
            if request.param == "memory":
                return in_memory(options)
            return stack.enter_context(over_http(options))

        yield make


@pytest.fixture
def nomad(make_nomad: MakeNomad) -> NomadInTest:
    """A Nomad that admits every node, with our parent registered."""
    made = make_nomad(ADMITTING)
    made.register()
    return made


@pytest.fixture
def served_nomad() -> Iterator[NomadInTest]:
    """The same over HTTP alone, for what only a client can get wrong."""
    with over_http(ADMITTING) as made:
        made.register()
        yield made
