"""A worker is admitted once its server is proved, and a person's hand on its node is honoured."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import AdmitNode, CommitDelete, ConfirmAdmitted, MarkWorker
from models.plan import Decision, Held, Reason
from models.records import IntentKind, RetireCause, WorkerState
from models.settings import PoolSettings
from models.world import World
from reconcilers.pool import decide
from simulator.examples import (
    NOW,
    Machine,
    a_job,
    a_machine,
    a_world,
    an_id,
    an_intent,
)

NODE = str(an_id("node", 1))


def _pool(world: World, **settings: Any) -> list[Decision]:
    return decide(world, PoolSettings(**settings), NOW)


def _booting(machine: Machine | None = None, **node: Any) -> Machine:
    """A worker that boots since a minute; its node is as the image starts it."""
    made = machine or a_machine(1)
    assert made.node is not None
    worker = replace(
        made.worker,
        state=WorkerState.BOOTING,
        node_id=None,
        admitted_at=None,
        created_at=NOW - timedelta(minutes=1),
        booted_at=NOW - timedelta(seconds=50),
    )
    return replace(made, worker=worker, node=replace(made.node, **{"eligible": False, **node}))


def _server(machine: Machine, **changes: Any) -> Machine:
    assert machine.server is not None
    return replace(machine, server=replace(machine.server, **changes))


def test_a_joined_node_of_a_proved_server_is_made_eligible() -> None:
    (decision,) = _pool(a_world(_booting()))

    assert isinstance(decision, AdmitNode)
    assert decision.node_id == NODE
    assert decision.reason is Reason.SERVER_PROVED


def test_a_node_that_shows_eligible_makes_its_worker_ready() -> None:
    (decision,) = _pool(a_world(_booting(eligible=True)))

    assert isinstance(decision, ConfirmAdmitted)
    assert (decision.worker_id, decision.node_id) == (1, NODE)


def test_a_worker_that_is_ready_has_the_address_that_its_server_got_meanwhile() -> None:
    world = a_world(_booting(eligible=True))
    assert world.cloud is not None
    (server,) = world.cloud.servers
    cloud = replace(world.cloud, servers=(replace(server, address="10.0.0.77"),))

    (noted,) = _pool(replace(world, cloud=cloud))
    (unseen,) = (d for d in _pool(replace(world, cloud=None)) if type(d) is ConfirmAdmitted)

    assert isinstance(noted, ConfirmAdmitted)
    assert (noted.address, unseen.address) == ("10.0.0.77", None)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        pytest.param(
            replace(_booting(), node=None, identity=None), Reason.BOOTING, id="no-node-yet"
        ),
        pytest.param(_booting(status="initializing"), Reason.BOOTING, id="node-not-ready"),
        pytest.param(
            _server(_booting(), task_state="deleting"),
            Reason.ABSENCE_UNPROVED,
            id="server-active-but-being-deleted",
        ),
        pytest.param(
            _server(_booting(), status="DELETED"), Reason.ABSENCE_UNPROVED, id="server-deleted"
        ),
    ],
)
def test_a_worker_is_not_admitted_before_everything_is_in_order(
    machine: Machine, reason: Reason
) -> None:
    (decision,) = _pool(a_world(machine))

    assert isinstance(decision, Held)
    assert decision.reason is reason


def test_a_node_whose_server_is_not_proved_waits() -> None:
    machine = replace(_booting(), identity=None)

    decisions = _pool(a_world(machine))

    assert [d.reason for d in decisions] == [Reason.NODE_NEW, Reason.BOOTING]


def test_a_server_younger_than_the_list_is_neither_admitted_nor_missing() -> None:
    machine = _booting()
    young = replace(machine.worker, booted_at=NOW - timedelta(seconds=1))

    (decision,) = _pool(a_world(replace(machine, worker=young, server=None)))

    assert decision.reason is Reason.BOOTING


@pytest.mark.parametrize(
    ("kind", "left", "action"),
    [
        pytest.param(IntentKind.SET_ELIGIBLE, 5, Held, id="admission-is-on-its-way"),
        pytest.param(IntentKind.SET_INELIGIBLE, 5, Held, id="a-mark-is-on-its-way"),
        pytest.param(IntentKind.SET_ELIGIBLE, -5, AdmitNode, id="admission-was-never-answered"),
        pytest.param(IntentKind.PURGE_NODE, 5, AdmitNode, id="something-else-is-on-its-way"),
    ],
)
def test_an_admission_on_its_way_is_waited_for_and_then_sent_again(
    kind: IntentKind, left: int, action: type[Decision]
) -> None:
    intent = an_intent(kind=kind, subject=NODE, deadline=NOW + timedelta(seconds=left))

    (decision,) = _pool(a_world(_booting(), store={"intents": (intent,)}))

    assert type(decision) is action


def test_without_the_cloud_a_node_is_not_admitted_but_an_eligible_one_is_noted() -> None:
    shut, eligible = a_world(_booting()), a_world(_booting(eligible=True))

    assert not any(type(d) is AdmitNode for d in _pool(replace(shut, cloud=None)))
    assert any(type(d) is ConfirmAdmitted for d in _pool(replace(eligible, cloud=None)))


def test_without_nomad_nobody_is_admitted_or_retired() -> None:
    world = replace(a_world(_booting(), a_machine(2)), nomad=None)

    assert [d.reason for d in _pool(world)] == [Reason.SOURCE_UNKNOWN]


# ---- what failed to come up ----------------------------------------------------------------------


def _old(machine: Machine, minutes: int = 16) -> Machine:
    born = NOW - timedelta(minutes=minutes)
    return _server(
        replace(machine, worker=replace(machine.worker, created_at=born)), created_at=born
    )


NOT_JOINED = replace(_booting(), node=None, identity=None)
FAILED = _server(NOT_JOINED, status="ERROR", fault="No valid host was found.")


@pytest.mark.parametrize(
    ("machine", "cause"),
    [
        pytest.param(_old(NOT_JOINED), RetireCause.STALE, id="no-node-in-time"),
        pytest.param(FAILED, RetireCause.SERVER_ERROR, id="server-in-error"),
    ],
)
def test_a_worker_that_never_came_up_is_deleted_at_once(
    machine: Machine, cause: RetireCause
) -> None:
    (decision,) = _pool(a_world(machine))

    assert isinstance(decision, CommitDelete)
    assert decision.cause is cause
    assert decision.reason is Reason(cause.name)
    assert (decision.node_id, decision.modify_index) == (None, None)


@pytest.mark.parametrize(
    ("machine", "cause", "already"),
    [
        pytest.param(_old(_booting(status="down")), RetireCause.STALE, False, id="node-down"),
        pytest.param(
            replace(_old(_booting()), node=None), RetireCause.STALE, True, id="node-unlisted"
        ),
        pytest.param(
            _server(_booting(), status="ERROR"),
            RetireCause.SERVER_ERROR,
            False,
            id="server-failed-after-its-node-joined",
        ),
        pytest.param(
            _server(a_machine(1), status="ERROR"),
            RetireCause.SERVER_ERROR,
            False,
            id="server-failed-while-ready",
        ),
    ],
)
def test_whatever_has_a_node_goes_through_the_delete_protocol(
    machine: Machine, cause: RetireCause, *, already: bool
) -> None:
    (decision,) = _pool(a_world(machine))

    assert isinstance(decision, MarkWorker)
    assert (decision.cause, decision.already, decision.node_id) == (cause, already, NODE)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(_old(NOT_JOINED, minutes=15), id="in-time-to-the-second"),
        pytest.param(replace(_old(_booting()), identity=None), id="a-namesake-is-unidentified"),
        pytest.param(_old(_booting()), id="its-node-is-ready-and-only-late"),
        pytest.param(_server(_old(NOT_JOINED), task_state="deleting"), id="being-deleted-anyway"),
        pytest.param(_server(_old(NOT_JOINED), created_at=NOW), id="its-server-came-late"),
    ],
)
def test_a_worker_that_may_still_come_up_is_not_stale(machine: Machine) -> None:
    decisions = _pool(a_world(machine))

    assert not any(type(d) in {CommitDelete, MarkWorker} for d in decisions)


@pytest.mark.parametrize("source", ["nomad", "cloud"])
def test_nothing_is_called_failed_without_both_sources(source: str) -> None:
    changes: dict[str, Any] = {source: None}
    world = a_world(FAILED, _old(_server(a_machine(2), status="ERROR")))

    decisions = _pool(replace(world, **changes))

    assert not any(type(d) in {CommitDelete, MarkWorker} for d in decisions)


def test_a_worker_in_time_to_the_second_still_boots() -> None:
    (decision,) = _pool(a_world(_old(NOT_JOINED, minutes=15)))

    assert decision.reason is Reason.BOOTING


def test_an_overdue_worker_that_is_not_deleted_yet_says_so() -> None:
    late = _server(_old(NOT_JOINED), task_state="deleting")

    (decision,) = _pool(a_world(late))

    assert isinstance(decision, Held)
    assert decision.reason is Reason.STALE


def test_a_node_whose_server_failed_is_not_admitted_though_it_waits_to_be_deleted() -> None:
    machine = _server(_booting(), status="ERROR")
    needed = (a_job(id=1), a_job(id=2))

    decisions = _pool(a_world(machine, store={"ready": needed}))

    (about,) = [d for d in decisions if str(d.subject) == "worker:os-worker-001"]
    assert (type(about), about.reason) == (Held, Reason.SERVER_ERROR)


# ---- ready workers -------------------------------------------------------------------------------


def _ready(machine: Machine | None = None, **node: Any) -> Machine:
    made = machine or a_machine(1)
    assert made.node is not None
    return replace(made, node=replace(made.node, **node))


def test_a_booting_worker_whose_node_a_person_drains_goes() -> None:
    """It was waited for until the end of time, and counted as one that comes."""
    (decision,) = _pool(a_world(_booting(draining=True)))

    assert isinstance(decision, MarkWorker)
    assert (decision.cause, decision.already) == (RetireCause.PERSON, True)


def test_a_node_made_ineligible_by_a_person_retires_its_worker_without_a_call() -> None:
    (decision,) = _pool(a_world(_ready(eligible=False)))

    assert isinstance(decision, MarkWorker)
    assert decision.already
    assert decision.cause is RetireCause.PERSON
    assert decision.by == "person (Nomad)"


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(_ready(status="down"), id="down"),
        pytest.param(replace(a_machine(1), node=None), id="unlisted"),
    ],
)
def test_a_ready_worker_whose_node_is_down_is_only_reported(machine: Machine) -> None:
    # A list without any node would prove nothing: another worker is listed.
    another = a_machine(9, busy_at=NOW)
    (decision,) = (d for d in _pool(a_world(machine, another)) if "001" in str(d.subject))

    assert isinstance(decision, Held)
    assert decision.reason is Reason.NODE_DOWN


def test_a_node_list_older_than_the_admission_shows_no_persons_hand() -> None:
    machine = _ready(eligible=False)
    young = replace(machine.worker, admitted_at=NOW)

    assert not _pool(a_world(replace(machine, worker=young)))


def test_a_call_of_ours_without_an_answer_is_not_taken_for_a_persons_hand() -> None:
    lost = an_intent(kind=IntentKind.SET_INELIGIBLE, subject=NODE)

    (decision,) = _pool(a_world(_ready(eligible=False), store={"intents": (lost,)}))

    assert isinstance(decision, Held)
    assert decision.reason is Reason.INTENT_OPEN


def test_a_target_with_an_action_in_flight_gets_no_second_one() -> None:
    world = a_world(_booting(), busy=frozenset({"worker:os-worker-001"}))

    assert not _pool(world)
