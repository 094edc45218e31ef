"""The dispatch protocol: parents, confirmation by the list alone, repeating, giving up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import (
    AbandonDispatch,
    ConfirmDispatch,
    DispatchRun,
    RegisterParent,
    ResendDispatch,
    StopChild,
)
from models.errors import FailureClass
from models.lifecycle import Status
from models.plan import Action, Decision, Held
from models.records import Backoff, Run
from models.settings import ExecutionSettings
from models.world import NomadJob, Source
from reconcilers.execution import decide
from simulator.examples import (
    NOW,
    a_child,
    a_claimed_run,
    a_job,
    a_machine,
    a_nomad,
    a_parent_id,
    a_run,
    a_world,
    an_allocation,
    in_flight,
    parents_in_nomad,
)

SETTINGS = ExecutionSettings(
    resend_after=timedelta(seconds=15), resend_for=timedelta(minutes=30), lead=0
)


def _told(decisions: Sequence[Decision]) -> list[tuple[str, str, str]]:
    return [(type(d).__name__, str(d.subject), d.reason.value) for d in decisions]


def _ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


# ---- no list -------------------------------------------------------------------------------------


def test_without_the_job_list_nothing_is_done_and_one_refusal_says_why() -> None:
    world = a_world(
        a_machine(1),
        store={"ready": (a_job(),), "in_flight": (in_flight(id=2),)},
    )
    blind = replace(world, nomad=None, unknown={Source.NOMAD: "no known leader"})

    (decision,) = decide(blind, SETTINGS, NOW)

    assert isinstance(decision, Held)
    assert _told([decision]) == [("Held", "system:nomad", "SOURCE_UNKNOWN")]
    assert "no known leader" in decision.because


def test_an_unknown_cloud_holds_nothing_back_that_does_not_need_it() -> None:
    world = a_world(a_machine(1), store={"ready": (a_job(),)})

    decisions = decide(replace(world, cloud=None), SETTINGS, NOW)

    assert _told(decisions) == [("DispatchRun", "job:1", "SLOT_FREE")]


# ---- parents -------------------------------------------------------------------------------------


def _without(jobs: tuple[NomadJob, ...], **changes: Any) -> tuple[NomadJob, ...]:
    """The parents with the one of fsc_rlie changed, or missing when nothing is said."""
    mine = a_parent_id()
    others = tuple(job for job in jobs if job.id != mine)
    changed = tuple(replace(job, **changes) for job in jobs if job.id == mine)
    return others + (changed if changes else ())


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param(_without(parents_in_nomad()), id="missing"),
        pytest.param(_without(parents_in_nomad(), stopped=True), id="stopped"),
        pytest.param(_without(parents_in_nomad(), status="dead"), id="dead"),
        pytest.param(_without(parents_in_nomad(), meta={"fingerprint": "old"}), id="outdated"),
        pytest.param(_without(parents_in_nomad(), meta={}), id="made-by-hand"),
    ],
)
def test_a_parent_that_is_not_as_meant_is_registered_and_its_jobs_alone_wait(
    jobs: tuple[NomadJob, ...],
) -> None:
    ready = (a_job(id=1), a_job(id=2), a_job(id=3, type="rlies1s2"))
    world = a_world(a_machine(1), store={"ready": ready})
    world = replace(world, nomad=replace(a_nomad(), nodes=_nodes(world), jobs=jobs))

    decisions = decide(world, SETTINGS, NOW)

    assert _told(decisions) == [
        ("RegisterParent", f"parent:{a_parent_id()}", "PARENT_MISSING"),
        ("Held", f"parent:{a_parent_id()}", "PARENT_MISSING"),
        ("DispatchRun", "job:3", "SLOT_FREE"),
    ]
    assert isinstance(decisions[0], RegisterParent)
    assert decisions[0].parent in world.site.parents
    assert decisions[1].because.startswith("2 jobs cannot be dispatched, first job 1 (")


def _nodes(world: Any) -> Any:
    return world.nomad.nodes


def test_a_parent_whose_registration_is_on_its_way_is_not_registered_twice() -> None:
    world = replace(a_world(), nomad=a_nomad(jobs=_without(parents_in_nomad())))

    assert decide(replace(world, busy=frozenset({f"parent:{a_parent_id()}"})), SETTINGS, NOW) == []


def test_a_parent_whose_registration_failed_lately_rests_with_one_reason() -> None:
    rest = Backoff(
        subject=f"parent:{a_parent_id()}",
        failure=FailureClass.AUTHORISATION,
        failures=2,
        until=NOW + timedelta(minutes=1),
        message="Permission denied",
    )
    world = a_world(store={"ready": (a_job(),), "backoffs": (rest,)})
    world = replace(world, nomad=a_nomad(jobs=_without(parents_in_nomad())))

    decisions = decide(world, SETTINGS, NOW)

    assert {d.reason.value for d in decisions} == {"BACKING_OFF"}
    assert not any(isinstance(d, Action) for d in decisions)


# ---- confirming ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "run"),
    [
        pytest.param(Status.QUEUED, a_run(), id="its-answer-was-lost"),
        pytest.param(
            Status.STARTED, a_claimed_run(nomad_job_id=None), id="it-claimed-before-we-looked"
        ),
        pytest.param(
            Status.QUEUED, a_run(nomad_job_id="phantom"), id="what-was-confirmed-is-not-listed"
        ),
    ],
)
def test_a_run_is_confirmed_by_the_child_that_the_list_shows(status: Status, run: Run) -> None:
    child = a_child(replace(run, nomad_job_id=None))
    world = a_world(store={"in_flight": (in_flight(status, run=run),)}, nomad={"jobs": (child,)})

    (decision,) = decide(world, SETTINGS, NOW)

    assert isinstance(decision, ConfirmDispatch)
    assert (decision.job_id, decision.run_id, decision.nomad_job_id) == (1, run.id, child.id)


def test_a_confirmed_run_is_left_alone() -> None:
    run = a_claimed_run()
    world = a_world(
        store={"in_flight": (in_flight(Status.PROCESSING, run=run),)},
        nomad={"jobs": (a_child(run),), "allocations": (an_allocation(id=run.allocation_id),)},
    )

    assert decide(world, SETTINGS, NOW) == []


OLDER = {"id": "older", "create_index": 10}
YOUNGER = {"id": "younger", "create_index": 11}


@pytest.mark.parametrize(
    ("run", "claimed_by", "kept", "stopped"),
    [
        pytest.param({}, None, "older", "younger", id="the-older-when-nothing-is-known"),
        pytest.param(
            {"nomad_job_id": "younger"}, None, "younger", "older", id="the-one-that-is-confirmed"
        ),
        pytest.param(
            {"nomad_job_id": "older", "allocation_id": "a", "claim": 2},
            "younger",
            "younger",
            "older",
            id="the-one-whose-program-has-the-claim",
        ),
    ],
)
def test_of_two_children_of_one_run_one_goes_on_and_the_other_is_stopped(
    run: dict[str, Any], claimed_by: str | None, kept: str, stopped: str
) -> None:
    current = a_run(**run)
    placed = (an_allocation(claimed_by, id="a"),) if claimed_by else ()
    world = a_world(
        store={"in_flight": (in_flight(Status.STARTED, run=current),)},
        nomad={
            "jobs": (a_child(current, **YOUNGER), a_child(current, **OLDER)),
            "allocations": placed,
        },
    )

    decisions = decide(world, SETTINGS, NOW)

    confirmed = [d.nomad_job_id for d in decisions if isinstance(d, ConfirmDispatch)]
    assert confirmed == ([] if current.nomad_job_id == kept else [kept])
    (stop,) = (d for d in decisions if isinstance(d, StopChild))
    # It names no run: the store would refuse to stop a child of a current one.
    assert (stop.nomad_job_id, stop.run_id, stop.stuck) == (stopped, None, False)
    assert stop.reason.value == "CHILD_TWICE"


@pytest.mark.parametrize("over", [{"stopped": True}, {"status": "dead"}], ids=["stopped", "dead"])
def test_a_second_child_that_is_over_needs_no_stop(over: dict[str, Any]) -> None:
    run = a_run(nomad_job_id="older")
    children = (a_child(run, **OLDER), a_child(run, **YOUNGER, **over))
    world = a_world(store={"in_flight": (in_flight(run=run),)}, nomad={"jobs": children})

    assert decide(world, SETTINGS, NOW) == []


# ---- sending again, giving up --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "asked", "expected"),
    [
        pytest.param(
            {"created_at": _ago(3600), "sent_at": _ago(60)},
            _ago(60),
            ("Held", "NO_ANSWER_YET"),
            id="the-list-was-asked-for-before-the-call-left",
        ),
        pytest.param(
            {"created_at": _ago(14.9), "sent_at": _ago(14.9)},
            _ago(1),
            ("Held", "NO_ANSWER_YET"),
            id="too-early-to-send-again",
        ),
        pytest.param(
            {"created_at": _ago(15), "sent_at": _ago(15)},
            _ago(1),
            ("ResendDispatch", "DISPATCH_UNCONFIRMED"),
            id="time-to-send-again",
        ),
        pytest.param(
            {"created_at": _ago(15), "sent_at": None},
            _ago(1),
            ("ResendDispatch", "DISPATCH_UNCONFIRMED"),
            id="the-crash-came-before-the-call",
        ),
        pytest.param(
            {"created_at": _ago(1799.9), "sent_at": _ago(20)},
            _ago(1),
            ("ResendDispatch", "DISPATCH_UNCONFIRMED"),
            id="for-the-last-time",
        ),
        pytest.param(
            {"created_at": _ago(1800), "sent_at": _ago(20)},
            _ago(1),
            ("AbandonDispatch", "DISPATCH_EXPIRED"),
            id="its-token-may-be-forgotten-soon",
        ),
        pytest.param(
            {"created_at": _ago(9999), "sent_at": _ago(3)},
            _ago(1),
            ("Held", "NO_ANSWER_YET"),
            id="the-newest-call-may-still-arrive",
        ),
    ],
)
def test_an_unseen_dispatch_is_waited_for_then_repeated_then_given_up(
    run: dict[str, Any], asked: Any, expected: tuple[str, str]
) -> None:
    flight = in_flight(run=a_run(**run))
    world = a_world(store={"in_flight": (flight,)}, nomad={"requested_at": asked})

    (decision,) = decide(world, SETTINGS, NOW)

    assert _told([decision]) == [(expected[0], "job:1", expected[1])]
    if isinstance(decision, ResendDispatch | AbandonDispatch):
        assert (decision.job_id, decision.run_id) == (1, flight.run.id)
    if isinstance(decision, ResendDispatch):
        assert decision.parent == a_parent_id()


@pytest.mark.parametrize(
    "flight",
    [
        pytest.param(in_flight(run=a_run(claim=1)), id="claimed"),
        pytest.param(in_flight(Status.STARTED, run=a_run(claim=1)), id="started"),
        pytest.param(in_flight(run=a_run(nomad_job_id="x")), id="confirmed"),
    ],
)
@pytest.mark.parametrize("age", [60, 3600])
def test_a_run_that_anybody_has_seen_is_never_sent_again_or_given_up(flight: Any, age: int) -> None:
    old = replace(flight, run=replace(flight.run, created_at=_ago(age), sent_at=_ago(age)))

    assert decide(a_world(store={"in_flight": (old,)}), SETTINGS, NOW) == []


@pytest.mark.parametrize(
    ("job", "jobs", "reason"),
    [
        pytest.param(
            {"type": "odd"}, parents_in_nomad(), "TYPE_UNKNOWN", id="its-type-was-removed"
        ),
        pytest.param({}, _without(parents_in_nomad()), "PARENT_MISSING", id="its-parent-is-gone"),
    ],
)
def test_a_dispatch_that_cannot_be_repeated_says_why(
    job: dict[str, Any], jobs: Any, reason: str
) -> None:
    flight = in_flight()
    flight = replace(flight, job=replace(flight.job, **job))
    world = a_world(store={"in_flight": (flight,)})
    world = replace(world, nomad=a_nomad(jobs=jobs))

    (held,) = (d for d in decide(world, SETTINGS, NOW) if isinstance(d, Held))

    assert _told([held]) == [("Held", "job:1", reason)]


def test_a_busy_run_gets_no_second_action_and_a_resting_one_is_not_sent() -> None:
    rest = Backoff(
        subject="job:2",
        failure=FailureClass.UNAVAILABLE,
        failures=1,
        until=NOW + timedelta(seconds=5),
        message="no leader",
    )
    flights = (in_flight(id=1), in_flight(id=2), in_flight(id=3))
    world = a_world(store={"in_flight": flights, "backoffs": (rest,)})

    decisions = decide(replace(world, busy=frozenset({"job:1"})), SETTINGS, NOW)

    assert _told(decisions) == [
        ("Held", "job:2", "BACKING_OFF"),
        ("ResendDispatch", "job:3", "DISPATCH_UNCONFIRMED"),
    ]


def test_a_store_write_does_not_wait_for_a_back_off_of_nomad() -> None:
    rest = Backoff(
        subject="job:1",
        failure=FailureClass.UNAVAILABLE,
        failures=1,
        until=NOW + timedelta(seconds=5),
        message="no leader",
    )
    run = a_run()
    world = a_world(
        store={"in_flight": (in_flight(run=run),), "backoffs": (rest,)},
        nomad={"jobs": (a_child(run),)},
    )

    assert _told(decide(world, SETTINGS, NOW)) == [("ConfirmDispatch", "job:1", "DISPATCH_SEEN")]


def test_what_is_known_is_settled_before_anything_new_is_sent() -> None:
    run = a_run(job_id=2)
    world = a_world(
        a_machine(1),
        store={"ready": (a_job(id=1),), "in_flight": (in_flight(id=2, run=run),)},
        nomad={"jobs": (a_child(run),)},
    )

    kinds = [type(d) for d in decide(world, SETTINGS, NOW)]

    assert kinds == [ConfirmDispatch, DispatchRun]
