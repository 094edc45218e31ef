"""Histories that once went wrong, each by itself: small worlds with one thing ordered.

They were found by the life of an installation, by `hrsi simulate` with faults, or by an operator.
"""

from datetime import timedelta

import pytest

from controller.simulation import Plan, Simulation
from models.ports import Asked
from models.records import NewJob, RetireStep
from simulator.faults import Fault
from simulator.nomad.cluster import Boot
from simulator.systems import Scenario
from tests.plugins.readiness import ready_at_once

PERSON = Asked(actor="test")
AN_HOUR = timedelta(hours=1)


def idle_worker_seen_going() -> Simulation:
    """A world whose only worker is idle, marked, and seen to be marked."""
    sim = Simulation(Plan(scenario=Scenario(seed=5), parameters={"pool.idle_for": 30}))
    sim.systems.store.submit([NewJob(type="test", key="first", name="first")], PERSON)
    assert sim.run_until(lambda: is_at(sim, RetireStep.SEEN), 6 * AN_HOUR)
    return sim


def is_at(sim: Simulation, step: RetireStep) -> bool:
    workers = sim.systems.store.tables.open_workers.of(True)
    return any(w.retirement is not None and w.retirement.step is step for w in workers)


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TIMEOUT, Fault.LOST_REPLY, Fault.CRASH])
def test_a_worker_taken_back_is_taken_back_though_the_call_fails_at_first(fault: Fault) -> None:
    sim = idle_worker_seen_going()
    sim.systems.faults.order("nomad.set_eligibility", fault, times=2)
    sim.systems.store.submit([NewJob(type="test", key="second", name="second")], PERSON)
    ready_at_once(sim.systems.store)
    assert sim.run_until(sim.is_quiet, 6 * AN_HOUR), sim.story()
    assert sim.systems.faults.taken, "the call that was to fail was never made"
    assert sim.systems.outside.cloud.created == 1, "the worker at hand was not taken back"


def test_a_node_that_registers_anew_after_its_worker_is_closed_is_purged() -> None:
    sim = idle_worker_seen_going()
    (worker,) = sim.systems.store.tables.open_workers.of(True)
    (node,) = sim.systems.outside.nomad.state.nodes.by_id()
    assert worker.server_id is not None
    assert sim.run_until(sim.is_quiet, AN_HOUR), sim.story()
    assert not sim.systems.outside.nomad.state.nodes.by_id()
    boot = Boot(
        server_id=worker.server_id,
        name=worker.name,
        node_class=node.node_class,
        memory_mb=1000,
        address="10.0.0.1",
    )
    sim.systems.outside.nomad.node_boots(boot)
    for _ in range(20):
        sim.round()
    assert sim.systems.outside.nomad.state.nodes.by_id(), "one that reports is left alone"
    sim.systems.outside.nomad.node_dies(worker.server_id)
    nodes = sim.systems.outside.nomad.state.nodes
    assert sim.run_until(lambda: not nodes.by_id(), AN_HOUR), sim.story()
