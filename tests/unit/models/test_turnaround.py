"""Where the time of a job went: every moment until its end belongs to one step."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lifecycle import FINAL, Status
from models.records import StatusChange
from models.turnaround import STEP_OF, step_times
from simulator.examples import NOW


def history(*stays: tuple[Status, float]) -> list[StatusChange]:
    """A history of stays, each of so many seconds."""
    found: list[StatusChange] = []
    at = NOW
    for seq, (status, seconds) in enumerate(stays, 1):
        found.append(
            StatusChange(
                job_id=1,
                seq=seq,
                at=at,
                before=found[-1].after if found else None,
                after=status,
                subtype=None,
                message=None,
                actor="a test",
                attempt=1,
            )
        )
        at += timedelta(seconds=seconds)
    return found


@pytest.mark.parametrize(
    ("stays", "after", "told"),
    [
        pytest.param(
            [
                (Status.INITIALIZED, 10),
                (Status.READY, 20),
                (Status.QUEUED, 10),
                (Status.STARTED, 40),
                (Status.PROCESSED, 15),
                (Status.START_PUBLICATION, 5),
                (Status.DONE, 1000),
            ],
            3000,
            [
                ("configuring", 10),
                ("waiting for a worker", 30),
                ("running", 40),
                ("publishing", 20),
            ],
            id="to-its-end",
        ),
        pytest.param([(Status.READY, 0)], 60, [("waiting for a worker", 60)], id="up-to-now"),
        pytest.param(
            [(Status.START_PUBLICATION, 10), (Status.DONE, 500), (Status.START_PUBLICATION, 30)],
            540,
            [("publishing", 40)],
            id="announced-again-after-its-end",
        ),
        pytest.param(
            [(Status.READY, 60), (Status.QUEUED, -30), (Status.STARTED, 30)],
            60,
            [("waiting for a worker", 60), ("running", 30)],
            id="while-a-clock-was-turned-back",
        ),
        pytest.param([], 10, [], id="without-a-history"),
    ],
)
def test_the_time_of_a_job_is_told_by_its_steps(
    stays: list[tuple[Status, float]], after: float, told: list[tuple[str, float]]
) -> None:
    found = step_times(history(*stays), NOW + timedelta(seconds=after))
    assert [(each.step, each.took.total_seconds()) for each in found] == told


@given(st.lists(st.tuples(st.sampled_from(Status), st.integers(0, 10_000)), min_size=1))
def test_the_shares_are_those_of_the_whole(stays: list[tuple[Status, float]]) -> None:
    end = NOW + timedelta(seconds=sum(seconds for _, seconds in stays))
    found = step_times(history(*stays), end)
    whole = sum(seconds for status, seconds in stays if status not in FINAL)
    assert sum(each.took.total_seconds() for each in found) == whole
    assert sum(each.share for each in found) == pytest.approx(1.0 if whole else 0.0)


def test_every_status_before_the_end_has_its_step() -> None:
    assert set(STEP_OF) == set(Status) - FINAL
