"""After a deletion is committed, and when a server vanishes: only a 404 proves that it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import CloseWorker, DeleteServer, ProveGone, PurgeNode
from models.breakers import Breaker, BreakerName
from models.plan import Decision, Held, Reason
from models.records import RetireStep, WorkerState
from models.settings import PoolSettings
from models.sightings import server_missing
from models.world import Sighting, World
from reconcilers.pool import decide
from simulator.examples import (
    NOW,
    Machine,
    a_cloud,
    a_machine,
    a_node,
    a_retirement,
    a_server,
    a_world,
    an_id,
    an_identity,
)

SERVER = str(an_id("server", 1))


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _deleting(**worker: Any) -> Machine:
    retirement = a_retirement(step=RetireStep.SEEN)
    return a_machine(1, state=WorkerState.DELETING, retirement=retirement, **worker)


@pytest.mark.parametrize(
    ("sent_seconds_ago", "action"),
    [
        pytest.param(None, DeleteServer, id="never-sent"),
        pytest.param(60, Held, id="sent-a-minute-ago"),
        pytest.param(61, DeleteServer, id="sent-longer-ago"),
    ],
)
def test_a_listed_server_is_deleted_and_asked_for_again(
    sent_seconds_ago: int | None, action: type[Decision]
) -> None:
    sent = None if sent_seconds_ago is None else NOW - timedelta(seconds=sent_seconds_ago)

    (decision,) = _pool(a_world(_deleting(delete_sent_at=sent)))

    assert type(decision) is action
    assert decision.reason is Reason.DELETE_COMMITTED


def test_one_list_without_it_is_enough_to_ask_for_a_server_that_we_deleted() -> None:
    (decision,) = _pool(a_world(replace(_deleting(delete_sent_at=NOW), server=None)))

    assert isinstance(decision, ProveGone)
    assert decision.server_id == SERVER


def test_nothing_of_a_deletion_goes_on_without_the_cloud() -> None:
    world = replace(a_world(_deleting()), cloud=None)

    assert [d.reason for d in _pool(world)] == [Reason.SOURCE_UNKNOWN]


def test_a_deleting_row_without_a_server_has_nothing_to_delete() -> None:
    assert not _pool(a_world(Machine(worker=_deleting(server_id=None).worker)))


def _gone(**parts: Any) -> Machine:
    return replace(_deleting(gone_at=NOW), server=None, **parts)


def test_the_node_of_a_gone_server_is_purged_before_its_row_is_closed() -> None:
    (decision,) = _pool(a_world(_gone()))

    assert isinstance(decision, PurgeNode)
    assert decision.node_id == str(an_id("node", 1))
    assert decision.worker_id == 1


def test_each_node_of_a_gone_server_is_purged() -> None:
    first = _gone()
    assert first.node is not None
    assert first.identity is not None
    second = replace(first.node, id="zz")
    proof = replace(first.identity, node_id="zz")
    world = a_world(
        _gone(node=None), nomad={"nodes": (second,)}, store={"identities": {"zz": proof}}
    )

    (decision,) = _pool(world)

    assert isinstance(decision, PurgeNode)
    assert decision.node_id == "zz"


def test_a_row_is_closed_once_no_node_is_listed() -> None:
    (decision,) = _pool(a_world(_gone(node=None)))

    assert isinstance(decision, CloseWorker)


def test_a_row_stays_open_while_a_namesake_may_be_its_node() -> None:
    lonely = _gone(identity=None)
    machine = replace(lonely, worker=replace(lonely.worker, node_id=None))

    decisions = _pool(a_world(machine))

    assert [d.reason for d in decisions] == [Reason.NODE_NEW, Reason.NODE_NEW]
    assert isinstance(decisions[1], Held)


def test_nobody_closes_a_row_without_a_node_list() -> None:
    world = replace(a_world(_gone()), nomad=None)

    assert [d.reason for d in _pool(world)] == [Reason.SOURCE_UNKNOWN]


# ---- absence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sighting", "action"),
    [
        pytest.param(None, Held, id="first-seen-missing-now"),
        pytest.param((3, 121), ProveGone, id="missing-long-and-often"),
        pytest.param((2, 600), Held, id="missing-long-but-seldom"),
        pytest.param((9, 120), Held, id="missing-often-but-not-for-long"),
    ],
)
@pytest.mark.parametrize("state", [WorkerState.BOOTING, WorkerState.READY])
def test_a_missing_server_is_asked_for_only_after_lists_and_time(
    state: WorkerState, sighting: tuple[int, int] | None, action: type[Decision]
) -> None:
    memory = {}
    if sighting is not None:
        count, seconds = sighting
        first = NOW - timedelta(seconds=seconds)
        memory = {server_missing(SERVER): Sighting(count=count, first_at=first, snapshot=1)}
    machine = replace(a_machine(1, state=state), server=None, node=a_node(1, status="down"))

    (decision,) = _pool(a_world(machine, sightings=memory))

    assert type(decision) is action
    expected = Reason.SERVER_VANISHED if action is ProveGone else Reason.ABSENCE_UNPROVED
    assert decision.reason is expected


def test_a_machine_that_nomad_hears_is_there_whatever_the_cloud_lists() -> None:
    long_ago = Sighting(count=9, first_at=NOW - timedelta(hours=1), snapshot=1)
    machine = replace(a_machine(1, state=WorkerState.READY), server=None)

    (decision,) = _pool(a_world(machine, sightings={server_missing(SERVER): long_ago}))

    assert (type(decision), decision.reason) == (Held, Reason.ABSENCE_UNPROVED)
    assert "its node answers Nomad" in decision.because


def test_the_delete_protocol_rests_while_the_server_is_missing() -> None:
    machine = a_machine(1, retirement=a_retirement(step=RetireStep.SEEN, seen_at=NOW))

    (decision,) = _pool(a_world(replace(machine, server=None)))

    assert decision.reason is Reason.ABSENCE_UNPROVED


def test_without_the_cloud_nobody_is_absent() -> None:
    world = replace(a_world(a_machine(1)), cloud=None)

    assert [d.reason for d in _pool(world)] == [Reason.SOURCE_UNKNOWN]


# ---- nodes that are left behind ------------------------------------------------------------------


def _left_behind(status: str = "down", *, listed: bool = False, closed: bool = True) -> World:
    """A node that was proved to be a server without an open row."""
    node, server = a_node(7, status=status), a_server(7, metadata={})
    world = a_world(
        nomad={"nodes": (node,)},
        store={
            "identities": {node.id: an_identity(7)},
            "gone_nodes": frozenset({node.id} if closed else ()),
        },
    )
    return replace(world, cloud=a_cloud(*([server] if listed else [])))


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(_left_behind(), PurgeNode, id="its-server-is-proved-gone"),
        pytest.param(_left_behind("ready"), Held, id="it-still-reports"),
        pytest.param(_left_behind("disconnected"), Held, id="it-may-come-back"),
        pytest.param(_left_behind(listed=True), None, id="its-server-is-listed-after-all"),
        pytest.param(_left_behind(closed=False), None, id="nobody-proved-that-it-was-ours"),
        pytest.param(replace(_left_behind(), cloud=None), None, id="the-cloud-is-unknown"),
        pytest.param(
            replace(_left_behind(), busy=frozenset({f"node:{a_node(7).id}"})), None, id="in-flight"
        ),
    ],
)
def test_a_node_whose_server_is_proved_gone_is_purged_once_it_is_down(
    world: World, expected: type[Decision] | None
) -> None:
    found = [d for d in _pool(world) if d.reason is Reason.SERVER_GONE]

    assert [type(decision) for decision in found] == ([] if expected is None else [expected])
    assert all(str(decision.subject) == f"node:{a_node(7).id}" for decision in found)


@pytest.mark.parametrize("name", [BreakerName.SERVERS, BreakerName.NODES])
def test_no_node_is_purged_while_a_list_is_in_doubt(name: BreakerName) -> None:
    doubt = Breaker(id=1, name=name, opened_at=NOW, because="9 of 10", suspects={"gone": ""})
    world = _left_behind()

    decisions = _pool(replace(world, store=replace(world.store, breakers=(doubt,))))

    assert PurgeNode not in {type(decision) for decision in decisions}
