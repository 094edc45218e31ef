"""A server without a row gets one, unless somebody answers for it."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from models.changes import AdoptWorker, CloseWorkerRow, NoteGone, NoteNode
from models.errors import Superseded
from models.ports import Asked
from models.records import NodeIdentity, RetireCause, Retirement, RetireStep, Worker, WorkerState
from simulator.examples import FLAVOR
from tests.plugins.stores import Desk


def adoption(desk: Desk) -> AdoptWorker:
    """The change that adopts a server that nobody knows."""
    return AdoptWorker(
        at=desk.now(),
        name="os-worker-900",
        flavor=FLAVOR,
        server_id="server-900",
        address="10.0.0.90",
        intent_id=uuid4(),
    )


def test_an_adopted_server_has_a_booting_worker_and_is_counted(desk: Desk) -> None:
    change = adoption(desk)
    worker = desk.do(change).worker
    assert worker is not None
    assert desk.view().workers == (worker,)
    assert (worker.state, worker.name, worker.flavor) == (
        WorkerState.BOOTING,
        change.name,
        FLAVOR,
    )
    assert (worker.server_id, worker.address, worker.intent_id) == (
        change.server_id,
        change.address,
        change.intent_id,
    )
    assert worker.created_at == worker.booted_at == change.at
    assert desk.doors.reader.totals()["servers.created"] == 1
    desk.refuses(replace(change, name="os-worker-901"), Superseded)


@pytest.mark.parametrize("place", ["booting", "ready", "deleting"])
def test_a_server_that_has_a_worker_is_not_adopted(desk: Desk, place: str) -> None:
    worker = desk.at(place)
    assert worker.server_id is not None
    desk.refuses(replace(adoption(desk), server_id=worker.server_id), Superseded)


def test_the_closed_row_of_a_server_that_is_back_is_opened_again(desk: Desk) -> None:
    closed = desk.closed()
    assert closed.server_id is not None
    assert desk.doors.reader.totals()["servers.deleted"] == 1
    change = replace(adoption(desk), server_id=closed.server_id)
    adopted = desk.do(change).worker
    assert adopted == Worker(
        id=closed.id,
        name=change.name,
        flavor=change.flavor,
        state=WorkerState.BOOTING,
        intent_id=change.intent_id,
        created_at=change.at,
        server_id=closed.server_id,
        address=change.address,
        booted_at=change.at,
    )
    assert desk.view().workers == (adopted,)
    totals = desk.doors.reader.totals()
    assert (totals["servers.created"], totals["servers.deleted"]) == (1, 0)
    desk.refuses(replace(change, name="os-worker-901"), Superseded)
    desk.do(NoteGone(at=desk.now(), worker_id=closed.id))
    desk.do(CloseWorkerRow(at=desk.now(), worker_id=closed.id))
    assert desk.doors.reader.totals()["servers.deleted"] == 1


def test_a_worker_that_a_person_sent_away_is_still_to_go_when_its_server_is_back(
    desk: Desk,
) -> None:
    worker = desk.ready()
    asked = Asked(actor="ada", reason="")
    desk.doors.operations.retire([worker.name], asked, forced=True)
    desk.do(NoteGone(at=desk.now(), worker_id=worker.id))
    desk.do(CloseWorkerRow(at=desk.now(), worker_id=worker.id))
    assert worker.server_id is not None
    change = replace(adoption(desk), server_id=worker.server_id)
    adopted = desk.do(change).worker
    assert adopted is not None
    assert adopted.retirement == Retirement(
        cause=RetireCause.PERSON,
        by="ada",
        step=RetireStep.MARKING,
        started_at=change.at,
        forced=True,
    )


def test_a_name_that_an_open_worker_has_is_not_given_again(desk: Desk) -> None:
    desk.refuses(replace(adoption(desk), name=desk.ready().name), Superseded)
    desk.do(replace(adoption(desk), name=desk.closed().name))


def test_a_server_whose_create_is_awaited_is_recorded_and_not_adopted(desk: Desk) -> None:
    worker = desk.creating()
    desk.refuses(replace(adoption(desk), intent_id=worker.intent_id), Superseded)


def test_the_late_effect_of_a_create_that_was_given_up_is_adopted(desk: Desk) -> None:
    worker = desk.refuted()
    change = replace(adoption(desk), name=worker.name, intent_id=worker.intent_id)
    adopted = desk.do(change).worker
    assert adopted is not None
    assert adopted.id != worker.id
    assert desk.worker(worker.id).state is WorkerState.CLOSED


def test_nodes_of_servers_that_are_proved_gone_are_shown_until_their_server_is_back(
    desk: Desk,
) -> None:
    at_work, closed = desk.ready(), desk.closed()
    back = NodeIdentity(
        node_id="back", server_id=closed.server_id, name=closed.name, node_class=FLAVOR
    )
    strange = replace(back, node_id="strange", server_id="nobodys")
    for identity in (back, strange):
        desk.do(NoteNode(at=desk.now(), identity=identity))
    view = desk.view()
    assert at_work.node_id in view.identities
    assert view.gone_nodes - {closed.node_id} == {"back"}
    assert closed.server_id is not None
    desk.do(replace(adoption(desk), server_id=closed.server_id))
    assert desk.view().gone_nodes == frozenset()


@pytest.mark.parametrize("closed", [False, True], ids=["unknown-to-us", "closed-before"])
def test_a_server_outside_the_pool_is_adopted_as_such(desk: Desk, closed: bool) -> None:
    change = replace(adoption(desk), outside_pool=True)
    if closed:
        change = replace(change, server_id=desk.closed().server_id or "")
    worker = desk.do(change).worker
    assert worker is not None
    assert worker.outside_pool
    assert desk.worker(worker.id) == worker
