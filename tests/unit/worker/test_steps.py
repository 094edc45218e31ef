"""The steps of a run: whatever happens, it comes to an end, and the end says what it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.failures import EXTERNAL, INTERNAL, Failure
from worker.steps import (
    EXIT_AGAIN,
    EXIT_DONE,
    Done,
    Failed,
    Outcome,
    Outdated,
    Progress,
    Step,
    Terminated,
    after,
)

BROKEN = Failure(status=INTERNAL, subtype="SIP unrecoverable error", message="it broke")
AWAY = Failure(status=EXTERNAL, subtype="S3 endpoint error", message="nobody answers")
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    [Done(), Failed(failure=BROKEN), Failed(failure=AWAY), Outdated(), Terminated()]
)


def way(*outcomes: Outcome) -> list[Progress]:
    """Where a program stands after each of these."""
    found = [Progress()]
    for outcome in outcomes:
        found.append(after(found[-1], outcome))
    return found


@pytest.mark.parametrize(
    ("outcomes", "steps", "code"),
    [
        pytest.param(
            [Done()] * 6, "claim prepare process deliver end tidy gone", EXIT_DONE, id="all-well"
        ),
        pytest.param(
            [Done(), Failed(failure=BROKEN), Done(), Done()],
            "claim prepare end tidy gone",
            EXIT_DONE,
            id="internal-error",
        ),
        pytest.param(
            [Done(), Done(), Failed(failure=AWAY), Done(), Done()],
            "claim prepare process end tidy gone",
            EXIT_AGAIN,
            id="external-error",
        ),
        pytest.param(
            [Done(), Done(), Done(), Done(), Failed(failure=AWAY), Done()],
            "claim prepare process deliver end tidy gone",
            EXIT_AGAIN,
            id="nobody-heard-the-end",
        ),
        pytest.param([Outdated()], "claim gone", EXIT_DONE, id="not-its-run"),
        pytest.param([Failed(failure=AWAY)], "claim gone", EXIT_AGAIN, id="no-api"),
        pytest.param(
            [Done(), Done(), Outdated(), Done()],
            "claim prepare process tidy gone",
            EXIT_DONE,
            id="taken-over",
        ),
        pytest.param(
            [Done(), Done(), Terminated(), Done()],
            "claim prepare process tidy gone",
            EXIT_AGAIN,
            id="drained",
        ),
        pytest.param(
            [Done(), Done(), Terminated(), Terminated()],
            "claim prepare process tidy gone",
            EXIT_AGAIN,
            id="no-time-left",
        ),
        pytest.param(
            [*[Done()] * 5, Terminated(), Done()],
            "claim prepare process deliver end tidy tidy gone",
            EXIT_DONE,
            id="drained-when-all-is-said",
        ),
    ],
)
def test_a_run_goes_through_these_steps(outcomes: list[Outcome], steps: str, code: int) -> None:
    found = way(*outcomes)

    assert [progress.step.value for progress in found] == steps.split()
    assert found[-1].exit_code == code


@given(st.lists(OUTCOMES, min_size=9, max_size=9))
def test_whatever_happens_a_run_is_gone_after_a_few_steps(outcomes: list[Outcome]) -> None:
    found = way(*outcomes)

    assert found[-1].step is Step.GONE
    assert after(found[-1], Done()) == found[-1]


@given(st.lists(OUTCOMES, min_size=9, max_size=9))
def test_who_began_tidies_up_and_no_step_comes_before_an_earlier_one(
    outcomes: list[Outcome],
) -> None:
    order = list(Step)
    steps = [order.index(progress.step) for progress in way(*outcomes)]

    assert steps == sorted(steps)
    if order.index(Step.PREPARE) in steps:
        assert order.index(Step.TIDY) in steps


@given(st.lists(OUTCOMES, min_size=9, max_size=9))
def test_a_failure_is_what_the_end_tells(outcomes: list[Outcome]) -> None:
    found = way(*outcomes)
    for before, outcome, now in zip(found, outcomes, found[1:], strict=False):
        begun = before.step in {Step.PREPARE, Step.PROCESS, Step.DELIVER}
        if isinstance(outcome, Failed) and begun:
            assert (now.step, now.failure) == (Step.END, outcome.failure)


@given(st.lists(OUTCOMES, min_size=9, max_size=9))
def test_who_was_taken_over_leaves_with_0_and_touches_nothing_of_the_job(
    outcomes: list[Outcome],
) -> None:
    found = way(*outcomes)
    for before, outcome, now in zip(found, outcomes, found[1:], strict=False):
        if isinstance(outcome, Outdated) and before.step not in {Step.TIDY, Step.GONE}:
            assert now.exit_code == EXIT_DONE
            assert now.step is Step.GONE or not now.mine
