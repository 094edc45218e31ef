"""Incidents of growth: too much, too little, never again; quota, stock-outs, machines that fail."""

from __future__ import annotations

from datetime import timedelta

from simulator.behaviour import Ending
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.faults import Fault
from tests.plugins.stage import HOUR, MINUTE, PERSON, SMALL, Stage, lasting

OTHER = "hm.medium"
"""The flavor of another type than `test`: that of `fsc_rlie`."""


def rancher_45292_a_quota_that_is_used_up_blocks_shrinking() -> None:
    """One attempt per back-off step, and what is idle goes meanwhile."""
    stage = Stage(cloud=CloudOptions(quota_age=6 * HOUR), behaviours={"fsc_rlie": lasting(MINUTE)})
    stage.submit(4)
    stage.until(lambda: stage.processed() == 4)
    stage.allow_servers(4)  # and the quota that we know is hours old
    began = stage.now
    stage.submit(8, "fsc_rlie")
    stage.sim.round()
    refused = len(stage.calls("cloud.create", began))
    stage.live(50 * MINUTE)
    tried = stage.calls("cloud.create", began)
    assert 0 < refused <= 10, "one pass's burst, then the back-off"
    assert stage.cloud.created - 4 >= 4, "as the idle ones went, their room was used"
    assert len(tried) <= 8 + refused + 6, "at most one attempt per step of the back-off"
    stage.until(lambda: stage.processed() == 12)
    stage.close_breakers()  # of the wrecks, if that was the form of the refusals
    stage.ends_well()
    assert stage.processed() == 12


def karpenter_3198_2700_claims_in_90_minutes() -> None:
    """No host has room for an hour and a half: a handful of attempts, and no storm."""
    stage = Stage()
    stage.cloud.ordered.fail_boots(BootFailure.NO_VALID_HOST, times=10_000)
    stage.submit(50)
    stage.live(90 * MINUTE)
    tried = len(stage.calls("cloud.create"))
    assert 0 < tried <= 20, f"{tried} attempts"
    assert len(stage.servers()) <= tried


def cluster_toolkit_4940_nodes_stay_down_after_a_stock_out() -> None:
    """When there is room again it is used by itself; so many wrecks wait for a person's word."""
    stage = Stage()
    stage.cloud.ordered.fail_boots(BootFailure.NO_VALID_HOST, times=6)
    stage.fail("cloud.create", Fault.REFUSED, 3)
    stage.submit(5)
    stage.until(lambda: stage.processed() == 5)
    assert "BREAKER_OPEN" in stage.reasons()
    stage.close_breakers()
    stage.ends_well()


def nodepool_one_request_that_waits_stops_the_pool() -> None:
    """A flavor that no host can take does not keep another one from growing."""
    stage = Stage(cloud=CloudOptions(largest_host_vcpus=2), behaviours={"sws_wds": lasting(MINUTE)})
    stage.submit(3, "sws_wds")
    stage.live(MINUTE)
    stage.submit(3)
    stage.until(lambda: stage.processed() == 3, within=30 * MINUTE)
    assert "SERVER_ERROR" in stage.reasons(), "the other flavor found no host all the while"


def nodepool_two_launchers_use_the_same_quota_twice() -> None:
    """Two controllers at a tight cap: it holds at every instant (I4 is judged at each step)."""
    stage = Stage(controllers=2, pool__max_workers=3)
    stage.submit(12)
    stage.ends_well()
    stage.every_job_took_one_run()


def wr_69_others_use_the_quota_too() -> None:
    """What others use is not ours: no attempt is refused."""
    stage = Stage(cloud=CloudOptions(max_servers=6))
    for number in range(4):
        stage.foreign(f"theirs-{number}")
    stage.live(2 * MINUTE)
    stage.submit(6)
    stage.ends_well()
    assert "QUOTA_SERVERS" in stage.reasons()
    assert len(stage.calls("cloud.create")) == stage.cloud.created - 4, "none was refused"
    assert len(stage.cloud.servers()) == 4


def jenkins_openstack_56_parallel_boots_break_the_network() -> None:
    """However much waits, only so many servers are asked for in a period."""
    stage = Stage(pool__create_burst=5, pool__create_period=30)
    stage.submit(40)
    stage.ends_well()
    calls = stage.calls("cloud.create")
    assert len(calls) >= 10
    for first, sixth in zip(calls, calls[5:], strict=False):
        assert sixth - first >= timedelta(seconds=25), "more than a burst in one period"


def nomad_autoscaler_424_no_growth_from_zero() -> None:
    """From nothing: the first pass that sees the job asks for the first worker."""
    stage = Stage()
    stage.live(MINUTE)
    assert stage.calls("cloud.create") == []
    stage.submit()
    stage.sim.step(loop="worker-pool")
    assert len(stage.calls("cloud.create")) == 1
    stage.ends_well()


def nomad_autoscaler_275_demand_that_no_metric_shows() -> None:
    """Jobs that wait in the table are demand, by flavor, placed or not."""
    stage = Stage(behaviours={"fsc_rlie": lasting(MINUTE)})
    stage.submit(2)
    stage.submit(3, "fsc_rlie")
    stage.sim.step(loop="worker-pool")
    flavors = sorted(worker.flavor for worker in stage.workers())
    assert flavors == [SMALL, SMALL, OTHER, OTHER, OTHER]
    stage.ends_well()


def nomad_autoscaler_610_scaled_twice_for_the_same_demand() -> None:
    """Wishes that are not answered yet count as coming: there is never a server too many."""
    stage = Stage(controllers=2, cloud=CloudOptions(boot_time=5 * MINUTE))
    stage.fail("cloud.create", Fault.LOST_REPLY, 3)
    stage.submit(6)
    stage.ends_well()
    assert stage.cloud.created == 6


def nova_plugin_the_first_error_aborts_the_rest() -> None:
    """One creation is refused, one fails to boot: the others are made in the same pass."""
    stage = Stage()
    stage.fail("cloud.create", Fault.REFUSED)
    stage.cloud.ordered.fail_boots(BootFailure.SPAWN)
    stage.submit(6)
    stage.sim.step(loop="worker-pool")
    assert stage.cloud.created == 5
    stage.ends_well()
    assert stage.processed() == 6


def nova_plugin_an_active_server_that_never_joins_counts_for_ever() -> None:
    """It is stale after 15 minutes, deleted, and replaced."""
    stage = Stage()
    stage.sim.systems.outside.machines.never_join.add("os-worker-001")
    stage.submit()
    stage.until(lambda: "STALE" in stage.reasons(), within=HOUR)
    stage.sim.systems.outside.machines.never_join.clear()
    stage.ends_well()
    assert stage.cloud.created == 2
    assert stage.processed() == 1


def cluster_autoscaler_803_unregistered_is_kept_at_the_minimum() -> None:
    """The minimum is of workers that work: one that never joined goes all the same."""
    stage = Stage(pool__min_workers=1)
    stage.sim.systems.outside.machines.never_join.add("os-worker-001")
    stage.submit()
    stage.until(lambda: "STALE" in stage.reasons(), within=HOUR)
    stage.sim.systems.outside.machines.never_join.clear()
    stage.until(lambda: stage.processed() == 1)
    stage.live(30 * MINUTE)
    (kept,) = stage.workers()
    assert kept.node_id is not None


def nomad_autoscaler_cooldowns_are_lost_with_the_process() -> None:
    """A back-off outlives whoever learnt it."""
    stage = Stage(cloud=CloudOptions(max_servers=None))
    stage.allow_servers(0)
    stage.submit(3)
    stage.sim.round()
    tried = len(stage.calls("cloud.create"))
    for _ in range(5):
        stage.sim.crash()
        stage.sim.round()
    assert len(stage.calls("cloud.create")) == tried
    stage.allow_servers(None)
    stage.ends_well()


def karpenter_7146_workers_come_and_go() -> None:
    """A job every four minutes for two hours: the worker of the last one takes the next."""
    stage = Stage(pool__idle_for=300)
    for _ in range(30):
        stage.submit()
        stage.live(4 * MINUTE)
    stage.ends_well()
    assert stage.cloud.created <= 2, f"{stage.cloud.created} servers for one job at a time"


def aws_karpenter_6254_nobody_can_say_why_it_was_deleted() -> None:
    """Every creation and every deletion has its reason and a sentence, kept in the ledger."""
    stage = Stage(pool__idle_for=30)
    stage.submit(3)
    stage.ends_well()
    told = {(row.action, row.subject): row for row in stage.ledger()}
    for worker in stage.store.workers(closed=True):
        for action in ("CreateServer", "MarkWorker", "CommitDelete", "CloseWorker"):
            row = told[action, f"worker:{worker.name}"]
            assert row.because
            assert row.reason


def argo_13749_what_always_fails_is_tried_for_ever() -> None:
    """It is quarantined after its attempts, the others are not held up, and a person relaunches."""
    bad = lasting(MINUTE, {Ending.INTERNAL_ERROR: 1.0})
    stage = Stage(behaviours={"gfsc": bad})
    (poison,) = stage.submit(1, "gfsc")
    stage.submit(3)
    stage.ends_well()
    job = stage.store.tables.jobs[poison]
    assert (job.quarantined, job.attempt) == (True, 3)
    assert stage.processed() == 3
    assert stage.store.relaunch([poison], PERSON)[0].done
    stage.ends_well()
    assert stage.store.tables.jobs[poison].attempt == 6
