"""The endpoint behind the broker: it takes announcements, refuses some, and is away for a while.

`LockedBroker` is the broker as several threads may use it, of the controller and of the endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from models.broker import Message, RefusedMessage, Told
from models.publication import product_of
from simulator.broker.memory import MemoryBroker
from simulator.broker.state import SimulatedBroker


@dataclass
class Endpoint:
    """Refuses the first announcement of every `refuse_every`th product (0: of none), and this
    `share` of all, by `chance`; it hands back what came. It takes nothing before `opens_at`.
    """

    broker: SimulatedBroker
    refuse_every: int = 0
    share: float = 0.0
    chance: Random = field(default_factory=Random)
    opens_at: datetime | None = None
    loses: set[str] = field(default_factory=set)
    """Products whose announcements it takes and forgets."""
    accepted: dict[str, Message] = field(default_factory=dict)
    """The newest message of every product, by its name."""
    accepted_at: dict[str, datetime] = field(default_factory=dict)
    """When it first accepted each, in that order."""

    refused: int = 0
    _met: set[str] = field(default_factory=set)

    def work(self, now: datetime) -> None:
        """Take all that is announced by now."""
        if self.opens_at is not None and now < self.opens_at:
            return
        while self.broker.announced:
            message = self.broker.announced.pop(0)
            self.broker.taken.append(message)
            self._take(message, now)

    def _take(self, message: Message, now: datetime) -> None:
        product = product_of(message.id)
        new = product not in self._met
        self._met.add(product)
        if self._refuses(new=new):
            self.refused += 1
            self.broker.refuse(message.body, message.id)
            return
        if product not in self.loses:
            self.accepted[product] = message
            self.accepted_at.setdefault(product, now)

    def _refuses(self, *, new: bool) -> bool:
        if new and self.refuse_every and len(self._met) % self.refuse_every == 0:
            return True
        return bool(self.share) and self.chance.random() < self.share


def announced(broker: SimulatedBroker) -> set[str]:
    """The products of which the broker has, or had, an announcement."""
    return {product_of(each.id) for each in (*broker.taken, *broker.announced)}


class LockedBroker:
    """`models.broker.Broker` on a simulated broker that others use as well, under one lock."""

    def __init__(self, broker: SimulatedBroker, lock: threading.Lock) -> None:
        self._port = MemoryBroker(broker)
        self._lock = lock

    def publish(self, messages: Sequence[Message]) -> tuple[Told, ...]:
        """See the port."""
        with self._lock:
            return self._port.publish(messages)

    def refused(self, limit: int) -> tuple[RefusedMessage, ...]:
        """See the port."""
        with self._lock:
            return self._port.refused(limit)

    def settle(self, receipts: Sequence[str]) -> None:
        """See the port."""
        with self._lock:
            self._port.settle(receipts)

    def close(self) -> None:
        """See the port."""
        with self._lock:
            self._port.close()
