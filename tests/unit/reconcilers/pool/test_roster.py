"""The roster passes over those of whom there is nothing to decide, and over nobody else."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from models.records import WorkerState
from models.settings import DEFAULT_SETTINGS
from models.world import World
from reconcilers.pool.admit import serving
from reconcilers.pool.roster import roster
from reconcilers.pool.survey import Survey
from simulator.examples import NOW, a_machine, a_world
from simulator.strategies import worlds

SETTLED = a_machine(1)


def _groups(world: World) -> set[str]:
    found = Survey.of(world, DEFAULT_SETTINGS.pool, DEFAULT_SETTINGS.breaker, NOW).roster
    groups = ("unsettled", "doubtful", "retiring", "leaving")
    return {group for group in groups if getattr(found, group)}


@pytest.mark.parametrize(
    ("server", "node", "worker", "groups"),
    [
        pytest.param({}, {}, {}, set(), id="at-work"),
        pytest.param({"status": "ERROR"}, {}, {}, {"doubtful"}, id="its-server-failed"),
        pytest.param({}, {"status": "down"}, {}, {"unsettled", "doubtful"}, id="its-node-is-away"),
        pytest.param({}, {"eligible": False}, {}, {"unsettled"}, id="a-person-marked-its-node"),
        pytest.param(
            {},
            {},
            {"state": WorkerState.BOOTING, "admitted_at": None},
            {"unsettled", "doubtful"},
            id="booting",
        ),
        pytest.param(
            {}, {}, {"state": WorkerState.DELETING}, {"unsettled", "leaving"}, id="being-deleted"
        ),
    ],
)
def test_a_worker_is_in_the_groups_of_what_may_be_decided_about_it(
    server: dict[str, Any], node: dict[str, Any], worker: dict[str, Any], groups: set[str]
) -> None:
    assert SETTLED.server is not None
    assert SETTLED.node is not None
    machine = replace(
        SETTLED,
        worker=replace(SETTLED.worker, **worker),
        server=replace(SETTLED.server, **server),
        node=replace(SETTLED.node, **node),
    )

    assert _groups(a_world(machine)) == groups


@given(world=worlds())
def test_whom_the_roster_passes_over_serves_and_needs_nothing(world: World) -> None:
    survey = Survey.of(world, DEFAULT_SETTINGS.pool, DEFAULT_SETTINGS.breaker, NOW)

    for member in survey.members:
        if member not in survey.roster.unsettled:
            assert member.worker.state is WorkerState.READY
            assert member.worker.retirement is None
            assert not survey.is_missing(member)
            assert serving(survey, member) is None


@given(world=worlds())
def test_everybody_is_counted_once(world: World) -> None:
    members = Survey.of(world, DEFAULT_SETTINGS.pool, DEFAULT_SETTINGS.breaker, NOW).members
    found = roster(members)

    assert sum(found.flavors.values()) == len(members)
    assert found.serving == sum(
        m.worker.state is WorkerState.READY and m.worker.retirement is None for m in members
    )
