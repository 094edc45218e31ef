"""Wake-ups by LISTEN, on a connection of their own.

Nothing here raises: a connection that breaks may have swallowed a notification, which is a reason
to look; and while there is none, the time runs out as if nothing had happened.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeAlias

import psycopg

Dial: TypeAlias = Callable[[], psycopg.Connection[Any]]

_LISTEN = "listen hrsi"
_RETRY_SECONDS = 1.0


class PostgresHints:
    """`models.ports.Hints` in PostgreSQL. One thread waits; any thread may wake or close it."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._mouth, False)
        self._closed = False
        self._waiting = threading.Lock()
        self._connection = self._listening()

    def wait(self, timeout: timedelta) -> bool:
        """See `models.ports.Hints.wait`. True as well when the connection broke or came back."""
        over = time.monotonic() + timeout.total_seconds()
        with self._waiting:
            while not self._closed:
                left = over - time.monotonic()
                if self._hears(max(0.0, left)):
                    return True
                if left <= 0:
                    return False
        return True

    def wake(self) -> None:
        """See `models.ports.Hints.wake`."""
        # A pipe that is full wakes as well; one that is closed has nobody to wake.
        with suppress(OSError):
            os.write(self._mouth, b"!")

    def close(self) -> None:
        """End a wait and give the connection back. Twice is no error."""
        if self._closed:
            return
        self._closed = True
        self.wake()
        with self._waiting:
            self._hang_up()
            os.close(self._mouth)
            os.close(self._ear)

    def _hears(self, left: float) -> bool:
        """Whether there is news within `left` seconds; may give up sooner, to be asked again."""
        if self._connection is not None and self._connection.closed:
            self._hang_up()
            return True
        if self._connection is None:
            self._connection = self._listening()
            if self._connection is not None:
                return True
            left = min(left, _RETRY_SECONDS)
        ready = self._readable(left)
        if self._ear in ready:
            self._drain_ear()
            return True
        return bool(ready) and self._is_notified()

    def _readable(self, left: float) -> list[int]:
        """File descriptors that have something to read within `left` seconds."""
        sources = [self._ear]
        if self._connection is not None:
            sources.append(self._connection.fileno())
        with selectors.PollSelector() as selector:
            for source in sources:
                selector.register(source, selectors.EVENT_READ)
            return [key.fd for key, _ in selector.select(left)]

    def _is_notified(self) -> bool:
        """Take every notification that has come; a broken connection is as good as one."""
        try:
            return self._connection is None or bool(list(self._connection.notifies(timeout=0)))
        except psycopg.Error:
            self._hang_up()
            return True

    def _listening(self) -> psycopg.Connection[Any] | None:
        try:
            connection = self._dial()
        except psycopg.Error:
            return None
        try:
            connection.execute(_LISTEN)
        except psycopg.Error:
            connection.close()
            return None
        return connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _drain_ear(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._ear, 4096):
                pass
