"""Who does the waiting: threads that carry out calls, or nobody (in simulation, at once).

The threads are daemons on purpose: one that hangs in a call must not keep a process alive that
was told to end. What a call raises stays in its `Future`; whoever reads that decides.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)


class Promise(Protocol[Answer_co]):
    """What becomes of work that was begun. A `Future` is one."""

    def done(self) -> bool:
        """Whether it has come to its end."""

    def cancelled(self) -> bool:
        """Whether it was not even begun."""

    def result(self, timeout: float | None = None) -> Answer_co:
        """Its answer, after at most `timeout` seconds, or what it raised, or `TimeoutError`."""


class Crew(Protocol):
    """Carries out what it is given, in any order."""

    def submit(self, work: Callable[[], Answer]) -> Promise[Answer]:
        """Begin `work`; the promise has its answer or what it raised."""

    def close(self) -> None:
        """Take nothing new; whatever is under way goes on. The threads end by themselves."""


class Kept(Generic[Answer]):
    """A promise that was kept at once. No thread waits for it, so it needs no lock."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def done(self) -> bool:
        """It is."""
        return True

    def cancelled(self) -> bool:
        """It was not."""
        return False

    def result(self, timeout: float | None = None) -> Answer:
        """The answer."""
        del timeout
        return self._answer


class Inline:
    """Carries out work at once, in the caller's thread; what it raises, it raises there."""

    def submit(self, work: Callable[[], Answer]) -> Kept[Answer]:
        """Do it now."""
        return Kept(work())

    def close(self) -> None:
        """Nothing ever is under way."""


class Threads:
    """A fixed number of daemon threads, begun when first needed."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        """Queue `work`. After `close` the future is cancelled."""
        future: Future[Answer] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
                return future
            self._waiting.put(lambda: _carry_out(work, future))
            self._grow()
        return future

    def _grow(self) -> None:
        if len(self._threads) < self._size:
            name = f"{self._name}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            task()

    def close(self) -> None:
        """Take nothing new and let each thread end after what it is doing and what is queued."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._waiting.put(None)

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for each thread of a closed crew; whether all ended."""
        for thread in self._threads:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)


def _carry_out(work: Callable[[], Answer], future: Future[Answer]) -> None:
    """Run `work` for `future`, in which everything that happens ends up."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = work()
    except BaseException as error:  # noqa: BLE001 - the reader of the future decides
        future.set_exception(error)
    else:
        future.set_result(answer)
