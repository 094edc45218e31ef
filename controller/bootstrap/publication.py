"""What publishes: the buckets, and RabbitMQ or, while none is set, a folder of files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from controller.act.press import Press
from controller.bootstrap.buckets import access
from controller.config import Config
from controller.observe import Parameters
from infra import s3
from infra.rabbitmq import RabbitAccess, RabbitBroker, Topology
from infra.spool import Spool
from models.announcement import Shop
from models.broker import Broker
from models.ports import Clock
from models.publication import Outbox


def press(
    config: Config, outbox: Outbox, parameters: Parameters, clock: Clock, opening: ExitStack
) -> Press | None:
    """What the settings name; None when they name no product bucket. Nothing is sent yet.

    Raises `ConfigurationError` for buckets without keys and for addresses that cannot be.
    """
    wanted = config.publication
    if not wanted.bucket:
        return None
    opens, results_bucket = access(config)
    buckets = s3.connect(opens)
    opening.callback(buckets.close)

    def call_deadline() -> timedelta:
        return parameters.settings.passes.call_deadline

    broker = rabbit(config, call_deadline) if rabbit_urls(config) else spool(config, clock)
    opening.callback(broker.close)
    return Press(
        results=buckets,
        results_bucket=results_bucket,
        products=buckets,
        shop=Shop(bucket=wanted.bucket, host=wanted.host),
        broker=broker,
        outbox=outbox,
    )


def rabbit_urls(config: Config) -> tuple[str, ...]:
    """The ways to the broker, in their order; none: there is no broker."""
    return tuple(config.rabbitmq.urls.reveal().split())


def rabbit(config: Config, call_deadline: Callable[[], timedelta]) -> Broker:
    """RabbitMQ. Raises `ConfigurationError` for an address that cannot be."""
    names = config.rabbitmq
    topology = Topology(
        exchange=names.exchange,
        queue=names.queue,
        routing_key=names.routing_key,
        failures_exchange=names.failures_exchange,
        failures_queue=names.failures_queue,
        failures_key=names.failures_key,
        declare=names.declare,
    )
    return RabbitBroker(
        RabbitAccess(urls=rabbit_urls(config), topology=topology, call_deadline=call_deadline)
    )


def spool(config: Config, clock: Clock) -> Spool:
    """The folder of the settings."""
    return Spool(Path(config.publication.spool), clock.now)
