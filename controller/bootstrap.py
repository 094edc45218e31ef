"""The composition root: the only module that names an adapter. Reads like a table of contents.

`people` is for commands that ask and order; `connect` and `controller` are the whole program. The
simulation builds the same loops on other ports (`controller.simulation`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.clock import RandomIds, StoreClock, SystemClock
from controller.config import Config, require_for_controller
from controller.crew import Threads
from controller.doctor.patients import CloudPatient, NomadPatient, Patients, StorePatient
from controller.guard import GuardedCloud
from controller.leader import Told
from controller.loop import Reconciler, Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Parameters, Sources
from controller.process import Manner, Process
from controller.reconcilers import RECONCILERS
from infra import nomad, openstack, postgres
from infra.postgres import embedded
from infra.retry import ONCE
from models.errors import ConfigurationError, PortError, System
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.ports import (
    Clock,
    Hints,
    Ids,
    JobStore,
    Operations,
    Orchestrator,
    Reader,
    RunReports,
    ViewLimits,
)
from models.settings import settings_kept
from models.world import Site

log = structlog.get_logger(__name__)

QUEUE_PER_CALLER = 32
"""How many actions may wait for each caller of a system: what a deadline's time can clear."""

CHECKUP_DEADLINE = timedelta(seconds=10)
"""How long a call of a check-up may take: people wait for it."""

SYSTEM_CLOCK = SystemClock()

Patient = TypeVar("Patient")

READERS = 3
"""One thread per source: at most one read of each is under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """The store as people use it."""

    operations: Operations
    reader: Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything outside a controller, and its time, chance and counters; `told` sets the time."""

    store: JobStore
    reports: RunReports
    people: People
    hints: Callable[[], Hints]
    orchestrator: Orchestrator
    cloud: GuardedCloud
    clock: Clock
    told: Told
    ids: Ids
    metrics: Metrics
    parameters: Parameters
    close: Callable[[], None]


# ---- the store alone -----------------------------------------------------------------------------


@contextmanager
def people(config: Config) -> Iterator[People]:
    """The store for people, for the length of a block."""
    with ExitStack() as opened:
        database = _database(config, opened)
        yield People(operations=database.operations, reader=database.reader)


def migrate(config: Config, revision: str = "head", *, down: bool = False) -> str:
    """Bring the database to the shape of a revision; with `down` undo what came after it.

    The revision that it is at now.
    """
    with ExitStack() as opened:
        database = _database(config, opened)
        return database.downgrade(revision) if down else database.migrate(revision)


def _database(
    config: Config, opened: ExitStack, live_deadline: Callable[[], timedelta] | None = None
) -> postgres.Postgres:
    """The database of the settings; an embedded one is started, and ours to migrate."""
    url = config.database.url.reveal()
    server = None
    if not url:
        server = embedded.start(Path(config.database.directory))
        opened.callback(server.stop)
        url = server.url
    database = postgres.connect(
        url, pool_size=config.database.connections, live_deadline=live_deadline
    )
    opened.callback(database.dispose)
    if server is not None:
        database.migrate()
    return database


# ---- the whole -----------------------------------------------------------------------------------


def connect(
    config: Config, environment: Mapping[str, str] | None = None, own: Clock = SYSTEM_CLOCK
) -> Ports:
    """Everything that a controller talks to. Nothing outside is touched but an embedded database.

    `own` is the clock of this machine.

    Raises `ConfigurationError` for settings that cannot work. `Ports.close` gives it all back.
    """
    require_for_controller(config)
    environment = os.environ if environment is None else environment
    clock, parameters = StoreClock(own), Parameters()
    metrics = Metrics(CollectorRegistry(), clock)
    with ExitStack() as opening:
        database = _database(config, opening, lambda: parameters.settings.passes.call_deadline)
        orchestrator = nomad.connect(
            _nomad_access(config),
            on_request=partial(metrics.http_request, System.NOMAD),
            now=clock.now,
            call_deadline=lambda: parameters.settings.passes.call_deadline,
        )
        opening.callback(orchestrator.close)
        access = openstack.open_access(
            _openstack_environment(config, environment),
            partial(metrics.http_request, System.CLOUD),
        )
        calls = openstack.CloudCalls(call_deadline=lambda: parameters.settings.passes.call_deadline)
        cloud = openstack.OpenStackCloud(access, clock, calls)
        opening.callback(cloud.close)
        return Ports(
            store=database.store,
            reports=database.reports,
            people=People(operations=database.operations, reader=database.reader),
            hints=database.hints,
            orchestrator=orchestrator,
            cloud=GuardedCloud(cloud, lambda: cloud.check_project(config.openstack.project or "")),
            clock=clock,
            told=clock.told,
            ids=RandomIds(),
            metrics=metrics,
            parameters=parameters,
            close=opening.pop_all().close,
        )


def _nomad_access(config: Config) -> nomad.NomadAccess:
    settings = config.nomad
    certificate, key = settings.client_cert, settings.client_key
    if (certificate is None) != (key is None):
        raise ConfigurationError(
            "NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY: only one of them is set; set both or none"
        )
    return nomad.NomadAccess(
        address=settings.address,
        deployment=config.deployment,
        token=settings.token.reveal() or None,
        namespace=settings.namespace,
        region=settings.region,
        verify=settings.ca_cert or True,
        certificate=(certificate, key) if certificate and key else None,
    )


def _openstack_environment(config: Config, environment: Mapping[str, str]) -> Mapping[str, str]:
    cloud = config.openstack.cloud
    return {**environment, "OS_CLOUD": cloud} if cloud else environment


# ---- a check-up ----------------------------------------------------------------------------------


@contextmanager
def patients(config: Config, environment: Mapping[str, str] | None = None) -> Iterator[Patients]:
    """Everything that `hrsi doctor` looks at, as far as it can be opened. Nothing is changed."""
    environment = os.environ if environment is None else environment
    clock = SystemClock()
    with ExitStack() as opened:
        yield Patients(
            site=site(config),
            registry=DEFAULT_REGISTRY,
            clock=clock,
            loops=tuple(reconciler.name for reconciler in RECONCILERS),
            incomplete=_unless_refused(lambda: require_for_controller(config)),
            store=_unless_refused(lambda: _store_patient(config, clock, opened)),
            nomad=_unless_refused(lambda: _nomad_patient(config, clock, opened)),
            cloud=_unless_refused(lambda: _cloud_patient(config, environment, clock, opened)),
        )


def _unless_refused(open_it: Callable[[], Patient]) -> Patient | ConfigurationError:
    try:
        return open_it()
    except ConfigurationError as error:
        return error


def _store_patient(config: Config, clock: Clock, opened: ExitStack) -> StorePatient | None:
    url = config.database.url.reveal()
    is_embedded = not url
    if is_embedded:
        directory = Path(config.database.directory)
        if not embedded.is_made(directory):
            return None
        server = embedded.start(directory)
        opened.callback(server.stop)
        url = server.url
    database = postgres.connect(url, pool_size=1, call_deadline=CHECKUP_DEADLINE)
    opened.callback(database.dispose)
    probe = postgres.PostgresProbe(database.sessions, clock.now)
    return StorePatient(probe=probe, reader=database.reader, embedded=is_embedded)


def _nomad_patient(config: Config, clock: Clock, opened: ExitStack) -> NomadPatient:
    access = replace(_nomad_access(config), call_deadline=CHECKUP_DEADLINE)
    orchestrator = nomad.connect(access, now=clock.now)
    opened.callback(orchestrator.close)
    probe = nomad.NomadHttpProbe(access, clock.now)
    opened.callback(probe.close)
    return NomadPatient(probe=probe, orchestrator=orchestrator)


def _cloud_patient(
    config: Config, environment: Mapping[str, str], clock: Clock, opened: ExitStack
) -> CloudPatient:
    access = openstack.open_access(_openstack_environment(config, environment), lambda *_: None)
    calls = openstack.CloudCalls(call_deadline=lambda: CHECKUP_DEADLINE, retry=ONCE)
    cloud = openstack.OpenStackCloud(access, clock, calls)
    opened.callback(cloud.close)
    return CloudPatient(probe=cloud, cloud=cloud, project=config.openstack.project)


# ---- the controller ------------------------------------------------------------------------------


def observer(config: Config, ports: Ports) -> Observer:
    """The eyes of a controller; for `hrsi plan`, which has no hands, they are all there is."""
    return Observer(
        Sources(store=ports.store, orchestrator=ports.orchestrator, cloud=ports.cloud),
        site=site(config),
        registry=DEFAULT_REGISTRY,
        clock=ports.clock,
        crew=Threads("observe", READERS),
        metrics=ports.metrics,
        parameters=ports.parameters,
    )


def site(config: Config) -> Site:
    """Who we are, by the settings."""
    cloud, runs = config.openstack, config.runs
    command = TaskCommand(
        driver=runs.driver, command=runs.command, args=runs.args, environment=runs.environment
    )
    return Site(
        deployment=config.deployment,
        worker_prefix=cloud.worker_prefix,
        image=cloud.image,
        networks=cloud.networks,
        security_groups=cloud.security_groups,
        key_name=cloud.key_name,
        parents=DEFAULT_REGISTRY.parents(config.deployment, command),
    )


def controller(config: Config, ports: Ports, only: Sequence[str] = ()) -> Process:
    """The controller with all its loops, or `only` those of these names.

    Raises `ConfigurationError` for a name that no loop has, for live parameters that cannot be, and
    when the cloud's credentials open another project than the settings name.
    """
    chosen = reconcilers(only)
    unproved = ports.cloud.prove()
    if unproved is not None:
        log.warning("the cloud's project is not proved yet", action="guard", error=unproved)
    _learn_parameters(ports)
    ending = threading.Event()
    tools = Tools(
        store=ports.store,
        orchestrator=ports.orchestrator,
        cloud=ports.cloud,
        clock=ports.clock,
        ids=ports.ids,
        metrics=ports.metrics,
        ending=ending,
        token_key=config.runs.token_key.reveal().encode(),
    )
    hands = Hands(_executor(config, ports.clock), ports.metrics)
    shell = Shell(tools=tools, observer=observer(config, ports), hands=hands, told=ports.told)
    holder = config.controller.holder or _own_name(ports.ids)
    manner = Manner(
        health=config.controller.health,
        hints=ports.hints,
        stop_within=config.controller.stop_within,
        close=ports.close,
    )
    return Process([loop_of(each, shell, holder) for each in chosen], shell, ending, manner)


def _learn_parameters(ports: Ports) -> None:
    """Read the live parameters before the first lease is taken: its length is one of them, and a
    process that is killed in its first pass leaves the lease behind for that long.

    Raises `ConfigurationError` for parameters that cannot be: later a process goes on with the last
    good ones, but here there are none, and a lease that a call can outlive is no right to act.
    """
    nothing_else = ViewLimits(ready_per_flavor=0, ended_since=ports.clock.now(), errors=0)
    try:
        view = ports.store.view(nothing_else)
    except PortError as error:
        log.warning("parameters are not read yet", action="parameters", error=str(error))
        return
    try:
        settings_kept(view.parameters)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}; the controller does not start; set it right with `hrsi param set`"
        ) from error
    ports.parameters.update(view.parameters)


def reconcilers(only: Sequence[str] = ()) -> tuple[Reconciler, ...]:
    """Those of these names, or all. Raises `ConfigurationError` for a name that none has."""
    known = {reconciler.name: reconciler for reconciler in RECONCILERS}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ConfigurationError(
            f"there is no loop named {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    return tuple(known[name] for name in known if not only or name in only)


def _executor(config: Config, clock: Clock) -> Executor:
    lanes = {
        System.NOMAD: _lane(System.NOMAD, config.nomad.calls, config.nomad.calls_per_second),
        System.CLOUD: _lane(
            System.CLOUD, config.openstack.calls, config.openstack.calls_per_second
        ),
    }
    return Executor(lanes, clock, time.sleep)


def _lane(system: System, calls: int, per_second: float) -> Lane:
    crew = Threads(system.value, calls)
    return Lane(crew=crew, capacity=calls * QUEUE_PER_CALLER, per_second=per_second)


def _own_name(ids: Ids) -> str:
    """A name that no other process has, also after a restart with the same process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{ids.uuid().hex[:8]}"
