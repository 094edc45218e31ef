"""Where calls wait, who is busy, and how fast they go."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from controller.act.executor import Executor, Lane
from controller.crew import Inline
from models.errors import System
from simulator.timeline import Timeline


class Later:
    """A crew that does nothing before it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []
        self.closed = False

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        if self.closed:
            future.cancel()
        else:
            self.waiting.append(work)
        return future

    def close(self) -> None:
        self.closed = True

    def work(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def executor(crew: Any, *, capacity: int = 2) -> Executor:
    lanes = {System.NOMAD: Lane(crew=crew, capacity=capacity)}
    return Executor(lanes, Timeline(), lambda _: None)


def test_a_subject_is_busy_from_its_queueing_to_its_end() -> None:
    crew = Later()
    made = executor(crew)
    seen: list[frozenset[str]] = []

    made.run("job:1", System.NOMAD, lambda: seen.append(made.busy()))
    before = made.busy()
    crew.work()

    assert (before, seen, made.busy()) == (
        frozenset({"job:1"}),
        [frozenset({"job:1"})],
        frozenset(),
    )


@pytest.mark.parametrize(
    ("waiting", "admitted"), [pytest.param(1, True, id="room"), pytest.param(2, False, id="full")]
)
def test_a_lane_that_is_full_admits_nothing_and_the_store_is_always_open(
    waiting: int, admitted: bool
) -> None:
    made = executor(Later())
    for number in range(waiting):
        made.run(f"job:{number}", System.NOMAD, lambda: None)

    assert made.admits(System.NOMAD) is admitted
    assert made.admits(System.STORE)


def test_two_actions_on_one_subject_leave_it_busy_until_both_have_ended() -> None:
    crew = Later()
    made = executor(crew)
    for _ in range(2):
        made.run("flavor:x", System.NOMAD, lambda: None)

    crew.waiting.pop(0)()

    assert made.busy() == {"flavor:x"}


def test_whatever_a_call_raises_its_subject_is_free_again() -> None:
    made = executor(Inline())

    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run("job:1", System.NOMAD, fail)

    assert not made.busy()


def test_after_the_close_nothing_is_taken_and_nothing_stays_busy() -> None:
    made = executor(Later())
    made.close()

    made.run("job:1", System.NOMAD, lambda: None)

    assert not made.busy()


def test_calls_keep_their_distance() -> None:
    clock = Timeline()
    pauses: list[float] = []
    lanes = {System.CLOUD: Lane(crew=Inline(), capacity=9, per_second=10)}
    made = Executor(lanes, clock, pauses.append)

    for number in range(4):
        made.run(f"worker:{number}", System.CLOUD, lambda: None)

    assert pauses == pytest.approx([0.1, 0.2, 0.3])
