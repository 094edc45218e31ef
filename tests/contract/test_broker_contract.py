"""Every broker keeps the promises of the port: the one in memory and RabbitMQ."""

from datetime import timedelta

import pytest

from models.broker import Broker, Fate, Message
from models.errors import NotFound, Refused, Unavailable
from tests.plugins.brokers import (
    DEADLINE,
    BrokerInTest,
    eventually_confirmed,
    eventually_refused,
    ids,
    message,
    until_unavailable,
)


def test_a_confirmed_message_lies_in_the_queue_as_it_was_sent(broker_in_test: BrokerInTest) -> None:
    sent = Message(
        id="FSC_1:ab:2", body='{"a": "ä"}'.encode(), headers={"job": 17, "attempt": 2, "type": "x"}
    )
    (told,) = broker_in_test.client().publish([sent])
    assert told.fate is Fate.CONFIRMED
    assert broker_in_test.announced() == [sent]


def test_of_many_messages_each_has_its_answer(broker_in_test: BrokerInTest) -> None:
    messages = [message(number) for number in range(300)]
    told = broker_in_test.client().publish(messages)
    assert [each.fate for each in told] == [Fate.CONFIRMED] * 300
    assert ids(broker_in_test.announced()) == ids(messages)


def test_whoever_asks_for_no_refusal_only_learns_whether_it_is_let_in(
    broker_in_test: BrokerInTest,
) -> None:
    broker_in_test.refuse(b"{}")
    assert broker_in_test.client().refused(0) == ()
    with pytest.raises(NotFound):
        broker_in_test.lost().refused(0)
    with pytest.raises(Refused):
        broker_in_test.stranger().refused(0)


def test_no_messages_have_no_answers(broker_in_test: BrokerInTest) -> None:
    assert broker_in_test.client().publish([]) == ()


def test_the_same_id_again_is_kept_again(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    client.publish([message(1)])
    (told,) = client.publish([message(1)])
    assert told.fate is Fate.CONFIRMED
    assert ids(broker_in_test.announced()) == ids([message(1), message(1)])


def test_what_no_queue_takes_comes_back_and_is_not_confirmed(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    client.publish([message(0)])
    broker_in_test.bind(bound=False)
    told = client.publish([message(1), message(2), message(1)])
    assert [each.fate for each in told] == [Fate.RETURNED] * 3
    broker_in_test.bind(bound=True)
    (again,) = client.publish([message(1)])
    assert again.fate is Fate.CONFIRMED
    assert ids(broker_in_test.announced()) == ids([message(0), message(1)])


def test_refused_messages_are_shown_until_they_are_settled(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    assert client.refused(10) == ()
    for number in range(3):
        broker_in_test.refuse(b"body %d" % number, f"id-{number}" if number else None)
    first = client.refused(2)
    assert [each.body for each in first] == [b"body 0", b"body 1"]
    assert [each.message_id for each in first] == [None, "id-1"]
    assert client.refused(2) == first
    client.settle([first[0].receipt])
    assert [each.body for each in client.refused(10)] == [b"body 1", b"body 2"]


def test_what_was_not_settled_is_delivered_again_to_another(broker_in_test: BrokerInTest) -> None:
    broker_in_test.refuse(b"first")
    broker_in_test.refuse(b"second")
    one, other = broker_in_test.client(), broker_in_test.client()
    held = one.refused(10)
    assert other.refused(10) == ()
    one.settle([held[1].receipt])
    one.refused(10)  # an answer after the settling: the broker has heard it
    one.close()
    (again,) = eventually_refused(other)
    assert (again.body, again.redelivered) == (b"first", True)


def test_a_receipt_that_is_no_more_settles_nothing(broker_in_test: BrokerInTest) -> None:
    broker_in_test.refuse(b"first")
    client = broker_in_test.client()
    client.settle(["77-1"])
    assert len(client.refused(10)) == 1


def test_who_is_not_let_in_hears_what_to_mend(broker_in_test: BrokerInTest) -> None:
    stranger = broker_in_test.stranger()
    with pytest.raises(Refused, match=r"access refused.*check user"):
        stranger.publish([message(1)])
    with pytest.raises(Refused):
        stranger.refused(1)


def test_a_missing_exchange_is_said_before_anything_leaves(broker_in_test: BrokerInTest) -> None:
    broker_in_test.client().publish([message(0)])
    with pytest.raises(NotFound):
        broker_in_test.lost().publish([message(1)])
    assert ids(broker_in_test.announced()) == ids([message(0)])


def test_short_of_memory_it_takes_nothing_and_later_again(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    client.publish([message(0)])
    broker_in_test.short_of_memory(short=True)
    broker_in_test.deadline = timedelta(seconds=1)
    with pytest.raises(Unavailable):
        _until_it_says_so(client)
    broker_in_test.deadline = DEADLINE
    broker_in_test.short_of_memory(short=False)
    eventually_confirmed(client, message(2))


def _until_it_says_so(client: Broker) -> None:
    """The first message makes the broker say that it is blocked, and is confirmed much later."""
    for _ in range(100):
        (told,) = client.publish([message(1)])
        assert told.fate is Fate.UNKNOWN


def test_after_it_was_away_the_same_client_goes_on(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    client.publish([message(0)])
    broker_in_test.go_away()
    until_unavailable(client, message(1))
    broker_in_test.come_back()
    eventually_confirmed(client, message(2))
    assert {*ids([message(0), message(2)])} <= {*ids(broker_in_test.announced())}


def test_what_is_closed_sends_nothing(broker_in_test: BrokerInTest) -> None:
    client = broker_in_test.client()
    client.publish([message(0)])
    client.close()
    client.close()
    with pytest.raises(Unavailable):
        client.publish([message(1)])
    assert ids(broker_in_test.announced()) == ids([message(0)])
