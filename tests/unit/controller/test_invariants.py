"""What production counts as a violation."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from controller.invariants import INVARIANTS, check, check_decisions
from models.actions import CommitDelete, CreateServer, PurgeNode
from models.lifecycle import Status
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import RetireCause, WorkerState
from models.settings import PoolSettings, Settings
from models.world import World
from simulator.examples import (
    a_creating_worker,
    a_machine,
    a_retirement,
    a_world,
    an_allocation,
    in_flight,
)

SMALL = Settings(pool=PoolSettings(max_workers=2, max_vcpus=100))
WORKER = Subject(SubjectKind.WORKER, "os-worker-001")


def farm(
    *, state: WorkerState = WorkerState.READY, cause: RetireCause | None = None,
    busy: bool = False, forced: bool = False,
) -> World:  # fmt: skip
    """One worker with its server and node, going or not, with something on it or not."""
    retirement = a_retirement(cause=cause, forced=forced) if cause else None
    machine = a_machine(1, state=state, retirement=retirement)
    return a_world(machine, nomad={"allocations": (an_allocation(),)} if busy else None)


@pytest.mark.parametrize(
    ("world", "found"),
    [
        pytest.param(farm(), [], id="at-rest"),
        pytest.param(farm(busy=True), [], id="at-work"),
        pytest.param(farm(state=WorkerState.DELETING, cause=RetireCause.IDLE), [], id="empty-goes"),
        pytest.param(farm(state=WorkerState.DELETING, cause=RetireCause.IDLE, busy=True), ["I1"],
                     id="busy-goes"),
        pytest.param(farm(state=WorkerState.DELETING, cause=RetireCause.PERSON, busy=True,
                          forced=True), [], id="a-person-forced-it"),
        pytest.param(farm(state=WorkerState.DELETING, cause=RetireCause.VANISHED, busy=True), [],
                     id="it-was-lost-before"),
    ],
)  # fmt: skip
def test_a_worker_at_work_must_not_be_deleted(world: World, found: list[str]) -> None:
    assert [violation.invariant for violation in check(world, Settings())] == found


def flights(*, status: Status = Status.PROCESSING, claim: int = 1, twice: bool = False) -> World:
    flight = in_flight(status)
    flight = replace(flight, run=replace(flight.run, claim=claim))
    return a_world(store={"in_flight": (flight, flight) if twice else (flight,)})


@pytest.mark.parametrize(
    ("world", "found"),
    [
        pytest.param(flights(), [], id="claimed-and-processing"),
        pytest.param(flights(status=Status.QUEUED, claim=0), [], id="queued"),
        pytest.param(flights(claim=0), ["I2"], id="processing-without-a-claim"),
        pytest.param(flights(twice=True), ["I2"], id="in-flight-twice"),
        pytest.param(flights(status=Status.READY), ["I2"], id="in-flight-and-ready"),
    ],
)
def test_a_job_in_flight_has_one_current_run(world: World, found: list[str]) -> None:
    assert [violation.invariant for violation in check(world, Settings())] == found


@pytest.mark.parametrize(
    ("creating", "others", "found"),
    [
        pytest.param(1, 1, [], id="at-the-cap"),
        pytest.param(1, 2, ["I4"], id="growing-beyond-the-cap"),
        pytest.param(0, 3, [], id="the-cap-was-lowered"),
    ],
)
def test_growing_on_beyond_a_cap_is_a_violation(
    creating: int, others: int, found: list[str]
) -> None:
    workers = (
        *(a_creating_worker(id=number) for number in range(1, creating + 1)),
        *(a_machine(number).worker for number in range(11, 11 + others)),
    )

    world = a_world(store={"workers": workers})

    assert [violation.invariant for violation in check(world, SMALL)] == found


def deletion(cause: RetireCause = RetireCause.IDLE) -> CommitDelete:
    machine = a_machine(1)
    return CommitDelete(
        subject=WORKER, reason=Reason.EMPTY, because="empty", worker_id=machine.worker.id,
        server_id="s", cause=cause, by="pool", node_id="n", modify_index=1,
    )  # fmt: skip


def creations(count: int) -> list[Decision]:
    return [
        CreateServer(subject=WORKER, reason=Reason.JOBS_WAITING, because="wanted",
                     name=f"os-worker-{number:03d}", flavor="hm.medium")
        for number in range(50, 50 + count)
    ]  # fmt: skip


BLIND = replace(farm(), nomad=None, cloud=None)


@pytest.mark.parametrize(
    ("world", "decisions", "found"),
    [
        pytest.param(farm(), [deletion()], [], id="an-empty-worker-goes"),
        pytest.param(farm(busy=True), [deletion()], ["I1"], id="a-busy-worker-goes"),
        pytest.param(farm(busy=True), [deletion(RetireCause.STALE)], [], id="a-lost-one-goes"),
        pytest.param(farm(), creations(1), [], id="within-the-cap"),
        pytest.param(farm(), creations(2), ["I4"], id="together-beyond-the-cap"),
        pytest.param(BLIND, creations(1), ["I9"], id="creating-without-seeing-the-cloud"),
        pytest.param(BLIND, [deletion()], ["I9"], id="deleting-without-seeing-nomad"),
        pytest.param(BLIND, [PurgeNode(subject=WORKER, reason=Reason.NODE_GONE, because="gone",
                                       worker_id=1, node_id="n")], ["I9"],
                     id="purging-without-seeing-nomad"),
        pytest.param(farm(), [Held(subject=WORKER, reason=Reason.IDLE, because="")], ["I10"],
                     id="no-sentence"),
    ],
)  # fmt: skip
def test_a_decision_that_would_break_an_invariant_is_found_before_it_is_carried_out(
    world: World, decisions: Sequence[Decision], found: list[str]
) -> None:
    violations = check_decisions(world, decisions, SMALL)

    assert [violation.invariant for violation in violations] == found
    assert all(violation.invariant in INVARIANTS for violation in violations)
