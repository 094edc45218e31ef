"""Missing once is not gone: what is counted over snapshots, and what is forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from models.lifecycle import Status
from models.records import WorkerState
from models.sightings import (
    advance,
    child_missing,
    child_unclaimed,
    child_unevaluated,
    create_missing,
    node_quiet,
    server_missing,
)
from models.world import Sighting, World
from simulator.examples import (
    NOW,
    Machine,
    a_child,
    a_claimed_run,
    a_cloud,
    a_creating_worker,
    a_machine,
    a_node,
    a_nomad,
    a_run,
    a_server,
    a_world,
    an_allocation,
    an_evaluation,
    an_id,
    an_intent,
    in_flight,
)
from simulator.strategies import worlds

RUN = a_run()
MISSING = child_missing(RUN.id)
FLIGHT = {"in_flight": (in_flight(run=RUN),)}


def _numbered(world: World, number: int) -> World:
    """The same world, seen in snapshot `number`, one second later each."""
    at = NOW + timedelta(seconds=number)
    nomad = replace(world.nomad, number=number, requested_at=at) if world.nomad else None
    cloud = replace(world.cloud, number=number, requested_at=at) if world.cloud else None
    return replace(world, nomad=nomad, cloud=cloud)


def _keys(world: World) -> set[str]:
    return set(advance({}, world))


# ---- counting ------------------------------------------------------------------------------------


def test_what_holds_in_every_snapshot_is_counted_since_the_first() -> None:
    memory: dict[str, Sighting] = {}
    for number in (1, 2, 3):
        memory = advance(memory, _numbered(a_world(store=FLIGHT), number))

    assert memory[MISSING] == Sighting(count=3, first_at=NOW + timedelta(seconds=1), snapshot=3)


def test_the_same_snapshot_counts_once() -> None:
    world = a_world(store=FLIGHT)

    once = advance({}, world)

    assert advance(once, world) == once


def test_what_does_not_hold_any_more_is_forgotten_and_begins_anew() -> None:
    absent = a_world(store=FLIGHT)
    present = a_world(store=FLIGHT, nomad={"jobs": (a_child(RUN),)})

    memory = advance(advance({}, _numbered(absent, 1)), _numbered(present, 2))
    assert MISSING not in memory

    assert advance(memory, _numbered(absent, 3))[MISSING].count == 1


@pytest.mark.parametrize("source", ["nomad", "cloud"])
def test_an_unknown_source_adds_nothing_and_forgets_nothing_of_its_own(source: str) -> None:
    gone = replace(a_machine(), server=None)
    world = a_world(gone, store=FLIGHT)
    memory = advance({}, _numbered(world, 1))
    assert memory.keys() == {MISSING, server_missing(str(an_id("server", 1)))}

    lost: dict[str, Any] = {source: None}
    later = advance(memory, replace(_numbered(world, 2), **lost))

    kept, counted = (MISSING, server_missing(str(an_id("server", 1))))
    if source == "cloud":
        kept, counted = counted, kept
    assert later[kept] == memory[kept]
    assert later[counted].count == 2


@given(worlds())
def test_no_count_ever_exceeds_the_number_of_snapshots(world: World) -> None:
    memory = advance(advance({}, _numbered(world, 1)), _numbered(world, 2))

    assert {s.count for s in memory.values()} <= {1, 2}
    assert all(s.first_at == NOW + timedelta(seconds=1) for s in memory.values())


@given(worlds())
def test_while_both_sources_are_unknown_nothing_is_learnt_or_forgotten(world: World) -> None:
    memory = advance({}, _numbered(replace(world, nomad=a_nomad(), cloud=a_cloud()), 1))
    blind = replace(world, nomad=None, cloud=None)

    assert advance(memory, blind) == memory


# ---- what is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "nomad", "missing"),
    [
        pytest.param({}, {}, {MISSING}, id="no-child-and-nothing-live"),
        pytest.param({}, {"jobs": (a_child(RUN, status="dead"),)}, set(), id="a-dead-child-is-one"),
        pytest.param(
            {"sent_at": NOW}, {"requested_at": NOW}, set(), id="the-list-is-older-than-the-call"
        ),
        pytest.param({"sent_at": None}, {}, {MISSING}, id="no-call-has-left"),
        pytest.param(
            {"nomad_job_id": "purged", "allocation_id": "mine"},
            {"allocations": (an_allocation("purged", id="mine"),)},
            set(),
            id="purged-but-live",
        ),
    ],
)
def test_a_run_is_missing_when_neither_child_nor_allocation_is_listed(
    run: dict[str, Any], nomad: dict[str, Any], missing: set[str]
) -> None:
    flight = in_flight(Status.STARTED, run=replace(RUN, **run))

    assert _keys(a_world(store={"in_flight": (flight,)}, nomad=nomad)) == missing


@pytest.mark.parametrize(
    ("allocation_id", "unclaimed"),
    [
        pytest.param(None, {child_unclaimed("a")}, id="nothing-has-claimed"),
        pytest.param("before", {child_unclaimed("a")}, id="an-earlier-one-has-claimed"),
        pytest.param("a", set(), id="it-has-claimed"),
    ],
)
def test_an_allocation_is_unclaimed_until_its_program_claims(
    allocation_id: str | None, unclaimed: set[str]
) -> None:
    run = a_claimed_run(allocation_id=allocation_id)
    world = a_world(
        store={"in_flight": (in_flight(Status.STARTED, run=run),)},
        nomad={"jobs": (a_child(run),), "allocations": (an_allocation(id="a"),)},
    )

    assert _keys(world) == unclaimed


@pytest.mark.parametrize(
    ("child", "nomad", "seen"),
    [
        pytest.param({"status": "pending"}, {}, True, id="pending-and-forgotten"),
        pytest.param({"status": "running"}, {}, False, id="running"),
        pytest.param({"status": "dead"}, {}, False, id="dead"),
        pytest.param({"status": "pending", "meta": {}}, {}, False, id="not-ours"),
        pytest.param(
            {"status": "pending"}, {"evaluations": (an_evaluation(),)}, False, id="evaluated"
        ),
        pytest.param(
            {"status": "pending"}, {"allocations": (an_allocation(),)}, False, id="placed"
        ),
    ],
)
def test_a_pending_child_without_evaluation_or_allocation_is_forgotten_by_nomad(
    child: dict[str, Any],
    nomad: dict[str, Any],
    seen: bool,
) -> None:
    world = a_world(nomad={"jobs": (a_child(**child),), **nomad})

    assert (child_unevaluated(a_child().id) in _keys(world)) == seen


@pytest.mark.parametrize(
    ("node", "allocations", "quiet"),
    [
        pytest.param({"eligible": False}, (), True, id="ineligible-and-empty"),
        pytest.param({}, (), False, id="eligible"),
        pytest.param({"eligible": False}, (an_allocation("x"),), False, id="something-runs"),
        pytest.param(
            {"eligible": False},
            (an_allocation("x", job_type="system"),),
            True,
            id="only-what-runs-everywhere",
        ),
    ],
)
def test_an_ineligible_node_without_work_is_quiet(
    node: dict[str, Any],
    allocations: Any,
    quiet: bool,
) -> None:
    machine = replace(a_machine(), node=a_node(**node))
    world = a_world(machine, nomad={"allocations": allocations})

    assert (node_quiet(a_node().id) in _keys(world)) == quiet


def test_a_node_of_nobody_is_not_watched() -> None:
    stranger = a_node(eligible=False)

    assert _keys(a_world(nomad={"nodes": (stranger,)})) == set()


def test_a_server_of_ours_that_is_not_listed_is_missing() -> None:
    machine = a_machine(2)

    assert _keys(a_world(replace(a_machine(), server=None), machine)) == {
        server_missing(str(an_id("server", 1)))
    }


CREATE = an_id("create", 1)


@pytest.mark.parametrize(
    ("worker", "deadline", "servers", "missing"),
    [
        pytest.param({}, None, (), True, id="nobody-knows-its-deadline"),
        pytest.param({}, -2, (), True, id="asked-for-after-its-deadline"),
        pytest.param({}, -1, (), False, id="the-call-may-still-be-under-way"),
        pytest.param({}, -2, (a_server(1, id="other-id"),), False, id="a-server-names-the-intent"),
        pytest.param({"state": WorkerState.DELETING}, -2, (), False, id="not-creating-any-more"),
    ],
)
def test_a_create_is_missing_when_a_list_after_its_deadline_lacks_it(
    worker: dict[str, Any],
    deadline: int | None,
    servers: Any,
    missing: bool,
) -> None:
    known = [] if deadline is None else [deadline]
    intents = tuple(an_intent(id=CREATE, deadline=NOW + timedelta(seconds=s)) for s in known)
    world = a_world(Machine(worker=a_creating_worker(**worker)), store={"intents": intents})
    world = replace(world, cloud=a_cloud(*servers))

    assert (create_missing(CREATE) in _keys(world)) == missing
