"""RabbitMQ goes away, breaks off and falls silent: nothing is taken for confirmed that is not."""

import socket
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.bootstrap.publication import rabbit as rabbit_of
from controller.config import load
from infra.rabbitmq import RabbitAccess, RabbitBroker
from models.broker import Broker, Fate, Told
from models.errors import ConfigurationError, Malformed, NotFound, Refused, Unavailable
from tests.plugins.brokers import OnRabbit, eventually_confirmed, ids, message
from tests.plugins.rabbitmq import Rabbit
from tests.plugins.wires import wire_to

PUBLISH_FRAMES = 3
"""What a message is made of on the wire: method, header, body."""


@pytest.mark.parametrize("frames", range(PUBLISH_FRAMES + 1))
def test_cut_at_any_frame_of_a_publish_it_is_unknown_and_sent_again(
    real_broker: OnRabbit, frames: int
) -> None:
    with wire_to(real_broker.rabbit) as (wire, port):
        client = real_broker.opening(
            real_broker.rabbit.url_of("hrsi", port=port), real_broker.names
        )
        client.publish([message(0)])
        wire.left = frames
        (told,) = client.publish([message(1)])
        assert told.fate is Fate.UNKNOWN
        wire.left = None
        eventually_confirmed(client, message(1))
        client.close()
    # The broker may go on with what arrived before it sees the end of the first connection, or not.
    found = ids(real_broker.announced())
    assert found[0] == message(0).id
    assert found.count(message(1).id) == len(found) - 1
    assert len(found) == 2 or frames == PUBLISH_FRAMES


def test_killed_in_mid_batch_what_is_confirmed_is_there_after_the_restart(
    real_broker: OnRabbit,
) -> None:
    client = real_broker.client()
    told: dict[str, Told] = {}
    begun = threading.Event()

    def send() -> None:
        for start in range(0, 100_000, 50):
            messages = [message(number) for number in range(start, start + 50)]
            try:
                answers = client.publish(messages)
            except Unavailable:
                return
            told.update(zip(ids(messages), answers, strict=True))
            begun.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert begun.wait(120)
    real_broker.go_away()
    sender.join()
    real_broker.come_back()
    kept = {key for key, each in told.items() if each.fate is Fate.CONFIRMED}
    assert len(kept) >= 50
    assert {each.fate for each in told.values()} <= {Fate.CONFIRMED, Fate.UNKNOWN}
    assert kept <= {*ids(real_broker.announced())}
    eventually_confirmed(client, message(100_001))


def test_a_broker_that_falls_silent_is_given_up_and_reached_anew(real_broker: OnRabbit) -> None:
    with wire_to(real_broker.rabbit) as (wire, port):
        url = real_broker.rabbit.url_of("hrsi", port=port)
        client = real_broker.opening(url, real_broker.names, heartbeat=1)
        client.publish([message(0)])
        wire.silent = True
        # The heartbeats are missed long before the deadline: the end says what became of it.
        (told,) = client.publish([message(1)])
        assert told.fate is Fate.UNKNOWN
        wire.silent = False
        eventually_confirmed(client, message(1))
        client.close()


def test_many_threads_share_one_connection(real_broker: OnRabbit) -> None:
    client = real_broker.client()
    client.publish([message(0)])
    before = _connections(real_broker.rabbit)
    fates: list[Fate] = []

    def send(first: int) -> None:
        for number in range(first, first + 40):
            fates.extend(told.fate for told in client.publish([message(number)]))

    threads = [threading.Thread(target=send, args=(1000 * each,)) for each in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fates == [Fate.CONFIRMED] * 320
    assert _connections(real_broker.rabbit) == before
    assert len({*ids(real_broker.announced())}) == 321


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(";", id="semicolons"),
        pytest.param(" ; ", id="both"),
        pytest.param("  ", id="blanks"),
    ],
)
def test_a_list_in_the_environment_is_tried_in_its_order(
    real_broker: OnRabbit, nobody: int, between: str
) -> None:
    rabbit, names = real_broker.rabbit, real_broker.names
    ways = (
        rabbit.url_of("hrsi", port=nobody),
        rabbit.url_of("hrsi", password="outdated"),
        rabbit.url_of("hrsi"),
    )
    environment = {
        "AMQP_URL": between.join(ways),
        "HRSI_RABBITMQ_EXCHANGE": names.exchange,
        "HRSI_RABBITMQ_QUEUE": names.queue,
    }
    client = rabbit_of(load(None, environment), lambda: real_broker.deadline)
    with closing(client):
        (told,) = client.publish([message(1)])
    assert told.fate is Fate.CONFIRMED
    assert ids(real_broker.announced()) == ids([message(1)])


def test_when_no_address_leads_there_each_says_why_and_the_refusal_counts(
    real_broker: OnRabbit, nobody: int
) -> None:
    rabbit = real_broker.rabbit
    ways = (rabbit.url_of("hrsi", password="outdated"), rabbit.url_of("hrsi", port=nobody))
    environment = {"AMQP_URL": ";".join(ways)}
    client = rabbit_of(load(None, environment), lambda: real_broker.deadline)
    with closing(client), pytest.raises(Refused) as told:
        client.publish([message(1)])
    said = str(told.value)
    assert f"127.0.0.1:{rabbit.port}, vhost hrsi/tests: access refused" in said
    assert "check user, password and vhost in AMQP_URL" in said
    assert f"127.0.0.1:{nobody}, vhost hrsi/tests: " in said
    assert "outdated" not in said


def test_an_address_that_never_answers_costs_the_deadline_and_no_more(
    real_broker: OnRabbit,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        access = RabbitAccess(
            urls=(f"amqp://u:secret@127.0.0.1:{mute.getsockname()[1]}/",),
            call_deadline=lambda: timedelta(seconds=1),
        )
        client = RabbitBroker(access)
        with pytest.raises(Unavailable) as told:
            client.publish([message(1)])
        client.close()
    assert "secret" not in str(told.value)
    assert "secret" not in repr(access)


def test_refusals_that_nobody_asks_for_any_more_are_given_back(real_broker: OnRabbit) -> None:
    real_broker.refuse(b"first")
    access = RabbitAccess(
        urls=(real_broker.rabbit.url,),
        topology=real_broker.names,
        call_deadline=lambda: real_broker.deadline,
        lets_go=timedelta(seconds=0.2),
    )
    holder = RabbitBroker(access)
    real_broker.opened.callback(holder.close)
    assert len(holder.refused(10)) == 1
    other = real_broker.client()
    assert _given_back(other)
    assert holder.refused(10) == ()


def _given_back(other: Broker) -> bool:
    return any(other.refused(10) for _ in range(100_000))


@pytest.mark.parametrize("declare", [True, False], ids=["declared", "looked-for"])
def test_an_endpoint_that_is_bound_to_the_misspelt_exchange_is_served(
    real_broker: OnRabbit, declare: bool
) -> None:
    misspelt = "product_publicationdirect"
    served = replace(real_broker.names, exchange=misspelt, declare=declare)
    with real_broker.channel() as channel:
        # As the system before this one left it behind.
        channel.exchange_declare(misspelt, "direct", durable=True)
        channel.queue_declare(served.queue, durable=True)
        channel.queue_bind(served.queue, misspelt, served.routing_key)
    try:
        client = real_broker.opening(real_broker.rabbit.url, served)
        (told,) = client.publish([message(1)])
        assert told.fate is Fate.CONFIRMED
        assert ids(real_broker.announced()) == ids([message(1)])
    finally:
        with real_broker.channel() as channel:
            channel.exchange_delete(misspelt)


@pytest.mark.parametrize("missing", ["exchange", "queue"])
def test_what_is_looked_for_and_missing_is_named_and_used_once_it_is_made(
    real_broker: OnRabbit, missing: str
) -> None:
    names = real_broker.names
    client = real_broker.opening(real_broker.rabbit.url, replace(names, declare=False))
    with real_broker.channel() as channel:
        if missing == "queue":
            channel.exchange_declare(names.exchange, "direct", durable=True)
        else:
            channel.queue_declare(names.queue, durable=True)
    with pytest.raises(NotFound, match=f"no {missing} '{getattr(names, missing)}'"):
        client.publish([message(1)])
    with real_broker.channel() as channel:
        channel.exchange_declare(names.exchange, "direct", durable=True)
        channel.queue_declare(names.queue, durable=True)
    # It is there, and nothing leads to it: that is a person's to mend as well.
    (told,) = client.publish([message(1)])
    assert told.fate is Fate.RETURNED
    real_broker.bind(bound=True)
    (told,) = client.publish([message(1)])
    assert told.fate is Fate.CONFIRMED


def test_what_is_there_with_other_properties_is_told_and_may_be_used_as_it_is(
    real_broker: OnRabbit,
) -> None:
    names, url = real_broker.names, real_broker.rabbit.url
    with real_broker.channel() as channel:
        channel.exchange_declare(names.exchange, "topic", durable=True)
        channel.queue_declare(names.queue, durable=True)
        channel.queue_bind(names.queue, names.exchange, names.routing_key)
    with pytest.raises(Malformed, match=r"set rabbitmq\.declare to false"):
        real_broker.opening(url, names).publish([message(1)])
    (told,) = real_broker.opening(url, replace(names, declare=False)).publish([message(1)])
    assert told.fate is Fate.CONFIRMED


def test_a_missing_queue_of_failures_stops_no_announcement(real_broker: OnRabbit) -> None:
    first = real_broker.client()
    first.publish([message(0)])
    names = real_broker.names
    looking = real_broker.opening(
        real_broker.rabbit.url,
        type(names)(
            exchange=names.exchange,
            queue=names.queue,
            failures_exchange="none",
            failures_queue="none",
            declare=False,
        ),
    )
    with pytest.raises(Exception, match="404"):
        looking.refused(1)
    (told,) = looking.publish([message(1)])
    assert told.fate is Fate.CONFIRMED


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1/", id="another-protocol"),
        pytest.param("amqp://user:p@ss:word@[::", id="nonsense"),
        pytest.param("amqp://user:secret@host:port/", id="no-port"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url: str) -> None:
    access = RabbitAccess(urls=(url,), call_deadline=lambda: timedelta(seconds=1))
    with pytest.raises(ConfigurationError, match="AMQP_URL: address 1") as told:
        RabbitBroker(access)
    assert "secret" not in str(told.value)


def _connections(rabbit: Rabbit) -> int:
    return int(rabbit.eval("length(rabbit_networking:connections())").split()[1].rstrip("}"))
