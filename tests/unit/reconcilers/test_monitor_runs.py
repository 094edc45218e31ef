"""Runs in flight: failed, vanished, lost, stuck, run again by Nomad, or left alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.actions import FailRun, StopChild
from models.job_types import FLAVORS, JOB_TYPES, Registry
from models.lifecycle import ON_WORKER, Status
from models.plan import Decision, Held, Next, Reason
from models.records import InFlight, IntentKind, Run, RunEnd, WorkerState
from models.settings import MonitorSettings
from models.sightings import child_missing, child_unclaimed
from models.world import Sighting, Source, World
from reconcilers.monitor import decide
from simulator.examples import (
    NOW,
    a_child,
    a_claimed_run,
    a_machine,
    a_run,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    an_intent,
    in_flight,
)

SETTINGS = MonitorSettings()
RUN = a_claimed_run()
MINE = an_allocation(id=RUN.allocation_id)
OTHER = an_allocation(id="replacement", node=2)


def _told(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return [(type(d).__name__, d.reason.value) for d in decisions]


def _ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def _world(
    status: Status = Status.PROCESSING,
    *,
    run: dict[str, Any] | None = None,
    job: dict[str, Any] | None = None,
    child: dict[str, Any] | None = None,
    **nomad: Any,
) -> World:
    """A job in flight on node 1, its child as `child` says (running), and what else Nomad lists."""
    current = replace(RUN, **(run or {}))
    flight = in_flight(status, run=current, **(job or {}))
    children = (a_child(current, **(child or {})),)
    return a_world(
        a_machine(1),
        store={"in_flight": (flight,)},
        nomad={"jobs": children, **nomad},
    )


def _queued(**nomad: Any) -> World:
    run = a_run(nomad_job_id=a_child().id)
    shown = {"jobs": (a_child(run, status="pending"),), **nomad}
    return a_world(a_machine(1), store={"in_flight": (in_flight(run=run),)}, nomad=shown)


# ---- what is left alone --------------------------------------------------------------------------


def test_without_nomad_nothing_is_concluded_and_one_refusal_says_why() -> None:
    world = replace(_world(), nomad=None, unknown={Source.NOMAD: "two leaders"})

    (decision,) = decide(world, SETTINGS, NOW)

    assert _told([decision]) == [("Held", "SOURCE_UNKNOWN")]
    assert str(decision.subject) == "system:nomad"
    assert decision.because.endswith("two leaders")


def test_where_nothing_is_in_flight_or_in_error_nobody_misses_nomad() -> None:
    assert decide(replace(a_world(), nomad=None), SETTINGS, NOW) == []


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(_world(allocations=(MINE,)), id="its-program-runs"),
        pytest.param(_queued(evaluations=(an_evaluation(),)), id="queued-and-waiting-for-a-worker"),
        pytest.param(_queued(), id="queued-and-forgotten-by-nomad"),
        pytest.param(_queued(allocations=(an_allocation(),)), id="queued-and-just-placed"),
        pytest.param(
            a_world(store={"in_flight": (in_flight(),)}), id="dispatched-and-not-seen-yet"
        ),
        pytest.param(
            a_world(store={"in_flight": (in_flight(),)}, nomad={"jobs": (a_child(status="dead"),)}),
            id="seen-but-not-confirmed-yet",
        ),
        pytest.param(_world(), id="the-lists-contradict-each-other-for-a-moment"),
        pytest.param(
            _world(child={"status": "pending"}, run={"claimed_at": NOW}),
            id="it-claimed-after-the-lists-were-asked-for",
        ),
        pytest.param(
            replace(_world(child={"status": "dead"}), busy=frozenset({"job:1"})),
            id="somebody-is-at-it",
        ),
    ],
)
def test_a_run_that_may_still_come_to_its_end_is_left_alone(world: World) -> None:
    assert decide(world, SETTINGS, NOW) == []


@pytest.mark.parametrize("hours", [1, 24, 24 * 30])
def test_waiting_in_the_queue_is_never_a_failure(hours: int) -> None:
    world = _queued(evaluations=(an_evaluation(status="blocked"),))
    (flight,) = world.store.in_flight
    long_ago = _ago(hours=hours)
    old = InFlight(
        job=replace(flight.job, status_at=long_ago),
        run=replace(flight.run, created_at=long_ago, sent_at=long_ago),
    )

    assert decide(replace(world, store=replace(world.store, in_flight=(old,))), SETTINGS, NOW) == []


@pytest.mark.parametrize("status", sorted(ON_WORKER))
@pytest.mark.parametrize(
    ("child", "nomad", "text"),
    [
        pytest.param(
            {"status": "pending"},
            {"evaluations": (an_evaluation(status="blocked"),)},
            "waits for a worker again",
            id="it-waits-for-another-worker",
        ),
        pytest.param({"status": "pending"}, {}, "waits for a worker again", id="it-is-forgotten"),
        pytest.param({}, {"allocations": (OTHER,)}, "starts again", id="it-starts-on-another"),
    ],
)
def test_a_run_that_nomad_runs_again_is_adopted_however_long_it_waits(
    status: Status, child: dict[str, Any], nomad: dict[str, Any], text: str
) -> None:
    world = _world(status, job={"status_at": _ago(days=2)}, child=child, **nomad)

    (decision,) = decide(world, SETTINGS, NOW)

    assert _told([decision]) == [("Held", "NOMAD_RERUNS")]
    assert text in decision.because


# ---- over, and never said how --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "nodes", "expected"),
    [
        pytest.param(
            {"status": "dead"},
            {},
            ("RUN_FAILED", RunEnd.FAILED, "Job inconsistency with Nomad"),
            id="its-child-died",
        ),
        pytest.param(
            {"stopped": True},
            {},
            ("RUN_FAILED", RunEnd.FAILED, "Job inconsistency with Nomad"),
            id="somebody-stopped-its-child",
        ),
        pytest.param(
            {"status": "dead", "lost": 1},
            {},
            ("WORKER_LOST", RunEnd.LOST, "Worker lost"),
            id="nomad-says-lost",
        ),
        pytest.param(
            {"status": "dead"},
            {"status": "down"},
            ("WORKER_LOST", RunEnd.LOST, "Worker lost"),
            id="its-node-is-down",
        ),
        pytest.param(
            {"status": "dead"},
            {"id": "another"},
            ("WORKER_LOST", RunEnd.LOST, "Worker lost"),
            id="its-node-is-listed-no-more",
        ),
    ],
)
def test_a_run_that_is_over_without_a_word_has_failed_at_once(
    child: dict[str, Any], nodes: dict[str, Any], expected: tuple[str, RunEnd, str]
) -> None:
    world = _world(child=child)
    assert world.nomad is not None
    world = replace(
        world,
        nomad=replace(
            world.nomad, nodes=tuple(replace(node, **nodes) for node in world.nomad.nodes)
        ),
    )

    (decision,) = decide(world, SETTINGS, NOW)

    assert isinstance(decision, FailRun)
    assert (decision.reason.value, decision.end, decision.subtype) == expected
    assert decision.status is Status.EXTERNAL_ERROR
    assert (decision.job_id, decision.run_id, decision.expected_seq) == (1, RUN.id, 4)


def test_a_run_whose_server_answered_404_was_lost_though_its_node_is_still_listed() -> None:
    world = _world(child={"status": "dead"})
    gone = replace(world.store.workers[0], state=WorkerState.DELETING, gone_at=NOW)

    world = replace(world, store=replace(world.store, workers=(gone,)))

    assert _told(decide(world, SETTINGS, NOW)) == [("FailRun", "WORKER_LOST")]


def test_a_queued_run_whose_child_died_before_it_claimed_has_failed() -> None:
    run = a_run(nomad_job_id=a_child().id)
    world = _queued(jobs=(a_child(run, status="dead"),))

    assert _told(decide(world, SETTINGS, NOW)) == [("FailRun", "RUN_FAILED")]


@pytest.mark.parametrize(
    ("child", "nomad", "reason"),
    [
        pytest.param(
            {"status": "dead"}, {"allocations": (MINE,)}, "STILL_LIVE", id="still-on-its-machine"
        ),
        pytest.param(
            {"stopped": True},
            {"allocations": (replace(OTHER, client_status="unknown"),)},
            "STILL_LIVE",
            id="on-a-machine-that-nomad-cannot-reach",
        ),
        pytest.param(
            {"status": "dead"},
            {"evaluations": (an_evaluation(),)},
            "NOMAD_RERUNS",
            id="nomad-may-place-it-again",
        ),
    ],
)
def test_a_child_that_is_over_fails_its_run_only_when_nothing_of_it_can_run(
    child: dict[str, Any], nomad: dict[str, Any], reason: str
) -> None:
    assert _told(decide(_world(child=child, **nomad), SETTINGS, NOW)) == [("Held", reason)]


def test_an_evaluation_of_a_stopped_job_places_nothing() -> None:
    world = _world(child={"stopped": True}, evaluations=(an_evaluation(),))

    assert _told(decide(world, SETTINGS, NOW)) == [("FailRun", "RUN_FAILED")]


def test_a_run_with_two_children_is_over_when_both_are() -> None:
    world = _world(child={"status": "dead"})
    assert world.nomad is not None
    twin = a_child(RUN, id="twin")

    both = replace(world, nomad=replace(world.nomad, jobs=(*world.nomad.jobs, twin)))

    assert decide(both, SETTINGS, NOW) == []


# ---- vanished ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "run"),
    [
        pytest.param(Status.PROCESSING, RUN, id="at-work"),
        pytest.param(Status.QUEUED, a_run(nomad_job_id="seen-before"), id="queued-and-confirmed"),
    ],
)
@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        pytest.param(0, [], id="the-list-is-older-than-the-dispatch"),
        pytest.param(1, [("Held", "RUN_VANISHED")], id="missing-once-is-not-gone"),
        pytest.param(2, [("FailRun", "RUN_VANISHED")], id="missing-twice-is"),
    ],
)
def test_a_run_is_lost_once_its_child_was_missing_often_enough(
    status: Status, run: Run, lists: int, expected: list[tuple[str, str]]
) -> None:
    seen = {child_missing(run.id): Sighting(count=lists, first_at=NOW, snapshot=1)}
    world = a_world(
        store={"in_flight": (in_flight(status, run=run),)}, sightings=seen if lists else {}
    )

    decisions = decide(world, SETTINGS, NOW)

    assert _told(decisions) == expected
    for failure in decisions:
        if isinstance(failure, FailRun):
            assert (failure.end, failure.then) == (RunEnd.LOST, Next.REQUEUE)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(MINE, id="the-allocation-that-claimed"),
        pytest.param(OTHER, id="another-of-its-confirmed-job"),
    ],
)
def test_a_purged_child_that_left_something_running_is_waited_for(left: Any) -> None:
    seen = {child_missing(RUN.id): Sighting(count=9, first_at=NOW, snapshot=1)}
    world = a_world(
        store={"in_flight": (in_flight(Status.STARTED, run=RUN),)},
        nomad={"allocations": (left,)},
        sightings=seen,
    )

    assert _told(decide(world, SETTINGS, NOW)) == [("Held", "STILL_LIVE")]


# ---- stuck ---------------------------------------------------------------------------------------

LIMITS = {
    Status.STARTED: SETTINGS.limit_started,
    Status.PRE_PROCESSING: SETTINGS.limit_pre_processing,
    Status.PROCESSING: SETTINGS.limit_processing,
    Status.POST_PROCESSING: SETTINGS.limit_post_processing,
}


def test_every_status_on_a_worker_has_a_limit() -> None:
    assert set(LIMITS) == ON_WORKER


@pytest.mark.parametrize("status", sorted(LIMITS))
@pytest.mark.parametrize(("over", "stopped"), [(-1, 0), (0, 0), (1, 1)])
def test_a_run_that_stays_longer_than_its_limit_is_stopped(
    status: Status, over: int, stopped: int
) -> None:
    since = NOW - LIMITS[status] - timedelta(seconds=over)
    world = _world(status, job={"status_at": since}, allocations=(MINE,))

    decisions = decide(world, SETTINGS, NOW)

    assert _told(decisions) == [("StopChild", "RUN_STUCK")] * stopped
    for stop in decisions:
        assert isinstance(stop, StopChild)
        assert (stop.nomad_job_id, stop.run_id, stop.stuck) == (a_child(RUN).id, RUN.id, True)


def test_a_job_types_own_limit_comes_before_the_parameter() -> None:
    short = replace(JOB_TYPES[0], limits={Status.PROCESSING: timedelta(minutes=5)})
    world = replace(
        _world(job={"status_at": _ago(minutes=6)}, allocations=(MINE,)),
        registry=Registry.of((short, *JOB_TYPES[1:]), FLAVORS),
    )

    assert _told(decide(world, SETTINGS, NOW)) == [("StopChild", "RUN_STUCK")]


def test_a_job_of_a_type_that_was_removed_is_still_watched() -> None:
    world = _world(job={"status_at": _ago(days=1), "type": "fsc_rlie"}, allocations=(MINE,))
    world = replace(world, registry=Registry.of((), FLAVORS))

    assert _told(decide(world, SETTINGS, NOW)) == [("StopChild", "RUN_STUCK")]


@pytest.mark.parametrize("minutes", [29, 31])
@pytest.mark.parametrize(
    "world",
    [
        pytest.param(_queued(allocations=(OTHER,)), id="queued"),
        pytest.param(_world(allocations=(OTHER,)), id="lost-and-placed-again"),
    ],
)
def test_what_is_placed_and_never_claims_is_stopped_in_the_end(world: World, minutes: int) -> None:
    seen = Sighting(count=9, first_at=_ago(minutes=minutes), snapshot=1)

    decisions = decide(replace(world, sightings={child_unclaimed(OTHER.id): seen}), SETTINGS, NOW)

    stopped = [d for d in decisions if isinstance(d, StopChild)]
    assert len(stopped) == (minutes > 30)


ASKED = {"stop_reason": "in processing for 5 h"}


@pytest.mark.parametrize(
    ("child", "nomad", "expected"),
    [
        pytest.param(
            {"stopped": True}, {"allocations": (MINE,)}, ("Held", "STILL_LIVE"), id="it-is-dying"
        ),
        pytest.param(
            {}, {"allocations": (MINE,)}, ("StopChild", "RUN_STUCK"), id="the-stop-had-no-effect"
        ),
        pytest.param(
            {"status": "pending"}, {}, ("StopChild", "RUN_STUCK"), id="nomad-would-run-it-again"
        ),
        pytest.param(
            {"status": "dead"}, {}, ("FailRun", "RUN_STUCK"), id="dead-and-nothing-is-live"
        ),
        pytest.param(
            {"stopped": True},
            {"evaluations": (an_evaluation(),)},
            ("FailRun", "RUN_STUCK"),
            id="stopped-and-nothing-is-live",
        ),
        pytest.param({}, {"jobs": ()}, ("FailRun", "RUN_STUCK"), id="its-child-is-gone"),
        pytest.param(
            {},
            {"jobs": (), "allocations": (MINE,)},
            ("Held", "STILL_LIVE"),
            id="its-child-is-gone-but-something-is-live",
        ),
    ],
)
def test_a_stop_is_seen_through_before_the_run_fails(
    child: dict[str, Any], nomad: dict[str, Any], expected: tuple[str, str]
) -> None:
    world = _world(run=ASKED, child=child, **nomad)

    assert _told(decide(world, SETTINGS, NOW)) == [expected]


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        pytest.param({}, ("Held", "STILL_LIVE"), id="the-call-may-still-arrive"),
        pytest.param(
            {"deadline": _ago(seconds=1)}, ("Held", "STILL_LIVE"), id="ended-as-the-list-was-asked"
        ),
        pytest.param(
            {"deadline": _ago(seconds=5)}, ("StopChild", "RUN_STUCK"), id="it-ended-without-effect"
        ),
        pytest.param({"subject": "another"}, ("StopChild", "RUN_STUCK"), id="anothers-stop"),
        pytest.param(
            {"kind": IntentKind.EVALUATE}, ("StopChild", "RUN_STUCK"), id="another-kind-of-effect"
        ),
    ],
)
def test_a_stop_is_asked_for_again_when_the_last_call_is_over(
    intent: dict[str, Any], expected: tuple[str, str]
) -> None:
    stop = {"kind": IntentKind.STOP_CHILD, "subject": a_child(RUN).id, "deadline": NOW}
    world = _world(run=ASKED, allocations=(MINE,))
    store = replace(world.store, intents=(an_intent(**{**stop, **intent}),))

    assert _told(decide(replace(world, store=store), SETTINGS, NOW)) == [expected]


@pytest.mark.parametrize(
    ("status", "error", "subtype"),
    [
        (Status.STARTED, Status.EXTERNAL_ERROR, "SI software docker image pull error"),
        (Status.PRE_PROCESSING, Status.EXTERNAL_ERROR, "Job inconsistency with Nomad"),
        (Status.PROCESSING, Status.INTERNAL_ERROR, "Job inconsistency with Nomad"),
        (Status.POST_PROCESSING, Status.EXTERNAL_ERROR, "Job inconsistency with Nomad"),
    ],
)
def test_a_run_that_hung_in_the_science_is_an_internal_error_and_elsewhere_an_external_one(
    status: Status, error: Status, subtype: str
) -> None:
    (decision,) = decide(_world(status, run=ASKED, child={"status": "dead"}), SETTINGS, NOW)

    assert isinstance(decision, FailRun)
    assert (decision.status, decision.subtype, decision.end) == (error, subtype, RunEnd.FAILED)
    assert "in processing for 5 h" in decision.because


@pytest.mark.parametrize(
    ("asked_s_ago", "again"),
    [
        pytest.param(5, False, id="a-moment-ago"),
        pytest.param(59, False, id="not-long-enough-ago"),
        pytest.param(60, True, id="long-enough-ago"),
        pytest.param(None, True, id="at-a-time-that-nobody-noted"),
    ],
)
@pytest.mark.parametrize("child", [{}, {"status": "pending"}], ids=["running", "pending"])
def test_a_stop_without_effect_is_asked_for_again_after_a_pause(
    asked_s_ago: float | None, again: bool, child: dict[str, Any]
) -> None:
    asked_at = None if asked_s_ago is None else _ago(seconds=asked_s_ago)
    world = _world(run={**ASKED, "stop_asked_at": asked_at}, child=child, allocations=(MINE,))

    (decision,) = decide(world, SETTINGS, NOW)

    assert isinstance(decision, StopChild) is again
    if not again:
        assert decision.reason is Reason.STILL_LIVE
        assert "and again after 60 s" in decision.because


def test_a_stop_that_is_asked_for_again_and_the_failure_after_it_keep_the_first_reason() -> None:
    first = _world(job={"status_at": _ago(hours=5)}, allocations=(MINE,))
    (stop,) = decide(first, SETTINGS, NOW)
    asked = {"stop_reason": stop.because}

    (again,) = decide(_world(run=asked, allocations=(MINE,)), SETTINGS, NOW)
    (failure,) = decide(_world(run=asked, child={"status": "dead"}), SETTINGS, NOW)

    assert stop.because == (
        "attempt 1 of job 1 (delayed fsc_rlie 32TLR) is in processing for 18000 s, "
        "16200 s are allowed"
    )
    assert again.because == stop.because
    assert failure.because == (
        f"{stop.because}; it was stopped: internal_error 1 of 3, tried again"
    )


# ---- budgets and bulk ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "counters", "then", "retry_in", "reason"),
    [
        pytest.param(
            {"lost": 1}, {"losses": 8}, Next.REQUEUE, None, "WORKER_LOST", id="lost-go-on-at-once"
        ),
        pytest.param(
            {"lost": 1},
            {"losses": 9},
            Next.QUARANTINE,
            None,
            "ATTEMPTS_USED_UP",
            id="it-takes-its-workers-down",
        ),
        pytest.param(
            {"lost": 1},
            {"external_failures": 99, "internal_failures": 99},
            Next.REQUEUE,
            None,
            "WORKER_LOST",
            id="other-classes-do-not-count",
        ),
        pytest.param({}, {}, Next.BACK_OFF, 60, "RUN_FAILED", id="the-first-external-error"),
        pytest.param(
            {}, {"external_failures": 3}, Next.BACK_OFF, 480, "RUN_FAILED", id="the-fourth"
        ),
        pytest.param(
            {},
            {"external_failures": 7},
            Next.QUARANTINE,
            None,
            "ATTEMPTS_USED_UP",
            id="the-eighth-and-last",
        ),
    ],
)
def test_what_comes_next_depends_on_the_budget_of_the_error_class(
    child: dict[str, Any],
    counters: dict[str, int],
    then: Next,
    retry_in: int | None,
    reason: str,
) -> None:
    world = _world(job=counters, child={"status": "dead", **child})

    (decision,) = decide(world, SETTINGS, NOW)

    assert isinstance(decision, FailRun)
    assert (decision.then, decision.reason.value) == (then, reason)
    assert decision.retry_at == (NOW + timedelta(seconds=retry_in) if retry_in else None)


@pytest.mark.parametrize(
    ("failures", "then"), [(0, Next.REQUEUE), (1, Next.REQUEUE), (2, Next.QUARANTINE)]
)
def test_a_hung_science_is_tried_three_times(failures: int, then: Next) -> None:
    world = _world(run=ASKED, job={"internal_failures": failures}, child={"status": "dead"})

    (decision,) = decide(world, SETTINGS, NOW)

    assert isinstance(decision, FailRun)
    assert decision.then is then


def test_two_hundred_lost_jobs_are_requeued_in_the_one_pass_that_sees_them_lost() -> None:
    runs = [a_claimed_run(job_id=n, node=n) for n in range(1, 201)]
    world = a_world(
        store={"in_flight": tuple(in_flight(Status.PROCESSING, run=r, id=r.job_id) for r in runs)},
        nomad={"jobs": tuple(a_child(r, status="dead", lost=1) for r in runs)},
    )

    decisions = decide(world, SETTINGS, NOW)

    requeued = [d.job_id for d in decisions if isinstance(d, FailRun) and d.then is Next.REQUEUE]
    assert requeued == list(range(1, 201))
    assert not [d for d in decisions if isinstance(d, Held)]


def test_a_refusal_names_the_allocations_that_hold_a_run_up() -> None:
    world = _world(child={"stopped": True}, allocations=(MINE, OTHER))

    (decision,) = decide(world, SETTINGS, NOW)

    assert f"allocation {MINE.id} and 1 more may still be running on node" in decision.because
    assert str(an_id("node", 1)) in decision.because
