"""What the port `Orchestrator` promises, of the simulator and of the adapter over HTTP alike."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.errors import Malformed, NotFound, PortError, Throttled, Unavailable, Unknown
from models.fleet import DEPLOYMENT_META, FINGERPRINT_META, RUN_META
from models.job_types import DEFAULT_REGISTRY
from models.ports import Orchestrator
from models.world import Node
from simulator.faults import Fault
from simulator.nomad.rows import Options
from tests.plugins.nomad import (
    ADMITTING,
    COMMAND,
    DEPLOYMENT,
    PARENT,
    MakeNomad,
    NomadInTest,
    Watcher,
    an_order,
    eventually,
)

# ---- the snapshot --------------------------------------------------------------------------------


def test_a_snapshot_of_an_empty_cluster_is_empty_and_no_error(nomad: NomadInTest) -> None:
    seen = nomad.port.snapshot()
    assert (seen.nodes, seen.evaluations, seen.allocations) == ((), (), ())
    assert [job.id for job in seen.jobs] == [PARENT]


def test_nodes_are_shown_with_class_status_and_eligibility(nomad: NomadInTest) -> None:
    node_id = nomad.boot("os-worker-042")
    starting = nomad.port.snapshot().nodes[0]
    nomad.wait(10)
    ready = nomad.port.snapshot().nodes[0]
    assert (starting.status, ready.status) == ("initializing", "ready")
    assert ready == Node(
        id=node_id,
        name="os-worker-042",
        node_class="hm.medium",
        status="ready",
        eligible=True,
        draining=False,
        create_index=starting.create_index,
        modify_index=ready.modify_index,
        address="10.0.0.7",
    )
    assert starting.modify_index == starting.create_index < ready.modify_index


def test_nodes_join_ineligible_where_the_image_says_so(make_nomad: MakeNomad) -> None:
    nomad = make_nomad(Options(default_ineligible=True))
    nomad.ready_node()
    (node,) = nomad.port.snapshot().nodes
    assert node.status == "ready"
    assert not node.eligible


def test_every_list_is_complete_and_in_its_order(nomad: NomadInTest) -> None:
    for number in range(12):
        nomad.boot(f"os-worker-{number:03}")
    nomad.wait(10)
    for _ in range(20):
        nomad.port.dispatch(an_order())
    nomad.wait(10)
    seen = nomad.port.snapshot()
    assert (len(seen.nodes), len(seen.jobs)) == (12, 21)
    assert (len(seen.allocations), len(seen.evaluations)) == (12, 8)
    assert [node.id for node in seen.nodes] == sorted(node.id for node in seen.nodes)
    assert [job.id for job in seen.jobs] == sorted(job.id for job in seen.jobs)
    for rows in (seen.evaluations, seen.allocations):
        indexes = [row.create_index for row in rows]
        assert indexes == sorted(indexes)


def test_jobs_of_another_deployment_are_not_listed_but_what_they_run_is(nomad: NomadInTest) -> None:
    foreign = replace(_parent(), id="hrsi-other-si-processing-hm.medium")
    nomad.port.register(foreign, "other")
    nomad.ready_node()
    child = nomad.port.dispatch(replace(an_order(), parent=foreign.id))
    waiting = nomad.port.dispatch(replace(an_order(), parent=foreign.id))
    nomad.wait(10)
    seen = nomad.port.snapshot()
    assert [job.id for job in seen.jobs] == [PARENT]
    assert [a.job_id for a in seen.allocations] == [child]
    assert [e.job_id for e in seen.evaluations] == [waiting]


def test_dead_children_stay_listed_and_terminal_allocations_do_not(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.exit(child, 0)
    seen = nomad.port.snapshot()
    assert nomad.job(child).status == "dead"
    assert (seen.evaluations, seen.allocations) == ((), ())


def test_snapshots_are_numbered_and_their_index_never_falls(nomad: NomadInTest) -> None:
    first = nomad.port.snapshot()
    nomad.port.dispatch(an_order())
    second, third = nomad.port.snapshot(), nomad.port.snapshot()
    assert first.number < second.number < third.number
    assert first.index < second.index == third.index


# ---- faults: an error is never an empty list -----------------------------------------------------

CALLS: dict[str, tuple[bool, Callable[[Orchestrator], Any]]] = {
    "snapshot": (False, lambda port: port.snapshot()),
    "identify": (False, lambda port: port.identify("some-node")),
    "modify_index": (False, lambda port: port.modify_index("some-node")),
    "exit_code": (False, lambda port: port.exit_code("some-job")),
    "dispatch": (True, lambda port: port.dispatch(an_order())),
    "register": (True, lambda port: port.register(_parent(), DEPLOYMENT)),
    "set_eligibility": (True, lambda port: port.set_eligibility("some-node", eligible=True)),
    "stop": (True, lambda port: port.stop("some-job")),
    "evaluate": (True, lambda port: port.evaluate(PARENT)),
    "purge": (True, lambda port: port.purge("some-node")),
}
OUTCOMES: dict[Fault, tuple[type[PortError], type[PortError]]] = {
    Fault.REFUSED: (Unavailable, Unavailable),
    Fault.THROTTLED: (Throttled, Throttled),
    Fault.TIMEOUT: (Unavailable, Unknown),
}


@pytest.mark.parametrize("fault", OUTCOMES, ids=lambda fault: fault.value)
@pytest.mark.parametrize("operation", CALLS)
def test_a_call_that_fails_says_how(nomad: NomadInTest, operation: str, fault: Fault) -> None:
    writes, call = CALLS[operation]
    nomad.faults.order(f"nomad.{operation}", fault)
    before = nomad.cluster.state.index
    with pytest.raises(PortError) as caught:
        call(nomad.hurried)
    assert type(caught.value) is OUTCOMES[fault][writes]
    assert nomad.cluster.state.index == before


def test_who_is_throttled_is_told_when_to_come_back(nomad: NomadInTest) -> None:
    nomad.faults.order("nomad.snapshot", Fault.THROTTLED)
    with pytest.raises(Throttled) as caught:
        nomad.port.snapshot()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > timedelta(0)


def test_a_read_whose_answer_is_lost_is_unavailable(nomad: NomadInTest) -> None:
    nomad.faults.order("nomad.snapshot", Fault.LOST_REPLY)
    with pytest.raises(Unavailable):
        nomad.port.snapshot()
    assert nomad.port.snapshot().jobs


def test_a_write_whose_answer_is_lost_was_done(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    nomad.faults.order("nomad.set_eligibility", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        nomad.port.set_eligibility(node_id, eligible=False)
    (node,) = nomad.port.snapshot().nodes
    assert not node.eligible
    assert nomad.port.set_eligibility(node_id, eligible=False) == 0


# ---- dispatch ------------------------------------------------------------------------------------


def test_a_child_is_named_by_parent_prefix_time_and_chance(nomad: NomadInTest) -> None:
    child = nomad.port.dispatch(an_order())
    assert re.fullmatch(rf"{re.escape(PARENT)}/dispatch-j7-a1-\d{{10}}-[0-9a-f]{{8}}", child)


def test_a_child_carries_the_meta_of_its_run_and_its_parent(nomad: NomadInTest) -> None:
    order = an_order()
    child = nomad.job(nomad.port.dispatch(order))
    assert child.parent_id == PARENT
    assert order.meta.items() <= child.meta.items()
    assert not child.stopped


def test_dispatch_answers_before_anything_is_scheduled(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.port.dispatch(an_order())
    seen = nomad.port.snapshot()
    assert nomad.job(child).status == "pending"
    assert [(e.job_id, e.status) for e in seen.evaluations] == [(child, "pending")]
    assert seen.allocations == ()


def test_the_same_token_gives_the_same_child_and_makes_it_once(nomad: NomadInTest) -> None:
    order = an_order()
    first = nomad.port.dispatch(order)
    nomad.wait(10)
    assert nomad.port.dispatch(replace(order, priority=90, payload=b"other")) == first
    assert len(nomad.children()) == 1


def test_a_token_is_kept_by_a_dead_child(nomad: NomadInTest) -> None:
    nomad.ready_node()
    order = an_order()
    child = nomad.port.dispatch(order)
    nomad.wait(10)
    nomad.exit(child, 1)
    assert nomad.port.dispatch(order) == child


def test_a_collected_child_sets_its_token_free(nomad: NomadInTest) -> None:
    nomad.ready_node()
    order = an_order()
    child = nomad.port.dispatch(order)
    nomad.wait(10)
    nomad.exit(child, 0)
    nomad.wait(5 * 3600)
    assert nomad.children() == []
    again = nomad.port.dispatch(order)
    assert again != child
    assert [job.id for job in nomad.children()] == [again]


def test_a_dispatch_whose_answer_is_lost_is_found_again_by_its_token(nomad: NomadInTest) -> None:
    order = an_order()
    nomad.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        nomad.port.dispatch(order)
    (made,) = nomad.children()
    assert made.meta[RUN_META] == str(order.token)
    assert nomad.port.dispatch(order) == made.id


def test_a_lost_dispatch_may_take_effect_later(make_nomad: MakeNomad) -> None:
    nomad = make_nomad(replace(ADMITTING, late_effect=timedelta(seconds=30)))
    nomad.register()
    nomad.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    order = an_order()
    with pytest.raises(Unknown):
        nomad.port.dispatch(order)
    assert nomad.children() == []
    nomad.wait(31)
    (made,) = nomad.children()
    assert nomad.port.dispatch(order) == made.id


def test_the_answer_to_a_lost_race_names_a_child_that_does_not_exist(nomad: NomadInTest) -> None:
    nomad.cluster.answer_next_dispatch_with_phantom()
    order = an_order()
    answered = nomad.port.dispatch(order)
    (real,) = nomad.children()
    assert answered != real.id
    assert real.meta[RUN_META] == str(order.token)
    assert nomad.port.dispatch(order) == real.id


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"parent": "hrsi-test-nothing"}, NotFound, id="unknown-parent"),
        pytest.param({"meta": {}}, Malformed, id="required-meta-missing"),
        pytest.param({"payload": b"x" * 16_385}, Malformed, id="payload-too-long"),
        pytest.param({"priority": 101}, Malformed, id="priority-out-of-bounds"),
    ],
)
def test_a_senseless_dispatch_is_refused_for_good(
    nomad: NomadInTest, change: dict[str, Any], error: type[PortError]
) -> None:
    with pytest.raises(error):
        nomad.port.dispatch(replace(an_order(), **change))
    assert nomad.children() == []


def test_meta_that_the_parent_does_not_know_is_refused(nomad: NomadInTest) -> None:
    order = an_order()
    with pytest.raises(Malformed, match="colour"):
        nomad.port.dispatch(replace(order, meta={**order.meta, "colour": "blue"}))


def test_the_longest_payload_is_accepted(nomad: NomadInTest) -> None:
    assert nomad.port.dispatch(an_order(payload=b"x" * 16_384))


# ---- placement -----------------------------------------------------------------------------------


def test_a_child_is_placed_on_a_node_of_its_class_alone(nomad: NomadInTest) -> None:
    nomad.boot("os-worker-001", flavor="hm.large")
    node_id = nomad.ready_node("os-worker-002")
    child = nomad.running_child()
    (allocation,) = nomad.live(child)
    assert allocation.node_id == node_id
    assert (allocation.client_status, allocation.desired_status) == ("running", "run")
    assert allocation.job_type == "batch"
    assert nomad.job(child).status == "running"


def test_one_run_fills_a_worker_and_the_next_is_blocked(nomad: NomadInTest) -> None:
    nomad.ready_node()
    nomad.running_child()
    second = nomad.running_child()
    assert [(e.job_id, e.status) for e in nomad.port.snapshot().evaluations] == [
        (second, "blocked")
    ]
    assert nomad.job(second).status == "pending"


def test_a_blocked_child_is_placed_when_a_node_becomes_eligible(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    child = nomad.running_child()
    assert nomad.live(child) == []
    nomad.port.set_eligibility(node_id, eligible=True)
    nomad.wait(10)
    assert [a.node_id for a in nomad.live(child)] == [node_id]
    assert nomad.port.snapshot().evaluations == ()


def test_blocked_children_are_served_by_priority_then_age(nomad: NomadInTest) -> None:
    orders = [an_order(priority=priority) for priority in (40, 80, 80, 60)]
    children = [nomad.port.dispatch(order) for order in orders]
    nomad.wait(10)
    nomad.ready_node()
    served = []
    for _ in children:
        (running,) = nomad.port.snapshot().allocations
        served.append(running.job_id)
        nomad.exit(running.job_id, 0)
        nomad.wait(10)
    assert served == [children[1], children[2], children[3], children[0]]


def test_a_failed_task_is_not_run_again_by_nomad(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.exit(child, 3)
    nomad.wait(3600)
    job = nomad.job(child)
    assert (job.status, job.failed, job.lost) == ("dead", 1, 0)
    assert nomad.port.exit_code(child) == 3
    assert len(nomad.cluster.state.allocs_of(child)) == 1


# ---- exit codes, stop, evaluate ------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 137])
def test_the_exit_code_of_the_newest_allocation_is_known(nomad: NomadInTest, code: int) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    assert nomad.port.exit_code(child) is None
    nomad.exit(child, code)
    assert nomad.port.exit_code(child) == code


def test_a_job_without_allocations_has_no_exit_code(nomad: NomadInTest) -> None:
    assert nomad.port.exit_code("hrsi-test-nothing") is None
    assert nomad.port.exit_code(nomad.port.dispatch(an_order())) is None


def test_a_stopped_child_is_dead_while_its_task_still_occupies_the_node(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    (allocation,) = nomad.live(child)
    nomad.tasks.lingering.add(allocation.id)
    nomad.port.stop(child)
    nomad.wait(1)
    job = nomad.job(child)
    assert (job.status, job.stopped) == ("dead", True)
    (still,) = nomad.live(child)
    assert (still.desired_status, still.client_status) == ("stop", "running")
    assert still.occupies
    nomad.exit(child, 143)
    assert nomad.live(child) == []
    assert nomad.job(child).failed == 0


def test_stopping_a_child_that_waits_ends_its_evaluation(nomad: NomadInTest) -> None:
    child = nomad.running_child()
    nomad.port.stop(child)
    nomad.wait(10)
    assert nomad.job(child).status == "dead"
    assert nomad.port.snapshot().evaluations == ()
    nomad.ready_node()
    assert nomad.live(child) == []


def test_stopping_what_nomad_does_not_know_is_no_error(nomad: NomadInTest) -> None:
    nomad.port.stop("hrsi-test-nothing/dispatch-1-2")


def test_stopping_a_parent_leaves_its_children_alone(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.port.stop(PARENT)
    nomad.wait(10)
    assert nomad.job(PARENT).stopped
    assert len(nomad.live(child)) == 1
    with pytest.raises(Malformed, match="stopped"):
        nomad.port.dispatch(an_order())


def test_a_job_is_evaluated_anew(nomad: NomadInTest) -> None:
    child = nomad.port.dispatch(an_order())
    nomad.port.evaluate(child)
    assert [e.job_id for e in nomad.port.snapshot().evaluations] == [child, child]
    nomad.wait(10)
    assert [e.status for e in nomad.port.snapshot().evaluations] == ["blocked"]


def test_evaluating_an_unknown_job_is_not_found(nomad: NomadInTest) -> None:
    with pytest.raises(NotFound):
        nomad.port.evaluate("hrsi-test-nothing")


# ---- eligibility and the barrier -----------------------------------------------------------------


def test_eligibility_answers_the_index_of_its_write_or_0(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    index = nomad.port.set_eligibility(node_id, eligible=False)
    assert nomad.port.modify_index(node_id) == (index, False)
    assert nomad.port.set_eligibility(node_id, eligible=False) == 0
    assert nomad.port.modify_index(node_id) == (index, False)
    assert nomad.port.set_eligibility(node_id, eligible=True) > index


def test_running_tasks_do_not_change_the_modify_index_of_their_node(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    before = nomad.port.modify_index(node_id)
    child = nomad.running_child()
    nomad.exit(child, 0)
    assert nomad.port.modify_index(node_id) == before


def test_nothing_is_placed_on_an_ineligible_node_but_what_runs_goes_on(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    child = nomad.running_child()
    nomad.port.set_eligibility(node_id, eligible=False)
    nomad.wait(10)
    assert len(nomad.live(child)) == 1
    nomad.exit(child, 0)
    waiting = nomad.running_child()
    assert nomad.live(waiting) == []


def test_a_placement_may_land_after_the_mark_while_its_evaluation_is_open(
    nomad: NomadInTest,
) -> None:
    node_id = nomad.ready_node()
    nomad.cluster.delay_next_placement(timedelta(seconds=40))
    child = nomad.port.dispatch(an_order())
    nomad.wait(1)
    index = nomad.port.set_eligibility(node_id, eligible=False)
    between = nomad.port.snapshot()
    assert between.allocations == ()
    assert [(e.job_id, e.status) for e in between.evaluations] == [(child, "pending")]
    assert between.evaluations[0].create_index <= index
    nomad.wait(60)
    (allocation,) = nomad.live(child)
    assert allocation.node_id == node_id
    assert allocation.create_index > index
    assert nomad.port.snapshot().evaluations == ()


def test_a_late_placement_of_a_stopped_job_never_happens(nomad: NomadInTest) -> None:
    nomad.ready_node()
    nomad.cluster.delay_next_placement(timedelta(seconds=40))
    child = nomad.port.dispatch(an_order())
    nomad.wait(1)
    nomad.port.stop(child)
    nomad.wait(60)
    assert nomad.live(child) == []
    assert nomad.job(child).status == "dead"
    assert nomad.port.snapshot().evaluations == ()


def test_a_late_placement_reserves_its_room(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    nomad.cluster.delay_next_placement(timedelta(seconds=40))
    first = nomad.port.dispatch(an_order())
    nomad.wait(1)
    second = nomad.port.dispatch(an_order())
    nomad.wait(60)
    assert [a.node_id for a in nomad.live(first)] == [node_id]
    assert nomad.live(second) == []


# ---- nodes that go -------------------------------------------------------------------------------


def test_a_dead_machine_is_noticed_late_and_its_work_is_replaced_by_nomad(
    nomad: NomadInTest,
) -> None:
    first = nomad.ready_node("os-worker-001")
    child = nomad.running_child()
    second = nomad.ready_node("os-worker-002")
    nomad.cluster.node_dies(nomad.server_of(first))
    nomad.wait(5)
    assert [a.node_id for a in nomad.live(child)] == [first]
    nomad.wait(60)
    statuses = {node.id: node.status for node in nomad.port.snapshot().nodes}
    assert statuses == {first: "down", second: "ready"}
    (replacement,) = nomad.live(child)
    assert replacement.node_id == second
    job = nomad.job(child)
    assert (job.status, job.lost) == ("running", 1)


def test_lost_work_waits_in_nomad_when_there_is_no_room(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    child = nomad.running_child()
    nomad.cluster.node_dies(nomad.server_of(node_id))
    nomad.wait(60)
    job = nomad.job(child)
    assert (job.status, job.lost) == ("pending", 1)
    assert [(e.job_id, e.status) for e in nomad.port.snapshot().evaluations] == [(child, "blocked")]


def test_a_purged_node_is_gone_and_its_work_lost_at_once(nomad: NomadInTest) -> None:
    first = nomad.ready_node("os-worker-001")
    child = nomad.running_child()
    nomad.cluster.node_dies(nomad.server_of(first))
    nomad.port.purge(first)
    assert nomad.port.snapshot().nodes == ()
    nomad.wait(1)
    assert nomad.live(child) == []
    assert nomad.job(child).lost == 1
    with pytest.raises(NotFound):
        nomad.port.modify_index(first)


def test_a_node_purged_while_its_agent_lives_comes_back_eligible(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    before = nomad.port.snapshot().nodes[0]
    nomad.port.purge(node_id)
    nomad.wait(30)
    (back,) = nomad.port.snapshot().nodes
    assert back.id == node_id
    assert back.eligible
    assert back.create_index > before.create_index


def test_where_the_image_says_so_a_purged_node_comes_back_ineligible(make_nomad: MakeNomad) -> None:
    nomad = make_nomad(Options(default_ineligible=True))
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=True)
    nomad.port.purge(node_id)
    nomad.wait(30)
    assert [node.eligible for node in nomad.port.snapshot().nodes] == [False]


def test_purging_what_nomad_does_not_know_is_no_error(nomad: NomadInTest) -> None:
    nomad.port.purge(str(uuid4()))


def test_a_node_that_falls_silent_comes_back_as_it_was(nomad: NomadInTest) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    nomad.cluster.lose_node(node_id, back_after=timedelta(minutes=5))
    nomad.wait(60)
    assert [node.status for node in nomad.port.snapshot().nodes] == ["down"]
    nomad.wait(300)
    (back,) = nomad.port.snapshot().nodes
    assert (back.id, back.status, back.eligible) == (node_id, "ready", False)


def test_a_lost_allocation_is_replaced_on_a_node_that_lives(nomad: NomadInTest) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    (lost,) = nomad.live(child)
    nomad.cluster.lose_allocation(lost.id)
    nomad.wait(10)
    (replacement,) = nomad.live(child)
    assert replacement.id != lost.id
    assert nomad.job(child).lost == 1
    assert list(nomad.tasks.running) == [replacement.id]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda port: port.identify("x"), id="identify"),
        pytest.param(lambda port: port.modify_index("x"), id="modify_index"),
        pytest.param(lambda port: port.set_eligibility("x", eligible=True), id="set_eligibility"),
    ],
)
def test_an_unknown_node_is_not_found(
    nomad: NomadInTest, call: Callable[[Orchestrator], Any]
) -> None:
    with pytest.raises(NotFound):
        call(nomad.port)


# ---- who is who ----------------------------------------------------------------------------------


@pytest.mark.parametrize("identified_by", ["meta", "host_id"])
def test_a_node_tells_its_server_in_lower_case(nomad: NomadInTest, identified_by: str) -> None:
    server_id = str(UUID(int=0xABCDEF))
    node_id = nomad.boot("os-worker-009", server_id=server_id.upper(), identified_by=identified_by)
    identity = nomad.port.identify(node_id)
    assert identity.server_id == server_id
    assert (identity.node_id, identity.name) == (node_id, "os-worker-009")
    assert identity.node_class == "hm.medium"


def test_a_node_that_names_no_server_has_none(nomad: NomadInTest) -> None:
    assert nomad.port.identify(nomad.boot(identified_by="nothing")).server_id is None


# ---- parents -------------------------------------------------------------------------------------


def test_a_parent_carries_its_deployment_and_fingerprint(nomad: NomadInTest) -> None:
    parent = nomad.job(PARENT)
    assert parent.meta[DEPLOYMENT_META] == DEPLOYMENT
    assert parent.meta[FINGERPRINT_META] == _parent().fingerprint()
    assert (parent.parent_id, parent.status, parent.stopped) == ("", "running", False)


def test_registering_again_replaces_a_parent_and_keeps_its_children(nomad: NomadInTest) -> None:
    child = nomad.port.dispatch(an_order())
    changed = replace(_parent(), memory_mb=12_000)
    nomad.port.register(changed, DEPLOYMENT)
    parent = nomad.job(PARENT)
    assert parent.meta[FINGERPRINT_META] == changed.fingerprint() != _parent().fingerprint()
    assert [job.id for job in nomad.children()] == [child]


def test_registering_a_stopped_parent_makes_it_whole_again(nomad: NomadInTest) -> None:
    nomad.port.stop(PARENT)
    nomad.register()
    assert not nomad.job(PARENT).stopped
    assert nomad.port.dispatch(an_order())


# ---- hints ---------------------------------------------------------------------------------------


def test_a_change_of_ours_is_hinted_at(nomad: NomadInTest) -> None:
    with Watcher(nomad.port) as watcher:
        for _ in range(3):
            before = watcher.hints

            def hinted(before: int = before) -> bool:
                return watcher.hints > before

            nomad.port.dispatch(an_order())
            assert eventually(hinted)
    assert watcher.error is None


def test_a_watch_ends_soon_after_it_is_told_to(nomad: NomadInTest) -> None:
    with Watcher(nomad.port) as watcher:
        nomad.port.dispatch(an_order())
        assert eventually(lambda: watcher.hints > 0)
        watcher.stop.set()
        assert watcher.ended(within=2)
    assert watcher.error is None


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY], ids=lambda f: f.value)
def test_a_watch_that_cannot_be_had_is_unavailable(nomad: NomadInTest, fault: Fault) -> None:
    nomad.faults.order("nomad.watch", fault)
    with Watcher(nomad.port) as watcher:
        assert watcher.ended()
    assert isinstance(watcher.error, Unavailable)


def _parent() -> Any:
    parents = DEFAULT_REGISTRY.parents(DEPLOYMENT, COMMAND)
    return next(parent for parent in parents if parent.id == PARENT)
