"""Two controller processes on one PostgreSQL, one cloud and one Nomad, each by wires of its own.

The processes are real, and so are the store and what is spoken; cloud, Nomad and the programs on
workers are simulated, in real time. `Farm` watches the truth of them: machines that end with work
on them (I1), more servers than the cap (I4), two servers for one intent.
"""

from __future__ import annotations

import logging
import re
import secrets
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.postgres import Postgres, connect
from models.fleet import INTENT_METADATA, RUN_META
from models.lifecycle import Status
from models.ports import Asked, JobFilter
from models.records import Heartbeat, IntentKind, Job, NewJob, RunEnd
from simulator.behaviour import Behaviour, ScriptedTasks, Spread
from simulator.cloud.http.serve import RunningCloud, serve_cloud
from simulator.cloud.options import CloudOptions
from simulator.cloud.servers import CloudServer
from simulator.http.server import HttpServer
from simulator.nomad.web import serve_nomad
from simulator.served import pacing
from simulator.systems import Outside, Scenario, outside
from simulator.timeline import Timeline
from tests.plugins.commands import HRSI, clean_environment
from tests.plugins.gates import Gates, gates, until
from tests.plugins.tap import Tap, tapped, tapped_postgres

log = logging.getLogger(__name__)

LOOPS = {"configuration", "execution", "monitor", "worker-pool"}
SOMEBODY = Asked(actor="test", reason="test")
MAX_WORKERS = 6
QUICK = {
    "passes.resync": 0.3,
    "passes.merge": 0.05,
    "passes.call_deadline": 1,
    "passes.lease": 2.5,
    "execution.resend_after": 1,
    "pool.max_workers": MAX_WORKERS,
    "pool.idle_for": 0.5,
    "pool.create_period": 0.3,
    "pool.redelete_after": 2,
    # What was committed and never sent is given up after this rather than 10 minutes.
    "pool.refute_after": 2,
    "pool.backoff": 1,
    "pool.quarantine_for": 0.5,
    "pool.barrier_for": 1,
}


def _short(seconds: float) -> Spread:
    return Spread(least=timedelta(seconds=seconds), most=timedelta(seconds=2 * seconds))


PROGRAM = Behaviour(
    starting=_short(0.1),
    pre_processing=_short(0.2),
    processing=_short(0.4),
    post_processing=_short(0.2),
    winding_down=_short(0.1),
)
SCENARIO = Scenario(
    cloud=CloudOptions(
        boot_time=timedelta(seconds=0.4),
        delete_time=timedelta(seconds=0.3),
        deleted_shown=timedelta(seconds=0.2),
    ),
    join_delay=timedelta(seconds=0.2),
    behaviours={"test": PROGRAM},
)

KINDS: Mapping[str, tuple[IntentKind, ...]] = {
    r"POST \S*/servers ": (IntentKind.CREATE_SERVER,),
    r"DELETE \S*/servers/": (IntentKind.DELETE_SERVER,),
    r"(POST|PUT) /v1/job/\S+/dispatch": (IntentKind.DISPATCH,),
    r"(POST|PUT) /v1/job/\S+/evaluate": (IntentKind.EVALUATE,),
    r"DELETE /v1/job/": (IntentKind.STOP_CHILD,),
    r"(POST|PUT) /v1/jobs": (IntentKind.REGISTER_PARENT,),
    r"(POST|PUT) /v1/node/\S+/eligibility": (IntentKind.SET_ELIGIBLE, IntentKind.SET_INELIGIBLE),
    r"(POST|PUT) /v1/node/\S+/purge": (IntentKind.PURGE_NODE,),
}
"""Which intent a request is the effect of."""


@dataclass
class Twin:
    """One controller process, the wires from it, and what it asked to be changed so far."""

    name: str
    process: subprocess.Popen[bytes]
    store: Tap
    cloud: Tap
    nomad: Tap
    port: int
    writes: list[tuple[IntentKind, ...]]
    said: Path

    def stop(self) -> None:
        """Stop it where it stands (SIGSTOP), and wait until it stands."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it stands still")

    def go_on(self) -> None:
        """Let it go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=120)

    def end(self) -> None:
        """Ask it to end, and see that it does so in order."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=120) == 0, self.said.read_text()

    def page(self, name: str) -> tuple[int, str]:
        """A page of its health server: status and text; (0, why) when nobody answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/{name}", timeout=10
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)


@dataclass
class Farm:
    """What two controllers work on, and who they are."""

    database: Postgres
    url: str
    gates: Gates
    outside: Outside
    cloud: RunningCloud
    nomad: HttpServer
    folder: Path
    opened: ExitStack
    breaches: list[str] = field(default_factory=list)
    submitted: int = 0
    by_intent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.outside.cloud.on_gone.insert(0, self._ended)
        self.outside.cloud.on_active.append(self._begun)

    # ---- processes -------------------------------------------------------------------------------

    def start(self, name: str, command: tuple[str, ...] = HRSI) -> Twin:
        """Start a controller that calls itself so, with wires of its own."""
        writes: list[tuple[IntentKind, ...]] = []
        store, through = self.opened.enter_context(tapped_postgres(self.url))
        cloud = self.opened.enter_context(tapped(_address(self.cloud.url), _hearing(writes)))
        nomad = self.opened.enter_context(tapped(_address(self.nomad.url), _hearing(writes)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        settings = {
            **self.cloud.auth_environment(),
            "OS_AUTH_URL": f"http://127.0.0.1:{cloud.port}/identity/v3",
            "NOMAD_ADDR": f"http://127.0.0.1:{nomad.port}",
            "DATABASE_URL": through,
            "HRSI_CONTROLLER_HOLDER": name,
            "HRSI_CONTROLLER_HEALTH": f"127.0.0.1:{port}",
            "HRSI_CONTROLLER_STOP_WITHIN": "10",
        }
        said = self.folder / f"{name}.log"
        with said.open("ab") as log:
            process = subprocess.Popen(
                [*command, "controller"],
                cwd=self.folder,
                env=clean_environment(self.folder, settings),
                stdout=log,
                stderr=log,
            )
        self.opened.callback(_end, process)
        return Twin(name, process, store, cloud, nomad, port, writes, said)

    def leader(self, twins: Sequence[Twin], loops: Collection[str] = LOOPS) -> Twin:
        """Whoever of these holds the leases of these loops, once one does."""
        found: list[Twin] = []

        def one_leads() -> bool:
            ended = [twin.name for twin in twins if twin.process.poll() is not None]
            assert not ended, f"{ended} ended"
            held = self.held()
            holders = {held.get(loop) for loop in loops}
            found[:] = [twin for twin in twins if holders == {twin.name}]
            return bool(found)

        until(one_leads, f"one of {[twin.name for twin in twins]} leads {sorted(loops)}")
        return found[0]

    def sole_leader(self, twins: tuple[Twin, Twin]) -> Twin:
        """Whoever leads all loops. On a busy machine one lease may run out and fall to the other:
        while they share the loops, one of them is stopped until the other has them all.
        """
        first, second = twins
        until(lambda: set(self.held()) == LOOPS, "every loop is led")
        for twin in twins:
            if self.is_led_by(twin):
                return twin
        first.stop()
        self.leader((second,))
        first.go_on()
        return second

    def is_led_by(self, twin: Twin) -> bool:
        """Whether this one holds the leases of all loops."""
        held = self.held()
        return all(held.get(loop) == twin.name for loop in LOOPS)

    def held(self) -> dict[str, str]:
        """Who holds which lease that has not run out."""
        now = datetime.now(UTC)
        leases = self.database.reader.leases()
        return {lease.name: lease.holder for lease in leases if lease.expires_at > now}

    def beats(self, twin: Twin) -> dict[str, Heartbeat]:
        """The last sign of life of each loop of a process."""
        beats = self.database.reader.heartbeats()
        return {beat.loop: beat for beat in beats if beat.holder == twin.name}

    def until_it_passed(self, twin: Twin) -> None:
        """Wait until each loop of a process has made a whole pass, after one that is under way."""
        before = self.beats(twin)

        def passed() -> bool:
            now = self.beats(twin)
            return set(now) == LOOPS and all(
                beat.passes > (before[loop].passes + 1 if loop in before else 0)
                for loop, beat in now.items()
            )

        until(passed, f"each loop of {twin.name} makes a pass")

    def pair(self) -> tuple[Twin, Twin]:
        """Two controllers; the first of them leads."""
        first = self.start("anna")
        self.leader((first,))
        return first, self.start("bert")

    # ---- work ------------------------------------------------------------------------------------

    def submit(self, count: int) -> None:
        """Hand in jobs."""
        names = [f"job-{self.submitted + number}" for number in range(count)]
        self.submitted += count
        self.database.operations.submit(
            [NewJob(type="test", key=name, name=name) for name in names], SOMEBODY
        )

    def processed(self) -> int:
        """How many jobs are processed."""
        return self.database.reader.totals().get("jobs.processed", 0)

    def jobs(self) -> tuple[Job, ...]:
        """Every job."""
        return self.database.reader.jobs(JobFilter(limit=1000))

    def is_quiet(self) -> bool:
        """Every job is processed and no worker is left."""
        return self.processed() == self.submitted and not self.database.reader.workers()

    def epochs(self) -> dict[str, int]:
        """The epoch of each lease that is held."""
        return {lease.name: lease.epoch for lease in self.database.reader.leases()}

    # ---- judgement -------------------------------------------------------------------------------

    def nothing_went_wrong(self) -> None:
        """No invariant was broken on the truth; no double server, no double dispatch, no lost job.

        Each job was processed once, whatever else was tried for it.
        """
        assert self.breaches == []
        assert self.gates.accepted_out_of_turn() == []
        assert [intent for intent, count in self.by_intent.items() if count > 1] == []
        nomad = self.outside.nomad
        with self.outside.cloud.lock:
            children = [job for job in nomad.state.jobs.by_id() if job.parent_id]
        dispatched = Counter(child.meta[RUN_META] for child in children)
        assert [run for run, count in dispatched.items() if count > 1] == []
        for job in self.jobs():
            story = self.database.reader.story(str(job.id))
            assert [row.after for row in story.history].count(Status.PROCESSED) == 1
            assert [run.end for run in story.runs].count(RunEnd.PROCESSED) == 1

    def nothing_is_left(self) -> None:
        """No server is unaccounted for."""
        totals, cloud = self.database.reader.totals(), self.outside.cloud
        assert cloud.servers() == []
        assert totals["servers.created"] == totals["servers.deleted"] == cloud.created

    def _begun(self, server: CloudServer) -> None:
        servers = [each for each in self.outside.cloud.servers() if not each.is_deleted]
        if len(servers) > MAX_WORKERS:
            self.breaches.append(f"I4: {len(servers)} servers, the cap is {MAX_WORKERS}")
        self.by_intent[server.wanted.metadata[INTENT_METADATA]] += 1

    def _ended(self, server: CloudServer) -> None:
        state = self.outside.nomad.state
        nodes = [node for node in state.nodes.by_id() if node.server_id == server.id]
        live = [alloc.id for node in nodes for alloc in state.live_on(node.id)]
        if live:
            self.breaches.append(f"I1: {server.name} ends with {len(live)} live allocations")


def _hearing(writes: list[tuple[IntentKind, ...]]) -> Callable[[bytes], None]:
    def hear(chunk: bytes) -> None:
        head = chunk[:500].decode("latin-1")
        writes.extend(kinds for form, kinds in KINDS.items() if re.match(form, head))

    return hear


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def _tell(folder: Path) -> None:
    """Show, when a test fails, what the controllers said last."""
    for said in sorted(folder.glob("*.log")):
        log.info("%s said last:\n%s", said.stem, said.read_text()[-6000:])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(timeout=120)


@contextmanager
def a_farm(url: str, folder: Path) -> Iterator[Farm]:
    """A farm on a database of its own, in real time."""
    lock, timeline = threading.RLock(), Timeline(datetime.now(UTC))
    with ExitStack() as opened:
        database = connect(url, application_name="programs", call_deadline=timedelta(seconds=5))
        opened.callback(database.dispose)
        for key, value in QUICK.items():
            database.operations.set_parameter(key, value, SOMEBODY)
        tasks = ScriptedTasks(timeline, database.reports, behaviours=SCENARIO.behaviours)
        world = outside(SCENARIO, timeline, tasks, lock)
        opened.enter_context(pacing(timeline, lock))
        opened.callback(_tell, folder)
        cloud = opened.enter_context(serve_cloud(world.cloud))
        nomad = opened.enter_context(serve_nomad(world.nomad))
        (folder / "hrsi.toml").write_text(SETTINGS.format(key=secrets.token_hex(32)))
        yield Farm(
            database=database,
            url=url,
            gates=opened.enter_context(gates(url)),
            outside=world,
            cloud=cloud,
            nomad=nomad,
            folder=folder,
            opened=opened,
        )


SETTINGS = """\
deployment = "twins"

[openstack]
project = "hrsi"
image = "os-worker-template"
networks = ["farm-net"]

[runs]
token_key = "{key}"
command = "simulated"
"""


@pytest.fixture
def twin_farm(own_database_url: str, folder: Path) -> Iterator[Farm]:
    """A farm for two controllers, with nothing on it."""
    with a_farm(own_database_url, folder) as made:
        yield made
