"""What the port `Orchestrator` promises: of the simulator in memory, of the adapter over HTTP
before it, and of the adapter before a live Nomad where one can be had (`make contract-nomad`).

What cannot be asked of a live Nomad, faults on order above all, is in `test_nomad_faults`.
"""

import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.errors import Malformed, NotFound, PortError
from models.fleet import DEPLOYMENT_META, FINGERPRINT_META
from models.ports import Orchestrator
from models.world import Node, NomadSnapshot
from tests.plugins.nomad_in_test import (
    NomadInTest,
    NomadWithMachines,
    Watcher,
    a_parent,
    an_order,
    eventually,
)

# ---- the snapshot --------------------------------------------------------------------------------


def test_a_snapshot_of_an_empty_cluster_is_empty_and_no_error(nomad: NomadWithMachines) -> None:
    seen = nomad.port.snapshot()
    assert (seen.nodes, seen.evaluations, seen.allocations) == ((), (), ())
    assert [job.id for job in seen.jobs] == [nomad.parent.id]


def test_nodes_are_shown_with_class_status_and_eligibility(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node("os-worker-042")
    (node,) = nomad.port.snapshot().nodes
    assert node == Node(
        id=node_id,
        name="os-worker-042",
        node_class="hm.medium",
        status="ready",
        eligible=True,
        draining=False,
        create_index=node.create_index,
        modify_index=node.modify_index,
        address=nomad.address,
    )
    assert 0 < node.create_index < node.modify_index


def test_nodes_join_ineligible_where_the_image_says_so(guarded_nomad: NomadWithMachines) -> None:
    guarded_nomad.ready_node()
    (node,) = guarded_nomad.port.snapshot().nodes
    assert (node.status, node.eligible) == ("ready", False)


def test_every_list_is_complete_and_in_its_order(nomad: NomadWithMachines) -> None:
    for number in range(3):
        nomad.ready_node(f"os-worker-{number:03}")
    for _ in range(8):
        nomad.port.dispatch(nomad.order())
    nomad.settle()
    seen = nomad.port.snapshot()
    assert (len(seen.nodes), len(seen.jobs)) == (3, 9)
    assert (len(seen.allocations), len(seen.evaluations)) == (3, 5)
    assert [node.id for node in seen.nodes] == sorted(node.id for node in seen.nodes)
    assert [job.id for job in seen.jobs] == sorted(job.id for job in seen.jobs)
    for rows in (seen.evaluations, seen.allocations):
        indexes = [row.create_index for row in rows]
        assert indexes == sorted(indexes)


def test_jobs_of_another_deployment_are_not_listed_but_what_they_run_is(
    nomad: NomadWithMachines,
) -> None:
    foreign = a_parent("other", command=nomad.command)
    nomad.port.register(foreign, "other")
    nomad.ready_node()
    child = nomad.port.dispatch(an_order(deployment="other"))
    nomad.settle()
    waiting = nomad.port.dispatch(an_order(deployment="other"))
    nomad.settle()
    seen = nomad.port.snapshot()
    assert [job.id for job in seen.jobs] == [nomad.parent.id]
    assert [a.job_id for a in seen.allocations] == [child]
    assert [e.job_id for e in seen.evaluations] == [waiting]


def test_dead_children_stay_listed_and_terminal_allocations_do_not(
    nomad: NomadWithMachines,
) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.exit(child, 0)
    nomad.settle()
    seen = nomad.port.snapshot()
    assert nomad.job(child).status == "dead"
    assert (seen.evaluations, seen.allocations) == ((), ())


def test_snapshots_are_numbered_and_their_index_never_falls(any_nomad: NomadInTest) -> None:
    first = any_nomad.port.snapshot()
    any_nomad.port.dispatch(any_nomad.order())
    second, third = any_nomad.port.snapshot(), any_nomad.port.snapshot()
    assert first.number < second.number < third.number
    assert first.index < second.index <= third.index


# ---- dispatch ------------------------------------------------------------------------------------


def test_a_child_is_named_by_parent_prefix_time_and_chance(any_nomad: NomadInTest) -> None:
    child, parent = any_nomad.port.dispatch(any_nomad.order()), any_nomad.parent.id
    assert re.fullmatch(rf"{re.escape(parent)}/dispatch-j7-a1-\d{{10}}-[0-9a-f]{{8}}", child)


def test_a_child_carries_the_meta_of_its_run_and_its_parent(any_nomad: NomadInTest) -> None:
    order = any_nomad.order()
    child = any_nomad.job(any_nomad.port.dispatch(order))
    assert child.parent_id == any_nomad.parent.id
    assert order.meta.items() <= child.meta.items()
    assert child.meta[FINGERPRINT_META] == any_nomad.parent.fingerprint()
    assert not child.stopped


def test_the_same_token_gives_the_same_child_and_makes_it_once(any_nomad: NomadInTest) -> None:
    order = any_nomad.order()
    first = any_nomad.port.dispatch(order)
    any_nomad.settle()
    assert any_nomad.port.dispatch(replace(order, priority=90, payload=b"other")) == first
    assert len(any_nomad.children()) == 1


def test_the_same_token_from_many_at_once_makes_one_child(any_nomad: NomadInTest) -> None:
    order = any_nomad.order()
    with ThreadPoolExecutor(8) as pool:
        answered = set(pool.map(any_nomad.port.dispatch, [order] * 8))
    any_nomad.settle()
    (made,) = any_nomad.children()
    # Who loses the race may be told of a child that does not exist.
    assert made.id in answered
    assert any_nomad.port.dispatch(order) == made.id


def test_a_token_is_kept_by_a_dead_child(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    order = nomad.order()
    child = nomad.port.dispatch(order)
    nomad.settle()
    nomad.exit(child, 1)
    assert nomad.port.dispatch(order) == child


def test_a_token_is_kept_by_a_child_that_was_stopped(any_nomad: NomadInTest) -> None:
    order = any_nomad.order()
    child = any_nomad.port.dispatch(order)
    any_nomad.port.stop(child)
    any_nomad.settle()
    assert any_nomad.port.dispatch(order) == child
    assert any_nomad.job(child).stopped


def test_a_collected_child_sets_its_token_free(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    order = nomad.order()
    child = nomad.port.dispatch(order)
    nomad.settle()
    nomad.exit(child, 0)
    nomad.settle()
    nomad.collect_garbage()
    assert nomad.children() == []
    again = nomad.port.dispatch(order)
    assert again != child
    assert [job.id for job in nomad.children()] == [again]


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
    any_nomad: NomadInTest, change: dict[str, Any], error: type[PortError]
) -> None:
    with pytest.raises(error):
        any_nomad.port.dispatch(replace(any_nomad.order(), **change))
    assert any_nomad.children() == []


def test_meta_that_the_parent_does_not_know_is_refused(any_nomad: NomadInTest) -> None:
    order = any_nomad.order()
    with pytest.raises(Malformed, match="colour"):
        any_nomad.port.dispatch(replace(order, meta={**order.meta, "colour": "blue"}))


def test_the_longest_payload_is_accepted(any_nomad: NomadInTest) -> None:
    assert any_nomad.port.dispatch(any_nomad.order(payload=b"x" * 16_384))


def test_a_child_cannot_be_dispatched_to(any_nomad: NomadInTest) -> None:
    child = any_nomad.port.dispatch(any_nomad.order())
    with pytest.raises(Malformed, match="not a parameterized job"):
        any_nomad.port.dispatch(replace(any_nomad.order(), parent=child))


# ---- placement -----------------------------------------------------------------------------------


def test_a_child_is_placed_on_a_node_of_its_class_alone(nomad: NomadWithMachines) -> None:
    nomad.ready_node("os-worker-001", flavor="hm.large")
    node_id = nomad.ready_node("os-worker-002")
    child = nomad.running_child()
    (allocation,) = nomad.live(child)
    assert allocation.node_id == node_id
    assert (allocation.client_status, allocation.desired_status) == ("running", "run")
    assert allocation.job_type == "batch"
    assert nomad.job(child).status == "running"


def test_one_run_fills_a_worker_and_the_next_is_blocked(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    nomad.running_child()
    second = nomad.running_child()
    assert nomad.open_evaluations() == [(second, "blocked")]
    assert nomad.job(second).status == "pending"


def test_a_blocked_child_is_placed_when_a_node_becomes_eligible(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    child = nomad.running_child()
    assert nomad.live(child) == []
    nomad.port.set_eligibility(node_id, eligible=True)
    nomad.settle()
    assert [a.node_id for a in nomad.live(child)] == [node_id]
    assert nomad.port.snapshot().evaluations == ()


def test_blocked_children_are_served_by_priority_then_age(nomad: NomadWithMachines) -> None:
    orders = [nomad.order(priority=priority) for priority in (40, 80, 80, 60)]
    children = [nomad.port.dispatch(order) for order in orders]
    nomad.settle()
    nomad.ready_node()
    nomad.settle()
    served = []
    for _ in children:
        (running,) = nomad.port.snapshot().allocations
        served.append(running.job_id)
        nomad.exit(running.job_id, 0)
        nomad.settle()
    assert served == [children[1], children[2], children[3], children[0]]


def test_a_failed_task_is_not_run_again_by_nomad(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.exit(child, 3)
    nomad.settle()
    job = nomad.job(child)
    assert (job.status, job.failed, job.lost) == ("dead", 1, 0)
    assert nomad.port.exit_code(child) == 3
    assert nomad.allocations_ever(child) == 1


# ---- exit codes, stop, evaluate ------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 137])
def test_the_exit_code_of_the_newest_allocation_is_known(
    nomad: NomadWithMachines, code: int
) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    assert nomad.port.exit_code(child) is None
    nomad.exit(child, code)
    assert nomad.port.exit_code(child) == code


def test_a_job_without_allocations_has_no_exit_code(any_nomad: NomadInTest) -> None:
    assert any_nomad.port.exit_code("hrsi-test-nothing") is None
    assert any_nomad.port.exit_code(any_nomad.port.dispatch(any_nomad.order())) is None


def test_a_stopped_child_is_dead_while_its_task_still_occupies_the_node(
    nomad: NomadWithMachines,
) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.linger(child)
    nomad.port.stop(child)
    nomad.settle()
    job = nomad.job(child)
    assert (job.status, job.stopped) == ("dead", True)
    (still,) = nomad.live(child)
    assert (still.desired_status, still.client_status) == ("stop", "running")
    assert still.occupies
    nomad.exit(child, 143)
    assert nomad.live(child) == []
    assert nomad.job(child).failed == 0


def test_a_task_is_told_to_end_by_sigterm(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.port.stop(child)
    nomad.settle()
    # Or by SIGKILL, where it does not heed the other.
    assert nomad.port.exit_code(child) in {128 + signal.SIGTERM, 128 + signal.SIGKILL}


def test_stopping_a_child_that_waits_ends_its_evaluation(nomad: NomadWithMachines) -> None:
    child = nomad.running_child()
    nomad.port.stop(child)
    nomad.settle()
    assert nomad.job(child).status == "dead"
    assert nomad.port.snapshot().evaluations == ()
    nomad.ready_node()
    nomad.settle()
    assert nomad.live(child) == []


def test_stopping_what_nomad_does_not_know_is_no_error(any_nomad: NomadInTest) -> None:
    any_nomad.port.stop(f"{any_nomad.parent.id}/dispatch-1-2")


def test_stopping_twice_is_no_error(any_nomad: NomadInTest) -> None:
    child = any_nomad.port.dispatch(any_nomad.order())
    for _ in range(2):
        any_nomad.port.stop(child)
        any_nomad.settle()
    assert any_nomad.job(child).status == "dead"
    assert any_nomad.open_evaluations() == []


def test_stopping_a_parent_leaves_its_children_alone(nomad: NomadWithMachines) -> None:
    nomad.ready_node()
    child = nomad.running_child()
    nomad.port.stop(nomad.parent.id)
    nomad.settle()
    assert nomad.job(nomad.parent.id).stopped
    assert len(nomad.live(child)) == 1
    with pytest.raises(Malformed, match="stopped"):
        nomad.port.dispatch(nomad.order())


def test_a_job_is_evaluated_anew(any_nomad: NomadInTest) -> None:
    child = any_nomad.port.dispatch(any_nomad.order())
    any_nomad.port.evaluate(child)
    any_nomad.settle()
    assert any_nomad.open_evaluations() == [(child, "blocked")]


def test_evaluating_an_unknown_job_is_not_found(any_nomad: NomadInTest) -> None:
    with pytest.raises(NotFound):
        any_nomad.port.evaluate("hrsi-test-nothing")


def test_a_parent_cannot_be_evaluated(any_nomad: NomadInTest) -> None:
    with pytest.raises(Malformed, match="can't evaluate"):
        any_nomad.port.evaluate(any_nomad.parent.id)


# ---- eligibility ---------------------------------------------------------------------------------


def test_eligibility_answers_the_index_of_its_write_or_0(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    index = nomad.port.set_eligibility(node_id, eligible=False)
    assert nomad.port.modify_index(node_id) == (index, False)
    assert nomad.port.set_eligibility(node_id, eligible=False) == 0
    assert nomad.port.modify_index(node_id) == (index, False)
    assert nomad.port.set_eligibility(node_id, eligible=True) > index


def test_running_tasks_do_not_change_the_modify_index_of_their_node(
    nomad: NomadWithMachines,
) -> None:
    node_id = nomad.ready_node()
    nomad.settle()
    before = nomad.port.modify_index(node_id)
    child = nomad.running_child()
    nomad.exit(child, 0)
    assert nomad.port.modify_index(node_id) == before


def test_nothing_is_placed_on_an_ineligible_node_but_what_runs_goes_on(
    nomad: NomadWithMachines,
) -> None:
    node_id = nomad.ready_node()
    child = nomad.running_child()
    nomad.port.set_eligibility(node_id, eligible=False)
    nomad.settle()
    assert len(nomad.live(child)) == 1
    nomad.exit(child, 0)
    waiting = nomad.running_child()
    assert nomad.live(waiting) == []


def test_an_evaluation_made_after_the_mark_has_a_later_index(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    index = nomad.port.set_eligibility(node_id, eligible=False)
    nomad.running_child()
    (evaluation,) = nomad.port.snapshot().evaluations
    assert (evaluation.status, evaluation.create_index > index) == ("blocked", True)


def test_an_empty_node_that_is_drained_has_soon_been_and_stays_ineligible(
    nomad: NomadWithMachines,
) -> None:
    node_id = nomad.ready_node()
    nomad.registered_again(node_id)
    index = nomad.drain(node_id)
    nomad.settle()
    (node,) = nomad.port.snapshot().nodes
    assert (node.eligible, node.draining, node.modify_index) == (False, False, index + 1)
    assert nomad.port.set_eligibility(node_id, eligible=True) > index


def test_a_node_is_drained_when_its_work_is_done(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    nomad.registered_again(node_id)
    child = nomad.running_child()
    index = nomad.drain(node_id)
    nomad.settle()
    (node,) = nomad.port.snapshot().nodes
    assert (node.eligible, node.draining, node.usable) == (False, True, False)
    assert node.modify_index == index
    with pytest.raises(Malformed, match="draining"):
        nomad.port.set_eligibility(node_id, eligible=True)
    assert nomad.port.set_eligibility(node_id, eligible=False) == 0
    assert [a.client_status for a in nomad.live(child)] == ["running"]
    nomad.exit(child, 0)
    nomad.settle()
    (node,) = nomad.port.snapshot().nodes
    assert (node.eligible, node.draining, node.modify_index > index) == (False, False, True)
    assert nomad.port.exit_code(child) == 0


ROUNDS, AT_ONCE = 4, 24


def test_nothing_comes_to_a_marked_node_once_no_older_evaluation_is_pending(
    nomad: NomadWithMachines,
) -> None:
    small = replace(nomad.parent, memory_mb=10, cpu_mhz=1)
    nomad.port.register(small, nomad.deployment)
    node_id = nomad.ready_node()
    came = 0
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(8) as pool:
            under_way = [pool.submit(nomad.port.dispatch, nomad.order()) for _ in range(AT_ONCE)]
            under_way[AT_ONCE // 3].result()
            nomad.a_moment()
            mark = nomad.port.set_eligibility(node_id, eligible=False)
            while _may_still_be_placed(seen := nomad.port.snapshot(), mark):
                nomad.a_moment()
            children = [each.result() for each in under_way]
        nomad.settle()
        assert _on(node_id, nomad.port.snapshot()) == _on(node_id, seen)
        came += len(_on(node_id, seen))
        for child in children:
            nomad.port.stop(child)
        nomad.port.set_eligibility(node_id, eligible=True)
        nomad.settle()
    assert came > 0


def _may_still_be_placed(seen: NomadSnapshot, mark: int) -> bool:
    return any(e.status == "pending" and e.create_index <= mark for e in seen.evaluations)


def _on(node_id: str, seen: NomadSnapshot) -> set[str]:
    return {allocation.id for allocation in seen.allocations if allocation.node_id == node_id}


# ---- nodes that go -------------------------------------------------------------------------------


def test_a_dead_machine_is_noticed_late_and_its_work_is_replaced_by_nomad(
    nomad: NomadWithMachines,
) -> None:
    first = nomad.ready_node("os-worker-001")
    child = nomad.running_child()
    second = nomad.ready_node("os-worker-002")
    nomad.machine_dies(first)
    assert [a.node_id for a in nomad.live(child)] == [first]
    nomad.miss_heartbeats(first)
    statuses = {node.id: node.status for node in nomad.port.snapshot().nodes}
    assert statuses == {first: "down", second: "ready"}
    (replacement,) = nomad.live(child)
    assert replacement.node_id == second
    job = nomad.job(child)
    assert (job.status, job.lost) == ("running", 1)


def test_lost_work_waits_in_nomad_when_there_is_no_room(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    child = nomad.running_child()
    nomad.machine_dies(node_id)
    nomad.miss_heartbeats(node_id)
    job = nomad.job(child)
    assert (job.status, job.lost) == ("pending", 1)
    assert nomad.open_evaluations() == [(child, "blocked")]


def test_a_purged_node_is_gone_and_its_work_lost_at_once(nomad: NomadWithMachines) -> None:
    first = nomad.ready_node("os-worker-001")
    child = nomad.running_child()
    nomad.machine_dies(first)
    nomad.port.purge(first)
    assert nomad.port.snapshot().nodes == ()
    nomad.settle()
    assert nomad.live(child) == []
    assert nomad.job(child).lost == 1
    with pytest.raises(NotFound):
        nomad.port.modify_index(first)


def test_a_node_purged_while_its_agent_lives_comes_back_eligible(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    before = nomad.port.snapshot().nodes[0]
    nomad.port.purge(node_id)
    nomad.come_back(node_id)
    (back,) = nomad.port.snapshot().nodes
    assert back.id == node_id
    assert back.eligible
    assert back.create_index > before.create_index


def test_where_the_image_says_so_a_purged_node_comes_back_ineligible(
    guarded_nomad: NomadWithMachines,
) -> None:
    node_id = guarded_nomad.ready_node()
    guarded_nomad.port.set_eligibility(node_id, eligible=True)
    guarded_nomad.port.purge(node_id)
    guarded_nomad.come_back(node_id)
    assert [node.eligible for node in guarded_nomad.port.snapshot().nodes] == [False]


def test_purging_what_nomad_does_not_know_is_no_error(any_nomad: NomadInTest) -> None:
    any_nomad.port.purge(str(uuid4()))


def test_a_node_that_falls_silent_comes_back_as_it_was(nomad: NomadWithMachines) -> None:
    node_id = nomad.ready_node()
    nomad.port.set_eligibility(node_id, eligible=False)
    nomad.falls_silent(node_id)
    nomad.miss_heartbeats(node_id)
    assert [node.status for node in nomad.port.snapshot().nodes] == ["down"]
    nomad.is_heard_again(node_id)
    (back,) = nomad.port.snapshot().nodes
    assert (back.id, back.status, back.eligible) == (node_id, "ready", False)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda port, x: port.identify(x), id="identify"),
        pytest.param(lambda port, x: port.modify_index(x), id="modify_index"),
        pytest.param(lambda port, x: port.set_eligibility(x, eligible=True), id="set_eligibility"),
    ],
)
def test_an_unknown_node_is_not_found(
    any_nomad: NomadInTest, call: Callable[[Orchestrator, str], Any]
) -> None:
    with pytest.raises(NotFound):
        call(any_nomad.port, str(uuid4()))


def test_a_node_tells_its_server_in_lower_case(nomad: NomadWithMachines) -> None:
    server_id = str(UUID(int=0xABCDEF))
    node_id = nomad.ready_node("os-worker-009", server_id=server_id.upper())
    identity = nomad.port.identify(node_id)
    assert identity.server_id == server_id
    assert (identity.node_id, identity.name) == (node_id, "os-worker-009")
    assert identity.node_class == "hm.medium"


# ---- parents -------------------------------------------------------------------------------------


def test_a_parent_carries_its_deployment_and_fingerprint(any_nomad: NomadInTest) -> None:
    parent = any_nomad.job(any_nomad.parent.id)
    assert parent.meta[DEPLOYMENT_META] == any_nomad.deployment
    assert parent.meta[FINGERPRINT_META] == any_nomad.parent.fingerprint()
    assert (parent.parent_id, parent.status, parent.stopped) == ("", "running", False)


def test_registering_again_replaces_a_parent_and_keeps_its_children(
    any_nomad: NomadInTest,
) -> None:
    child = any_nomad.port.dispatch(any_nomad.order())
    changed = replace(any_nomad.parent, memory_mb=12_000)
    any_nomad.port.register(changed, any_nomad.deployment)
    parent = any_nomad.job(changed.id)
    assert parent.meta[FINGERPRINT_META] == changed.fingerprint() != any_nomad.parent.fingerprint()
    assert [job.id for job in any_nomad.children()] == [child]


def test_registering_a_stopped_parent_makes_it_whole_again(any_nomad: NomadInTest) -> None:
    any_nomad.port.stop(any_nomad.parent.id)
    any_nomad.register()
    assert not any_nomad.job(any_nomad.parent.id).stopped
    assert any_nomad.port.dispatch(any_nomad.order())


# ---- hints ---------------------------------------------------------------------------------------


def test_a_change_of_ours_is_hinted_at(any_nomad: NomadInTest) -> None:
    with Watcher(any_nomad.port) as watcher:
        for _ in range(3):
            before = watcher.hints

            def hinted(before: int = before) -> bool:
                return watcher.hints > before

            any_nomad.port.dispatch(any_nomad.order())
            assert eventually(hinted)
    assert watcher.error is None


def test_a_watch_ends_soon_after_it_is_told_to(any_nomad: NomadInTest) -> None:
    with Watcher(any_nomad.port) as watcher:
        any_nomad.port.dispatch(any_nomad.order())
        assert eventually(lambda: watcher.hints > 0)
        watcher.stop.set()
        assert watcher.ended(within=2)
    assert watcher.error is None
