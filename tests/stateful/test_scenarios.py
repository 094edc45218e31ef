"""Histories that once went wrong, each by itself: small worlds with one thing ordered.

They were found by the life of an installation, by `hrsi simulate` with faults, or by an operator.
"""

from datetime import timedelta

import pytest

from controller.simulation import Plan, Simulation
from models.ports import Asked
from models.records import NewJob, RetireStep
from simulator.faults import Fault
from simulator.systems import Scenario

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
    assert sim.run_until(sim.is_quiet, 6 * AN_HOUR), sim.story()
    assert sim.systems.faults.taken, "the call that was to fail was never made"
    assert sim.systems.outside.cloud.created == 1, "the worker at hand was not taken back"
