"""Everything that `hrsi doctor` looks at, as far as it can be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from controller.bootstrap.access import nomad_access, openstack_environment, site
from controller.bootstrap.buckets import access, shop_access
from controller.bootstrap.catalogues import reading
from controller.bootstrap.publication import rabbit, rabbit_urls, spool
from controller.clock import SystemClock
from controller.config import Config, require_for_controller
from controller.doctor.patients import (
    BucketPatient,
    CloudPatient,
    NomadPatient,
    Patients,
    PressPatient,
    StorePatient,
)
from controller.reconcilers import loops_of
from controller.sweeps import Subscriptions, feeds_wanted
from infra import nomad, openstack, postgres, s3
from infra.postgres import embedded
from infra.retry import ONCE
from models.errors import ConfigurationError
from models.job_types import DEFAULT_REGISTRY
from models.ports import (
    Clock,
)

CHECKUP_DEADLINE = timedelta(seconds=10)
"""How long a call of a check-up may take: people wait for it."""

Patient = TypeVar("Patient")


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
            loops=loops_of(config),
            incomplete=_unless_refused(lambda: require_for_controller(config)),
            store=_unless_refused(lambda: _store_patient(config, clock, opened)),
            nomad=_unless_refused(lambda: _nomad_patient(config, clock, opened)),
            cloud=_unless_refused(lambda: _cloud_patient(config, environment, clock, opened)),
            press=_unless_refused(lambda: _press_patient(config, clock, opened)),
            catalogues=_unless_refused(lambda: _catalogues(config, clock, opened)),
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
    return StorePatient(
        probe=probe, reader=database.reader, outbox=database.outbox, embedded=is_embedded
    )


def _nomad_patient(config: Config, clock: Clock, opened: ExitStack) -> NomadPatient:
    access = replace(nomad_access(config), call_deadline=CHECKUP_DEADLINE)
    orchestrator = nomad.connect(access, now=clock.now)
    opened.callback(orchestrator.close)
    probe = nomad.NomadHttpProbe(access, clock.now)
    opened.callback(probe.close)
    return NomadPatient(probe=probe, orchestrator=orchestrator)


def _cloud_patient(
    config: Config, environment: Mapping[str, str], clock: Clock, opened: ExitStack
) -> CloudPatient:
    access = openstack.open_access(openstack_environment(config, environment), lambda *_: None)
    calls = openstack.CloudCalls(call_deadline=lambda: CHECKUP_DEADLINE, retry=ONCE)
    cloud = openstack.OpenStackCloud(access, clock, calls)
    opened.callback(cloud.close)
    return CloudPatient(probe=cloud, cloud=cloud, project=config.openstack.project)


def _press_patient(config: Config, clock: Clock, opened: ExitStack) -> PressPatient | None:
    """None where neither bucket is set: nothing is kept and nothing is published then."""
    products = config.publication.bucket
    if config.s3.results is None and not products:
        return None
    opens, results = access(config)
    buckets = _opened(opens, opened)
    patients = [BucketPatient(name="results bucket", bucket=results, probe=buckets)]
    if data := config.s3.data:
        patients.append(BucketPatient(name="data bucket", bucket=data, probe=buckets))
    if products:
        opens_shop = shop_access(config, opens)
        shop = buckets if opens_shop == opens else _opened(opens_shop, opened)
        patients.append(BucketPatient(name="product bucket", bucket=products, probe=shop))
    broker = None
    if products and rabbit_urls(config):
        # It looks and makes nothing, whatever a controller would.
        looking = replace(config, rabbitmq=replace(config.rabbitmq, declare=False))
        broker = rabbit(looking, lambda: CHECKUP_DEADLINE)
        opened.callback(broker.close)
    return PressPatient(
        buckets=tuple(patients),
        publishes=bool(products),
        broker=broker,
        declares=config.rabbitmq.declare,
        in_files=lambda: len(spool(config, clock).files()),
    )


def _catalogues(config: Config, clock: Clock, opened: ExitStack) -> Subscriptions | None:
    """None where no catalogue is named: no jobs are created then."""
    if not feeds_wanted(config.creation):
        return None
    return reading(
        config, opened, call_deadline=lambda: CHECKUP_DEADLINE, retry=ONCE, now=clock.now
    )


def _opened(opens: s3.S3Access, opened: ExitStack) -> s3.Buckets:
    buckets = s3.connect(opens)
    opened.callback(buckets.close)
    return buckets
