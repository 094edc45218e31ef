"""What a demo runs on: PostgreSQL in a temporary folder, a simulated cloud and Nomad, a controller.

A composition root like `controller.bootstrap`, of which it is the user: only the settings and what
stands behind the addresses are the demo's own. Leaving the stage ends whatever was started on it.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from controller import bootstrap, log
from controller.clock import SystemClock
from controller.config_groups import (
    Config,
    ControllerConfig,
    CreationConfig,
    DatabaseConfig,
    NomadConfig,
    OpenStackConfig,
    PublicationConfig,
    RunConfig,
    WebConfig,
)
from controller.config_values import Address, Secret
from controller.demo import delivery, endpoint
from controller.demo.report import Products
from controller.demo.run import House, Watcher
from controller.demo.way_in import write_way_in
from controller.invariants import INVARIANTS
from infra.postgres import embedded
from models.job_types import DEFAULT_REGISTRY
from models.ports import Asked, Operations
from models.submission import parse_submission
from simulator.acquisitions import acquisitions
from simulator.catalogues.options import NAME, PRODUCTS, area_around
from simulator.catalogues.showing import showing, showing_products
from simulator.cloud.options import CloudOptions
from simulator.served import Served, serve
from simulator.systems import Scenario

DEPLOYMENT = "demo"
DEMO = Asked(actor="demo", reason="demo")

PARAMETERS = {
    "passes.resync": 1,
    "creation.period": 1,
    "composition.look_again": 2,
    "composition.rlie_wait": 0,
    "composition.rlie_wait_most": 20,
    "composition.radar_wait": 5,
    "composition.slice_wait": 5,
    "passes.call_deadline": 10,
    "passes.lease": 30,
    "pool.max_workers": 16,
    "pool.idle_for": 5,
    "pool.create_burst": 4,
    "pool.create_period": 1,
    "pool.redelete_after": 5,
    "execution.resend_after": 5,
    "publication.refusal_pause": 1,
}
"""Waits of minutes as waits of seconds, and few enough workers that jobs queue for them."""

RUN_SECONDS = 4.0
"""How long the stand-in science of a run takes."""


ENVIRONMENT = "environment"
"""The file that whoever wants to ask the demo from another terminal sources there."""

STANDIN_ENVIRONMENT = (
    ("HRSI_NODE_ID", "${node.unique.id}"),
    ("HRSI_NODE_NAME", "${node.unique.name}"),
    ("HRSI_ADDRESS", "${attr.unique.network.ip-address}"),
)
"""How Nomad tells the stand-in where it runs."""


LOG_SHIPPER = ("/usr/bin/env", "--block-signal=TERM", sys.executable, "-m", "worker.ship")
"""What ships the logs of a run, as on a real worker: a run may be over before it listens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """What is to be shown."""

    jobs: int
    seed: int = 0
    from_catalogue: bool = False


@contextmanager
def stage(play: Play) -> Iterator[Watcher]:
    """Set up, start the controller, submit the jobs; then whoever watches is told from here.

    Raises what the parts raise.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hrsi-demo-")))
        log.configure(stream=stack.enter_context((folder / "controller.log").open("w")))
        server = stack.enter_context(embedded.running(folder / "postgres", embedded.THROW_AWAY))
        outside = stack.enter_context(serve(_scenario(play), {}, folder / "nomad"))
        buckets = stack.enter_context(delivery.buckets())
        config = _config(server.url, outside, buckets)
        bootstrap.migrate(config)
        shown = _shown(config, play, buckets, stack) if play.from_catalogue else None
        if shown is not None:
            config = replace(config, creation=shown.creation)
        config = replace(config, web=WebConfig(url=stack.enter_context(_api(config, outside))))
        ports = bootstrap.connect(config, outside.environment())
        stack.callback(ports.close)
        _set_parameters(ports.people.operations)
        behind = stack.enter_context(endpoint.endpoint(ports.clock))
        process = bootstrap.controller(config, _announcing(ports, behind))
        stack.callback(process.stop)
        process.start()
        write_way_in(folder / ENVIRONMENT, config, outside.environment())
        notes = _notes(folder, process.health_address)
        house = House(
            store=ports.store,
            reader=ports.people.reader,
            clock=ports.clock,
            violations=partial(_violations, ports.metrics.registry),
            products=partial(_products, buckets, behind),
        )
        watcher = Watcher(house, notes)
        watcher.submitted = (
            shown.images if shown else _submit(ports.people.operations, play, buckets)
        )
        yield watcher


def _announcing(ports: bootstrap.Ports, behind: endpoint.DemoEndpoint) -> bootstrap.Ports:
    """The same, with the demo's broker in the place of the folder of files."""
    press = ports.press
    return replace(ports, press=replace(press, broker=behind.broker)) if press else ports


def _products(buckets: delivery.DemoBuckets, behind: endpoint.DemoEndpoint) -> Products:
    return Products(
        made=buckets.delivered(),
        in_bucket=buckets.in_shop(),
        published=behind.published(),
        runs_logged=buckets.logged(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """How the catalogues of a demo are read, and how many images they list."""

    creation: CreationConfig
    images: int


def _shown(config: Config, play: Play, buckets: delivery.DemoBuckets, stack: ExitStack) -> _Shown:
    """Serve a catalogue of images, and one of what the jobs of this database make of them."""
    people, clock = stack.enter_context(bootstrap.people(config)), SystemClock()
    images = stack.enter_context(showing(play.jobs, play.seed, clock))
    products = stack.enter_context(
        showing_products(people.reader, play.seed, clock, buckets.provide_product)
    )
    buckets.provide_images(images.images)
    buckets.provide_tiles(images.tiles)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hrsi-demo-")))
    mountains = folder / "mountains"
    mountains.write_text("\n".join(sorted(area_around(images.tiles).mountains)))
    creation = CreationConfig(
        odata=((NAME, images.url),),
        products=((PRODUCTS, products),),
        tiles=images.tiles,
        mountains=str(mountains),
    )
    return _Shown(creation=creation, images=len(images.images))


@contextmanager
def _api(config: Config, outside: Served) -> Iterator[str]:
    """The HTTP API, to which the programs on workers speak; its address."""
    from web.serve import WebServer  # noqa: PLC0415  what serves is in the extra `web`

    with bootstrap.desk(config, outside.environment()) as desk:
        server = WebServer(desk, "127.0.0.1", 0)
        server.start()
        yield server.url
        server.stop()


def _scenario(play: Play) -> Scenario:
    """A cloud that boots in seconds rather than minutes."""
    cloud = CloudOptions(
        boot_time=timedelta(seconds=2),
        boot_spread=0.5,
        delete_time=timedelta(seconds=1),
        deleted_shown=timedelta(seconds=0.2),
    )
    return Scenario(seed=play.seed, cloud=cloud, join_delay=timedelta(seconds=1))


def _config(database_url: str, outside: Served, buckets: delivery.DemoBuckets) -> Config:
    cloud = outside.outside.cloud.options
    return Config(
        deployment=DEPLOYMENT,
        database=DatabaseConfig(url=Secret(database_url)),
        nomad=NomadConfig(address=outside.nomad.url),
        openstack=OpenStackConfig(
            project=outside.cloud.account.project,
            image=cloud.images[0],
            networks=cloud.networks,
            security_groups=cloud.security_groups,
            calls_per_second=50,
        ),
        runs=RunConfig(
            token_key=Secret(secrets.token_hex(32)),
            command=sys.executable,
            args=("-m", "worker.cli", "run"),
            log_shipper=LOG_SHIPPER,
            environment=(*STANDIN_ENVIRONMENT, *science(RUN_SECONDS), *buckets.environment()),
        ),
        s3=buckets.settings(),
        publication=PublicationConfig(bucket=buckets.shop),
        controller=ControllerConfig(
            health=Address("127.0.0.1", 0), stop_within=timedelta(seconds=10)
        ),
    )


def _set_parameters(operations: Operations) -> None:
    for key, value in PARAMETERS.items():
        operations.set_parameter(key, value, DEMO)


def science(seconds: float) -> tuple[tuple[str, str], ...]:
    """What lets a stand-in take the place of the science software, for so long a run."""
    command = f"{shlex.quote(sys.executable)} -m worker.standin_science"
    return ("HRSI_SCIENCE_COMMAND", command), ("HRSI_STANDIN_SECONDS", str(seconds))


def _submit(operations: Operations, play: Play, buckets: delivery.DemoBuckets) -> int:
    """Hand the jobs in as `hrsi job submit` does, with their inputs; how many went in."""
    submission = parse_submission(acquisitions(play.jobs, play.seed), DEFAULT_REGISTRY)
    buckets.provide(submission.jobs)
    return len(operations.submit(submission.jobs, DEMO).added)


def _violations(registry: CollectorRegistry) -> int:
    """Invariants that the loops saw broken since the start."""
    counts = (
        registry.get_sample_value("hrsi_invariant_violations_total", {"invariant": invariant})
        for invariant in INVARIANTS
    )
    return int(sum(count or 0 for count in counts))


def _notes(folder: Path, health: Address | None) -> tuple[str, ...]:
    """What stays the same. The way in is a file to source: each line here fits a narrow terminal
    and can be copied whole.
    """
    found = shutil.which("hrsi") or Path(sys.argv[0]).name != "hrsi"
    command = "hrsi" if found else sys.argv[0]
    shortened = f"{len(PARAMETERS)} parameters, as pool.idle_for = {PARAMETERS['pool.idle_for']} s"
    return (
        f"Metrics: http://{health}/metrics   Log: {folder / 'controller.log'}",
        f'Waits are shortened with the reason "demo": {shortened}',
        "From another terminal, line by line:",
        f". {folder / ENVIRONMENT}",
        f"{command} why job 1",
    )
