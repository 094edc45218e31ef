"""Messages that one caller sends together, and what was heard of each.

Filled on the line's thread and waited for on the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from models.broker import Fate, Message, Told
from models.errors import PortError, Unavailable


class Batch:
    """A few messages on their way. Every method may be called by any thread."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = tuple(messages)
        self._told: list[Told | None] = [None] * len(self.messages)
        self._open = len(self.messages)
        self._sent = False
        self._future: Future[None] = Future()
        self._lock = threading.Lock()
        if not self.messages:
            self._future.set_result(None)

    def begin(self) -> bool:
        """Note that the messages leave now; False when nobody waits for them any more."""
        with self._lock:
            if self._future.done():
                return False
            self._sent = True
            return True

    def tell(self, place: int, told: Told) -> None:
        """Note what was heard of one message. What comes after the end changes nothing."""
        with self._lock:
            if self._future.done() or self._told[place] is not None:
                return
            self._told[place] = told
            self._open -= 1
            if not self._open:
                self._future.set_result(None)

    def fail(self, error: PortError) -> None:
        """Note that nothing more will be heard: unsent messages failed, the others are unknown."""
        with self._lock:
            if self._future.done():
                return
            if not self._sent:
                self._future.set_exception(error)
                return
            unknown = Told(fate=Fate.UNKNOWN, why=str(error))
            self._told = [told or unknown for told in self._told]
            self._future.set_result(None)

    def outcome(self, timeout: float, place: str) -> tuple[Told, ...]:
        """What became of each message, after at most `timeout` seconds. Raises what `fail` was told
        of, or `Unavailable`, when none of them left.
        """
        silent = Unavailable(f"publish to {place}: no confirm within {timeout:.1f} s")
        try:
            self._future.result(timeout=max(0.0, timeout))
        except TimeoutError:
            self.fail(silent)
        self._future.result(timeout=0)
        return tuple(told or Told(fate=Fate.UNKNOWN, why=str(silent)) for told in self._told)
