"""A worker outside the pool gets no job and is no failed boot; it counts, and it goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import AdmitNode, AdoptServer, CommitDelete, CreateServer, MarkWorker
from models.fleet import NO_POOL, POOL_METADATA, join
from models.plan import Decision, Held, Reason
from models.records import RetireCause, WorkerState
from models.settings import PoolSettings
from models.sightings import server_unclaimed
from models.world import Sighting, World
from reconcilers.pool import decide
from simulator.examples import NOW, Machine, a_job, a_machine, a_world

HOUR = timedelta(hours=1)
WAITING = {"ready": (a_job(),)}


def decided(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def apart(*, joined: bool = False, status: str = "ACTIVE", keep: timedelta = HOUR) -> Machine:
    """A worker outside the pool, up for hours; `joined`: somebody started its Nomad client."""
    made = a_machine(1)
    assert made.server is not None
    assert made.node is not None
    worker = replace(
        made.worker,
        state=WorkerState.BOOTING,
        node_id=None,
        admitted_at=None,
        outside_pool=True,
        keep_until=NOW + keep,
    )
    server = replace(made.server, status=status)
    if joined:
        node = replace(made.node, eligible=False)
        return replace(made, worker=worker, server=server, node=node)
    return replace(made, worker=worker, server=server, node=None, identity=None)


def test_it_stays_for_as_long_as_it_was_ordered_and_is_never_stale() -> None:
    (decision,) = decided(a_world(apart()))
    assert isinstance(decision, Held)
    assert decision.reason is Reason.OUTSIDE_POOL
    assert "no job runs on it" in decision.because


@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("10.77.0.9", ", at 10.77.0.9:", id="known"),
        pytest.param(None, " (no address yet):", id="still-built"),
    ],
)
def test_who_ordered_it_learns_where_it_is(address: str | None, told: str) -> None:
    made = apart()
    assert made.server is not None
    server = replace(made.server, address=address)
    worker = replace(made.worker, address=None)
    (decision,) = decided(a_world(replace(made, worker=worker, server=server)))
    assert f"{worker.name} is outside the pool{told}" in decision.because


def test_it_is_deleted_when_its_time_is_over() -> None:
    (decision,) = decided(a_world(apart(keep=timedelta())))
    assert isinstance(decision, CommitDelete)
    assert (decision.cause, decision.node_id) == (RetireCause.PERSON, None)


def test_a_node_of_it_is_not_admitted() -> None:
    (decision,) = decided(a_world(apart(joined=True)))
    assert isinstance(decision, Held)
    assert "is not admitted" in decision.because
    assert not isinstance(decision, AdmitNode)


def test_one_that_became_a_node_all_the_same_goes_by_the_protocol() -> None:
    (decision,) = decided(a_world(apart(joined=True, keep=timedelta())))
    assert isinstance(decision, MarkWorker)


def test_one_whose_server_failed_goes_as_any_other() -> None:
    (decision,) = decided(a_world(apart(status="ERROR")))
    assert isinstance(decision, CommitDelete)
    assert decision.reason is Reason.SERVER_ERROR


@pytest.mark.parametrize(
    ("outside_pool", "created"),
    [
        pytest.param(True, 1, id="one-outside-the-pool-is-nobodys-supply"),
        pytest.param(False, 0, id="another-one-that-boots-is-waited-for"),
    ],
)
def test_a_waiting_job_is_not_kept_waiting_for_it(outside_pool: bool, created: int) -> None:
    made = apart()
    young = replace(made.worker, outside_pool=outside_pool, created_at=NOW - timedelta(minutes=1))
    decisions = decided(a_world(replace(made, worker=young), store=WAITING))
    assert sum(isinstance(d, CreateServer) for d in decisions) == created


def test_it_counts_against_the_cap() -> None:
    decisions = decided(a_world(apart(), store=WAITING), max_workers=1)
    assert not [d for d in decisions if isinstance(d, CreateServer)]
    assert Reason.MAX_WORKERS in {d.reason for d in decisions}


@pytest.mark.parametrize("state", [WorkerState.CREATING, WorkerState.BOOTING])
def test_it_is_neither_free_nor_coming(state: WorkerState) -> None:
    made = apart()
    (member,) = join(a_world(replace(made, worker=replace(made.worker, state=state))))
    assert not member.is_coming
    assert not member.is_free


def test_one_that_no_row_knows_is_adopted_as_what_it_is() -> None:
    server = apart().server
    assert server is not None
    metadata = {**server.metadata, POOL_METADATA: NO_POOL}
    world = a_world(replace(apart(), server=replace(server, metadata=metadata)))
    unknown = replace(world, store=replace(world.store, workers=()))
    seen = Sighting(first_at=NOW - HOUR, count=10, snapshot=1)
    remembered = replace(unknown, sightings={server_unclaimed(server.id): seen})
    adopted = [d for d in decided(remembered) if isinstance(d, AdoptServer)]
    assert [decision.outside_pool for decision in adopted] == [True]
