"""What opens RabbitMQ, and what has to be there: exchanges and queues by their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from pika import URLParameters
from pika.connection import Parameters

from infra.rabbitmq.branch import Branch
from models.errors import ConfigurationError

HEARTBEAT_SECONDS = 15
"""A peer that says nothing for two of them is gone. Shorter takes a slow broker for a dead one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """The names of exchanges, queues and keys; the defaults are those of the endpoint.

    With `declare` what is missing is made when the connection opens, durable; without it only
    looked for. A system that this one replaces may have used another name for `exchange`.
    """

    exchange: str = "product_publication"
    queue: str = "json"
    routing_key: str = "json"
    failures_exchange: str = "indexering_results"
    failures_queue: str = "failed_products"
    failures_key: str = "failed_products"
    declare: bool = True

    @property
    def announcements(self) -> Branch:
        """Where products are announced."""
        return Branch(
            exchange=self.exchange,
            kind="direct",
            queue=self.queue,
            key=self.routing_key,
            declare=self.declare,
        )

    @property
    def failures(self) -> Branch:
        """Where the endpoint puts what it could not take."""
        return Branch(
            exchange=self.failures_exchange,
            kind="topic",
            queue=self.failures_queue,
            key=self.failures_key,
            declare=self.declare,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RabbitAccess:
    """What opens the broker. `urls` are ways to the same broker, tried in their order.

    `call_deadline` is how long an opening, a confirm or a look at the refusals may take.
    `heartbeat` is in seconds. `lets_go` is how long refusals are held that nobody asks for again.
    """

    urls: tuple[str, ...] = field(repr=False)
    topology: Topology = field(default_factory=Topology)
    call_deadline: Callable[[], timedelta]
    heartbeat: int = HEARTBEAT_SECONDS
    lets_go: timedelta = timedelta(minutes=1)

    def parameters(self) -> tuple[Parameters, ...]:
        """The ways as pika wants them. Raises `ConfigurationError` for what is no AMQP address."""
        return tuple(self._parameters(url, number) for number, url in enumerate(self.urls, 1))

    def _parameters(self, url: str, number: int) -> Parameters:
        if not re.match(r"amqps?://", url):
            raise ConfigurationError(
                f"AMQP_URL: address {number} does not begin with amqp:// or amqps://; write "
                "amqp://USER:PASSWORD@HOST:PORT/VHOST, special characters percent-encoded (a ; "
                "is %3B: as it is, it ends an address)"
            )
        try:
            parameters = URLParameters(url)
        except (ValueError, TypeError) as error:
            # The address holds a password: it is not repeated here, and neither is pika's sentence.
            raise ConfigurationError(
                f"AMQP_URL: address {number} cannot be understood; percent-encode special "
                "characters in user, password and vhost (a / is %2F)"
            ) from error
        allowed = self.call_deadline().total_seconds()
        parameters.heartbeat = self.heartbeat
        parameters.connection_attempts = 1
        parameters.socket_timeout = allowed
        parameters.stack_timeout = allowed
        parameters.client_properties = {"connection_name": "hrsi-controller"}
        return parameters


def place_of(parameters: Parameters) -> str:
    """Where that is, without what opens it."""
    return f"RabbitMQ at {parameters.host}:{parameters.port}, vhost {parameters.virtual_host}"
