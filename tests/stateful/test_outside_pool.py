"""Workers outside the pool, in a whole world: jobs go by them, caps do not, and they go."""

from __future__ import annotations

from datetime import timedelta

from controller.simulation import Plan, Simulation
from models.fleet import NO_POOL, POOL_METADATA
from models.lifecycle import Status
from models.ports import Asked
from models.records import NewJob, WorkerState
from simulator.cloud.servers import CloudServer
from simulator.systems import Scenario

PERSON = Asked(actor="ada@host")
HOUR = timedelta(hours=1)
FLAVOR = "eo1.xsmall"


def apart(sim: Simulation) -> list[CloudServer]:
    """The servers outside the pool that there are."""
    servers = sim.systems.outside.cloud.servers()
    return [s for s in servers if s.wanted.metadata.get(POOL_METADATA) == NO_POOL]


def test_no_job_runs_there_and_it_goes_when_its_time_is_over() -> None:
    sim = Simulation(Plan(scenario=Scenario(seed=3)))
    store = sim.systems.store
    store.order(FLAVOR, 1, 2 * HOUR, PERSON, outside_pool=True)
    assert sim.run_until(lambda: len(apart(sim)) == 1, HOUR), sim.story()
    (server,) = apart(sim)
    store.submit([NewJob(type="test", key=str(n), name=str(n)) for n in range(3)], PERSON)
    jobs = store.tables.jobs.values
    assert sim.run_until(lambda: {j.status for j in jobs()} == {Status.PROCESSED}, HOUR), (
        sim.story()
    )
    began = sim.systems.timeline.now()
    assert sim.run_until(lambda: sim.systems.timeline.now() > began + HOUR, 2 * HOUR), sim.story()
    ran_on = {run.server_id for run in store.tables.runs.values()}
    assert server.id not in ran_on
    nodes = [node.name for node in sim.systems.outside.nomad.state.nodes.by_id()]
    assert server.wanted.name not in nodes
    (worker,) = (w for w in store.workers() if w.outside_pool)
    assert worker.state is WorkerState.BOOTING, "longer up than a boot may take, and not stale"

    assert sim.run_until(lambda: not apart(sim), 2 * HOUR), sim.story()
    assert sim.run_until(sim.is_quiet, HOUR), sim.story()
    assert not [w for w in store.workers() if w.outside_pool]


def test_a_person_ends_it_earlier() -> None:
    sim = Simulation(Plan(scenario=Scenario(seed=4)))
    store = sim.systems.store
    store.order(FLAVOR, 1, 24 * HOUR, PERSON, outside_pool=True)
    assert sim.run_until(
        lambda: any(w.state is WorkerState.BOOTING for w in store.workers()), HOUR
    ), sim.story()
    (name,) = (w.name for w in store.workers())
    (verdict,) = store.retire([name], PERSON, forced=False)
    assert verdict.done
    assert sim.run_until(lambda: not apart(sim) and not store.workers(), HOUR), sim.story()
