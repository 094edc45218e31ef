"""The port to the message broker: products are announced through it, and refusals come back.

An endpoint outside takes the announcements from a queue. What it cannot take it puts into another
one. The broker knows neither jobs nor products: a message has an id, a body and headers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is sent. The same id again is the same message, whoever sends it and however often."""

    id: str
    body: bytes
    headers: Mapping[str, str | int] = field(default_factory=dict)


UNBOUND = "no queue is bound to exchange"
"""How the reason begins for which a message is RETURNED."""


class Fate(StrEnum):
    """What is known of a message that was to be sent.

    CONFIRMED the broker keeps it · SPOOLED it is in a file, for there is no broker yet · RETURNED
    no queue takes it · REJECTED the broker says that it failed to keep it · UNKNOWN it was sent and
    nothing was heard of it: it may be there.
    """

    CONFIRMED = "confirmed"
    SPOOLED = "spooled"
    RETURNED = "returned"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the broker said of one message; `why` in words where it was not kept."""

    fate: Fate
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedMessage:
    """A message that the endpoint could not take, as it lies in the queue of failures.

    `receipt` names it towards the broker until it is settled, and nothing after that.
    `message_id` is that of the message that was refused, where the endpoint hands it back.
    """

    receipt: str
    body: bytes
    message_id: str | None = None
    redelivered: bool = False


class Broker(Protocol):
    """RabbitMQ, or a folder of files in its place. May be used by several threads at once."""

    def publish(self, messages: Sequence[Message]) -> tuple[Told, ...]:
        """Send messages, all on their way at once, and say what became of each, in their order.

        Every message is persistent, must reach a queue, and counts once the broker confirms it.
        Raises `Unavailable` (also while the broker takes nothing for want of memory or disk),
        `Refused` or `NotFound` (of exchange or queue) when none of them left.
        """

    def refused(self, limit: int) -> tuple[RefusedMessage, ...]:
        """Refused messages that are not settled yet, at most `limit`, in the order of the queue.

        Who does not ask again for a minute gives them back: somebody else may take them. Raises
        like `publish`.
        """

    def settle(self, receipts: Sequence[str]) -> None:
        """Take these out of the queue of failures for good. One that was given back meanwhile is
        no error: it will be met again.
        """

    def close(self) -> None:
        """Let go of the connection; what was not confirmed is unknown."""
