"""News that may come at any time, raised in the main thread wherever it waits, once.

They are no `Exception`: what libraries catch to go on must not catch these. Outside of `heard` they
are kept until somebody hears: an end is said, and a file is closed, without being torn.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class News(BaseException):
    """The program is not to go on with what it does."""


class Ended(News):
    """Nomad asked the program to end, or its time for tidying up is over."""


class TakenOver(News):
    """The run is no longer this program's."""


class Interrupts:
    """Brings news to the main thread, in which it must be made."""

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._listening = False
        self._news: list[News] = []
        self._asked_at: float | None = None

    @property
    def asked_at(self) -> float | None:
        """When Nomad asked the program to end (`time.monotonic`): from then on its time runs."""
        return self._asked_at

    def install(self) -> None:
        """Take the signals that bring news."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, self._ended)
        signal.signal(signal.SIGUSR1, self._taken_over)

    def take_over(self) -> None:
        """Tell the main thread that the run is another's; for any thread."""
        signal.pthread_kill(self._main, signal.SIGUSR1)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While this lasts, news are raised; those that came before, at once."""
        self._listening = True
        try:
            self._raise()
            yield
        finally:
            self._listening = False

    def _ended(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            if self._asked_at is not None:
                return  # no news: its time runs already, and what it saves in it is not cut short
            self._asked_at = time.monotonic()
        self._news.append(Ended())
        self._raise()

    def _taken_over(self, _number: int, _frame: FrameType | None) -> None:
        self._news.append(TakenOver())
        self._raise()

    def _raise(self) -> None:
        if self._listening and self._news:
            self._listening = False
            raise self._news.pop(0)
