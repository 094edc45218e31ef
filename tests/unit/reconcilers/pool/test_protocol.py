"""The delete protocol, step by step: what each step waits for, and what sends it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.actions import (
    CommitDelete,
    ConfirmUnmarked,
    MarkWorker,
    RecordSeen,
    RestartMark,
    UnmarkWorker,
)
from models.plan import Decision, Held, Reason
from models.records import Intent, IntentKind, RetireCause, RetireStep, WorkerState
from models.settings import PoolSettings
from models.sightings import node_quiet
from models.world import Evaluation, Sighting, World
from reconcilers.pool import decide
from simulator.examples import (
    NOW,
    Machine,
    a_child,
    a_job,
    a_machine,
    a_node,
    a_parent_id,
    a_retirement,
    a_server,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    an_intent,
)

NODE = str(an_id("node", 1))
WELL = a_machine(9)
"""Another worker, with a node that is listed: a list without any node would prove nothing."""
MARK, ADMIT = IntentKind.SET_INELIGIBLE, IntentKind.SET_ELIGIBLE
LIST = NOW - timedelta(seconds=1)
"""When the node list of these worlds was asked for."""


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _one(world: World, **settings: Any) -> Decision:
    """The one decision about worker 1."""
    (decision,) = [d for d in _pool(world, **settings) if str(d.subject) == "worker:os-worker-001"]
    return decision


def _retiring(node: dict[str, Any] | None = None, **retirement: Any) -> Machine:
    machine = a_machine(1, retirement=a_retirement(**retirement))
    assert machine.node is not None
    shown = {"eligible": False, "modify_index": 300, **(node or {})}
    return replace(machine, node=replace(machine.node, **shown))


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _sent(kind: IntentKind, seconds_left: int | None) -> tuple[Intent, ...]:
    """A call that is open, with that long to its deadline; None: nothing was sent."""
    if seconds_left is None:
        return ()
    deadline = NOW + timedelta(seconds=seconds_left)
    return (an_intent(kind=kind, subject=NODE, deadline=deadline),)


# ---- mark ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "modify_index", "started", "recorded"),
    [
        pytest.param(None, 300, 60, 300, id="answer-lost-so-the-nodes-index-counts"),
        pytest.param(0, 300, 60, 300, id="it-was-ineligible-already"),
        pytest.param(300, 300, 60, 300, id="the-answers-index-counts"),
        pytest.param(290, 300, 60, 300, id="changed-after-the-mark-so-the-later-index-counts"),
        pytest.param(301, 300, 30, None, id="the-list-is-older-than-the-mark"),
        pytest.param(301, 300, 61, None, id="the-list-may-still-get-there"),
        pytest.param(301, 300, 62, 301, id="nomad-was-restored-and-never-gets-there"),
        pytest.param(None, 300, 1, None, id="the-list-was-asked-for-before"),
    ],
)
def test_the_mark_counts_once_a_later_list_shows_it(
    index: int | None, modify_index: int, started: float, recorded: int | None
) -> None:
    machine = _retiring({"modify_index": modify_index}, index=index, started_at=_ago(started))

    decision = _one(a_world(machine))

    assert isinstance(decision, RecordSeen) is (recorded is not None)
    if isinstance(decision, RecordSeen):
        assert (decision.index, decision.modify_index) == (recorded, modify_index)


@pytest.mark.parametrize(
    ("retirement", "intent_left", "action", "reason"),
    [
        pytest.param({}, None, MarkWorker, Reason.MARK_NOT_SEEN, id="answered-but-not-seen"),
        pytest.param({}, 5, Held, Reason.INTENT_OPEN, id="not-answered-yet"),
        pytest.param({}, -5, MarkWorker, Reason.MARK_NOT_SEEN, id="never-answered"),
        pytest.param(
            {"started_at": LIST}, None, Held, Reason.MARK_NOT_SEEN, id="the-list-is-too-old"
        ),
        pytest.param(
            {"cause": RetireCause.PERSON, "by": "eva@ops", "started_at": NOW},
            None,
            MarkWorker,
            Reason.ASKED_BY_PERSON,
            id="a-person-asked-and-nothing-was-sent",
        ),
        pytest.param(
            {"cause": RetireCause.PERSON, "by": "eva@ops"},
            -5,
            MarkWorker,
            Reason.MARK_NOT_SEEN,
            id="a-person-asked-and-the-answer-was-lost",
        ),
    ],
)
def test_a_mark_that_does_not_show_is_waited_for_or_sent_again(
    retirement: dict[str, Any],
    intent_left: int | None,
    action: type[Decision],
    reason: Reason,
) -> None:
    intents = _sent(MARK, intent_left)

    decision = _one(
        a_world(_retiring({"eligible": True}, **retirement), store={"intents": intents})
    )

    assert (type(decision), decision.reason) == (action, reason)
    if isinstance(decision, MarkWorker):
        assert decision.cause is retirement.get("cause", RetireCause.IDLE)
        assert decision.by == retirement.get("by", "worker-pool")


def test_a_persons_mark_in_nomad_is_not_sent_again_by_us() -> None:
    machine = _retiring(cause=RetireCause.PERSON, by="person (Nomad)", started_at=NOW)

    decision = _one(a_world(machine))

    assert (type(decision), decision.reason) == (Held, Reason.MARK_NOT_SEEN)


# ---- seen ----------------------------------------------------------------------------------------


def _seen(node: dict[str, Any] | None = None, **retirement: Any) -> Machine:
    seen = {"step": RetireStep.SEEN, "index": 290, "modify_index": 300, "seen_at": _ago(10)}
    return _retiring(node, **{**seen, **retirement})


def test_an_empty_node_behind_its_barrier_is_deleted() -> None:
    decision = _one(a_world(_seen()))

    assert isinstance(decision, CommitDelete)
    assert decision.reason is Reason.EMPTY
    assert (decision.node_id, decision.modify_index) == (NODE, 300)
    assert decision.cause is RetireCause.IDLE


@pytest.mark.parametrize(
    "node",
    [
        pytest.param({"modify_index": 301}, id="changed"),
        pytest.param({"eligible": True, "modify_index": 301}, id="made-eligible-by-somebody"),
        pytest.param({"eligible": True}, id="eligible-under-the-same-index"),
    ],
)
@pytest.mark.parametrize("forced", [False, True])
def test_a_node_that_changed_since_it_was_seen_starts_again(
    node: dict[str, Any], *, forced: bool
) -> None:
    decision = _one(a_world(_seen(node, forced=forced)))

    assert isinstance(decision, RestartMark)
    assert decision.reason is Reason.NODE_CHANGED


@pytest.mark.parametrize("seen_at", [LIST, NOW])
def test_lists_from_before_it_was_seen_prove_nothing(seen_at: datetime) -> None:
    decision = _one(a_world(_seen(seen_at=seen_at)))

    assert (type(decision), decision.reason) == (Held, Reason.BARRIER)


def test_what_still_runs_is_finished_first() -> None:
    world = a_world(_seen(), nomad={"allocations": (an_allocation(node=1),)})

    decision = _one(world)

    assert (type(decision), decision.reason) == (Held, Reason.RUNS_STILL)


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        pytest.param({"desired_status": "stop"}, True, id="told-to-stop-and-still-running"),
        pytest.param({"client_status": "unknown"}, True, id="its-client-is-cut-off"),
        pytest.param({"client_status": "lost"}, False, id="lost"),
        pytest.param({"job_type": "system"}, False, id="a-system-job-runs-everywhere"),
        pytest.param({"job_type": "service", "namespace": "other"}, True, id="anybodys-service"),
    ],
)
def test_an_allocation_is_live_until_its_machine_says_otherwise(
    changes: dict[str, Any], *, runs: bool
) -> None:
    world = a_world(_seen(), nomad={"allocations": (an_allocation(node=1, **changes),)})

    assert isinstance(_one(world), Held if runs else CommitDelete)


def test_a_person_may_force_a_busy_worker_out() -> None:
    machine = _seen(cause=RetireCause.PERSON, by="eva@ops", forced=True)
    allocation, evaluation = an_allocation(node=1), an_evaluation(create_index=1)
    world = a_world(machine, nomad={"allocations": (allocation,), "evaluations": (evaluation,)})

    decision = _one(world)

    assert isinstance(decision, CommitDelete)
    assert decision.reason is Reason.ASKED_BY_PERSON
    assert (decision.cause, decision.by) == (RetireCause.PERSON, "eva@ops")


@pytest.mark.parametrize(
    ("deadline", "action"),
    [
        pytest.param(NOW - timedelta(seconds=599), Held, id="may-still-land"),
        pytest.param(NOW - timedelta(seconds=600), CommitDelete, id="refuted-by-time"),
    ],
)
def test_a_call_that_may_make_the_node_eligible_holds_the_deletion(
    deadline: datetime, action: type[Decision]
) -> None:
    lost = an_intent(kind=ADMIT, subject=NODE, deadline=deadline)

    assert type(_one(a_world(_seen(), store={"intents": (lost,)}))) is action


@pytest.mark.parametrize("machine", [_seen(), replace(_seen(seen_at=_ago(999)), node=None)])
def test_a_namesake_that_is_not_identified_may_be_its_node_registered_anew(
    machine: Machine,
) -> None:
    anew = a_node(1, id=str(an_id("node", 77)))

    decision = _one(a_world(machine, nomad={"nodes": (anew,)}))

    assert (type(decision), decision.reason) == (Held, Reason.NODE_NEW)


def test_nothing_is_deleted_without_the_cloud() -> None:
    world = replace(a_world(_seen()), cloud=None)

    assert [d.reason for d in _pool(world)] == [Reason.SOURCE_UNKNOWN]


# ---- barrier and quarantine ----------------------------------------------------------------------


def _behind(*evaluations: Evaluation, seen: float = 10, quiet: Sighting | None = None) -> World:
    sightings = {node_quiet(NODE): quiet} if quiet else {}
    children = (
        a_child(),
        a_child(id="large", parent_id=a_parent_id("hm.large", "rlies1-processing")),
    )
    return a_world(
        _seen(seen_at=_ago(seen), started_at=_ago(seen + 10)),
        nomad={"evaluations": evaluations, "jobs": children},
        sightings=sightings,
    )


@pytest.mark.parametrize(
    ("evaluation", "passes"),
    [
        pytest.param(an_evaluation(create_index=290), False, id="as-old-as-the-mark"),
        pytest.param(an_evaluation(create_index=289, status="blocked"), False, id="blocked"),
        pytest.param(an_evaluation(create_index=291), True, id="younger-than-the-mark"),
        pytest.param(an_evaluation("large", create_index=1), True, id="of-another-flavor"),
        pytest.param(an_evaluation("whose?", create_index=1), False, id="of-an-unknown-job"),
    ],
)
def test_an_evaluation_as_old_as_the_mark_may_still_place_something(
    evaluation: Evaluation, *, passes: bool
) -> None:
    decision = _one(_behind(evaluation))

    assert type(decision) is (CommitDelete if passes else Held)
    assert decision.reason is (Reason.EMPTY if passes else Reason.BARRIER)


def _quiet(count: int, seconds: float) -> Sighting:
    return Sighting(count=count, first_at=LIST - timedelta(seconds=seconds), snapshot=1)


@pytest.mark.parametrize(
    ("seen", "quiet", "reason"),
    [
        pytest.param(60, _quiet(99, 99), Reason.BARRIER, id="the-barrier-may-still-clear"),
        pytest.param(61, _quiet(99, 99), Reason.QUARANTINE, id="quarantine-begins"),
        pytest.param(75.9, _quiet(99, 99), Reason.QUARANTINE, id="not-long-enough"),
        pytest.param(76, _quiet(99, 99), None, id="long-enough"),
        pytest.param(200, _quiet(3, 15), None, id="quiet-for-long-enough"),
        pytest.param(200, _quiet(3, 14), Reason.QUARANTINE, id="quiet-since-lately"),
        pytest.param(200, _quiet(2, 99), Reason.QUARANTINE, id="too-few-further-lists"),
        pytest.param(200, None, Reason.QUARANTINE, id="never-seen-quiet"),
    ],
)
def test_where_the_barrier_never_clears_quarantine_takes_its_place(
    seen: float, quiet: Sighting | None, reason: Reason | None
) -> None:
    decision = _one(_behind(an_evaluation(create_index=1), seen=seen, quiet=quiet))

    assert type(decision) is (CommitDelete if reason is None else Held)
    assert decision.reason is (reason or Reason.QUARANTINE)


# ---- undo ----------------------------------------------------------------------------------------


def _wanted(*machines: Machine, jobs: int = 1, **store: Any) -> World:
    ready = tuple(a_job(id=number) for number in range(jobs))
    return a_world(*machines, store={"ready": ready, **store})


def test_a_worker_is_taken_back_when_demand_returns() -> None:
    decision = _one(_wanted(_seen()))

    assert isinstance(decision, UnmarkWorker)
    assert decision.reason is Reason.DEMAND_RETURNED


@pytest.mark.parametrize(
    ("world", "because"),
    [
        pytest.param(_wanted(_seen(cause=RetireCause.PERSON)), "a person wants it gone", id="p"),
        pytest.param(_wanted(_seen(cause=RetireCause.STALE)), "it failed", id="s"),
        pytest.param(_wanted(_retiring()), "its mark is not seen", id="m"),
        pytest.param(_wanted(_seen({"status": "down"})), "its node is down", id="d"),
        pytest.param(
            _wanted(replace(_seen(), server=a_server(1, status="ERROR"))),
            "its server failed",
            id="e",
        ),
        pytest.param(
            _wanted(_seen(), intents=(an_intent(kind=MARK, subject=NODE),)),
            "a mark may still land after the undoing",
            id="i",
        ),
        pytest.param(_wanted(_seen(), a_machine(2)), "another worker is free", id="f"),
    ],
)
def test_a_worker_is_not_taken_back_when(world: World, because: str) -> None:
    assert not isinstance(_one(world), UnmarkWorker), because


def _numbered(number: int, hours: int, **retirement: Any) -> Machine:
    machine = a_machine(
        number,
        created_at=_ago(hours * 3600),
        retirement=a_retirement(
            **{"step": RetireStep.SEEN, "index": 290, "modify_index": 300, "seen_at": _ago(10)}
            | retirement
        ),
    )
    assert machine.node is not None
    return replace(machine, node=replace(machine.node, eligible=False, modify_index=300))


def test_who_served_longest_comes_back_first_and_no_more_than_are_needed() -> None:
    coming = _numbered(4, 9, step=RetireStep.UNDOING)
    world = _wanted(_numbered(1, 1), _numbered(2, 3), _numbered(3, 2), coming, jobs=3)

    back = [d.worker_id for d in _pool(world) if isinstance(d, UnmarkWorker)]

    assert sorted(back) == [2, 3, 4]


@pytest.mark.parametrize(
    ("eligible", "intent_left", "action"),
    [
        pytest.param(True, None, ConfirmUnmarked, id="seen-eligible"),
        pytest.param(False, None, UnmarkWorker, id="not-seen-yet"),
        pytest.param(False, 5, Held, id="not-answered-yet"),
        pytest.param(False, -5, UnmarkWorker, id="never-answered"),
    ],
)
def test_an_undoing_ends_when_its_node_shows_eligible(
    *, eligible: bool, intent_left: int | None, action: type[Decision]
) -> None:
    intents = _sent(ADMIT, intent_left)
    machine = _retiring({"eligible": eligible}, step=RetireStep.UNDOING)

    decision = _one(a_world(machine, store={"intents": intents}))

    assert type(decision) is action


# ---- without a node ------------------------------------------------------------------------------


def _nodeless(machine: Machine) -> Machine:
    return replace(machine, node=None)


@pytest.mark.parametrize(
    ("machine", "action", "reason"),
    [
        pytest.param(_retiring(), RecordSeen, Reason.MARK_SEEN, id="nothing-can-be-placed-on-it"),
        pytest.param(
            _retiring(started_at=NOW), Held, Reason.NODE_DOWN, id="the-list-is-older-than-the-wish"
        ),
        pytest.param(_seen(seen_at=_ago(75)), Held, Reason.NODE_DOWN, id="it-may-come-back"),
        pytest.param(_seen(seen_at=_ago(76)), CommitDelete, Reason.NODE_GONE, id="stayed-away"),
        pytest.param(
            _seen(forced=True), CommitDelete, Reason.ASKED_BY_PERSON, id="a-person-does-not-wait"
        ),
        pytest.param(
            _seen(forced=True, seen_at=NOW), Held, Reason.NODE_DOWN, id="but-for-a-later-list"
        ),
        pytest.param(_seen(seen_at=None), Held, Reason.NODE_DOWN, id="never-dated"),
        pytest.param(
            _retiring(step=RetireStep.UNDOING), Held, Reason.NODE_DOWN, id="nothing-to-unmark"
        ),
    ],
)
def test_a_worker_whose_node_left_nomad_goes_after_a_wait(
    machine: Machine, action: type[Decision], reason: Reason
) -> None:
    decision = _one(a_world(_nodeless(machine), WELL))

    assert (type(decision), decision.reason) == (action, reason)
    if isinstance(decision, CommitDelete):
        assert (decision.node_id, decision.modify_index) == (None, None)


@pytest.mark.parametrize("forced", [False, True])
def test_an_allocation_outlives_the_listing_of_its_node(*, forced: bool) -> None:
    machine = _nodeless(_seen(seen_at=_ago(999), started_at=_ago(1000), forced=forced))

    decision = _one(a_world(machine, WELL, nomad={"allocations": (an_allocation(node=1),)}))

    assert type(decision) is (CommitDelete if forced else Held)
    assert decision.reason is (Reason.ASKED_BY_PERSON if forced else Reason.RUNS_STILL)


def _unborn() -> Machine:
    machine = _retiring(cause=RetireCause.PERSON, by="eva@ops")
    worker = replace(machine.worker, state=WorkerState.BOOTING, node_id=None, admitted_at=None)
    return replace(machine, worker=worker, node=None, identity=None)


def test_a_booting_worker_that_a_person_does_not_want_is_deleted_at_once() -> None:
    decision = _one(a_world(_unborn()))

    assert isinstance(decision, CommitDelete)
    assert (decision.cause, decision.node_id) == (RetireCause.PERSON, None)


def test_unless_a_node_of_its_name_waits_to_be_identified() -> None:
    node = _retiring().node

    decision = _one(a_world(replace(_unborn(), node=node)))

    assert (type(decision), decision.reason) == (Held, Reason.NODE_NEW)
