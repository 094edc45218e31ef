"""The queue of what the endpoint refused. All on the line's thread.

It has a channel of its own: a queue that is missing there closes no connection on which messages
are on their way; that nothing is sent meanwhile is for the publication loop to say. Messages are
got one by one and held until they are settled; whoever does not ask for a while gives them back by
closing the channel, and so does a process that dies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties
from pika.channel import Channel
from pika.spec import Basic

from infra.rabbitmq.access import RabbitAccess
from infra.rabbitmq.translation import translated
from models.broker import RefusedMessage
from models.errors import PortError

OpenChannel = Callable[[Callable[[Channel], None]], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    limit: int
    answer: Future[tuple[RefusedMessage, ...]]


class Failures:
    """Holds refused messages for whoever asks."""

    def __init__(
        self, open_channel: OpenChannel, loop: Any, access: RabbitAccess, numbers: Iterator[int]
    ) -> None:
        self._open_channel, self._loop = open_channel, loop
        self._access, self._topology = access, access.topology
        self._numbers, self._number = numbers, 0
        self._channel: Channel | None = None
        self._ready = False
        self._timer: object | None = None
        self._asked: deque[_Asked] = deque()
        self._held: dict[str, tuple[int, RefusedMessage]] = {}

    def take(self, limit: int, answer: Future[tuple[RefusedMessage, ...]]) -> None:
        """Answer with what is held, once it is `limit` or the queue is empty."""
        self._asked.append(_Asked(limit, answer))
        self._stay()
        if self._channel is None:
            self._number = next(self._numbers)
            self._open_channel(self._opened)
        elif self._ready and len(self._asked) == 1:
            self._go_on()

    def settle(self, receipts: tuple[str, ...]) -> None:
        """Acknowledge those that are still held here."""
        for receipt in receipts:
            held = self._held.pop(receipt, None)
            if held is not None and self._channel is not None:
                self._channel.basic_ack(held[0])

    def fail(self, error: PortError) -> None:
        """Nothing can be got any more: whoever waits is told why."""
        self._forget()
        while self._asked:
            answer = self._asked.popleft().answer
            if not answer.done():
                answer.set_exception(error)

    def _forget(self) -> None:
        self._channel, self._ready = None, False
        self._held.clear()
        if self._timer is not None:
            self._loop.remove_timeout(self._timer)
            self._timer = None

    def _stay(self) -> None:
        if self._timer is not None:
            self._loop.remove_timeout(self._timer)
        self._timer = self._loop.call_later(self._access.lets_go.total_seconds(), self._let_go)

    def _let_go(self) -> None:
        self._timer = None
        channel = self._channel
        self._forget()
        if channel is not None and channel.is_open:
            channel.close()

    # ---- the channel -----------------------------------------------------------------------------

    def _opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._closed)
        channel.add_callback(self._empty, [Basic.GetEmpty], one_shot=False)
        self._topology.failures.prepare(channel, self._begin)

    def _begin(self) -> None:
        self._ready = True
        if self._asked:
            self._go_on()

    def _closed(self, channel: Channel, reason: Exception) -> None:
        if channel is self._channel:
            what = f"read the refused messages of queue {self._topology.failures_queue!r}"
            self.fail(translated(reason, what))

    # ---- getting ---------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if len(self._held) >= self._asked[0].limit:
            self._answer()
        elif self._channel is not None:
            self._channel.basic_get(self._topology.failures_queue, self._got)

    def _got(
        self, channel: Channel, method: Basic.GetOk, properties: BasicProperties, body: bytes
    ) -> None:
        del channel
        receipt = f"{self._number}-{method.delivery_tag}"
        refused = RefusedMessage(
            receipt=receipt,
            body=body,
            message_id=properties.message_id,
            redelivered=bool(method.redelivered),
        )
        self._held[receipt] = method.delivery_tag or 0, refused
        self._go_on()

    def _empty(self, _frame: object) -> None:
        if self._asked:
            self._answer()

    def _answer(self) -> None:
        asked = self._asked.popleft()
        held = [refused for _, refused in self._held.values()]
        if not asked.answer.done():
            asked.answer.set_result(tuple(held[: asked.limit]))
        if self._asked:
            self._go_on()
