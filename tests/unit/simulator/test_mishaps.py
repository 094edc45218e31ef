"""Everything that may go wrong outside does something, and a world left in peace is whole again."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from controller.simulation import Plan, Simulation
from models.ports import Asked
from models.records import NewJob
from simulator.behaviour import Behaviour, Spread
from simulator.faults import Fault
from simulator.mishaps import MISHAPS, OUTAGES, calm
from simulator.nomad.jobs import Oddity
from simulator.systems import Scenario

ASKED = Asked(actor="test")
LONG = Spread(least=timedelta(hours=1), most=timedelta(hours=1))


def busy_world() -> Simulation:
    """Two workers at work, one that boots, jobs that wait."""
    scenario = Scenario(seed=3, behaviours={"test": Behaviour(processing=LONG)})
    sim = Simulation(Plan(scenario=scenario, parameters={"pool.max_workers": 3}))
    sim.systems.store.submit([_job(number) for number in range(2)], ASKED)
    state = sim.systems.outside.nomad.state
    assert sim.run_until(lambda: len(state.allocs.live) == 2, timedelta(hours=1))
    sim.systems.store.submit([_job(number) for number in range(2, 6)], ASKED)
    cloud = sim.systems.outside.cloud
    assert sim.run_until(lambda: any(s.boot_pending for s in cloud.servers()), timedelta(hours=1))
    return sim


def _job(number: int) -> NewJob:
    return NewJob(type="test", key=f"t{number}", name=f"t{number}")


def shown(sim: Simulation) -> tuple[object, ...]:
    """What the outside is like, ordered mishaps included."""
    systems, nomad = sim.systems, sim.systems.outside.nomad
    return (
        systems.outside.cloud.version,
        nomad.state.index,
        (nomad.leaderless, nomad.known_leader, nomad.term),
        systems.store_clock.now() - systems.timeline.now(),
        systems.faults.is_calm,
        set(systems.outside.machines.never_join),
        # What is ordered for later, and which agents are heard, nothing shows from outside.
        *(repr(vars(part)) for part in (systems.outside.cloud.ordered, nomad.jobs)),
        repr(vars(systems.outside.cloud.snapshots)),
        *(repr(vars(part)) for part in (nomad.scheduler, vars(nomad)["_agents"])),
    )


@pytest.mark.parametrize("name", sorted(MISHAPS))
def test_a_mishap_hits_something_and_says_so(name: str) -> None:
    sim = busy_world()
    node = sim.systems.outside.nomad.state.nodes.by_id()[0]
    if name == "node_opened_by_others":
        sim.systems.outside.nomad.nodes.set_eligibility(node.id, eligible=False)
    before = shown(sim)
    if name == "garbage_collected":
        # The children of runs under way stay; that of one that is over goes.
        child = next(j for j in sim.systems.outside.nomad.state.jobs.by_id() if j.parent_id)
        sim.systems.outside.nomad.jobs.stop(child.id)
        sim.systems.timeline.advance(timedelta(minutes=2))
    assert MISHAPS[name](sim.systems, Random(1))
    assert shown(sim) != before


@pytest.mark.parametrize("name", sorted(MISHAPS))
def test_a_mishap_in_an_empty_world_harms_nobody(name: str) -> None:
    sim = Simulation(Plan())
    MISHAPS[name](sim.systems, Random(1))
    sim.pass_time(timedelta(hours=1))
    assert sim.truth.check(everything=True) == []


def test_a_world_left_in_peace_is_whole_again() -> None:
    sim = busy_world()
    chance = Random(2)
    for _ in range(3):
        for happen in MISHAPS.values():
            happen(sim.systems, chance)
    calm(sim.systems)
    systems, granted = sim.systems, sim.systems.scenario.cloud
    assert systems.faults.is_calm
    assert systems.store_clock.is_true
    assert not systems.outside.nomad.leaderless
    assert systems.outside.nomad.known_leader
    assert not any(server.cell_down for server in systems.outside.cloud.servers())
    assert systems.outside.cloud.quota().max_servers == granted.max_servers
    assert sim.run_until(sim.is_quiet, timedelta(hours=48)), sim.story()


@pytest.mark.parametrize("system", sorted(OUTAGES))
def test_an_outage_ends(system: str) -> None:
    sim = Simulation(Plan())
    MISHAPS[f"outage_of_{system}"](sim.systems, Random(1))
    operation = {"store": "commit", "nomad": "stop", "cloud": "create"}[system]
    assert sim.systems.faults.take(f"{system}.{operation}") in OUTAGES[system]
    sim.pass_time(timedelta(minutes=3))
    assert sim.systems.faults.take(f"{system}.{operation}") is None


@pytest.mark.parametrize("how", list(Oddity))
def test_a_job_whose_dispatch_was_answered_oddly_is_done_once(how: Oddity) -> None:
    sim = Simulation(Plan(scenario=Scenario(seed=1)))
    sim.systems.outside.nomad.spoil_next_dispatch(how)
    sim.systems.store.submit([_job(1)], ASKED)
    assert sim.run_until(sim.is_quiet, timedelta(hours=12)), sim.story()
    assert [job.status for job in sim.systems.store.tables.jobs.values()] == ["processed"]
    assert [run.claim for run in sim.systems.store.tables.runs.values() if run.claim] == [1]


@pytest.mark.parametrize("fault", [Fault.STALE, Fault.CUT_SHORT])
@pytest.mark.parametrize("call", ["nomad.snapshot", "cloud.snapshot"])
def test_lists_that_are_old_or_break_off_now_and_then_delay_and_harm_nobody(
    call: str, fault: Fault
) -> None:
    sim = Simulation(Plan(scenario=Scenario(seed=2)))
    sim.systems.store.submit([_job(number) for number in range(3)], ASKED)
    deadline = sim.systems.timeline.now() + timedelta(hours=12)
    while not sim.is_quiet():
        sim.systems.faults.order(call, fault)
        for _ in range(3):
            sim.round()
        assert sim.systems.timeline.now() < deadline, sim.story()
    assert sim.systems.outside.cloud.created == 3
    assert sim.truth.deletions == 3
