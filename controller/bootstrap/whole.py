"""The whole program: everything outside a controller, its eyes, and its loops."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import NO_PACE, Executor, Lane
from controller.act.hands import Hands
from controller.act.press import Press
from controller.bootstrap.access import nomad_access, openstack_environment, site
from controller.bootstrap.buckets import results
from controller.bootstrap.catalogues import subscriptions
from controller.bootstrap.publication import press
from controller.bootstrap.store import People, open_database, people_of, token_key
from controller.campaign_reading import library_of
from controller.campaigning import Campaigner
from controller.clock import RandomIds, StoreClock, SystemClock
from controller.config import Config, require_for_controller
from controller.crew import Threads
from controller.guard import GuardedCloud
from controller.keeping import Rounds
from controller.leader import Told
from controller.loop import Reconciler, Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Parameters, Sources
from controller.process import Manner, Process
from controller.readback import Products, Reader
from controller.reconcilers import RECONCILERS, keeps_results, working
from controller.sweeps import Subscriptions, Sweeper
from infra import nomad, openstack
from models.errors import ConfigurationError, PortError, System
from models.job_types import DEFAULT_REGISTRY
from models.objects import Shelf
from models.ports import (
    Clock,
    Hints,
    Ids,
    JobStore,
    Orchestrator,
    RunReports,
    ViewLimits,
)
from models.settings import settings_kept

log = structlog.get_logger(__name__)

QUEUE_PER_CALLER = 32
"""How many actions may wait for each caller of a system: what a deadline's time can clear."""

SYSTEM_CLOCK = SystemClock()

READERS = 9
"""One thread per source: at most one read of each is under way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything outside a controller, and its time, chance and counters; `told` sets the time."""

    store: JobStore
    reports: RunReports
    people: People
    subscriptions: Subscriptions | None
    press: Press | None
    results: Shelf | None
    data: Shelf | None
    hints: Callable[[], Hints]
    orchestrator: Orchestrator
    cloud: GuardedCloud
    clock: Clock
    told: Told
    ids: Ids
    metrics: Metrics
    parameters: Parameters
    close: Callable[[], None]


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
        database = open_database(config, opening, lambda: parameters.settings.passes.call_deadline)
        orchestrator = nomad.connect(
            nomad_access(config),
            on_request=partial(metrics.http_request, System.NOMAD),
            now=clock.now,
            call_deadline=lambda: parameters.settings.passes.call_deadline,
        )
        opening.callback(orchestrator.close)
        access = openstack.open_access(
            openstack_environment(config, environment),
            partial(metrics.http_request, System.CLOUD),
        )
        calls = openstack.CloudCalls(call_deadline=lambda: parameters.settings.passes.call_deadline)
        cloud = openstack.OpenStackCloud(access, clock, calls)
        opening.callback(cloud.close)
        kept = opening.enter_context(results(config)) if keeps_results(config) else None
        return Ports(
            store=database.store,
            reports=database.reports,
            people=people_of(database),
            subscriptions=subscriptions(config, metrics, parameters, clock, opening),
            press=press(config, database.outbox, parameters, clock, opening),
            results=kept,
            data=replace(kept, bucket=config.s3.data) if kept and config.s3.data else None,
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


def observer(config: Config, ports: Ports) -> Observer:
    """The eyes of a controller; for `hrsi plan`, which has no hands, they are all there is."""
    sweeper = campaigner = None
    if ports.subscriptions is not None:
        sweeper = Sweeper(ports.subscriptions, ports.people.feeds, ports.clock, ports.metrics)
        campaigner = Campaigner(
            library_of(ports.subscriptions),
            ports.people.campaigns,
            ports.people.feeds,
            ports.clock,
        )
    rounds = None
    if ports.results is not None:
        rounds = Rounds(
            shelf=ports.results,
            reader=ports.people.reader,
            clock=ports.clock,
            l2as=ports.store if ports.data is not None else None,
        )
    return Observer(
        Sources(
            store=ports.store,
            orchestrator=ports.orchestrator,
            cloud=ports.cloud,
            sweeper=sweeper,
            campaigner=campaigner,
            outbox=ports.press.outbox if ports.press else None,
            broker=ports.press.broker if ports.press else None,
            reader=_reader(config, ports),
            rounds=rounds,
        ),
        site=site(config),
        registry=DEFAULT_REGISTRY,
        clock=ports.clock,
        crew=Threads("observe", READERS),
        metrics=ports.metrics,
        parameters=ports.parameters,
    )


def _reader(config: Config, ports: Ports) -> Reader | None:
    """What reads back what was published, where anything is."""
    if ports.press is None:
        return None
    catalogues = ports.subscriptions.catalogues if ports.subscriptions is not None else {}
    ours = [catalogues[name] for name, _ in config.creation.products if name in catalogues]
    return Reader(
        outbox=ports.press.outbox,
        catalogue=ours[0] if ours else None,
        products=Products(store=ports.press.products, shop=ports.press.shop),
        clock=ports.clock,
    )


def controller(config: Config, ports: Ports, only: Sequence[str] = ()) -> Process:
    """The controller with all its loops, or `only` those of these names.

    Raises `ConfigurationError` for a name that no loop has, for live parameters that cannot be, and
    when the cloud's credentials open another project than the settings name.
    """
    chosen = _with_work(reconcilers(only), ports, named=bool(only))
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
        token_key=token_key(config),
        press=ports.press,
        results=ports.results,
        data=ports.data,
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


def _with_work(
    chosen: Sequence[Reconciler], ports: Ports, *, named: bool
) -> tuple[Reconciler, ...]:
    """Without a catalogue there is nothing that creation could look at, without a product bucket
    nothing that publication could do, without a results bucket nothing that retention could delete.

    Raises `ConfigurationError` when it was named all the same, alone or with others.
    """
    found = working(
        chosen,
        catalogues=ports.subscriptions is not None,
        shop=ports.press is not None,
        results=ports.results is not None,
    )
    if named and len(found) < len(chosen):
        idle = {each.name for each in chosen} - {each.name for each in found}
        raise ConfigurationError("; ".join(_NEEDS[name] for name in sorted(idle)))
    return found


_NO_SHOP = (
    "no product bucket is set; set publication.bucket and what opens it (S3_ENDPOINT_URL, "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
)
_NEEDS = {
    "creation": "creation: no catalogue is set; set creation.odata or creation.resto, and the area",
    "publication": f"publication: {_NO_SHOP}",
    "read-back": f"read-back: {_NO_SHOP}",
    "retention": "retention: no results bucket is set; set s3.endpoint and s3.results "
    "(S3_ENDPOINT_URL, HRSI_RESULTS_BUCKET)",
}


def _executor(config: Config, clock: Clock) -> Executor:
    lanes = {
        System.NOMAD: _lane(System.NOMAD, config.nomad.calls, config.nomad.calls_per_second),
        System.CLOUD: _lane(
            System.CLOUD, config.openstack.calls, config.openstack.calls_per_second
        ),
        System.OBJECTS: _lane(System.OBJECTS, config.publication.calls, NO_PACE),
        System.BROKER: _lane(System.BROKER, 1, NO_PACE),
    }
    return Executor(lanes, clock, time.sleep)


def _lane(system: System, calls: int, per_second: float) -> Lane:
    crew = Threads(system.value, calls)
    return Lane(crew=crew, capacity=calls * QUEUE_PER_CALLER, per_second=per_second)


def _own_name(ids: Ids) -> str:
    """A name that no other process has, also after a restart with the same process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{ids.uuid().hex[:8]}"
