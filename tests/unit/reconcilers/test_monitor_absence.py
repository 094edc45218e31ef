"""A run that is missing from Nomad is not requeued on the word of a list that is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import FailRun
from models.breakers import Breaker, BreakerName
from models.lifecycle import Status
from models.plan import Decision, Held, Reason
from models.records import RunEnd, WorkerState
from models.settings import BreakerSettings, MonitorSettings
from models.sightings import child_missing
from models.world import Sighting, World
from reconcilers.monitor import decide
from simulator.examples import (
    NOW,
    Machine,
    a_child,
    a_claimed_run,
    a_machine,
    a_world,
    an_id,
    in_flight,
)

RUN = a_claimed_run()
MISSING = {child_missing(RUN.id): Sighting(count=9, first_at=NOW, snapshot=1)}
OPEN: dict[str, Any] = {
    "id": 1,
    "opened_at": NOW - timedelta(minutes=5),
    "because": "9 of 10",
    "suspects": {str(an_id("server", 3)): "os-worker-003"},
}


def _world(*machines: Machine, breakers: Sequence[Breaker] = (), **nomad: Any) -> World:
    """The child of a run on worker 1 is missing since long."""
    flight = in_flight(Status.PROCESSING, run=RUN)
    store = {"in_flight": (flight,), "breakers": tuple(breakers)}
    return a_world(*machines, store=store, nomad=nomad, sightings=MISSING)


def _decided(world: World, limits: BreakerSettings | None = None) -> Decision:
    (decision,) = decide(world, MonitorSettings(), NOW, limits or BreakerSettings())
    return decision


def _nodeless(*numbers: int) -> list[Machine]:
    return [replace(a_machine(number), node=None) for number in numbers]


def test_it_is_requeued_when_its_node_is_there_and_nothing_is_in_doubt() -> None:
    decision = _decided(_world(a_machine(1)))
    assert isinstance(decision, FailRun)
    assert decision.end is RunEnd.LOST


@pytest.mark.parametrize("name", BreakerName)
def test_not_while_a_breaker_is_open(name: BreakerName) -> None:
    decision = _decided(_world(a_machine(1), breakers=[Breaker(name=name, **OPEN)]))
    assert (type(decision), decision.reason) == (Held, Reason.BREAKER_OPEN)
    assert f"breaker {name} is open" in decision.because


def test_but_when_a_person_has_closed_it() -> None:
    closed = Breaker(
        name=BreakerName.NODES,
        **{**OPEN, "closed_at": NOW, "closed_by": "ada", "close_reason": "burnt"},
        accepted=frozenset(OPEN["suspects"]),
    )
    assert isinstance(_decided(_world(a_machine(1), breakers=[closed])), FailRun)


@pytest.mark.parametrize(
    ("missing", "held"), [pytest.param(5, False, id="few"), pytest.param(6, True, id="many")]
)
def test_nor_while_more_nodes_are_missing_than_chance_explains(missing: int, *, held: bool) -> None:
    """Whether the pool has opened the breaker yet, or runs at all, does not matter."""
    world = _world(a_machine(1), *_nodeless(*range(2, 2 + missing)), a_machine(20))
    decision = _decided(world)
    assert isinstance(decision, Held if held else FailRun)
    if held:
        assert decision.reason is Reason.BREAKER_OPEN
        assert "6 of the 8 nodes" in decision.because
        assert isinstance(_decided(world, BreakerSettings(missing=9)), FailRun)


def test_nor_when_nomad_has_forgotten_its_node_as_well() -> None:
    decision = _decided(_world(*_nodeless(1), a_machine(2)))
    assert (type(decision), decision.reason) == (Held, Reason.ABSENCE_UNPROVED)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(
            a_machine(1, state=WorkerState.DELETING, gone_at=NOW), id="its-server-is-gone"
        ),
        pytest.param(a_machine(7), id="its-worker-is-closed"),
    ],
)
def test_until_its_machine_is_proved_gone(machine: Machine) -> None:
    decision = _decided(_world(replace(machine, node=None), a_machine(2)))
    assert isinstance(decision, FailRun)


def test_a_run_that_nomad_itself_calls_lost_is_no_absence() -> None:
    """Half of the nodes went down, and Nomad says so of each: that is a fact, not a doubt."""
    breaker = Breaker(name=BreakerName.SERVERS, **OPEN)
    lost = a_child(RUN, status="dead", lost=1)
    decision = _decided(_world(a_machine(1), breakers=[breaker], jobs=(lost,)))
    assert isinstance(decision, FailRun)
    assert decision.reason is Reason.WORKER_LOST
