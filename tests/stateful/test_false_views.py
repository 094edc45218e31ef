"""Worlds in which a list, a project or a database is wrong: no healthy machine is deleted, no
running job is requeued; and worlds in which machines are really gone, which are tidied up.

Each is run for many seeds: the number of workers, what they do and what is hidden are drawn. The
witness looks at the truth at every moment, the controller only sees what the lens shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from controller.simulate.process import DEPLOYMENT
from controller.simulation import Plan, Simulation
from models.breakers import REMOVAL_CAUSES, BreakerName
from models.fleet import DEPLOYMENT_METADATA
from models.lifecycle import ON_WORKER, Status
from models.ports import Asked
from models.records import NewJob, RetireCause, Run, RunEnd, Worker, WorkerState
from models.world import CloudSnapshot, NomadSnapshot
from simulator.behaviour import Behaviour, Spread
from simulator.cloud.servers import CloudServer
from simulator.store.backup import NOTHING, Backup, backed_up, restore
from simulator.systems import Scenario

PERSON = Asked(actor="ada", reason="a test")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LASTS = 40 * MINUTE
"""How long a wrong view lasts: longer than a boot and than every absence."""
SHORT = Spread(least=timedelta(seconds=5), most=timedelta(seconds=20))
LONG = Behaviour(
    starting=SHORT,
    pre_processing=SHORT,
    processing=Spread(least=50 * MINUTE, most=80 * MINUTE),
    post_processing=SHORT,
    winding_down=SHORT,
)
TYPES = ("test", "gfsc", "fsc_rlie")
# A world of half a dozen workers takes about a second: a few of each kind on a laptop, hundreds
# with the long profile. A smaller one that fails tells no more than the story in the message does.
TRIED = settings(
    max_examples=max(2, settings().max_examples // 25),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


class Witness:
    """Notes every harm at the moment when it is done, by what is true and not by what is shown."""

    def __init__(self, sim: Simulation) -> None:
        self.harm: list[str] = []
        self._sim = sim
        sim.systems.outside.cloud.on_gone.insert(0, self._machine_ended)
        sim.systems.store.tables.runs.watch(self)

    def moved(self, before: Run | None, after: Run | None) -> None:
        """A run was written. One that is given up as lost must not be running."""
        if after is None or after.end is not RunEnd.LOST or (before and before.end):
            return
        if after.allocation_id in self._sim.systems.outside.nomad.state.allocs.live:
            self.harm.append(f"run {after.id} of job {after.job_id} is requeued while it runs")

    def _machine_ended(self, server: CloudServer) -> None:
        if not server.doomed:
            return  # it vanished, and nobody asked for it
        worker = self._sim.systems.store.tables.workers_by_server.one(server.id)
        retirement = worker.retirement if worker else None
        if retirement is None or retirement.cause in REMOVAL_CAUSES:
            why = retirement.cause if retirement else "no reason"
            self.harm.append(f"server {server.name} is deleted for {why} though it is healthy")


@dataclass
class Farm:
    """Workers at work, a few of them idle, and whoever watches that they come to no harm."""

    sim: Simulation
    chance: Random
    witness: Witness

    @property
    def workers(self) -> list[Worker]:
        """The open rows."""
        return self.sim.systems.store.tables.open_workers.of(True)

    def go_on(self, span: timedelta) -> None:
        """Let time pass with the controller at work; stop at the first harm."""
        until = self.sim.systems.timeline.now() + span
        while self.sim.systems.timeline.now() < until:
            self.sim.round()
            assert self.witness.harm == [], f"{self.witness.harm}\n{self.sim.story()}"

    def open_breakers(self) -> set[BreakerName]:
        """The breakers that are open now."""
        return {breaker.name for breaker in self.sim.systems.store.breakers()}

    def opened(self) -> set[BreakerName]:
        """The breakers that ever were."""
        return {breaker.name for breaker in self.sim.systems.store.breakers(closed=True)}


def farm(seed: int, busy: int, *, on_call: timedelta | None = None) -> Farm:
    """So many jobs at work for about an hour more, with a few idle workers that a person keeps."""
    chance = Random(seed)
    scenario = Scenario(seed=seed, behaviours=dict.fromkeys(TYPES, LONG))
    beat = timedelta(seconds=10)
    sim = Simulation(Plan(scenario=scenario, beat=beat, on_call=on_call, skipping=True))
    names = [f"job-{number}" for number in range(busy)]
    jobs = [NewJob(type=chance.choice(TYPES), key=name, name=name) for name in names]
    store = sim.systems.store
    store.submit(jobs, PERSON)
    store.order("hm.medium", chance.randint(1, 3), 2 * HOUR, PERSON)
    made = Farm(sim=sim, chance=chance, witness=Witness(sim))

    def all_work() -> bool:
        at_work = all(job.status in ON_WORKER for job in store.tables.jobs.values())
        return at_work and all(worker.state is WorkerState.READY for worker in made.workers)

    assert sim.run_until(all_work, 20 * MINUTE), sim.story()
    return made


def some(chance: Random, of: int) -> set[int]:
    """Some of so many, at least half."""
    return set(chance.sample(range(of), chance.randint((of + 1) // 2, of)))


# ---- wrong views ---------------------------------------------------------------------------------


def an_empty_server_list(farm: Farm) -> None:
    farm.sim.systems.lens.cloud = lambda shown: replace(shown, servers=())


def half_a_server_list(farm: Farm) -> None:
    ids = sorted(worker.server_id or "" for worker in farm.workers)
    hidden = {ids[number] for number in some(farm.chance, len(ids))}
    farm.sim.systems.lens.cloud = lambda shown: replace(
        shown, servers=tuple(s for s in shown.servers if s.id not in hidden)
    )


def another_half_each_time(farm: Farm) -> None:
    def shown(whole: CloudSnapshot) -> CloudSnapshot:
        kept = tuple(s for s in whole.servers if farm.chance.random() < 0.5)
        return replace(whole, servers=kept)

    farm.sim.systems.lens.cloud = shown


def another_project(farm: Farm) -> None:
    """Its list is complete, ours answer 404 by id, and somebody there uses our names."""
    mine = {worker.server_id for worker in farm.workers}

    def shown(whole: CloudSnapshot) -> CloudSnapshot:
        theirs = tuple(
            replace(s, id=f"other-{s.id}", metadata={DEPLOYMENT_METADATA: f"not-{DEPLOYMENT}"})
            for s in whole.servers
        )
        return replace(whole, servers=theirs)

    farm.sim.systems.lens.cloud = shown
    farm.sim.systems.lens.is_in_project = lambda server: server not in mine


def a_cell_that_is_down(farm: Farm) -> None:
    """Its servers are listed as UNKNOWN, with little else: they are present."""
    ids = sorted(worker.server_id or "" for worker in farm.workers)
    farm.sim.systems.outside.cloud.lose_cell(ids[n] for n in some(farm.chance, len(ids)))


def an_empty_node_list(farm: Farm) -> None:
    farm.sim.systems.lens.nomad = lambda shown: replace(shown, nodes=())


def another_nomad(farm: Farm) -> None:
    """Nothing of ours is in it, and it has been running for longer than ours."""
    farm.sim.systems.lens.nomad = lambda shown: _nothing_of(shown, index=10**9)


def another_nomad_that_is_younger(farm: Farm) -> None:
    """Nothing of ours is in it, and the gate sees it go backwards."""
    farm.sim.systems.lens.nomad = lambda shown: _nothing_of(shown, index=5)


def _nothing_of(shown: NomadSnapshot, *, index: int) -> NomadSnapshot:
    return replace(shown, nodes=(), jobs=(), evaluations=(), allocations=(), index=index)


def a_nomad_that_was_restored(farm: Farm) -> None:
    """Its indexes go on from where the backup ended. Nodes that joined since are not in it until
    they register again, which takes them a while.
    """
    timeline, nomad = farm.sim.systems.timeline, farm.sim.systems.outside.nomad
    back, at = nomad.state.index // 2, timeline.now()
    nodes = sorted(node.id for node in nomad.state.nodes.by_id())
    late = {
        nodes[n]: at + farm.chance.uniform(5, 60) * timedelta(seconds=1)
        for n in some(farm.chance, len(nodes))
    }

    def shown(whole: NomadSnapshot) -> NomadSnapshot:
        there = (n for n in whole.nodes if late.get(n.id, at) <= timeline.now())
        lower = tuple(replace(n, modify_index=max(1, n.modify_index - back)) for n in there)
        return replace(whole, nodes=lower, index=whole.index - back)

    farm.sim.systems.lens.nomad = shown


VIEWS: Mapping[str, Callable[[Farm], None]] = {
    view.__name__.replace("_", "-"): view
    for view in (
        an_empty_server_list,
        half_a_server_list,
        another_half_each_time,
        another_project,
        a_cell_that_is_down,
        an_empty_node_list,
        another_nomad,
        another_nomad_that_is_younger,
        a_nomad_that_was_restored,
    )
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", VIEWS)
@TRIED
@given(seed=st.integers(0, 10**6), busy=st.integers(1, 9))
def test_a_wrong_view_deletes_nothing_and_requeues_nothing_and_nobody_is_needed_afterwards(
    name: str, seed: int, busy: int
) -> None:
    made = farm(seed, busy)
    before = {worker.name: worker.server_id or "" for worker in made.workers}
    systems = made.sim.systems
    VIEWS[name](made)
    made.go_on(LASTS)
    assert {worker.name: worker.server_id or "" for worker in made.workers} == before
    assert made.sim.truth.deletions == 0
    systems.lens.take_off()
    systems.outside.cloud.restore_cell(list(before.values()))
    made.go_on(5 * MINUTE)
    assert made.open_breakers() == set(), made.sim.story()
    assert made.sim.run_until(made.sim.is_quiet, 6 * HOUR), made.sim.story()
    assert made.witness.harm == []
    jobs = list(systems.store.tables.jobs.values())
    assert [(job.status, job.attempt, job.losses) for job in jobs] == [
        (Status.PROCESSED, 1, 0)
    ] * len(jobs)
    assert systems.outside.cloud.created == len(before), "a worker was replaced"


@pytest.mark.parametrize(
    ("name", "breaker"),
    [
        ("an-empty-server-list", BreakerName.SERVERS),
        ("another-project", BreakerName.SERVERS),
        ("an-empty-node-list", BreakerName.NODES),
        ("another-nomad", BreakerName.NODES),
    ],
)
def test_a_wrong_view_opens_the_breaker_that_names_what_is_wrong(
    name: str, breaker: BreakerName
) -> None:
    made = farm(seed=3, busy=8)
    VIEWS[name](made)
    made.go_on(5 * MINUTE)
    assert made.open_breakers() == {breaker}
    rows = made.sim.systems.store.ledger([f"breaker:{breaker}"])
    assert {row.action for row in rows} == {"OpenBreaker", "Held"}


@pytest.mark.parametrize("name", ["a-nomad-that-was-restored", "another-nomad-that-is-younger"])
def test_a_nomad_that_went_backwards_is_unknown_until_three_answers_over_two_minutes_agree(
    name: str,
) -> None:
    """Until then nobody asks what it does not show: no breaker opens, no run is missed."""
    made = farm(seed=5, busy=8)
    systems = made.sim.systems
    before = systems.timeline.now()
    VIEWS[name](made)
    first = systems.nomad_port(DEPLOYMENT).snapshot()
    assert first.index < systems.outside.nomad.state.index, "it was to go backwards"
    doubted = []
    while systems.timeline.now() - before < 4 * MINUTE:
        made.go_on(timedelta(seconds=10))
        rows = systems.store.ledger(["system:nomad"], limit=10)
        held = [row for row in rows if row.loop == "worker-pool" and "backwards" in row.because]
        if any(row.last_at > systems.timeline.now() - timedelta(seconds=30) for row in held):
            doubted.append(systems.timeline.now())
            assert made.opened() == set()
    # Looked at once a beat: the last look at which it was unknown is up to one before its end.
    assert 2 * MINUTE - made.sim.plan.beat <= doubted[-1] - before <= 3 * MINUTE


def test_an_open_breaker_survives_whoever_found_it() -> None:
    made = farm(seed=4, busy=8)
    an_empty_server_list(made)
    made.go_on(MINUTE)
    [before] = made.sim.systems.store.breakers()
    made.sim.crash()
    made.go_on(LASTS)
    [after] = made.sim.systems.store.breakers()
    assert (after.id, after.suspects) == (before.id, before.suspects)


# ---- databases that went back --------------------------------------------------------------------


def goes_back(farm: Farm, backup: Backup) -> None:
    """The database is as it was. That it forgets is no act of a controller: what the truth says of
    that moment does not count, all that comes after it does.
    """
    restore(farm.sim.systems.store.tables, backup)
    farm.sim.truth.check()
    farm.sim.truth.violations.clear()


@pytest.mark.timeout(3600)
@TRIED
@given(seed=st.integers(0, 10**6), busy=st.integers(1, 9), minutes=st.integers(1, 90))
def test_a_database_restored_from_a_backup_deletes_no_healthy_server(
    seed: int, busy: int, minutes: int
) -> None:
    """What was created since is adopted, what is gone since is proved gone, a person at hand. Jobs
    go round again where the database has forgotten how they ended; none is lost.
    """
    made = farm(seed, busy, on_call=10 * MINUTE)
    store = made.sim.systems.store
    backup = backed_up(store.tables)
    more = [NewJob(type="test", key=f"later-{n}", name=f"later-{n}") for n in range(3)]
    store.submit(more, PERSON)
    made.go_on(minutes * MINUTE)
    goes_back(made, backup)
    assert made.sim.run_until(made.sim.is_quiet, 12 * HOUR), made.sim.story()
    assert made.witness.harm == []
    assert {job.status for job in store.tables.jobs.values()} == {Status.PROCESSED}


@pytest.mark.timeout(3600)
@TRIED
@given(seed=st.integers(0, 10**6), busy=st.integers(1, 9))
def test_a_database_that_was_emptied_deletes_no_server_that_works(seed: int, busy: int) -> None:
    """Every server is adopted, works on, and goes by the delete protocol once it is idle."""
    made = farm(seed, busy)
    servers = {server.id for server in made.sim.truth.servers()}
    store = made.sim.systems.store
    goes_back(made, NOTHING)
    made.go_on(5 * MINUTE)
    # Some may be idle and gone by now; none without having had a row.
    assert {worker.server_id for worker in store.workers(closed=True)} == servers
    assert made.sim.run_until(made.sim.is_quiet, 12 * HOUR), made.sim.story()
    assert made.witness.harm == []
    rows = store.workers(closed=True)
    assert {w.retirement.cause for w in rows if w.retirement} == {RetireCause.IDLE}


# ---- what is really gone -------------------------------------------------------------------------


@pytest.mark.timeout(3600)
@TRIED
@given(seed=st.integers(0, 10**6), gone=st.integers(1, 3))
def test_a_few_machines_that_are_really_gone_are_removed_within_five_minutes(
    seed: int, gone: int
) -> None:
    made = farm(seed, busy=9)
    lost = made.chance.sample(sorted(w.server_id or "" for w in made.workers), gone)
    for server in lost:
        made.sim.systems.outside.cloud.vanish(server)
    made.go_on(5 * MINUTE)
    left = {worker.server_id for worker in made.workers}
    assert left.isdisjoint(lost), made.sim.story()
    assert made.opened() == set()
    assert made.sim.run_until(made.sim.is_quiet, 6 * HOUR), made.sim.story()
    assert {job.status for job in made.sim.systems.store.tables.jobs.values()} == {Status.PROCESSED}


@pytest.mark.timeout(3600)
@TRIED
@given(seed=st.integers(0, 10**6))
def test_a_rack_that_burnt_waits_for_a_person_and_then_goes_on_without_a_second_word(
    seed: int,
) -> None:
    made = farm(seed, busy=9)
    lost = sorted(worker.server_id or "" for worker in made.workers)[:8]
    for server in lost:
        made.sim.systems.outside.cloud.vanish(server)
    made.go_on(30 * MINUTE)
    held = {worker.server_id for worker in made.workers}
    assert held >= set(lost), "removed without a person's word"
    store = made.sim.systems.store
    opened = made.open_breakers()
    assert opened
    store.close_breaker(sorted(opened), PERSON)
    made.go_on(5 * MINUTE)
    assert {worker.server_id for worker in made.workers}.isdisjoint(lost), made.sim.story()
    assert made.open_breakers() == set()
    assert len(store.breakers(closed=True)) == len(opened), "it opened again for the same"
    assert made.sim.run_until(made.sim.is_quiet, 6 * HOUR), made.sim.story()
