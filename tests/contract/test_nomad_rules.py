"""Rules of Nomad that a controller can get wrong, on the state machine alone."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.rows import AllocRow, NomadError, Options
from simulator.nomad.tasks import Sleepers
from simulator.timeline import Timeline

ADMITTING = Options(default_ineligible=False)
HOUR = 3600


class Farm:
    """A cluster with one plain parent, whose jobs take a whole node each."""

    def __init__(self, options: Options = ADMITTING, seed: int = 0, **group: Any) -> None:
        self.tasks = Sleepers()
        self.cluster = NomadCluster(Timeline(), self.tasks, options=options, seed=seed)
        self.state = self.cluster.state
        self.cluster.jobs.register(a_spec(**group))

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.cluster.timeline.advance(timedelta(seconds=seconds))

    def node(self, number: int = 1) -> str:
        """A ready node."""
        node_id = self.cluster.node_boots(
            Boot(server_id=f"s-{number}", name=f"n-{number}", node_class="c", memory_mb=1_000)
        )
        self.wait(5)
        return node_id

    def child(self, priority: int = 50) -> str:
        """A child that was scheduled."""
        child = self.cluster.jobs.dispatch("parent", DispatchOrder(meta={}, priority=priority))
        self.wait(5)
        return child.job_id

    def allocs(self, child: str) -> list[AllocRow]:
        """All allocations that a child ever had."""
        return self.state.allocs_of(child)

    def fail(self, child: str) -> None:
        """Let the task of a child's newest allocation fail."""
        self.tasks.exit(self.allocs(child)[-1].id, 1)


def a_spec(**group: Any) -> Mapping[str, Any]:
    """A parent; its group says nothing of retries unless the test does."""
    task = {"Name": "main", "Driver": "raw_exec", "Resources": {"MemoryMB": 900}}
    return {
        "ID": "parent",
        "Type": "batch",
        "ParameterizedJob": {},
        "TaskGroups": [{"Name": "main", "Tasks": [task], **group}],
    }


# ---- retries that nobody asked for ---------------------------------------------------------------


def test_a_job_that_says_nothing_of_retries_is_run_up_to_eight_times() -> None:
    farm = Farm()
    farm.node()
    child = farm.child()
    runs = 0
    while farm.tasks.running:
        runs += 1
        farm.fail(child)
        farm.wait(60)
    assert runs == 8
    assert [alloc.client_status for alloc in farm.allocs(child)] == ["failed", "failed"]
    assert farm.cluster.jobs.get(child).status == "dead"


def test_with_retries_off_it_is_run_once() -> None:
    farm = Farm(RestartPolicy={"Attempts": 0}, ReschedulePolicy={"Attempts": 0})
    farm.node()
    child = farm.child()
    farm.fail(child)
    farm.wait(HOUR)
    assert len(farm.allocs(child)) == 1
    assert farm.cluster.jobs.get(child).status == "dead"


def test_a_lost_allocation_is_replaced_whatever_the_policies_say() -> None:
    farm = Farm(RestartPolicy={"Attempts": 0}, ReschedulePolicy={"Attempts": 0})
    farm.node(1)
    child = farm.child()
    for number in (2, 3, 4):
        farm.node(number)
        farm.cluster.node_dies(f"s-{number - 1}")
        farm.wait(120)
    assert [a.client_status for a in farm.allocs(child)] == ["lost"] * 3 + ["running"]
    assert farm.cluster.jobs.get(child).summary.lost == 3


def test_killed_tasks_count_as_complete() -> None:
    farm = Farm()
    farm.node()
    child = farm.child()
    farm.cluster.jobs.stop(child)
    farm.wait(1)
    (alloc,) = farm.allocs(child)
    assert (alloc.desired, alloc.client_status, alloc.exit_code) == ("stop", "complete", 137)
    assert farm.cluster.jobs.get(child).summary.complete == 1


# ---- machines ------------------------------------------------------------------------------------


def test_a_silent_machine_works_on_beside_its_replacement_until_it_is_heard() -> None:
    farm = Farm()
    first, second = farm.node(1), farm.node(2)
    child = farm.child()
    (alloc,) = farm.allocs(child)
    other = second if alloc.node_id == first else first
    farm.cluster.lose_node(alloc.node_id)
    farm.wait(120)
    replacement = farm.allocs(child)[-1]
    assert replacement.node_id == other
    assert set(farm.tasks.running) == {alloc.id, replacement.id}
    farm.cluster.find_node(alloc.node_id)
    farm.wait(5)
    assert set(farm.tasks.running) == {replacement.id}
    assert [a.client_status for a in farm.allocs(child)] == ["lost", "running"]


def test_what_ended_in_silence_is_reported_when_the_machine_is_heard() -> None:
    farm = Farm()
    node_id = farm.node()
    child = farm.child()
    farm.cluster.lose_node(node_id)
    farm.tasks.exit(farm.allocs(child)[0].id, 0)
    assert farm.allocs(child)[0].client_status == "running"
    farm.cluster.find_node(node_id)
    assert farm.allocs(child)[0].client_status == "complete"


def test_a_short_silence_is_not_noticed() -> None:
    farm = Farm()
    node_id = farm.node()
    farm.child()
    farm.cluster.lose_node(node_id, back_after=timedelta(seconds=2))
    before = farm.cluster.nodes.get(node_id).modify_index
    farm.wait(HOUR)
    assert farm.cluster.nodes.get(node_id).modify_index == before


def test_a_machine_that_starts_again_keeps_its_node_and_loses_its_tasks() -> None:
    farm = Farm(RestartPolicy={"Attempts": 0}, ReschedulePolicy={"Attempts": 0})
    node_id = farm.node()
    child = farm.child()
    assert farm.node() == node_id
    assert farm.tasks.running == {}
    assert farm.allocs(child)[0].client_status == "failed"
    farm.wait(HOUR)
    assert farm.cluster.nodes.get(node_id).status == "ready"


def test_a_dead_machine_is_noticed_within_the_heartbeats_bounds() -> None:
    for seed in range(20):
        farm = Farm(seed=seed)
        node_id = farm.node()
        farm.cluster.node_dies("s-1")
        farm.wait(9)
        assert farm.cluster.nodes.get(node_id).status == "ready"
        farm.wait(25)
        assert farm.cluster.nodes.get(node_id).status == "down"


def test_work_for_a_node_that_died_before_it_began_is_lost_and_replaced() -> None:
    farm = Farm()
    farm.node(1)
    child = farm.cluster.jobs.dispatch("parent", DispatchOrder(meta={})).job_id
    farm.wait(0.1)
    assert farm.allocs(child)[0].client_status == "pending"
    farm.cluster.node_dies("s-1")
    farm.wait(60)
    farm.node(2)
    assert [a.client_status for a in farm.allocs(child)] == ["lost", "running"]


def test_a_machine_without_an_agent_may_die() -> None:
    Farm().cluster.node_dies("never heard of")


# ---- garbage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "kept"),
    [pytest.param(3.5, True, id="younger-than-4h"), pytest.param(4.5, False, id="older-than-4h")],
)
def test_a_dead_child_is_kept_for_four_hours(hours: float, kept: bool) -> None:
    farm = Farm()
    farm.node()
    child = farm.child()
    farm.tasks.exit(farm.allocs(child)[0].id, 0)
    farm.wait(hours * HOUR)
    assert (farm.state.jobs.get(child) is not None) is kept
    assert bool(farm.allocs(child)) is kept
    assert bool(farm.state.evals_of(child)) is kept


def test_what_runs_or_waits_is_never_collected() -> None:
    farm = Farm()
    farm.node()
    running, waiting = farm.child(), farm.child()
    farm.wait(48 * HOUR)
    farm.cluster.gc.collect_all()
    assert farm.cluster.jobs.get(running).status == "running"
    assert farm.cluster.jobs.get(waiting).status == "pending"


def test_a_child_that_is_stopped_but_still_runs_is_not_collected() -> None:
    farm = Farm()
    farm.node()
    child = farm.child()
    farm.tasks.lingering.add(farm.allocs(child)[0].id)
    farm.cluster.jobs.stop(child)
    farm.wait(1)
    assert farm.cluster.jobs.get(child).status == "dead"
    farm.cluster.gc.collect_all()
    assert len(farm.allocs(child)) == 1


def test_a_node_that_is_down_is_listed_for_a_day() -> None:
    farm = Farm()
    node_id = farm.node()
    farm.cluster.node_dies("s-1")
    farm.wait(23 * HOUR)
    assert farm.cluster.nodes.get(node_id).status == "down"
    farm.wait(2 * HOUR)
    with pytest.raises(NomadError, match="node not found"):
        farm.cluster.nodes.get(node_id)


def test_a_quiet_cluster_has_nothing_left_to_do() -> None:
    farm = Farm()
    farm.node()
    child = farm.child()
    farm.tasks.exit(farm.allocs(child)[0].id, 0)
    farm.wait(48 * HOUR)
    assert farm.cluster.timeline.next_at() is None


# ---- whatever happens ----------------------------------------------------------------------------


def _each_node(farm: Farm, number: int, act: Callable[[str], object]) -> None:
    for node in farm.state.nodes.by_id()[number:]:
        act(node.id)


def _end_tasks(farm: Farm, number: int) -> None:
    for alloc_id in list(farm.tasks.running)[number:]:
        farm.tasks.exit(alloc_id, number % 2)


def _children(farm: Farm) -> list[Any]:
    return farm.state.children_of("parent")


STEPS: dict[str, Callable[[Farm, int], object]] = {
    "boot": lambda farm, n: farm.node(n),
    "dispatch": lambda farm, n: farm.child(priority=n + 1),
    "die": lambda farm, n: farm.cluster.node_dies(f"s-{n}"),
    "mark": lambda farm, n: _each_node(
        farm, n, lambda node: farm.cluster.nodes.set_eligibility(node, eligible=n % 2 == 0)
    ),
    "purge": lambda farm, n: _each_node(farm, n, farm.cluster.purge),
    "end": _end_tasks,
    "stop": lambda farm, n: [farm.cluster.jobs.stop(job.id) for job in _children(farm)[n:]],
    "late": lambda farm, n: farm.cluster.delay_next_placement(timedelta(seconds=20 * n)),
    "wait": lambda farm, n: farm.wait(30 * n),
    "collect": lambda farm, _: farm.cluster.gc.collect_all(),
}


@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 4)), max_size=40),
    seed=st.integers(0, 3),
)
@example(steps=[("boot", 0), ("late", 1), ("dispatch", 0), ("stop", 0), ("dispatch", 0)], seed=0)
@example(steps=[("boot", 0), ("boot", 0), ("die", 0), ("late", 1), ("dispatch", 0)], seed=0)
def test_no_history_breaks_the_books_of_the_cluster(
    steps: list[tuple[str, int]], seed: int
) -> None:
    farm = Farm(seed=seed)
    for name, number in steps:
        index = farm.state.index
        STEPS[name](farm, number)
        assert farm.state.index >= index
        _check_books(farm)
    farm.wait(HOUR)
    _check_books(farm)
    _check_rest(farm)


def _check_books(farm: Farm) -> None:
    state = farm.state
    for job in _children(farm):
        allocs = state.allocs_of(job.id)
        assert sum(not alloc.terminal for alloc in allocs) <= 1
        assert job.status == state.status_of(job)
        counts = job.summary
        for name, status in [("starting", "pending"), ("running", "running"), ("lost", "lost")]:
            assert getattr(counts, name) == sum(a.client_status == status for a in allocs)
    live = [alloc for alloc in state.allocs.by_creation() if not alloc.client_terminal]
    assert live == list(state.allocs.live.values())
    for node in state.nodes.by_id():
        load = sum(alloc.memory_mb for alloc in live if alloc.node_id == node.id)
        assert state.load_of(node.id)[0] == load <= node.memory_mb
    assert all(
        row.modify_index <= state.index
        for table in (state.nodes, state.jobs, state.evals, state.allocs)
        for row in table.by_creation()
    )


def _check_rest(farm: Farm) -> None:
    """When everything has settled: free nodes and waiting children do not exist side by side."""
    state = farm.state
    waiting = [job for job in _children(farm) if job.status == "pending"]
    free = [node for node in state.usable_of("c") if not state.live_on(node.id)]
    assert not (waiting and free)
    for job in waiting:
        assert [row.status for row in state.evals_of(job.id) if row.is_open] == ["blocked"]
    running = {alloc.id for alloc in state.allocs.live.values()}
    assert set(farm.tasks.running) == running
