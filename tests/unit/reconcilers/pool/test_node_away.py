"""A ready worker whose node went away while its server stays gets as long as a boot, then goes.

Without this rule such a worker holds its place in the pool for ever: found by the life of an
installation (tests/stateful), with a machine that fell silent and never came back.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.actions import MarkWorker
from models.plan import Decision, Held, Reason
from models.records import RetireCause
from models.settings import PoolSettings
from models.sightings import advance, node_away
from models.world import Sighting, World
from reconcilers.pool import decide
from simulator.examples import NOW, Machine, a_machine, a_node, a_world, an_allocation, an_id

SERVER = str(an_id("server", 1))
LONG_AGO = NOW - timedelta(days=1)
SILENT = replace(
    a_machine(1, created_at=LONG_AGO, admitted_at=LONG_AGO), node=a_node(1, status="down")
)
UNLISTED = replace(SILENT, node=None)
WELL = a_machine(9)


def _away_for(world: World, minutes: float) -> World:
    since = NOW - timedelta(minutes=minutes)
    sighting = Sighting(count=2, first_at=since, snapshot=1)
    return replace(world, sightings={node_away(SERVER): sighting})


def _first(world: World) -> Decision:
    """What is decided first about the worker itself."""
    decisions = decide(world, PoolSettings(idle_for=timedelta(days=1)), NOW)
    return next(d for d in decisions if str(d.subject) == "worker:os-worker-001")


@pytest.mark.parametrize("machine", [SILENT, UNLISTED], ids=["down", "unlisted"])
@pytest.mark.parametrize(
    ("minutes", "kind", "reason"),
    [
        pytest.param(0, Held, Reason.NODE_DOWN, id="just-seen"),
        pytest.param(15, Held, Reason.NODE_DOWN, id="as-long-as-a-boot"),
        pytest.param(15.1, MarkWorker, Reason.STALE, id="longer"),
    ],
)
def test_a_worker_whose_node_stays_away_is_stale(
    machine: Machine, minutes: float, kind: type[Decision], reason: Reason
) -> None:
    # Were it the only one, an empty list would prove nothing (`breaker`).
    decision = _first(_away_for(a_world(machine, WELL), minutes))
    assert (type(decision), decision.reason) == (kind, reason)
    if isinstance(decision, MarkWorker):
        assert decision.cause is RetireCause.STALE


def test_it_is_left_alone_while_anything_on_it_may_be_running() -> None:
    world = a_world(SILENT)
    assert world.nomad is not None
    alive = an_allocation(node_id=a_node(1).id)
    nomad = replace(world.nomad, allocations=(alive,))
    decisions = decide(_away_for(replace(world, nomad=nomad), 60), PoolSettings(), NOW)
    assert not any(isinstance(d, MarkWorker) for d in decisions)


@pytest.mark.parametrize(
    ("world", "seen"),
    [
        pytest.param(a_world(SILENT), True, id="down"),
        pytest.param(a_world(UNLISTED), True, id="unlisted"),
        pytest.param(a_world(a_machine(1)), False, id="ready"),
    ],
)
def test_its_absence_is_counted_over_snapshots(world: World, *, seen: bool) -> None:
    assert (node_away(SERVER) in advance({}, world)) is seen
