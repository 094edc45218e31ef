"""`models.broker.Broker` on RabbitMQ: one line, replaced when it is over."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

from infra.rabbitmq.access import RabbitAccess
from infra.rabbitmq.batch import Batch
from infra.rabbitmq.line import Line
from infra.retry import Deadline
from models.broker import Message, RefusedMessage, Told
from models.errors import Unavailable

CLOSING_SECONDS = 5.0
"""How long the end waits for the broker to say goodbye."""


class RabbitBroker:
    """Keeps one connection and opens another when that ends. For any number of threads."""

    def __init__(self, access: RabbitAccess) -> None:
        """Raises `ConfigurationError` for an address that cannot be. Connects to nothing yet."""
        access.parameters()
        self._access = access
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._closed = False

    def publish(self, messages: Sequence[Message]) -> tuple[Told, ...]:
        """See `models.broker.Broker.publish`."""
        deadline = Deadline.after(self._access.call_deadline())
        line = self._open_line(deadline)
        batch = Batch(messages)
        line.send(batch)
        try:
            return batch.outcome(deadline.remaining(), line.place)
        finally:
            line.done_with(batch)

    def refused(self, limit: int) -> tuple[RefusedMessage, ...]:
        """See `models.broker.Broker.refused`."""
        deadline = Deadline.after(self._access.call_deadline())
        line = self._open_line(deadline)
        answer = line.take(limit)
        try:
            return answer.result(timeout=max(0.0, deadline.remaining()))
        except TimeoutError as error:
            raise Unavailable(
                f"read refused messages from {line.place}: no answer in time"
            ) from error

    def settle(self, receipts: Sequence[str]) -> None:
        """See `models.broker.Broker.settle`."""
        with self._lock:
            line = self._line
        if line is not None:
            line.settle(tuple(receipts))

    def close(self) -> None:
        """See `models.broker.Broker.close`."""
        with self._lock:
            self._closed = True
            line, self._line = self._line, None
        if line is not None:
            line.close(CLOSING_SECONDS)

    def _open_line(self, deadline: Deadline) -> Line:
        """The line, opened if need be; all who want it meanwhile wait for the same opening."""
        with self._lock:
            if self._closed:
                raise Unavailable("RabbitMQ: this connection was closed for good")
            if self._line is None or self._line.is_over:
                self._line = Line(self._access, self._numbers)
            line = self._line
        try:
            line.opened.result(timeout=max(0.0, deadline.remaining()))
        except TimeoutError as error:
            raise Unavailable(f"connect to {line.place}: no answer in time") from error
        return line
