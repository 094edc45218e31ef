"""What a pass costs in a frozen world, idle and busy, beside a bare fetch of the same answers.

A *pass* here is one pass of each reconciler, all woken at the same moment and so sharing one
snapshot of each system, as loops that wake together do. It ends with the ledger: the pools in which
actions wait for their turn have no room, so that none is begun and the world stays as it is.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

import msgspec

from controller import bootstrap, log
from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.bench.bare import Bare, Transactions, listening
from controller.bench.fill import Filler, Tell
from controller.bench.frozen import Asked, Served
from controller.bench.scenery import BUSY_TENTHS, DEPLOYMENT, TASK, posts
from controller.bootstrap import Ports
from controller.clock import SystemClock
from controller.config_groups import (
    Config,
    ControllerConfig,
    DatabaseConfig,
    NomadConfig,
    OpenStackConfig,
    RunConfig,
)
from controller.config_values import Address, Secret
from controller.crew import Inline
from controller.leader import Leadership
from controller.loop import Decide, Loop, Reconciler, Shell
from controller.metrics import kind_of
from controller.reconcilers import RECONCILERS, working
from infra.postgres import embedded
from models.errors import HrsiError, System, Unavailable
from models.plan import Decision
from models.ports import Asked as Wish

WARM_UP = 6
"""Passes before the first that counts: caches fill, and the driver prepares its statements."""

MOST_VCPUS = 100_000
ROOM_TO_GROW = 20
"""How many workers more than there are the caps of the busy half allow."""

BY_ITSELF = {**embedded.THROW_AWAY, "autovacuum": "off"}
"""A server that does nothing unasked: `Filler.settle` is told when to. A vacuum that came by itself
at one size and not at the other would be counted as the cost of size."""

_DAY = 86_400
_BENCH = Wish(actor="bench", reason="bench")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large the world is. `jobs` wait in the busy half; `history` are done before it begins."""

    workers: int = 210
    jobs: int = 2_000
    history: int = 10_000
    passes: int = 30
    """How many passes of each half count."""

    busy_tenths: int = BUSY_TENTHS
    """How many of ten workers run a job."""


def peak_mb() -> float:
    """Megabytes of memory that this program has had at most.

    `getrusage` would give those of the process that started it, if they were more: Linux hands that
    figure on to the program that a process becomes.
    """
    told = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", told, re.MULTILINE)
    if found is None:
        raise HrsiError("the peak of this process's memory is not in /proc/self/status (VmHWM)")
    return int(found[1]) / 1024


@dataclass(kw_only=True, slots=True)
class Half:
    """What was measured with nothing to do, or with much. Milliseconds, megabytes."""

    pass_ms: list[float] = field(default_factory=list)
    pass_cpu_ms: list[float] = field(default_factory=list)
    fetch_ms: list[float] = field(default_factory=list)
    fetch_cpu_ms: list[float] = field(default_factory=list)
    decide_ms: list[float] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)
    requests: dict[str, int] = field(default_factory=dict)
    rss_mb: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures by the names that `hrsi bench pass` prints."""
        lists = ("fetch_ms", "pass_ms", "fetch_cpu_ms", "pass_cpu_ms", "decide_ms")
        return {
            **{f"{name}_p50": round(median(getattr(self, name)), 3) for name in lists},
            "ratio": round(median(self.pass_cpu_ms) / median(self.fetch_cpu_ms), 3),
            "rss_mb": round(self.rss_mb, 1),
            "requests": self.requests,
            "decided": dict(sorted(self.decided.items())),
        }


def bench(size: Size, tell: Tell) -> dict[str, dict[str, Any]]:
    """Measure both halves. Everything that it starts ends with it."""
    with ground(size, tell) as farm:
        tell("idle: nothing waits, nobody has been idle for long")
        farm.set({"pool.idle_for": _DAY, "pool.max_workers": size.workers})
        idle = farm.measure(size.passes, tell)
        tell(f"busy: {size.jobs} jobs wait, idle workers may go, {ROOM_TO_GROW} more may come")
        farm.filler.waiting(size.jobs)
        farm.set({"pool.idle_for": 1, "pool.max_workers": size.workers + ROOM_TO_GROW})
        busy = farm.measure(size.passes, tell)
    return {"idle": idle.as_json(), "busy": busy.as_json()}


# ---- the ground ----------------------------------------------------------------------------------


class Outside:
    """The process that serves the frozen world."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.served = msgspec.json.decode(self._line(), type=Served)

    @property
    def roots(self) -> Mapping[str, str]:
        """The address of each service."""
        environment = self.served.environment
        cloud = environment["OS_AUTH_URL"].removesuffix("/identity/v3")
        return {"openstack": cloud, "nomad": environment["NOMAD_ADDR"]}

    def asked(self) -> list[Asked]:
        """The requests since the last call."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        return msgspec.json.decode(self._line(), type=list[Asked])

    def _line(self) -> bytes:
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise Unavailable("the process that serves the frozen world ended")
        return line


@contextmanager
def _outside(size: Size) -> Iterator[Outside]:
    numbers = (str(size.workers), str(size.busy_tenths))
    command = [sys.executable, "-m", "controller.bench.frozen", *numbers]
    # A group of its own, for Ctrl-C is for us: it ends when its standard input does.
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as process:
        try:
            yield Outside(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


class Beats:
    """A clock whose monotonic time stands between two beats: all loops wake at the same moment."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self._moment = self._real.monotonic()

    def now(self) -> datetime:
        """The wall clock."""
        return self._real.now()

    def monotonic(self) -> float:
        """The last beat."""
        return self._moment

    def strike(self) -> None:
        """The next beat."""
        self._moment = self._real.monotonic()


@dataclass(kw_only=True, slots=True)
class Stopwatch:
    """Seconds of computing that the newest decision of each loop took, while it runs."""

    runs: bool = False
    laps: dict[str, float] = field(default_factory=dict)

    def around(self, loop: str, decide: Decide) -> Decide:
        """The same rule, timed."""

        def timed_decide(*seen: Any) -> list[Decision]:
            if not self.runs:
                return decide(*seen)
            began = time.thread_time()
            decided = decide(*seen)
            self.laps[loop] = time.thread_time() - began
            return decided

        return timed_decide


@dataclass(kw_only=True)
class Farm:
    """A frozen world, a store that fits it, and the loops of a controller that looks at both."""

    config: Config
    outside: Outside
    filler: Filler
    ports: Ports
    clock: Beats
    loops: Sequence[Loop]
    stopwatch: Stopwatch

    def set(self, values: Mapping[str, float]) -> None:
        """Set live parameters."""
        for key, value in values.items():
            self.ports.people.operations.set_parameter(key, value, _BENCH)

    def measure(self, passes: int, tell: Tell) -> Half:
        """Passes and bare fetches in turn."""
        half = Half()
        asked, statements = self._noted(half)
        with Bare(self.config.database.url.reveal(), self.outside.roots) as bare:
            for _ in range(WARM_UP):
                bare.fetch(asked, statements)
                self.step()
            for number in range(passes):
                timed(lambda: bare.fetch(asked, statements), half.fetch_ms, half.fetch_cpu_ms)
                timed(self.step, half.pass_ms, half.pass_cpu_ms)
                if number + 1 == passes:
                    tell(f"{passes} passes measured")
            half.decide_ms = [self.deciding() for _ in range(passes)]
        half.rss_mb = peak_mb()
        return half

    def step(self) -> Counter[str]:
        """One pass of each loop; what was decided. Raises what ended a pass."""
        self.clock.strike()
        decided: Counter[str] = Counter()
        for loop in self.loops:
            report = loop.step()
            if report.error is not None:
                raise report.error
            if report.violations:
                raise HrsiError(f"the frozen world is not sound: {report.violations[0]}")
            decided.update(kind_of(type(decision)) for decision in report.decisions)
        return decided

    def deciding(self) -> float:
        """Milliseconds that deciding alone computes in a pass. Asking for the time costs time."""
        self.stopwatch.laps.clear()
        self.stopwatch.runs = True
        self.step()
        self.stopwatch.runs = False
        return sum(self.stopwatch.laps.values()) * 1000

    def _noted(self, half: Half) -> tuple[list[Asked], Transactions]:
        """What a pass asks for once every cache is full."""
        for _ in range(WARM_UP):
            self.step()
        self.outside.asked()
        with listening() as statements:
            half.decided = self.step()
        asked = self.outside.asked()
        half.requests = {
            "openstack": sum(each.service == "openstack" for each in asked),
            "nomad": sum(each.service == "nomad" for each in asked),
            "postgres": sum(each.sql is not None for each in statements),
        }
        return asked, statements


@contextmanager
def ground(size: Size, tell: Tell) -> Iterator[Farm]:
    """Set everything up for a size; `size.jobs` do not wait yet."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hrsi-bench-")))
        log.configure(stream=stack.enter_context((folder / "log").open("w")))
        server = stack.enter_context(embedded.running(folder / "postgres", BY_ITSELF))
        tell(f"making {size.workers} workers")
        outside = stack.enter_context(_outside(size))
        config = _config(server.url, outside.served)
        bootstrap.migrate(config)
        filler = Filler(server.url, tell)
        filler.workers(list(posts(size.workers, size.busy_tenths)), outside.served.seats)
        filler.history(size.history)
        clock = Beats()
        ports = bootstrap.connect(config, outside.served.environment)
        stack.callback(ports.close)
        stopwatch = Stopwatch()
        shell = _shell(config, replace(ports, clock=clock))
        stack.callback(shell.close)
        farm = Farm(
            config=config,
            outside=outside,
            filler=filler,
            ports=ports,
            clock=clock,
            loops=[
                _loop(each, shell, stopwatch) for each in working(RECONCILERS, catalogues=False)
            ],
            stopwatch=stopwatch,
        )
        farm.set({"pool.max_vcpus": MOST_VCPUS})
        yield farm


def _config(url: str, served: Served) -> Config:
    return Config(
        deployment=DEPLOYMENT,
        database=DatabaseConfig(url=Secret(url)),
        nomad=NomadConfig(address=served.environment["NOMAD_ADDR"], calls_per_second=10_000.0),
        openstack=OpenStackConfig(
            project=served.project, image="os-worker-template", networks=("farm-net",)
        ),
        # As the frozen world has its parents: else each pass would want to register them anew.
        runs=RunConfig(
            token_key=Secret("0" * 64), driver=TASK.driver, command=TASK.command, args=TASK.args
        ),
        controller=ControllerConfig(health=Address("127.0.0.1", 0)),
    )


def _shell(config: Config, ports: Ports) -> Shell:
    """The shell of a controller in whose pools there is no room for any action."""
    full = {system: Lane(crew=Inline(), capacity=0) for system in System}
    executor = Executor(full, ports.clock, time.sleep)
    tools = Tools(
        store=ports.store,
        orchestrator=ports.orchestrator,
        cloud=ports.cloud,
        clock=ports.clock,
        ids=ports.ids,
        metrics=ports.metrics,
        ending=Event(),
        token_key=config.runs.token_key.reveal().encode(),
    )
    observer = bootstrap.observer(config, ports)
    return Shell(tools=tools, observer=observer, hands=Hands(executor, ports.metrics))


def _loop(reconciler: Reconciler, shell: Shell, stopwatch: Stopwatch) -> Loop:
    tools = shell.tools
    leadership = Leadership(tools.store, tools.clock, name=reconciler.name, holder="bench")
    timed_rule = replace(reconciler, decide=stopwatch.around(reconciler.name, reconciler.decide))
    return Loop(timed_rule, shell, leadership)


def timed(work: Callable[[], object], wall: list[float], cpu: list[float]) -> None:
    """Do it once; note the milliseconds that passed and those that this process computed."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    cpu.append((time.process_time() - began_cpu) * 1000)
    wall.append((time.perf_counter() - began) * 1000)
