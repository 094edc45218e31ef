"""The controller dies at each call it makes, before or after its effect, and the world ends well.

Each run is the same small history (jobs come, workers are created, jobs run, workers go) with one
crash or one lost reply at one call. The invariants hold after every step (the simulation judges
them), every job is processed, each as often as it was claimed for, and nothing is left over.
"""

import os
from collections import Counter
from datetime import timedelta

import pytest

from controller.simulation import Plan, Simulation
from models.lifecycle import Status
from models.ports import Asked
from models.records import NewJob
from simulator.behaviour import Behaviour, Spread
from simulator.faults import PROGRAMS, Fault, Faults
from simulator.systems import Scenario

EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 9
"""Every how many calls are tried: all of them in the long run, a spread of them otherwise."""

SHORT = Spread(least=timedelta(seconds=10), most=timedelta(seconds=40))
QUICK = Behaviour(pre_processing=SHORT, processing=SHORT, post_processing=SHORT, starting=SHORT)
JOBS = tuple(
    NewJob(type=kind, key=f"{kind}-{number}", name=f"{kind}-{number}")
    for kind in ("test", "gfsc")
    for number in range(2)
)


def small_world(fault: Fault | None = None, call: int = 0) -> Simulation:
    def faults() -> Faults:
        made = Faults()
        if fault is not None:
            made.order_at(call, fault)
        return made

    scenario = Scenario(seed=7, behaviours=dict.fromkeys(("test", "gfsc"), QUICK))
    sim = Simulation(Plan(scenario=scenario, faults=faults))
    sim.systems.store.submit(JOBS, Asked(actor="test"))
    return sim


def calls_of_a_quiet_run() -> int:
    sim = small_world()
    assert sim.run_until(sim.is_quiet, timedelta(hours=2))
    return sim.systems.faults.calls


CALLS = calls_of_a_quiet_run()


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_AFTER, Fault.LOST_REPLY])
@pytest.mark.parametrize("part", range(3))
def test_whatever_call_is_hit_every_job_is_processed_and_nothing_is_left(
    fault: Fault, part: int
) -> None:
    first = 1 + part * EVERY + list(Fault).index(fault) % EVERY
    for call in range(first, CALLS, 3 * EVERY):
        sim = small_world(fault, call)
        assert sim.run_until(sim.is_quiet, timedelta(hours=6)), f"call {call}\n{sim.story()}"
        finished_well(sim, f"{fault} at call {call}")


def finished_well(sim: Simulation, hit: str) -> None:
    tables = sim.systems.store.tables
    for job in tables.jobs.values():
        history = tables.history.get(job.id) or ()
        ends = Counter(change.after for change in history)
        assert job.status is Status.PROCESSED, f"{hit}: job {job.id} is {job.status}"
        assert ends[Status.PROCESSED] == 1, f"{hit}: job {job.id} was processed more than once"
    children = [job for job in sim.systems.outside.nomad.state.jobs.by_id() if job.parent_id]
    per_run = Counter(child.meta["run"] for child in children)
    assert all(count == 1 for count in per_run.values()), f"{hit}: a run was dispatched twice"


def test_a_crash_of_a_program_is_not_a_crash_of_the_controller() -> None:
    faults = Faults(rates={Fault.CRASH: 1.0})
    assert all(faults.take(operation) is None for operation in PROGRAMS)
    assert faults.take("store.view") is Fault.CRASH
