"""Busy targets get no second action; what failed lately rests and says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.actions import ConfirmDispatch, EvaluateChild
from models.errors import FailureClass
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Backoff
from models.restraint import resting, restrained
from simulator.examples import NOW, a_world, an_id

CHILD = Subject(SubjectKind.CHILD, "c")
OUTSIDE = EvaluateChild(
    subject=CHILD,
    reason=Reason.CHILD_WITHOUT_EVALUATION,
    because="c is forgotten",
    nomad_job_id="c",
)
STORE = ConfirmDispatch(
    subject=CHILD,
    reason=Reason.DISPATCH_SEEN,
    because="c is seen",
    job_id=1,
    run_id=an_id("run", 1),
    nomad_job_id="c",
)
HELD = Held(subject=CHILD, reason=Reason.STILL_LIVE, because="c is live")


def _backoff(seconds: int, failures: int = 1) -> Backoff:
    return Backoff(
        subject="child:c",
        failure=FailureClass.UNAVAILABLE,
        failures=failures,
        until=NOW + timedelta(seconds=seconds),
        message="no leader",
    )


@pytest.mark.parametrize(
    ("decision", "busy", "wait", "expected"),
    [
        pytest.param(OUTSIDE, False, 0, ["CHILD_WITHOUT_EVALUATION"], id="free-to-act"),
        pytest.param(OUTSIDE, True, 0, [], id="busy"),
        pytest.param(OUTSIDE, False, 9, ["BACKING_OFF"], id="resting"),
        pytest.param(OUTSIDE, True, 9, [], id="busy-and-resting"),
        pytest.param(STORE, False, 9, ["DISPATCH_SEEN"], id="the-store-needs-no-rest"),
        pytest.param(STORE, True, 0, [], id="busy-in-the-store"),
        pytest.param(HELD, True, 9, ["STILL_LIVE"], id="a-refusal-stands"),
    ],
)
def test_a_decision_is_let_through_dropped_or_put_to_rest(
    decision: Decision,
    busy: bool,
    wait: int,
    expected: list[str],
) -> None:
    world = a_world(store={"backoffs": (_backoff(wait),)})
    world = replace(world, busy=frozenset({"child:c"} if busy else ()))

    assert [d.reason.value for d in restrained([decision], world, NOW)] == expected


def test_a_rest_says_until_when_and_after_what() -> None:
    world = a_world(store={"backoffs": (_backoff(90, failures=3),)})

    (held,) = restrained([OUTSIDE], world, NOW)

    assert isinstance(held, Held)
    assert held.because == (
        "c is forgotten; not tried before 12:01:30 UTC after 3 failures in a row: no leader"
    )


def test_of_several_back_offs_of_one_subject_the_longest_holds() -> None:
    short, long = _backoff(5), replace(_backoff(60), failure=FailureClass.CONFLICT)

    world = a_world(store={"backoffs": (long, short, _backoff(-1))})

    assert resting(world, NOW) == {"child:c": long}
