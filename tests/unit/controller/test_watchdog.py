"""When a loop or a call counts as hung, and when a process is at work."""

from datetime import timedelta

import pytest

from controller.watchdog import Pending, Pulse, hung, not_ready
from models.settings import PassSettings

PASSES = PassSettings(
    resync=timedelta(seconds=5), watchdog=timedelta(seconds=1), call_deadline=timedelta(seconds=3)
)


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        pytest.param(0, [], id="just-ended-a-pass"),
        pytest.param(11, [], id="at-the-limit"),
        pytest.param(12, ["loop pool hangs: nothing for 12 s"], id="beyond-two-periods"),
    ],
)
def test_a_loop_hangs_after_two_periods_and_the_watchdogs_time(
    silence: float, told: list[str]
) -> None:
    pulse = Pulse(loop="pool", passes=3, ended_at=100.0)

    assert [str(each) for each in hung([pulse], [], PASSES, 100.0 + silence)] == told


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        pytest.param(7, [], id="two-deadlines-and-the-watchdogs-time"),
        pytest.param(8, ["acting on job:7 hangs: nothing for 8 s"], id="longer"),
    ],
)
def test_a_call_hangs_when_even_the_slowest_answer_is_overdue(
    silence: float, told: list[str]
) -> None:
    call = Pending(what="acting on job:7", threads="nomad", since=0.0)

    assert [str(each) for each in hung([], [call], PASSES, silence)] == told


@pytest.mark.parametrize(
    ("pulse", "told"),
    [
        pytest.param(Pulse(loop="a", passes=0, ended_at=0), "has made no pass yet", id="new"),
        pytest.param(Pulse(loop="a", passes=2, ended_at=0, fault="the store is away"),
                     "failed: the store is away", id="failed"),
        pytest.param(Pulse(loop="a", passes=2, ended_at=0), None, id="at-work"),
    ],
)  # fmt: skip
def test_a_process_is_ready_when_the_last_pass_of_every_loop_went_well(
    pulse: Pulse, told: str | None
) -> None:
    found = list(not_ready([pulse]))

    assert (not found) if told is None else (told in found[0])
