"""One connection to RabbitMQ, on a thread of its own, from its opening to its end.

pika belongs to one thread: everything that touches it runs on this one, and callers wait for what
it answers. A line is used once: when it is over, however that came, the next one is another object.
Whatever channel announcements leave by closes, the line ends with it and says why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from pika import SelectConnection
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.connection import Connection

from infra.rabbitmq.access import RabbitAccess, place_of
from infra.rabbitmq.batch import Batch
from infra.rabbitmq.confirms import Confirms
from infra.rabbitmq.failures import Failures
from infra.rabbitmq.translation import together, translated
from models.broker import RefusedMessage
from models.errors import PortError, Unavailable


class Line:
    """A connection with its channels. Public methods may be called by any thread."""

    def __init__(self, access: RabbitAccess, numbers: Iterator[int]) -> None:
        self.opened: Future[None] = Future()
        """Done once messages may leave, or when it is known why they cannot."""
        self._access = access
        self._ways = list(access.parameters())
        self._misled: list[PortError] = []
        self._place = place_of(self._ways[0])
        self._lock = threading.Lock()
        self._over: PortError | None = None
        self._batches: set[Batch] = set()
        self._answers: set[Future[tuple[RefusedMessage, ...]]] = set()
        self._blocked = False
        self._closing = False
        self._loop = IOLoop()
        self._connection: SelectConnection | None = None
        self._confirms: Confirms | None = None
        self._failures = Failures(self._open_channel, self._loop, access, numbers)
        self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
        self._thread.start()

    @property
    def place(self) -> str:
        """Where it leads, in words."""
        return self._place

    @property
    def is_over(self) -> bool:
        """Nothing can be sent by it any more."""
        with self._lock:
            return self._over is not None

    def send(self, batch: Batch) -> None:
        """Let a batch leave; its outcome is told to the batch."""
        with self._lock:
            if self._over is not None:
                batch.fail(self._over)
                return
            self._batches.add(batch)
            self._loop.add_callback_threadsafe(lambda: self._send(batch))

    def done_with(self, batch: Batch) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._batches.discard(batch)

    def take(self, limit: int) -> Future[tuple[RefusedMessage, ...]]:
        """Ask for refused messages."""
        answer: Future[tuple[RefusedMessage, ...]] = Future()
        with self._lock:
            if self._over is not None:
                answer.set_exception(self._over)
                return answer
            self._answers.add(answer)
            self._loop.add_callback_threadsafe(lambda: self._failures.take(limit, answer))
        answer.add_done_callback(self._answers.discard)
        return answer

    def settle(self, receipts: tuple[str, ...]) -> None:
        """Acknowledge refused messages, if they are still held here."""
        with self._lock:
            if self._over is None:
                self._loop.add_callback_threadsafe(lambda: self._failures.settle(receipts))

    def close(self, timeout: float) -> None:
        """End the line and wait at most `timeout` seconds for its thread."""
        with self._lock:
            if self._over is None:
                self._loop.add_callback_threadsafe(self._close)
        self._thread.join(timeout)

    # ---- on the line's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._connect()
            self._loop.start()
        finally:
            # Nobody adds a callback after that: whoever waits is told, whatever ended it.
            self._say_over(Unavailable(f"{self._place}: the connection is over"))
            self._loop.close()

    def _connect(self) -> None:
        self._place = place_of(self._ways[0])
        self._connection = SelectConnection(
            self._ways.pop(0),
            on_open_callback=self._connected,
            on_open_error_callback=self._not_connected,
            on_close_callback=self._disconnected,
            custom_ioloop=self._loop,
        )

    def _not_connected(self, _connection: Connection, error: BaseException | str) -> None:
        cause = error if isinstance(error, BaseException) else None
        self._misled.append(translated(cause, f"connect to {self._place}"))
        if self._ways and not self._closing:
            self._connect()
            return
        self._end(together(self._misled))

    def _connected(self, connection: Connection) -> None:
        if self._closing:
            connection.close()
            return
        connection.add_on_connection_blocked_callback(self._block)
        connection.add_on_connection_unblocked_callback(self._unblock)
        self._open_channel(self._channel_opened)

    def _open_channel(self, opened: Callable[[Channel], None]) -> None:
        if self._connection is not None:
            self._connection.channel(on_open_callback=opened)

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._channel_closed)
        self._access.topology.announcements.prepare(channel, lambda: self._confirm(channel))

    def _confirm(self, channel: Channel) -> None:
        confirms = Confirms(channel, self._access.topology)

        def ready(_frame: object) -> None:
            self._confirms = confirms
            self.opened.set_result(None)

        channel.confirm_delivery(confirms.hear, callback=ready)

    def _send(self, batch: Batch) -> None:
        if self._blocked:
            batch.fail(
                Unavailable(
                    f"{self._place} takes nothing for want of memory or disk; messages wait until "
                    "it says that it is well again"
                )
            )
        elif self._confirms is not None:
            self._confirms.send(batch)

    def _block(self, *_: object) -> None:
        self._blocked = True

    def _unblock(self, *_: object) -> None:
        self._blocked = False

    # ---- the end ---------------------------------------------------------------------------------

    def _channel_closed(self, _channel: Channel, reason: Exception) -> None:
        self._say_over(translated(reason, f"publish to {self._place}"))
        self._close()

    def _close(self) -> None:
        self._closing = True
        connection = self._connection
        if connection is None or connection.is_closed:
            self._end(Unavailable(f"{self._place}: the connection was closed"))
        elif connection.is_open:
            connection.close()
        # One that is still being opened cannot be closed: it ends by itself within its deadline.

    def _disconnected(self, _connection: Connection, reason: BaseException) -> None:
        self._end(translated(reason, f"the connection to {self._place} ended"))

    def _end(self, error: PortError) -> None:
        self._say_over(error)
        self._failures.fail(error)
        self._loop.stop()

    def _say_over(self, error: PortError) -> None:
        """Whoever waits is told; nobody is let in any more. The first reason is the reason."""
        with self._lock:
            if self._over is not None:
                return
            self._over = error
            batches, answers = tuple(self._batches), tuple(self._answers)
        if not self.opened.done():
            self.opened.set_exception(error)
        for batch in batches:
            batch.fail(error)
        for answer in answers:
            if not answer.done():
                answer.set_exception(error)
