"""Two things that may take long, and that nobody else has to wait for: a run of three quarters of
an hour on a worker that is to go, and a cloud that refuses every creation for want of quota.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from controller.simulation import Plan, Simulation
from models.lifecycle import ON_WORKER, Status
from models.plan import Reason
from models.ports import Asked
from models.records import NewJob, Worker, WorkerState
from models.world import CloudSnapshot
from simulator.behaviour import Behaviour, Spread
from simulator.cloud.options import CloudOptions
from simulator.faults import Fault, Faults
from simulator.systems import Scenario

PERSON = Asked(actor="ada", reason="a test")
MINUTE = timedelta(minutes=1)
BEAT = timedelta(seconds=5)
TRIED = settings(
    max_examples=max(3, settings().max_examples // 25),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def lasting(span: timedelta) -> Behaviour:
    """Runs that compute for so long, and for a moment before and after."""
    moment = Spread(least=timedelta(seconds=5), most=timedelta(seconds=5))
    return Behaviour(
        starting=moment,
        pre_processing=moment,
        processing=Spread(least=span, most=span),
        post_processing=moment,
        winding_down=moment,
    )


@dataclass
class Record:
    """What happened when: watches the workers' table."""

    sim: Simulation
    times: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def moved(self, before: Worker | None, after: Worker | None) -> None:
        """See `simulator.store.rows.Watcher`."""
        if after is not None and (before is None or before.state is not after.state):
            self.times.setdefault((after.name, after.state.value), self.sim.systems.timeline.now())

    def at(self, name: str, state: WorkerState) -> datetime:
        """When a worker came to a state. Fails when it never did."""
        assert (name, state.value) in self.times, f"{name} never was {state}\n{self.sim.story()}"
        return self.times[name, state.value]


def submit(sim: Simulation, kind: str, *names: str) -> list[int]:
    """Hand in jobs of a type; their ids."""
    jobs = [NewJob(type=kind, key=name, name=name) for name in names]
    return list(sim.systems.store.submit(jobs, PERSON).added)


def reached(sim: Simulation, done: Callable[[], bool], within: timedelta, what: str) -> None:
    """Go on until it is so; fail with the story when it takes longer."""
    assert sim.run_until(done, within), f"{what}: not within {within}\n{sim.story()}"


def statuses(sim: Simulation, *ids: int) -> set[Status]:
    """Where these jobs are."""
    return {sim.systems.store.tables.jobs[number].status for number in ids}


def worker_of(sim: Simulation, job: int) -> str:
    """The name of the worker that a job runs on."""
    tables = sim.systems.store.tables
    run = tables.current_run(tables.jobs[job])
    worker = tables.worker_of(run.server_id) if run else None
    assert worker is not None, f"job {job} runs nowhere\n{sim.story()}"
    return worker.name


# ---- a long run on a marked worker ---------------------------------------------------------------


@TRIED
@given(seed=st.integers(0, 10**6), by_person=st.booleans())
def test_a_45_minute_running_job_on_a_marked_worker_delays_no_other_action(
    seed: int, *, by_person: bool
) -> None:
    """While it runs, another worker that is idle is deleted, one that fails is removed, others are
    created, jobs are dispatched, and each as fast as if it were not there.
    """
    behaviours = {"fsc_rlie": lasting(45 * MINUTE), "test": lasting(MINUTE)}
    scenario = Scenario(seed=seed, behaviours=behaviours)
    sim = Simulation(Plan(scenario=scenario, beat=BEAT, parameters={"pool.idle_for": 60}))
    record = Record(sim)
    sim.systems.store.tables.workers.watch(record)
    [long] = submit(sim, "fsc_rlie", "long")
    reached(sim, lambda: statuses(sim, long) <= {Status.PROCESSING}, 15 * MINUTE, "the long run")
    marked = worker_of(sim, long)
    mark(sim, marked, by_person=by_person)
    reached(sim, lambda: says(sim, marked, Reason.RUNS_STILL), 2 * MINUTE, "the mark is seen")
    began = sim.systems.timeline.now()

    others = submit(sim, "test", "one", "two", "three")
    # Seen at once, created in the same pass; a boot, a join, an admission; then all three at once.
    reached(sim, lambda: statuses(sim, *others) <= ON_WORKER, 3 * MINUTE, "others are created for")
    names = {worker_of(sim, job) for job in others}
    reached(sim, lambda: statuses(sim, *others) == {Status.PROCESSED}, 3 * MINUTE, "others run")
    failing, *idle = sorted(names)
    server = next(w for w in sim.systems.store.workers() if w.name == failing).server_id
    sim.systems.outside.cloud.break_server(server or "", "the host is broken")
    # A minute of idleness, and then the steps of the protocol: a list or two each.
    reached(sim, lambda: gone(sim, *names), 4 * MINUTE, "idle and broken workers go")
    [late] = submit(sim, "test", "late")
    reached(sim, lambda: statuses(sim, late) <= ON_WORKER, 3 * MINUTE, "a late one is created for")

    took = sim.systems.timeline.now() - began
    assert took < 15 * MINUTE
    assert idle
    assert statuses(sim, long) == {Status.PROCESSING}, "the long run was to be running still"
    assert says(sim, marked, Reason.RUNS_STILL)
    reached(sim, lambda: gone(sim, marked), 60 * MINUTE, "the marked worker goes at last")
    ended = next(r for r in sim.systems.store.tables.runs.values() if r.job_id == long).ended_at
    assert ended is not None
    assert record.at(marked, WorkerState.DELETING) > ended
    assert statuses(sim, long) == {Status.PROCESSED}
    assert sim.systems.store.tables.jobs[long].attempt == 1


def mark(sim: Simulation, name: str, *, by_person: bool) -> None:
    """A person drains the worker with `hrsi`, or by hand in Nomad."""
    if by_person:
        sim.systems.store.retire([name], PERSON, forced=False)
        return
    nodes = sim.systems.outside.nomad.state.nodes.by_id()
    node = next(node for node in nodes if node.name == name)
    sim.systems.nomad_port("sim").set_eligibility(node.id, eligible=False)


def says(sim: Simulation, name: str, reason: Reason) -> bool:
    """The newest decision about a worker has this reason."""
    rows = sim.systems.store.ledger([f"worker:{name}"], limit=1)
    return [row.reason for row in rows] == [reason.value]


def gone(sim: Simulation, *names: str) -> bool:
    """Their rows are closed."""
    return {worker.name for worker in sim.systems.store.workers()}.isdisjoint(names)


# ---- a cloud that has no room --------------------------------------------------------------------


class Calls(Faults):
    """No faults; remembers when each operation was called."""

    def __init__(self) -> None:
        super().__init__()
        self.now: Callable[[], datetime] | None = None
        self.made: list[tuple[str, datetime]] = []

    def take(self, operation: str) -> Fault | None:
        """See `Faults.take`."""
        if self.now is not None:
            self.made.append((operation, self.now()))
        return super().take(operation)

    def of(self, operation: str) -> list[datetime]:
        """When it was called."""
        return [at for made, at in self.made if made == operation]


def without_quota(shown: CloudSnapshot) -> CloudSnapshot:
    """The cloud says nothing of a quota, and has one all the same."""
    quota = replace(shown.quota, max_servers=None, max_vcpus=None, max_memory_mb=None)
    return replace(shown, quota=quota)


def steps(first: timedelta, most: timedelta) -> Iterator[timedelta]:
    """The pauses between attempts: doubling, up to the longest."""
    pause = first
    while True:
        yield pause
        pause = min(most, 2 * pause)


@pytest.mark.timeout(3600)
@TRIED
@given(seed=st.integers(0, 10**6), waiting=st.integers(2, 5))
def test_a_forced_quota_makes_at_most_one_create_attempt_per_back_off_step_and_blocks_no_shrinking(
    seed: int, waiting: int
) -> None:
    """Three workers of another flavor fill the quota. Jobs that need a worker wait for hours; each
    step of the back-off asks once; the workers that are idle go in time, and then there is room.
    """
    behaviours = {
        "fsc_rlie": lasting(90 * MINUTE),
        "gfsc": lasting(90 * MINUTE),
        "test": lasting(MINUTE),
    }
    scenario = Scenario(
        seed=seed, behaviours=behaviours, cloud=CloudOptions(max_servers=3, seed=seed)
    )
    calls = Calls()
    sim = Simulation(Plan(scenario=scenario, beat=BEAT, faults=lambda: calls))
    sim.systems.lens.cloud = without_quota
    busy = submit(sim, "fsc_rlie", "long-one", "long-two")
    [short] = submit(sim, "test", "short")
    at_work = {Status.PROCESSING, Status.PROCESSED}
    reached(sim, lambda: statuses(sim, *busy, short) <= at_work, 15 * MINUTE, "the quota is full")
    idler = sim.systems.store.tables.runs_by_job.of(short)[0].node_name or ""
    calls.now = sim.systems.timeline.now
    began = sim.systems.timeline.now()

    jobs = submit(sim, "gfsc", *(f"waits-{number}" for number in range(waiting)))
    reached(sim, lambda: gone(sim, idler), 10 * MINUTE, "the idle worker goes")
    # Whoever follows takes its place; the others are refused for as long as the long ones run.
    sim.run_until(lambda: False, 75 * MINUTE)
    assert statuses(sim, *busy) == {Status.PROCESSING}, "the quota was to be full until now"

    series = list(refusals(sim, calls, began))
    assert max(map(len, series)) >= 5, f"the quota was never full for long: {series}"
    for attempts in series:
        assert_one_attempt_a_step(sim, attempts)
    reached(sim, lambda: statuses(sim, *jobs) == {Status.PROCESSED}, 6 * 60 * MINUTE, "room again")
    reached(sim, sim.is_quiet, 60 * MINUTE, "all is quiet")


def refusals(sim: Simulation, calls: Calls, since: datetime) -> Iterator[list[datetime]]:
    """When the cloud was asked for servers that it refused, series by series: where one was given
    in between, there was room again.
    """
    made = {w.created_at for w in sim.systems.store.workers(closed=True) if w.server_id}
    series: list[datetime] = []
    for at in (at for at in calls.of("cloud.create") if at > since):
        if at in made:
            yield series
            series = []
        else:
            series.append(at)
    yield series


def assert_one_attempt_a_step(sim: Simulation, attempts: list[datetime]) -> None:
    """What was asked for before the first refusal was known is one step; then each step is one
    attempt, and comes after the whole pause.
    """
    pool = sim.truth.settings().pool
    passes = Counter(attempts)
    probes = [count for at, count in passes.items() if at != attempts[0]]
    assert set(probes) <= {1}, f"a step asked more than once: {passes}\n{sim.story()}"
    pauses = steps(pool.backoff, pool.backoff_max)
    for (before, after), pause in zip(pairwise(passes), pauses, strict=False):
        assert after - before >= pause, (
            f"asked again after {after - before}, the pause was {pause}\n{sim.story()}"
        )
