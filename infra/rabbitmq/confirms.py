"""The channel that messages leave by, and what the broker says of them; on the line's thread."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika.channel import Channel
from pika.spec import Basic

from infra.rabbitmq.access import Topology
from infra.rabbitmq.batch import Batch
from models.broker import UNBOUND, Fate, Message, Told


class Confirms:
    """Sends batches on a channel in confirm mode and tells each what became of its messages.

    The broker numbers messages by their order on the channel. One that no queue takes comes back
    before it is confirmed, which it is all the same.
    """

    def __init__(self, channel: Channel, topology: Topology) -> None:
        self._channel = channel
        self._topology = topology
        self._number = 0
        self._waiting: dict[int, tuple[Batch, int]] = {}
        self._returned: Counter[str] = Counter()
        channel.add_on_return_callback(self._come_back)

    def send(self, batch: Batch) -> None:
        """Let every message of a batch leave."""
        if not batch.begin():
            return
        for place, message in enumerate(batch.messages):
            self._number += 1
            self._waiting[self._number] = batch, place
            self._channel.basic_publish(
                exchange=self._topology.exchange,
                routing_key=self._topology.routing_key,
                body=message.body,
                properties=_properties(message),
                mandatory=True,
            )

    def hear(self, frame: Any) -> None:
        """Ack or nack, of one number or of all up to it."""
        method = frame.method
        kept = isinstance(method, Basic.Ack)
        for number in self._answered(method.delivery_tag, multiple=method.multiple):
            batch, place = self._waiting.pop(number)
            batch.tell(place, self._told(batch.messages[place].id, kept=kept))

    def _answered(self, tag: int, *, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._waiting else []
        # Numbers were put in ascending, so that those up to the tag stand first.
        found = []
        for number in self._waiting:
            if number > tag:
                break
            found.append(number)
        return found

    def _told(self, message_id: str, *, kept: bool) -> Told:
        if self._returned[message_id]:
            self._returned[message_id] -= 1
            if not self._returned[message_id]:
                del self._returned[message_id]
            exchange, key = self._topology.exchange, self._topology.routing_key
            why = f"{UNBOUND} {exchange!r} with key {key!r}"
            return Told(fate=Fate.RETURNED, why=why)
        if kept:
            return Told(fate=Fate.CONFIRMED)
        return Told(fate=Fate.REJECTED, why="the broker could not keep it")

    def _come_back(
        self, channel: Channel, method: Basic.Return, properties: BasicProperties, body: bytes
    ) -> None:
        del channel, method, body
        self._returned[properties.message_id or ""] += 1


def _properties(message: Message) -> BasicProperties:
    return BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=DeliveryMode.Persistent,
        message_id=message.id,
        headers=dict(message.headers),
        app_id="hrsi-controller",
    )
