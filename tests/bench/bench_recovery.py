"""Two hundred jobs lost at once, on the simulation in memory: how many passes until all go on."""

from collections.abc import Iterable
from datetime import timedelta

from controller.simulation import Plan, Simulation
from models.lifecycle import IN_FLIGHT, Status
from models.ports import Asked
from models.records import Job, NewJob
from simulator.behaviour import Behaviour, Spread
from simulator.cloud.options import CloudOptions
from simulator.systems import Scenario
from tests.bench.conftest import Figures

LOST = 200
PASSES = 3
LONG = Spread(least=timedelta(hours=2), most=timedelta(hours=3))
QUICK = Spread(least=timedelta(seconds=1), most=timedelta(seconds=2))


def running() -> Simulation:
    """So many jobs that process, each on its worker."""
    behaviour = Behaviour(starting=QUICK, pre_processing=QUICK, processing=LONG)
    scenario = Scenario(
        cloud=CloudOptions(boot_time=timedelta(seconds=20)), behaviours={"test": behaviour}
    )
    sim = Simulation(Plan(scenario=scenario, parameters={"pool.create_burst": LOST}))
    wanted = [NewJob(type="test", key=f"{n}", name=f"{n}") for n in range(LOST)]
    sim.systems.store.submit(wanted, Asked(actor="bench"))
    assert sim.run_until(
        lambda: count(jobs_of(sim), Status.PROCESSING) == LOST, timedelta(hours=1)
    ), sim.story()
    return sim


def jobs_of(sim: Simulation) -> Iterable[Job]:
    return sim.systems.store.tables.jobs.values()


def count(jobs: Iterable[Job], *statuses: Status) -> int:
    return sum(job.status in statuses for job in jobs)


def test_two_hundred_lost_jobs_go_on_within_three_passes(figures: Figures) -> None:
    sim = running()
    nomad = sim.systems.outside.nomad
    children = [job.id for job in nomad.state.jobs.by_id() if job.dispatched]
    for child in children:
        nomad.jobs.stop(child, purge=True)
    sim.pass_time(timedelta(minutes=1))  # until nothing of them is live any more
    passes = 0
    while count(jobs_of(sim), *IN_FLIGHT) and passes <= PASSES:
        sim.step(loop="monitor")
        sim.pass_time(timedelta(seconds=5))
        passes += 1
    figures.ratio(f"passes until {LOST} lost jobs are requeued", passes, PASSES)
    assert count(jobs_of(sim), Status.READY) == LOST
    assert passes <= PASSES
