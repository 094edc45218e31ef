"""Idle workers go, longest idle first, and never because another flavor has too many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import MarkWorker
from models.plan import Decision, Reason
from models.records import IntentKind, Priority, RetireCause, RetireStep, WorkerState
from models.settings import PoolSettings
from models.world import World
from reconcilers.pool import decide
from simulator.examples import (
    NOW,
    Machine,
    a_job,
    a_machine,
    a_retirement,
    a_world,
    an_allocation,
    an_id,
    an_intent,
)


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _idle(number: int, seconds: int, flavor: str = "hm.medium", **worker: Any) -> Machine:
    """A worker that ended its last run that many seconds ago."""
    return a_machine(number, flavor, busy_at=NOW - timedelta(seconds=seconds), **worker)


def _marked(decisions: list[Decision]) -> list[int]:
    return [d.worker_id for d in decisions if isinstance(d, MarkWorker)]


@pytest.mark.parametrize(
    ("idle_seconds", "waiting", "marked"),
    [
        pytest.param(119, 0, [], id="idle-but-not-for-long-enough"),
        pytest.param(120, 0, [1], id="idle-long-and-nothing-waits"),
        pytest.param(600, 1, [], id="idle-long-but-a-job-waits-for-its-flavor"),
    ],
)
def test_a_worker_is_retired_only_when_it_is_of_no_use(
    idle_seconds: int, waiting: int, marked: list[int]
) -> None:
    jobs = tuple(a_job(id=number) for number in range(waiting))

    decisions = _pool(a_world(_idle(1, idle_seconds), store={"ready": jobs}))

    assert _marked(decisions) == marked


def test_the_pools_own_retirement_says_who_and_why() -> None:
    (decision,) = _pool(a_world(_idle(1, 300)))

    assert isinstance(decision, MarkWorker)
    assert (decision.cause, decision.by) == (RetireCause.IDLE, "worker-pool")
    assert decision.reason is Reason.IDLE
    assert not decision.already


def test_the_longest_idle_goes_first_and_as_many_as_are_surplus() -> None:
    world = a_world(_idle(1, 200), _idle(2, 900), _idle(3, 400), store={"ready": (a_job(),)})

    assert _marked(_pool(world)) == [2, 3]


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(_idle(1, 999, keep_until=NOW + timedelta(hours=1)), id="kept-by-a-person"),
        pytest.param(_idle(1, 999, admitted_at=None), id="never-admitted"),
        pytest.param(replace(_idle(1, 999), server=None), id="its-server-is-missing"),
        pytest.param(_idle(1, 999, state=WorkerState.DELETING), id="being-deleted"),
    ],
)
def test_a_worker_that_cannot_be_spared_stays(machine: Machine) -> None:
    assert _marked(_pool(a_world(machine))) == []


def test_a_worker_is_kept_no_longer_than_ordered() -> None:
    assert _marked(_pool(a_world(_idle(1, 999, keep_until=NOW)))) == [1]


def test_a_worker_at_work_stays() -> None:
    world = a_world(_idle(1, 999), nomad={"allocations": (an_allocation(node=1),)})

    assert _marked(_pool(world)) == []


def test_a_worker_whose_other_node_is_at_work_stays() -> None:
    """Its agent registered anew; what ran under the old node id may still run."""
    machine = _idle(1, 999)
    assert machine.identity is not None
    before = replace(machine.identity, node_id=str(an_id("node", 77)))
    world = a_world(
        machine,
        store={"identities": {before.node_id: before}},
        nomad={"allocations": (an_allocation(node=77),)},
    )

    assert _marked(_pool(world)) == []


def test_a_node_that_may_still_be_made_eligible_is_not_marked() -> None:
    lost = an_intent(kind=IntentKind.SET_ELIGIBLE, subject=str(an_id("node", 1)))

    assert _marked(_pool(a_world(_idle(1, 999), store={"intents": (lost,)}))) == []


@pytest.mark.parametrize("source", ["nomad", "cloud"])
def test_without_one_of_its_sources_nobody_is_retired_for_idleness(source: str) -> None:
    changes: dict[str, Any] = {source: None}

    assert _marked(_pool(replace(a_world(_idle(1, 999)), **changes))) == []


@pytest.mark.parametrize(
    ("minimum", "marked"),
    [
        pytest.param(0, [2, 3, 1], id="no-minimum"),
        pytest.param(2, [2], id="two-stay"),
        pytest.param(5, [], id="there-are-fewer-than-the-minimum"),
    ],
)
def test_the_minimum_counts_workers_in_all(minimum: int, marked: list[int]) -> None:
    world = a_world(_idle(1, 200), _idle(2, 900, "hm.large"), _idle(3, 400))

    assert _marked(_pool(world, min_workers=minimum)) == marked


def test_surplus_that_is_not_idle_for_long_enough_is_told_once_per_flavor() -> None:
    world = a_world(_idle(1, 10), _idle(2, 90), _idle(3, 30, "hm.large"))

    decisions = _pool(world)

    assert [str(d.subject) for d in decisions] == ["flavor:hm.large", "flavor:hm.medium"]
    assert {d.reason for d in decisions} == {Reason.IDLE_TOO_SHORT}
    assert dict(decisions[1].facts) == {"workers": 2, "idle_s": 90, "idle_for_s": 120}


# ---- making room ---------------------------------------------------------------------------------


def _urgent(count: int = 1, kind: str = "rlies1") -> dict[str, Any]:
    return {"ready": tuple(a_job(id=i, type=kind, priority=Priority.NRT) for i in range(count))}


def test_idle_surplus_makes_room_at_once_for_a_capped_flavor() -> None:
    world = a_world(_idle(1, 5), _idle(2, 9), store=_urgent())

    assert _marked(_pool(world, max_workers=2)) == [2]


def test_who_makes_room_says_for_whom_and_not_that_it_was_idle() -> None:
    world = a_world(_idle(1, 5), _idle(2, 300), store=_urgent(2))

    idle, made = (d for d in _pool(world, max_workers=2) if isinstance(d, MarkWorker))

    assert (idle.reason, idle.worker_id) == (Reason.IDLE, 2)
    assert (made.reason, made.worker_id) == (Reason.ROOM_NEEDED, 1)
    assert made.cause is RetireCause.IDLE
    assert made.because == (
        "os-worker-001 makes room for hm.large workers, held back by MAX_WORKERS; "
        "no hm.medium job needs it"
    )
    assert dict(made.facts) == {"idle_s": 5, "caps": "MAX_WORKERS", "flavor": "hm.medium"}


def test_no_more_room_is_made_than_the_claim_needs() -> None:
    """4 vCPUs are claimed, 1 is free of 9: two workers of 2 vCPUs are enough."""
    world = a_world(*(_idle(i, i) for i in range(1, 5)), store=_urgent())

    assert _marked(_pool(world, max_vcpus=9, vcpu_share=1)) == [4, 3]


def test_what_is_on_its_way_out_counts_as_room() -> None:
    leaving = _idle(1, 5, state=WorkerState.DELETING, delete_sent_at=NOW)

    assert _marked(_pool(a_world(leaving, _idle(2, 9), store=_urgent()), max_workers=2)) == []


@pytest.mark.parametrize(
    ("step", "marked"),
    [
        pytest.param(RetireStep.MARKING, [], id="retiring-makes-room"),
        pytest.param(RetireStep.UNDOING, [2], id="coming-back-makes-none"),
    ],
)
def test_a_retirement_under_way_counts_unless_it_is_being_undone(
    step: RetireStep, marked: list[int]
) -> None:
    under_way = a_retirement(step=step, started_at=NOW)
    world = a_world(_idle(1, 5, retirement=under_way), _idle(2, 9), store=_urgent())

    made = [d for d in _pool(world, max_workers=2) if d.reason is Reason.ROOM_NEEDED]

    assert _marked(made) == marked


def test_the_minimum_gives_way_to_a_capped_flavor() -> None:
    world = a_world(_idle(1, 5), store=_urgent())

    assert _marked(_pool(world, max_workers=1, min_workers=1)) == [1]


def test_no_room_is_made_for_what_only_the_rate_holds_back() -> None:
    world = a_world(_idle(1, 5), store=_urgent(3))

    assert _marked(_pool(world, create_burst=1)) == []


def test_no_room_is_made_for_what_never_fits() -> None:
    world = a_world(_idle(1, 5), store=_urgent(kind="sws_wds"))

    assert _marked(_pool(world, max_vcpus=7, vcpu_share=1)) == []


def test_a_kept_worker_makes_no_room() -> None:
    kept = _idle(1, 5, keep_until=NOW + timedelta(hours=1))

    assert _marked(_pool(a_world(kept, store=_urgent()), max_workers=1)) == []
