"""One process with real threads and a real clock: start, wake-ups, hung calls, a graceful stop."""

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.clock import RandomIds, SystemClock
from controller.config_values import Address
from controller.crew import Threads
from controller.leader import Leadership
from controller.loop import Loop, Reconciler, Shell
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.process import Manner, Process
from models.actions import CreateServer
from models.errors import ConfigurationError, System
from models.job_types import DEFAULT_REGISTRY
from models.plan import Decision, Reason, Subject, SubjectKind
from models.ports import Asked, ServerOrder
from models.records import IntentState, WorkerState
from models.world import NomadSnapshot, Source, World
from simulator.examples import a_site, a_world
from simulator.systems import Scenario, Systems, in_memory

PATIENCE = 120.0
QUICK = {
    "passes.resync": 0.5,
    "passes.merge": 0.01,
    "passes.call_deadline": 1,
}
NAME = "os-worker-001"


class OneAtATime:
    """A simulated port for several threads: it was made for one."""

    def __init__(self, port: Any, lock: threading.RLock) -> None:
        self._port, self._lock = port, lock

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name == "watch":
            return method

        def call(*args: Any, **named: Any) -> Any:
            with self._lock:
                return method(*args, **named)

        return call


class SlowCloud(OneAtATime):
    """A cloud whose creations wait for `go`; `begun` says that one is under way."""

    def __init__(self, port: Any, lock: threading.RLock) -> None:
        super().__init__(port, lock)
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.created = 0

    def create(self, order: ServerOrder) -> str:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        self.created += 1
        with self._lock:
            return str(self._port.create(order))


class SlowNomad(OneAtATime):
    """A Nomad whose lists wait for `go`."""

    def __init__(self, port: Any, lock: threading.RLock) -> None:
        super().__init__(port, lock)
        self.go = threading.Event()
        self.go.set()

    def snapshot(self) -> NomadSnapshot:
        assert self.go.wait(PATIENCE)
        with self._lock:
            found: NomadSnapshot = self._port.snapshot()
            return found


class Stage:
    """A process over simulated systems; what it decides is the test's."""

    def __init__(self, decide: Callable[[World], list[Decision]], stop_within: float) -> None:
        self.systems: Systems = in_memory(Scenario())
        lock = threading.RLock()
        asked = Asked(actor="test@stage")
        for key, value in QUICK.items():
            self.systems.store.set_parameter(key, value, asked)
        site = a_site(networks=("farm-net",), key_name=None)
        self.cloud = SlowCloud(self.systems.cloud_port(), lock)
        self.nomad = SlowNomad(self.systems.nomad_port(site.deployment), lock)
        self.hints = self.systems.store.listen()
        self.worlds: list[World] = []
        store: Any = OneAtATime(self.systems.store, lock)
        clock, ending = SystemClock(), threading.Event()
        metrics = Metrics(CollectorRegistry(), clock)
        tools = Tools(
            store=store, orchestrator=self.nomad, cloud=self.cloud, clock=clock, ids=RandomIds(),
            metrics=metrics, ending=ending, token_key=b"k",
        )  # fmt: skip
        observer = Observer(
            Sources(store=store, orchestrator=self.nomad, cloud=self.cloud), site=site,
            registry=DEFAULT_REGISTRY, clock=clock, crew=Threads("observe", 3), metrics=metrics,
        )  # fmt: skip
        lanes = {
            s: Lane(crew=Threads(s.value, 2), capacity=8) for s in (System.NOMAD, System.CLOUD)
        }
        shell = Shell(
            tools=tools, observer=observer, hands=Hands(Executor(lanes, clock, time.sleep), metrics)
        )

        def look(world: World, _settings: object, _now: datetime) -> list[Decision]:
            self.worlds.append(world)
            return decide(world)

        reconciler = Reconciler(
            name="scripted", decide=look, sources=frozenset({Source.NOMAD, Source.CLOUD}),
            settings_of=lambda settings: settings,
        )  # fmt: skip
        leadership = Leadership(store, clock, name="scripted", holder="me")
        manner = Manner(
            health=Address("127.0.0.1", 0),
            hints=None,
            stop_within=timedelta(seconds=stop_within),
            close=lambda: None,
        )
        self.process = Process([Loop(reconciler, shell, leadership)], shell, ending, manner)

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the health server."""
        url = f"http://{self.process.health_address}{path}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def passes(self) -> int:
        """How many passes there were."""
        return self.process.loops[0].passes


def nothing(_world: World) -> list[Decision]:
    return []


@contextmanager
def running(
    decide: Callable[[World], list[Decision]] = nothing, stop_within: float = PATIENCE
) -> Iterator[Stage]:
    """A started process; at the end nothing of it is left, whatever the test did."""
    stage = Stage(decide, stop_within)
    stage.process.start()
    try:
        yield stage
    finally:
        stage.cloud.go.set()
        stage.nomad.go.set()
        stage.process.stop()


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.01)


def wanted(world: World) -> list[Decision]:
    """One worker, as long as there is none."""
    if world.store.workers:
        return []
    return [
        CreateServer(
            subject=Subject(SubjectKind.WORKER, NAME),
            reason=Reason.JOBS_WAITING,
            because="a job waits",
            name=NAME,
            flavor="hm.medium",
            image="os-worker-template",
        )
    ]


def stubborn(_world: World) -> list[Decision]:
    """One worker, whatever there is."""
    return wanted(a_world())


def own_threads() -> set[str]:
    names = ("loop-", "hints-", "watchdog", "prune", "health", "observe-", "nomad-", "openstack-")
    return {t.name for t in threading.enumerate() if t.name.startswith(names)}


def test_a_process_becomes_ready_works_and_leaves_nothing_behind() -> None:
    before = own_threads()
    with running(wanted) as stage:
        eventually(lambda: stage.page("/readyz")[0] == 200)
        eventually(
            lambda: any(w.state is WorkerState.BOOTING for w in stage.systems.store.workers())
        )
        assert stage.page("/healthz") == (200, "ok\n")
        status, metrics = stage.page("/metrics")
        assert status == 200
        assert 'hrsi_actions_total{action="create_server",outcome="done"} 1.0' in metrics
        assert stage.page("/nothing")[0] == 404

        assert stage.process.stop()

    eventually(lambda: own_threads() == before)
    assert not stage.systems.store.leases()


def test_a_process_is_not_ready_before_its_first_pass_and_says_why() -> None:
    stage = Stage(nothing, PATIENCE)
    stage.nomad.go.clear()
    stage.process.start()
    try:
        status, text = stage.page("/readyz")
        assert (status, text) == (503, "loop scripted has made no pass yet\n")
    finally:
        stage.nomad.go.set()
        stage.process.stop()


def test_a_hung_loop_turns_unhealthy_by_name_and_comes_back() -> None:
    go, inside = threading.Event(), threading.Event()
    go.set()

    def hang(_world: World) -> list[Decision]:
        inside.set()
        assert go.wait(PATIENCE)
        return []

    with running(hang) as stage, capture_logs() as lines:
        eventually(lambda: stage.passes() > 0)
        go.clear()
        eventually(lambda: stage.page("/healthz")[0] == 503)
        assert "loop scripted hangs: deciding for 1 s" in stage.page("/healthz")[1]
        eventually(lambda: any(line["event"] == "something hangs" for line in lines))
        (told,) = (line for line in lines if line["event"] == "something hangs")
        assert "in hang" in str(told["stacks"])
        go.set()
        eventually(lambda: stage.page("/healthz")[0] == 200)


def test_a_source_that_hangs_is_unknown_and_the_loop_goes_on() -> None:
    with running() as stage:
        eventually(lambda: bool(stage.worlds))
        stage.nomad.go.clear()
        eventually(lambda: stage.worlds[-1].nomad is None)
        seen = stage.passes()
        eventually(lambda: stage.passes() > seen + 1)
        assert "no answer for" in stage.worlds[-1].unknown[Source.NOMAD]
        assert stage.worlds[-1].cloud is not None
        # The call itself is reported once even a slow answer would have come.
        eventually(lambda: "reading the nomad hangs" in stage.page("/healthz")[1])


def test_a_target_with_a_call_in_flight_gets_no_second_one() -> None:
    stage = Stage(stubborn, PATIENCE)
    stage.cloud.go.clear()
    stage.process.start()
    try:
        assert stage.cloud.begun.wait(PATIENCE)
        seen = stage.passes()
        eventually(lambda: stage.passes() > seen + 3)
        assert f"worker:{NAME}" in stage.worlds[-1].busy
        assert len(stage.systems.store.workers(closed=True)) == 1
    finally:
        stage.cloud.go.set()
        stage.process.stop()


@pytest.mark.parametrize(
    ("stop_within", "clean", "intents", "released"),
    [
        pytest.param(PATIENCE, True, [IntentState.DONE], True, id="the-call-ends-in-time"),
        pytest.param(0.2, False, [IntentState.OPEN], False, id="the-call-is-still-out"),
    ],
)
def test_a_stop_waits_for_the_call_in_flight_and_gives_up_the_lease_only_then(
    stop_within: float, clean: bool, intents: Sequence[IntentState], released: bool
) -> None:
    stage = Stage(wanted, stop_within)
    stage.cloud.go.clear()
    stage.process.start()
    assert stage.cloud.begun.wait(PATIENCE)
    release = threading.Timer(0.5, stage.cloud.go.set)
    release.start()

    stopped = stage.process.stop()

    states = [intent.state for intent in stage.systems.store.tables.intents.values()]
    assert (stopped, states) == (clean, intents)
    assert (not stage.systems.store.leases()) is released
    release.join()
    eventually(lambda: stage.cloud.created == 1)


def test_a_wake_up_brings_a_pass_long_before_the_resync() -> None:
    stage = Stage(nothing, PATIENCE)
    stage.systems.store.set_parameter("passes.lease", 600, Asked(actor="test@stage"))
    stage.systems.store.set_parameter("passes.resync", 300, Asked(actor="test@stage"))
    stage.process.start()
    try:
        eventually(lambda: stage.passes() > 0)
        time.sleep(0.3)
        seen = stage.passes()
        time.sleep(0.3)
        assert stage.passes() == seen
        stage.nomad.register(a_site().parents[0], "example")  # Nomad's stream tells of it
        eventually(lambda: stage.passes() > seen)
    finally:
        stage.process.stop()


def test_sigterm_ends_a_process_gracefully() -> None:
    stage = Stage(nothing, PATIENCE)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = signal.getsignal(signal.SIGTERM)

    assert stage.process.run()

    assert signal.getsignal(signal.SIGTERM) is before
    assert stage.passes() > 0


def test_one_pass_of_each_loop_ends_by_itself() -> None:
    stage = Stage(wanted, PATIENCE)

    assert stage.process.once()

    assert stage.passes() == 1
    assert [w.state for w in stage.systems.store.workers()] == [WorkerState.BOOTING]


def test_a_health_address_that_is_taken_stops_the_start_by_name() -> None:
    with running() as stage:
        taken = stage.process.health_address
        assert taken is not None
        other = Stage(nothing, PATIENCE)
        other.process._manner = Manner(
            health=taken, hints=None, stop_within=timedelta(seconds=1), close=lambda: None
        )

        with pytest.raises(ConfigurationError, match=f"nothing can listen on {taken}"):
            other.process.start()
