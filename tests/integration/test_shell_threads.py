"""What threads share: one read of a source at a time, bells, and streams that break."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from controller.clock import SystemClock
from controller.crew import Threads
from controller.feed import Feed, Reading
from controller.reconcilers import RECONCILERS
from controller.wakeups import Bell, Wakeups
from models.errors import Unavailable
from models.ports import StopSignal
from models.world import Source

PATIENCE = 120.0


@pytest.fixture
def crew() -> Iterator[Threads]:
    made = Threads("test", 4)
    yield made
    made.close()
    assert made.join(PATIENCE)


class Gate:
    """A source that answers when it is let."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.began = 0

    def read(self, number: int) -> Reading[int]:
        self.began += 1
        mine = self.began
        assert self.go.acquire(timeout=PATIENCE)
        return Reading(snapshot=mine, number=number)


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_those_who_come_during_a_read_share_the_next_one(crew: Threads) -> None:
    clock, gate = SystemClock(), Gate()
    feed: Feed[int] = Feed(crew, clock, gate.read)
    readers = Threads("reader", 3)

    def get() -> Reading[int]:
        now = clock.monotonic()
        return feed.get(now, now + PATIENCE)

    first = readers.submit(get)
    eventually(lambda: gate.began == 1)
    later = [readers.submit(get) for _ in range(2)]
    time.sleep(0.05)
    assert gate.began == 1
    gate.go.release()
    eventually(lambda: gate.began == 2)
    gate.go.release()

    assert first.result(PATIENCE).snapshot == 1
    assert [each.result(PATIENCE).snapshot for each in later] == [2, 2]
    readers.close()
    assert readers.join(PATIENCE)


def test_a_read_that_hangs_is_waited_for_once(crew: Threads) -> None:
    clock, gate = SystemClock(), Gate()
    feed: Feed[int] = Feed(crew, clock, gate.read)

    def waited() -> tuple[float, Reading[int]]:
        now = clock.monotonic()
        reading = feed.get(now, now + 0.2)
        return clock.monotonic() - now, reading

    first, unknown = waited()
    second, _ = waited()
    assert first >= 0.2
    assert second < 0.1
    assert unknown.snapshot is None
    assert unknown.unknown.startswith("no answer for 0.2")
    assert feed.under_way_since() is not None

    gate.go.release(2)
    eventually(lambda: feed.under_way_since() is None)
    assert waited()[1].snapshot == 2


def test_what_a_read_raises_reaches_whoever_waits(crew: Threads) -> None:
    def fail(_: int) -> Reading[int]:
        raise ZeroDivisionError

    clock = SystemClock()
    feed: Feed[int] = Feed(crew, clock, fail)

    with pytest.raises(ZeroDivisionError):
        feed.get(clock.monotonic(), clock.monotonic() + PATIENCE)


def test_a_closed_crew_takes_nothing_and_ends_what_it_has() -> None:
    crew = Threads("test", 1)
    go = threading.Event()
    first, second = crew.submit(lambda: go.wait(PATIENCE)), crew.submit(lambda: 2)
    crew.close()

    late = crew.submit(lambda: 3)
    go.set()

    assert (first.result(PATIENCE), second.result(PATIENCE), late.cancelled()) == (True, 2, True)
    assert crew.join(PATIENCE)


def test_a_bell_rung_before_the_wait_ends_it_at_once() -> None:
    bell = Bell()
    bell.wake()

    assert bell.wait(timedelta(seconds=PATIENCE))
    assert not bell.wait(timedelta(0))


class Stream:
    """Nomad's event stream that breaks after each hint."""

    def __init__(self, ending: threading.Event) -> None:
        self.opened, self._ending = 0, ending

    def watch(self, _stop: StopSignal) -> Iterator[None]:
        self.opened += 1
        if self.opened == 3:
            self._ending.set()
        yield
        raise Unavailable("the stream broke")


def test_a_stream_that_breaks_rings_and_is_opened_again() -> None:
    ending, bell = threading.Event(), Bell()
    stream: Any = Stream(ending)

    Wakeups([(Sleeping("execution"), bell)], ending, pause=0.01).follow_nomad(stream)

    assert stream.opened == 3
    assert bell.wait(timedelta(0))


@dataclass(frozen=True)
class Sleeping:
    """A loop that waits to be woken."""

    name: str

    def heeds(self, source: Source) -> bool:
        """As the reconciler of that name does."""
        (found,) = (each for each in RECONCILERS if each.name == self.name)
        return found.heeds(source)


EVERY_LOOP = {each.name for each in RECONCILERS}


@pytest.mark.parametrize(
    ("source", "woken"),
    [
        pytest.param(Source.STORE, EVERY_LOOP - {"read-back", "retention"}, id="store"),
        pytest.param(Source.NOMAD, {"execution", "monitor", "worker-pool"}, id="nomad"),
    ],
)
def test_a_hint_wakes_the_loops_whose_rules_read_what_has_happened(
    source: Source, woken: set[str]
) -> None:
    bells = {name: Bell() for name in EVERY_LOOP}
    wakeups = Wakeups(((Sleeping(name), bell) for name, bell in bells.items()), threading.Event())

    wakeups.ring(source)
    assert {name for name, bell in bells.items() if bell.wait(timedelta(0))} == woken

    wakeups.ring_all()
    assert {name for name, bell in bells.items() if bell.wait(timedelta(0))} == EVERY_LOOP
