"""What publishes: the buckets, and RabbitMQ or, while none is set, a folder of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from controller.act.press import Press
from controller.bootstrap.buckets import access, shop_access
from controller.clock import SystemClock
from controller.config import Config
from controller.observe import Parameters
from infra import s3
from infra.rabbitmq import RabbitAccess, RabbitBroker, Topology
from infra.spool import Spool
from models.announcement import Shop
from models.broker import Broker
from models.errors import ConfigurationError
from models.outbox import Outbox
from models.ports import Clock
from models.settings import DEFAULT_SETTINGS

FILES_AT_ONCE = 3
"""Files of one job that are brought together, each by five requests one after another: eight jobs
have as many under way as connections are kept.
"""


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
    opens_shop = shop_access(config, opens)
    buckets = s3.connect(opens)
    opening.callback(buckets.close)
    products = buckets
    if opens_shop != opens:
        products = s3.connect(opens_shop)
        opening.callback(products.close)

    def call_deadline() -> timedelta:
        return parameters.settings.passes.call_deadline

    broker = rabbit(config, call_deadline) if rabbit_urls(config) else spool(config, clock)
    opening.callback(broker.close)
    return Press(
        results=buckets,
        results_bucket=results_bucket,
        products=products,
        shop=Shop(bucket=wanted.bucket, host=wanted.host),
        broker=broker,
        outbox=outbox,
        one_service=opens_shop.endpoint == opens.endpoint,
        at_once=FILES_AT_ONCE,
    )


def rabbit_urls(config: Config) -> tuple[str, ...]:
    """The ways to the broker, in their order; none: there is no broker.

    The list of the system before this one had semicolons in it; in an address one is encoded.
    """
    return tuple(filter(None, re.split(r"[;\s]+", config.rabbitmq.urls.reveal())))


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """The folder of messages that wait, and the broker that they wait for."""

    spool: Spool
    broker: Broker


@contextmanager
def post(config: Config) -> Iterator[Post]:
    """Both, for the length of a block. Raises `ConfigurationError` when no broker is set."""
    if not rabbit_urls(config):
        raise ConfigurationError(
            "AMQP_URL is not set: there is no broker to send messages to, and they stay in their "
            "files; set it (amqp://USER:PASSWORD@HOST:PORT/VHOST) and try again"
        )
    broker = rabbit(config, lambda: DEFAULT_SETTINGS.passes.call_deadline)
    with closing(broker):
        yield Post(spool=spool(config, SystemClock()), broker=broker)
