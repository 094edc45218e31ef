"""Incidents of two at once: who leads, who does not, and what becomes of what the other began."""

from __future__ import annotations

from simulator.faults import Fault
from tests.plugins.stage import HOUR, LOOPS, MINUTE, Stage, lasting


def kopf_equal_priority_freezes_both() -> None:
    """Two of the same settings start at the same time: one leads, none waits for the other."""
    stage = Stage(controllers=2)
    stage.submit(4)
    stage.ends_well(within=2 * HOUR)
    stage.every_job_took_one_run()


def patroni_329_a_stale_lock_after_an_error_of_the_store() -> None:
    """Renewals fail, or their answer is lost, for minutes: afterwards somebody leads again."""
    for fault in (Fault.REFUSED, Fault.TIMEOUT, Fault.LOST_REPLY):
        _renewals_go_wrong(fault)


def _renewals_go_wrong(fault: Fault) -> None:
    stage = Stage(controllers=2)
    stage.submit(4)
    stage.until(lambda: bool(stage.servers()))
    with stage.failing("store.acquire", fault=fault):
        stage.live(5 * MINUTE)
    stage.live(2 * MINUTE)
    assert set(stage.holders()) == set(LOOPS)
    stage.ends_well()
    stage.every_job_took_one_run()


def nomad_autoscaler_879_a_policy_is_stuck_for_a_day() -> None:
    """A leader makes no pass any more: the other takes over when the lease has run out."""
    stage = Stage(controllers=2, behaviours={"test": lasting(5 * MINUTE)})
    stage.submit(4)
    stage.until(lambda: bool(stage.servers()))
    stuck = stage.leading("worker-pool")
    stage.only(1 - stuck, 20 * MINUTE)
    assert set(stage.holders().values()) == {stage.sim.processes[1 - stuck].holder}
    assert stage.processed() == 4
    stage.ends_well()
    stage.every_job_took_one_run()


def split_brain_a_leader_wakes_up_after_its_lease() -> None:
    """The old leader wakes up in the middle of its pass: what it writes is refused."""
    stage = Stage(controllers=2)
    stage.submit(6)
    stage.until(lambda: bool(stage.servers()))
    old = stage.leading("execution")
    stage.only(1 - old, 5 * MINUTE)
    for loop in LOOPS:
        report = stage.sim.step(old, loop)
        assert report is not None
        assert not report.leading
    stage.ends_well()
    stage.every_job_took_one_run()


def argo_11984_a_controller_that_dies_again_and_again() -> None:
    """It dies every few seconds of work, at whatever call it is: nothing is lost or doubled."""
    stage = Stage()
    stage.submit(5)
    for number in range(200):
        stage.faults.order_at(stage.faults.calls + 7 + number % 11, Fault.CRASH)
        stage.sim.round()
    assert stage.sim.crashes > 20
    stage.ends_well()
    assert stage.processed() == 5


def argo_14526_restarts_at_the_worst_moment() -> None:
    """It dies right after each effect, before it can learn of it."""
    stage = Stage()
    for operation in ("nomad.dispatch", "cloud.create", "cloud.delete", "nomad.set_eligibility"):
        stage.fail(operation, Fault.CRASH_AFTER, 2)
    stage.submit(4)
    stage.ends_well()
    assert stage.sim.crashes >= 6
    assert stage.cloud.created == stage.cloud.deleted
    stage.every_job_took_one_run()
