"""Every broker there is, behind the same few words: what the contract suite drives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

import pika
import pytest

from infra.rabbitmq import RabbitAccess, RabbitBroker, Topology
from models.broker import Broker, Fate, Message, RefusedMessage
from models.errors import Unavailable
from simulator.broker import MemoryBroker, SimulatedBroker
from tests.plugins.rabbitmq import PATIENCE, STRANGER, Rabbit

DEADLINE = timedelta(seconds=30)
"""How long a call may take here: nothing is ever that slow, however busy the machine."""

KINDS = ("memory", "rabbitmq")


class BrokerInTest(Protocol):
    """A broker from both sides. `deadline` is that of our calls, from now on."""

    deadline: timedelta

    def client(self) -> Broker:
        """One more connection of ours to it."""

    def stranger(self) -> Broker:
        """One of somebody who may do nothing."""

    def lost(self) -> Broker:
        """One that looks for an exchange that is not there."""

    def announced(self) -> list[Message]:
        """What lies in the endpoint's queue, in order; it stays there."""

    def refuse(self, body: bytes, message_id: str | None = None) -> None:
        """Play the endpoint that could not take a message."""

    def bind(self, *, bound: bool) -> None:
        """Let the exchange lead to the queue, or nowhere."""

    def go_away(self) -> None:
        """Die without a word; what is durable survives."""

    def come_back(self) -> None:
        """Answer again."""

    def short_of_memory(self, *, short: bool) -> None:
        """Take nothing, or take messages again."""


@dataclass
class InMemory:
    """The simulated one."""

    broker: SimulatedBroker = field(default_factory=SimulatedBroker)
    deadline: timedelta = DEADLINE

    def client(self) -> Broker:
        return MemoryBroker(self.broker)

    def stranger(self) -> Broker:
        return MemoryBroker(replace(self.broker, admits=False))

    def lost(self) -> Broker:
        return MemoryBroker(replace(self.broker, whole=False))

    def announced(self) -> list[Message]:
        return list(self.broker.announced)

    def refuse(self, body: bytes, message_id: str | None = None) -> None:
        self.broker.refuse(body, message_id)

    def bind(self, *, bound: bool) -> None:
        self.broker.bound = bound

    def go_away(self) -> None:
        self.broker.reachable = False

    def come_back(self) -> None:
        self.broker.reachable = True

    def short_of_memory(self, *, short: bool) -> None:
        self.broker.short = short


@dataclass
class OnRabbit:
    """The real one, under names that no other test uses."""

    rabbit: Rabbit
    names: Topology
    opened: ExitStack
    deadline: timedelta = DEADLINE

    def client(self) -> Broker:
        return self.opening(self.rabbit.url, self.names)

    def stranger(self) -> Broker:
        return self.opening(self.rabbit.url_of(STRANGER), self.names)

    def lost(self) -> Broker:
        return self.opening(self.rabbit.url, replace(self.names, exchange="none", declare=False))

    def opening(self, url: str, names: Topology, heartbeat: int = 15) -> RabbitBroker:
        """A connection of ours by this way, closed at the end of the test."""
        access = RabbitAccess(
            urls=(url,), topology=names, call_deadline=lambda: self.deadline, heartbeat=heartbeat
        )
        broker = RabbitBroker(access)
        self.opened.callback(broker.close)
        return broker

    def announced(self) -> list[Message]:
        found: list[Message] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(self.names.queue)
                if method is None or properties is None:
                    return found
                assert properties.delivery_mode == pika.DeliveryMode.Persistent.value
                assert properties.message_id is not None
                headers: dict[str, Any] = dict(properties.headers or {})
                found.append(Message(id=properties.message_id, body=body or b"", headers=headers))

    def refuse(self, body: bytes, message_id: str | None = None) -> None:
        with self.channel() as channel:
            names = self.names
            channel.exchange_declare(names.failures_exchange, "topic", durable=True)
            channel.queue_declare(names.failures_queue, durable=True)
            channel.queue_bind(names.failures_queue, names.failures_exchange, names.failures_key)
            channel.confirm_delivery()
            channel.basic_publish(
                names.failures_exchange,
                names.failures_key,
                body,
                pika.BasicProperties(message_id=message_id, delivery_mode=2),
                mandatory=True,
            )

    def bind(self, *, bound: bool) -> None:
        with self.channel() as channel:
            verb: Callable[..., object] = channel.queue_bind if bound else channel.queue_unbind
            verb(self.names.queue, self.names.exchange, self.names.routing_key)

    def go_away(self) -> None:
        self.rabbit.kill()

    def come_back(self) -> None:
        self.rabbit.start()

    def short_of_memory(self, *, short: bool) -> None:
        self.rabbit.short_of_memory(short=short)

    @contextmanager
    def channel(self) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        """What a person at the broker could do; what was taken and not settled goes back."""
        connection = pika.BlockingConnection(pika.URLParameters(self.rabbit.url))
        try:
            yield connection.channel()
        finally:
            connection.close()


@pytest.fixture(params=KINDS)
def broker_in_test(request: pytest.FixtureRequest) -> Iterator[BrokerInTest]:
    """Each broker in its turn."""
    if request.param == "memory":
        yield InMemory()
        return
    rabbit: Rabbit = request.getfixturevalue("rabbit")
    names: Topology = request.getfixturevalue("names")
    with ExitStack() as opened:
        yield OnRabbit(rabbit, names, opened)


@pytest.fixture
def real_broker(rabbit: Rabbit, names: Topology) -> Iterator[OnRabbit]:
    """The real one alone."""
    with ExitStack() as opened:
        yield OnRabbit(rabbit, names, opened)


def eventually_refused(client: Broker) -> tuple[RefusedMessage, ...]:
    """The refused messages, once there are any."""
    until = time.monotonic() + PATIENCE
    while not (found := client.refused(10)):
        assert time.monotonic() < until, "nothing was given back"
        time.sleep(0.02)
    return found


def eventually_confirmed(client: Broker, sent: Message) -> None:
    """Send a message under the same id until it is confirmed."""
    until = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < until, f"{sent.id} was never confirmed"
        try:
            (told,) = client.publish([sent])
        except Unavailable:
            time.sleep(0.02)
            continue
        if told.fate is Fate.CONFIRMED:
            return


def until_unavailable(client: Broker, sent: Message) -> None:
    """Send a message until it is noticed that nobody answers."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            (told,) = client.publish([sent])
        except Unavailable:
            return
        assert told.fate is Fate.UNKNOWN
        assert time.monotonic() < until, "nobody noticed"


def message(number: int, *, body: bytes = b'{"product": 1}') -> Message:
    """One of many messages."""
    return Message(id=f"product-{number}:manifest:1", body=body, headers={"job": number})


def ids(messages: Sequence[Message]) -> list[str]:
    """Their ids, in order."""
    return [each.id for each in messages]
