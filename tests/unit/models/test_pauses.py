"""What a pause forbids, and to whom."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import ConfirmDispatch
from models.errors import ConfigurationError
from models.job_types import DEFAULT_REGISTRY
from models.pauses import (
    EVERYTHING,
    end_of,
    ended_in_words,
    heeding,
    in_words,
    loop_target,
    made_in_words,
    pause_of_loop,
    pause_of_type,
    paused_types,
    type_target,
    why_not_pausable,
)
from models.plan import Action, Held, Reason, Subject, SubjectKind
from models.records import Pause
from simulator.examples import NOW, an_id

LOOPS = ("configuration", "execution", "monitor", "worker-pool")
TARGETS = (EVERYTHING, *map(loop_target, LOOPS), *map(type_target, ("gfsc", "test")))
JOB = Subject(SubjectKind.JOB, "1")
ACTION = ConfirmDispatch(
    subject=JOB,
    reason=Reason.DISPATCH_SEEN,
    because="its child is listed",
    facts=(("seen", 1),),
    job_id=1,
    run_id=an_id("run", 1),
    nomad_job_id="c",
)
REFUSAL = Held(subject=JOB, reason=Reason.STILL_LIVE, because="it is live")


def paused(target: str, **changes: object) -> Pause:
    values = {"target": target, "by": "ada", "reason": "an upgrade", "since": NOW, **changes}
    return Pause(**values)  # type: ignore[arg-type]


@given(targets=st.sets(st.sampled_from(TARGETS)), loop=st.sampled_from(LOOPS))
def test_a_loop_acts_exactly_when_neither_it_nor_everything_is_paused(
    targets: set[str], loop: str
) -> None:
    pauses = tuple(map(paused, sorted(targets)))

    heeded = list(heeding([ACTION, REFUSAL], loop, pauses))

    rests = bool(targets & {EVERYTHING, loop_target(loop)})
    assert any(isinstance(decision, Action) for decision in heeded) is not rests
    assert heeded[1] == REFUSAL
    assert [decision.subject for decision in heeded] == [JOB, JOB]
    assert paused_types(pauses) == {t.removeprefix("type:") for t in targets if "type:" in t}


def test_what_is_not_done_is_said_with_who_forbade_it_and_why() -> None:
    (held,) = heeding([ACTION], "monitor", [paused(loop_target("monitor"))])

    assert held.reason is Reason.PAUSED
    assert held.because == (
        "its child is listed; not done, for loop monitor is paused by ada: an upgrade"
    )
    assert held.facts == (("seen", 1), ("would_be", "DISPATCH_SEEN"))


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        pytest.param(paused(EVERYTHING), "everything is paused by ada: an upgrade", id="for-good"),
        pytest.param(
            paused(type_target("gfsc"), until=NOW + timedelta(minutes=30)),
            "type gfsc is paused by ada until 2026-03-01 12:30:00 UTC: an upgrade",
            id="for-a-while",
        ),
        pytest.param(paused(EVERYTHING, reason=""), "everything is paused by ada", id="no-reason"),
    ],
)
def test_a_pause_is_told_in_words(pause: Pause, words: str) -> None:
    assert in_words(pause) == words
    assert made_in_words(pause) == words.partition(" is paused ")[2]
    assert ended_in_words(pause) == f"it was paused {made_in_words(pause)}"


def test_the_pause_of_everything_is_named_before_that_of_the_loop() -> None:
    whole, own = paused(EVERYTHING), paused(loop_target("monitor"))

    assert pause_of_loop([own, whole], "monitor") == whole
    assert pause_of_loop([own], "monitor") == own
    assert pause_of_loop([own], "execution") is None
    assert pause_of_type([whole, own], "gfsc") is None


@pytest.mark.parametrize(
    ("target", "possible"),
    [*((target, True) for target in TARGETS), ("type:fsc", False), ("gfsc", False), ("", False)],
)
def test_only_what_can_rest_can_be_paused(target: str, *, possible: bool) -> None:
    assert (why_not_pausable(target, DEFAULT_REGISTRY) is None) is possible


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(seconds=-1)])
def test_a_pause_that_is_over_before_it_begins_is_refused(lasts: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="before it begins"):
        end_of(NOW, lasts)
