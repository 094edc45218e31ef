"""What `hrsi simulator` serves: a simulated Nomad, a simulated cloud, machines, in any pairing.

A composition root like `controller.bootstrap`, for stand-ins of the outside beside a controller in
a process of its own. Servers are those of the simulated cloud or of a real one that is followed;
each becomes a node of the simulated Nomad, a process of somebody's command, or both.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from controller.clock import SystemClock
from controller.config import Config
from controller.guard import GuardedCloud
from controller.simulate.mishaps import LEVELS
from controller.simulate.scenario import FaultLevel
from infra import openstack, postgres
from infra.postgres import embedded
from models.errors import ConfigurationError
from models.job_types import DEFAULT_REGISTRY
from simulator.behaviour import Behaviour, ScriptedTasks, Spread
from simulator.cloud.http.serve import serve_cloud
from simulator.cloud.options import CloudOptions
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Fault, Faults
from simulator.following import Follower, Ours, following
from simulator.guests import Guests, Tell
from simulator.machines import Machines, Tenant, live_on
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.processes import LocalProcesses
from simulator.nomad.tasks import TaskDriver
from simulator.nomad.web import serve_nomad
from simulator.served import pacing
from simulator.timeline import Timeline

TRIAL = "trial"
"""What an installation is called that nobody has named."""

REPORT_DEADLINE = timedelta(seconds=5)
"""How long a simulated program waits for the database: the simulated Nomad waits with it."""

CONTROLLERS_OWN = frozenset({Fault.CRASH, Fault.CRASH_AFTER})
"""Faults of a process that is not this one."""


class Runs(StrEnum):
    """What runs are."""

    SIMULATED = "simulated"
    """Nothing is started: after a time the run is reported as done."""
    PROCESSES = "processes"
    """The command of the job, as a local process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadOffer:
    """A simulated Nomad to be served. Port 0 is a free one."""

    port: int
    runs: Runs = Runs.SIMULATED
    run_time: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudOffer:
    """A simulated cloud to be served. `active_after` is from the create to ACTIVE."""

    port: int
    active_after: timedelta = timedelta(seconds=20)


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowedCloud:
    """A real cloud whose servers become machines. `name` is an entry of clouds.yaml."""

    name: str
    look_every: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What is wanted. `boot_time` is from ACTIVE to the machine's Nomad client or process.

    Without a `seed` chance is different every time: a Nomad that is started anew must not give its
    jobs and allocations the ids that another one gave before.
    """

    cloud: CloudOffer | FollowedCloud
    nomad: NomadOffer | None = None
    on_boot: str | None = None
    boot_time: timedelta = timedelta(seconds=20)
    faults: FaultLevel = FaultLevel.NONE
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    """Where it is to be found, by the variables that lead a controller there, and its seed."""

    environment: Mapping[str, str]
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """What all parts stand on."""

    config: Config
    offer: Offer
    tell: Tell
    seed: int
    stack: ExitStack
    lock: threading.RLock
    timeline: Timeline
    faults: Faults


@contextmanager
def offered(config: Config, offer: Offer, tell: Tell) -> Iterator[Offered]:
    """Serve it for the length of a block; `tell` hears what happens, from several threads.

    Raises `ConfigurationError` for settings that cannot work, and what PostgreSQL raises.
    """
    seed = secrets.randbelow(2**32) if offer.seed is None else offer.seed
    calls = LEVELS[offer.faults].calls
    rates = {fault: rate for fault, rate in calls.items() if fault not in CONTROLLERS_OWN}
    with ExitStack() as stack:
        environment = _unset(config)
        stage = _Stage(
            config=config,
            offer=offer,
            tell=tell,
            stack=stack,
            lock=threading.RLock(),
            timeline=Timeline(datetime.now(UTC)),
            seed=seed,
            faults=Faults(rates=rates, seed=seed),
        )
        tenants: list[Tenant] = []
        if offer.nomad is not None:
            environment |= _serve_nomad(stage, offer.nomad, tenants.append)
        if offer.on_boot is not None:
            guests = Guests(offer.on_boot, stage.lock, os.environ, tell)
            tenants.append(stack.enter_context(guests))
        machines = Machines(stage.timeline, tenants, offer.boot_time)
        stack.enter_context(pacing(stage.timeline, stage.lock))
        if isinstance(offer.cloud, CloudOffer):
            environment |= _serve_cloud(stage, offer.cloud, machines)
        else:
            environment |= _follow_cloud(stage, offer.cloud, machines)
        yield Offered(environment=environment, seed=seed)


def _unset(config: Config) -> dict[str, str]:
    """What a controller needs and the settings do not say, made up: a trial wants no file first."""
    found: dict[str, str] = {}
    if not config.deployment:
        found["HRSI_DEPLOYMENT"] = TRIAL
    if not config.runs.token_key.reveal():
        found["HRSI_RUNS_TOKEN_KEY"] = secrets.token_hex(32)
    if not config.database.url.reveal():
        found["HRSI_DATABASE_DIRECTORY"] = str(Path(config.database.directory).absolute())
    return found


# ---- the parts -----------------------------------------------------------------------------------


def _serve_nomad(
    stage: _Stage, offer: NomadOffer, join: Callable[[Tenant], None]
) -> Mapping[str, str]:
    seed, lock = stage.seed, stage.lock
    cluster = NomadCluster(stage.timeline, _programs(stage, offer), seed=seed, lock=lock)
    join(cluster)
    try:
        serving = serve_nomad(cluster, faults=stage.faults, port=offer.port)
        server = stage.stack.enter_context(serving)
    except OSError as error:
        raise _taken(offer.port, error) from error
    return {"NOMAD_ADDR": server.url}


def _programs(stage: _Stage, offer: NomadOffer) -> TaskDriver:
    if offer.runs is Runs.PROCESSES:
        # Nothing else of ours: what they need to know, Nomad hands to them.
        given = {"PATH": os.environ.get("PATH", os.defpath)}
        return stage.stack.enter_context(LocalProcesses(stage.lock, given))
    database = _database(stage)
    behaviour = _behaviour(offer.run_time, stage.offer.faults)
    behaviours = dict.fromkeys(DEFAULT_REGISTRY.types, behaviour)
    return ScriptedTasks(stage.timeline, database.reports, behaviours=behaviours, seed=stage.seed)


def _database(stage: _Stage) -> postgres.Postgres:
    """Where simulated programs report; refused now rather than at the first report."""
    url = stage.config.database.url.reveal()
    server = None
    if not url:
        directory = Path(stage.config.database.directory)
        server = stage.stack.enter_context(embedded.running(directory))
    database = postgres.connect(
        server.url if server else url,
        application_name="hrsi-simulated",
        pool_size=1,
        call_deadline=REPORT_DEADLINE,
    )
    stage.stack.callback(database.dispose)
    if server is not None:
        database.migrate()
    database.reader.totals()
    return database


def _behaviour(run_time: timedelta, faults: FaultLevel) -> Behaviour:
    """Runs of half to all of `run_time`, most of it science."""

    def part(share: float) -> Spread:
        return Spread(least=run_time * share / 2, most=run_time * share)

    return Behaviour(
        starting=part(0.02),
        pre_processing=part(0.1),
        processing=part(0.78),
        post_processing=part(0.08),
        winding_down=part(0.02),
        dying=part(0.02),
        endings=LEVELS[faults].endings,
    )


def _serve_cloud(stage: _Stage, offer: CloudOffer, machines: Machines) -> Mapping[str, str]:
    options = CloudOptions(boot_time=offer.active_after, boot_spread=0.5, seed=stage.seed)
    cloud = SimulatedCloud(stage.timeline, options, stage.lock)
    live_on(cloud, machines)
    try:
        running = stage.stack.enter_context(serve_cloud(cloud, stage.faults, port=offer.port))
    except OSError as error:
        raise _taken(offer.port, error) from error
    return {
        **running.auth_environment(),
        "HRSI_OPENSTACK_PROJECT": running.account.project,
        "HRSI_OPENSTACK_NETWORKS": ",".join(options.networks),
        "HRSI_OPENSTACK_IMAGE": options.images[0],
    }


def _follow_cloud(stage: _Stage, followed: FollowedCloud, machines: Machines) -> Mapping[str, str]:
    config = stage.config
    if not config.deployment:
        raise ConfigurationError(
            "deployment is not set (HRSI_DEPLOYMENT): it tells which servers become machines; give "
            "it the name that the controller has"
        )
    if config.openstack.project is None:
        raise ConfigurationError(
            "openstack.project is not set (HRSI_OPENSTACK_PROJECT): name the project that the "
            "servers are in"
        )
    project = config.openstack.project
    access = openstack.open_access({**os.environ, "OS_CLOUD": followed.name}, lambda *_: None)
    cloud = openstack.OpenStackCloud(access, SystemClock())
    stage.stack.callback(cloud.close)
    guarded = GuardedCloud(cloud, lambda: cloud.check_project(project))
    unproved = guarded.prove()
    if unproved is not None:
        stage.tell(f"the cloud's project is not proved yet: {unproved}")
    ours = Ours(
        deployment=config.deployment,
        prefix=config.openstack.worker_prefix,
        flavors=DEFAULT_REGISTRY.flavors,
    )
    follower = Follower(guarded, machines, stage.lock, ours, tell=stage.tell)
    stage.stack.enter_context(following(follower, followed.look_every))
    return {"OS_CLOUD": followed.name}


def _taken(port: int, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"nothing can listen on port {port} of 127.0.0.1: {error.strerror}; choose another one"
    )
