"""Which decisions are written, and which intents are closed for good."""

from datetime import timedelta

import pytest

from controller.act.leftovers import leftovers
from controller.ledger import Page, turn
from models.actions import CloseWorker
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import IntentKind, IntentState
from models.settings import Settings
from simulator.examples import NOW, a_world, an_intent

SUBJECT = Subject(SubjectKind.WORKER, "os-worker-001")


def held(reason: Reason = Reason.IDLE_TOO_SHORT, because: str = "not yet") -> Decision:
    return Held(subject=SUBJECT, reason=reason, because=because)


def acted() -> Decision:
    return CloseWorker(subject=SUBJECT, reason=Reason.NODE_GONE, because="gone", worker_id=1)


@pytest.mark.parametrize(
    ("first", "second", "seconds", "written"),
    [
        pytest.param(held(), held(), 5, False, id="the-same-refusal"),
        pytest.param(held(), held(), 30, True, id="the-same-refusal-later"),
        pytest.param(held(), held(Reason.RUNS_STILL), 5, True, id="another-reason"),
        pytest.param(acted(), acted(), 5, True, id="an-action-each-time"),
    ],
)
def test_a_refusal_that_holds_is_written_twice_a_minute(
    first: Decision, second: Decision, seconds: float, written: bool
) -> None:
    begun = turn(Page(), [first], NOW)
    again = turn(begun.page, [second], NOW + timedelta(seconds=seconds))

    assert begun.due == (first,)
    assert again.due == ((second,) if written else ())


def test_a_refusal_that_came_back_is_written_at_once() -> None:
    begun = turn(Page(), [held()], NOW)
    gone = turn(begun.page, [], NOW + timedelta(seconds=5))

    back = turn(gone.page, [held()], NOW + timedelta(seconds=10))

    assert back.due == (held(),)
    assert (gone.over, back.over) == ((), ())
    assert (gone.ended, back.ended) == ((held(),), ())


def test_what_a_refusal_said_last_is_written_once_it_is_over() -> None:
    page = turn(Page(), [held(because="boots for 0 s")], NOW).page
    last = held(because="boots for 5 s")
    seen = turn(page, [last], NOW + timedelta(seconds=5))

    over = turn(seen.page, [acted()], NOW + timedelta(seconds=9))

    assert seen.due == ()
    assert (over.over, over.over_at) == ((last,), NOW + timedelta(seconds=5))
    assert over.due == (acted(),)
    assert (seen.ended, over.ended) == ((), (last,))


def test_what_is_refused_about_a_subject_is_written_whole() -> None:
    """A reason left out would be taken to be over."""
    one, two = held(), held(Reason.RUNS_STILL)
    begun = turn(Page(), [one], NOW)
    both = turn(begun.page, [one, two], NOW + timedelta(seconds=20))
    still = turn(both.page, [one, two], NOW + timedelta(seconds=40))
    left = turn(still.page, [two], NOW + timedelta(seconds=45))

    assert both.due == (one, two)
    assert still.due == ()
    assert (left.over, left.due) == ((one, two), (two,))
    assert (still.ended, left.ended) == ((), (one,))


@pytest.mark.parametrize(
    ("kind", "lease", "overdue", "closed"),
    [
        pytest.param(IntentKind.STOP_CHILD, "monitor", 600, True, id="an-old-stop"),
        pytest.param(IntentKind.STOP_CHILD, "monitor", 599, False, id="a-younger-stop"),
        pytest.param(IntentKind.STOP_CHILD, "execution", 600, False, id="of-another-loop"),
        pytest.param(IntentKind.PURGE_NODE, "monitor", 600, True, id="a-purge"),
        pytest.param(IntentKind.DISPATCH, "monitor", 9999, False, id="a-dispatch-never"),
        pytest.param(IntentKind.CREATE_SERVER, "monitor", 9999, False, id="a-create-never"),
        pytest.param(IntentKind.DELETE_SERVER, "monitor", 9999, False, id="a-delete-never"),
    ],
)
def test_an_intent_whose_effect_nobody_will_see_is_refuted_once_it_is_long_overdue(
    kind: IntentKind, lease: str, overdue: float, closed: bool
) -> None:
    intent = an_intent(kind=kind, lease=lease)
    world = a_world(store={"intents": (intent,)})
    now = intent.deadline + timedelta(seconds=overdue)

    changes = list(leftovers(world, "monitor", Settings(), now))

    assert [(c.intent_id, c.state) for c in changes] == (
        [(intent.id, IntentState.REFUTED)] if closed else []
    )
