"""Incidents of deletion: of what still ran, of what nobody asked for, and of nothing at all."""

from __future__ import annotations

from datetime import timedelta

from models.lifecycle import Status
from simulator.faults import Fault
from tests.plugins.stage import HOUR, MINUTE, PERSON, SECOND, Stage, lasting


def cluster_autoscaler_5790_bound_371_ms_before_the_delete() -> None:
    """The scheduler chose the node before the mark; the placement is there before the delete."""
    for late in (0.371, 1, 4, 12, 30):
        _placed_late(timedelta(seconds=late))


def _placed_late(late: timedelta) -> None:
    stage = Stage(behaviours={"test": lasting(10 * MINUTE)}, pool__idle_for=600)
    stage.submit()
    stage.until(lambda: stage.processed() == 1)
    stage.live(MINUTE)
    stage.nomad.delay_next_placement(late)
    stage.submit()
    stage.sim.step(loop="execution")
    stage.sim.pass_time(SECOND / 10)
    (worker,) = stage.workers()
    assert stage.store.retire([worker.name], PERSON, forced=False)[0].done
    stage.ends_well()
    stage.every_job_took_one_run()


def cluster_autoscaler_3886_work_placed_between_check_and_delete() -> None:
    """The node is re-read last: one that changed since it was seen is not deleted."""
    stage = Stage(pool__idle_for=30)
    stage.submit()
    stage.until(stage.is_going)
    (worker,) = stage.workers()
    node = next(node for node in stage.nomad.state.nodes.by_id() if node.name == worker.name)
    stage.nomad.nodes.set_eligibility(node.id, eligible=True)
    stage.submit()
    stage.sim.step(loop="execution")
    stage.ends_well()
    stage.every_job_took_one_run()


def karpenter_3185_a_busy_node_taken_for_an_empty_one() -> None:
    """While nobody can say what runs where, nothing counts as empty."""
    stage = Stage(behaviours={"test": lasting(30 * MINUTE)}, pool__idle_for=10)
    stage.submit(3)
    stage.until(lambda: stage.running() == 3)
    with stage.failing("nomad.snapshot"):
        stage.live(20 * MINUTE)
        assert stage.calls("cloud.delete") == []
        assert "SOURCE_UNKNOWN" in stage.reasons()
    stage.ends_well()
    stage.every_job_took_one_run()


def nomad_autoscaler_571_a_running_batch_job_is_drained() -> None:
    """A person sends every worker away: what runs is finished first."""
    stage = Stage(behaviours={"test": lasting(HOUR)})
    stage.submit(4)
    stage.until(lambda: stage.running() == 4)
    names = [worker.name for worker in stage.workers()]
    assert all(verdict.done for verdict in stage.store.retire(names, PERSON, forced=False))
    stage.live(50 * MINUTE)
    assert len(stage.servers()) == 4
    stage.ends_well()
    stage.every_job_took_one_run()


def nomad_autoscaler_672_a_drain_of_45_minutes_blocks_all() -> None:
    """A marked worker that runs something delays nobody else."""
    stage = Stage(behaviours={"test": lasting(45 * MINUTE), "gfsc": lasting(MINUTE)})
    stage.submit()
    stage.until(lambda: stage.running() == 1)
    (slow,) = stage.workers()
    assert stage.store.retire([slow.name], PERSON, forced=False)[0].done
    stage.submit(3, "gfsc")
    stage.until(lambda: stage.processed() == 3, within=15 * MINUTE)
    stage.until(lambda: [w.name for w in stage.workers()] == [slow.name], within=10 * MINUTE)
    assert stage.running() == 1, "the slow one still runs"
    stage.ends_well()
    stage.every_job_took_one_run()


def nomad_autoscaler_521_a_drain_cannot_be_taken_back() -> None:
    """Demand comes back while the worker is on its way out: it is taken back, not replaced."""
    stage = Stage(pool__idle_for=30)
    stage.submit()
    stage.until(stage.is_going)
    stage.submit()
    stage.ends_well()
    assert stage.cloud.created == 1
    assert "DEMAND_RETURNED" in stage.reasons()


def nomad_autoscaler_628_drained_and_never_terminated() -> None:
    """Deletions that get no answer, or fail on the host, are asked for again until the 404."""
    stage = Stage(pool__idle_for=30)
    stage.submit(4)
    stage.cloud.ordered.fail_deletes(2)
    stage.fail("cloud.delete", Fault.TIMEOUT, 2)
    stage.ends_well()
    assert stage.cloud.created == stage.cloud.deleted == 4
    assert not stage.nomad.state.nodes.by_id(), "a node outlived its server"


def nomad_autoscaler_572_every_node_is_chosen() -> None:
    """All nodes seem to be away at once: no server is deleted, and when they are back all is."""
    stage = Stage(behaviours={"test": lasting(2 * HOUR)})
    stage.submit(12)
    stage.until(lambda: stage.running() == 12)
    first = {server.id for server in stage.servers()}
    for node in stage.nomad.state.nodes.by_id():
        stage.nomad.lose_node(node.id, back_after=40 * MINUTE)
    stage.live(39 * MINUTE)
    assert stage.calls("cloud.delete") == []
    assert first <= {server.id for server in stage.servers()}
    stage.ends_well()
    assert {job.status for job in stage.jobs()} == {Status.PROCESSED}


def nomad_autoscaler_511_a_node_that_is_down_is_kept() -> None:
    """A machine that hangs is replaced, and its job runs again elsewhere."""
    stage = Stage(behaviours={"test": lasting(20 * MINUTE)})
    stage.submit(2)
    stage.until(lambda: stage.running() == 2)
    node = stage.nomad.state.nodes.by_id()[0]
    stage.nomad.lose_node(node.id)
    stage.ends_well()
    assert stage.processed() == 2
    assert stage.cloud.created == stage.cloud.deleted


def aws_karpenter_549_a_tenth_is_left_over_after_a_great_scale_down() -> None:
    """A hundred workers go while one reply in eight is lost: none is left."""
    stage = Stage(pool__idle_for=30, pool__max_workers=100, pool__create_burst=100)
    stage.submit(100)
    stage.cloud.ordered.fail_deletes(10)
    for fault in (Fault.LOST_REPLY, Fault.TIMEOUT, Fault.REFUSED):
        stage.fail("cloud.delete", fault, 4)
    stage.ends_well()
    assert stage.cloud.created == stage.cloud.deleted
    assert not stage.nomad.state.nodes.by_id()


def nova_plugin_deletes_by_name() -> None:
    """Another's server bears the name of one of ours: it is left alone."""
    stage = Stage(pool__idle_for=30)
    theirs = stage.foreign("os-worker-001")
    stage.submit(3)
    stage.ends_well()
    assert stage.cloud.server(theirs.id).status == "ACTIVE"
    assert "NOT_OURS" in stage.reasons()


def karpenter_2497_no_lever_in_an_outage() -> None:
    """A person lets everything rest: nothing is created, dispatched or deleted until it is over."""
    stage = Stage(pool__idle_for=30)
    stage.submit(3)
    stage.until(lambda: stage.running() > 0)
    stage.store.pause(["everything"], PERSON, lasts=HOUR)
    stage.live(MINUTE)
    began = stage.now
    stage.submit(5)
    stage.live(50 * MINUTE)
    for operation in ("cloud.create", "cloud.delete", "nomad.dispatch", "nomad.set_eligibility"):
        assert stage.calls(operation, began) == []
    stage.ends_well()
    assert stage.processed() == 8
