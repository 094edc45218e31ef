"""The store's time: what it told, carried on, whatever the wall clock of this machine shows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import StoreClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


class Machine:
    """A machine whose clocks show what they are set to."""

    def __init__(self, wall: datetime) -> None:
        self.wall, self.seconds = wall, 500.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


def told_at_once(clock: StoreClock, now: datetime) -> None:
    clock.told(now, clock.monotonic(), clock.monotonic())


def test_before_the_store_has_told_anything_it_is_the_wall_clock() -> None:
    assert StoreClock(Machine(NOON)).now() == NOON


@pytest.mark.parametrize("wrong", [-HOUR, timedelta(0), HOUR])
@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_wall_clock_that_is_wrong_or_jumps_is_not_asked(
    wrong: timedelta, jump: timedelta
) -> None:
    machine = Machine(NOON + wrong)
    clock = StoreClock(machine)
    told_at_once(clock, NOON)
    machine.wait(10)
    machine.wall += jump
    assert abs(clock.now() - NOON - timedelta(seconds=10)) < MILLISECOND


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 5), st.floats(0, 5)), max_size=20))
def test_answers_that_come_slowly_never_turn_the_time_back_or_put_it_ahead(
    answers: list[tuple[float, float, float]],
) -> None:
    machine = Machine(NOON)
    clock = StoreClock(machine)
    told_before = NOON - HOUR
    for pause, there, back in answers:
        machine.wait(pause)
        asked = machine.monotonic()
        machine.wait(there)
        now = machine.wall
        machine.wait(back)
        clock.told(now, asked, machine.monotonic())
        assert told_before - MILLISECOND <= clock.now() <= machine.wall + MILLISECOND
        told_before = clock.now()


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_store_whose_clock_is_set_is_followed(jump: timedelta) -> None:
    clock = StoreClock(Machine(NOON))
    told_at_once(clock, NOON)
    told_at_once(clock, NOON + jump)
    assert abs(clock.now() - NOON - jump) < MILLISECOND
