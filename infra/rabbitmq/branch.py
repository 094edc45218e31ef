"""An exchange that leads to a queue: made on a channel where it is missing, or only looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pika.channel import Channel


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A durable exchange of this `kind`, a durable queue, and the key by which one leads to the
    other. Without `declare` nothing is made, and the binding, which cannot be looked at, is not.
    """

    exchange: str
    kind: str
    queue: str
    key: str
    declare: bool

    def prepare(self, channel: Channel, ready: Callable[[], None]) -> None:
        """Call `ready` once all of it is there; what is missing or different closes the channel."""
        channel.exchange_declare(
            self.exchange,
            self.kind,
            passive=not self.declare,
            durable=True,
            callback=lambda _: channel.queue_declare(
                self.queue,
                passive=not self.declare,
                durable=True,
                callback=lambda _: self._bind(channel, ready),
            ),
        )

    def _bind(self, channel: Channel, ready: Callable[[], None]) -> None:
        if not self.declare:
            ready()
            return
        channel.queue_bind(self.queue, self.exchange, self.key, callback=lambda _: ready())
