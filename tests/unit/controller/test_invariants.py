"""What production counts as a violation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as trying

from controller.act import HANDLERS
from controller.invariants import (
    INVARIANTS,
    check,
    check_decisions,
    check_pauses,
    check_waits,
)
from controller.invariants_of_sight import RELIES_ON
from controller.loop import Reconciler
from controller.reconcilers import RECONCILERS
from models.actions import (
    CommitDelete,
    CreateServer,
    DispatchRun,
    OpenBreaker,
    PurgeNode,
    RefuteCreate,
)
from models.breakers import Breaker, BreakerName
from models.lifecycle import Status
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Pause, RetireCause, WorkerState
from models.settings import PoolSettings, Settings
from models.world import World
from simulator.examples import (
    NOW,
    a_creating_worker,
    a_job,
    a_machine,
    a_parent_id,
    a_retirement,
    a_world,
    an_allocation,
    in_flight,
)
from simulator.strategies import worlds

SMALL = Settings(pool=PoolSettings(max_workers=2, max_vcpus=100))
WORKER = Subject(SubjectKind.WORKER, "os-worker-001")


def farm(
    *, state: WorkerState = WorkerState.READY, cause: RetireCause | None = None,
    busy: bool = False, forced: bool = False, gone: bool = False,
) -> World:  # fmt: skip
    """One worker with its server and node, going or not, with something on it or not."""
    retirement = a_retirement(cause=cause, forced=forced) if cause else None
    machine = a_machine(1, state=state, retirement=retirement, gone_at=NOW if gone else None)
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
        pytest.param(farm(state=WorkerState.DELETING, cause=RetireCause.PERSON, busy=True,
                          gone=True), [], id="its-server-vanished-before-we-asked-for-its-end"),
    ],
)  # fmt: skip
def test_a_worker_at_work_must_not_be_deleted(world: World, found: list[str]) -> None:
    assert [violation.invariant for violation in check(world)] == found


@pytest.mark.parametrize(
    ("committed", "found"),
    [
        pytest.param(timedelta(seconds=-1), ["I1"], id="listed-after-the-commit"),
        pytest.param(timedelta(0), [], id="listed-in-the-same-moment"),
        pytest.param(timedelta(seconds=1), [], id="listed-before-it-was-committed"),
    ],
)
def test_a_list_that_is_older_than_the_deletion_shows_what_has_ended_since(
    committed: timedelta, found: list[str]
) -> None:
    world = farm(state=WorkerState.DELETING, cause=RetireCause.IDLE, busy=True)
    assert world.nomad is not None
    worker = replace(world.store.workers[0], delete_sent_at=world.nomad.requested_at + committed)
    world = replace(world, store=replace(world.store, workers=(worker,)))
    assert [violation.invariant for violation in check(world)] == found


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
    assert [violation.invariant for violation in check(world)] == found


def waiting(**about: Any) -> World:
    """A job that has been ready for longer than a minute, with nothing done about it."""
    job = a_job(status_at=NOW - timedelta(seconds=61), **about)
    return replace(farm(), store=replace(farm().store, ready=(job,)))


def refusal(kind: SubjectKind, name: str) -> Held:
    return Held(subject=Subject(kind, name), reason=Reason.NO_SLOT, because="no")


@pytest.mark.parametrize(
    ("decided", "found"),
    [
        pytest.param([], ["I10"], id="nothing-is-decided"),
        pytest.param([refusal(SubjectKind.FLAVOR, "hm.large")], ["I10"], id="about-another-flavor"),
        pytest.param([refusal(SubjectKind.FLAVOR, "hm.medium")], [], id="about-its-flavor"),
        pytest.param([refusal(SubjectKind.TYPE, "fsc_rlie")], [], id="about-its-type"),
        pytest.param([refusal(SubjectKind.PARENT, a_parent_id())], [], id="about-its-parent"),
        pytest.param([refusal(SubjectKind.SYSTEM, "nomad")], [], id="nomad-is-silent"),
        pytest.param([refusal(SubjectKind.JOB, str(a_job().id))], [], id="about-itself"),
    ],
)
def test_a_job_that_waits_for_a_minute_has_a_reason(decided: list[Held], found: list[str]) -> None:
    violations = check_waits(waiting(), decided, "execution", NOW)
    assert [violation.invariant for violation in violations] == found


def test_a_job_that_waits_briefly_or_is_being_dispatched_needs_none() -> None:
    busy = frozenset({str(Subject(SubjectKind.JOB, str(a_job().id)))})
    assert not check_waits(waiting(), [], "execution", NOW - timedelta(seconds=1))
    assert not check_waits(replace(waiting(), busy=busy), [], "execution", NOW)
    assert not check_waits(waiting(), [], "monitor", NOW)


def growing(ready: int) -> World:
    """A create in flight beside some workers, of which two are allowed in all."""
    workers = (a_creating_worker(id=1), *(a_machine(n).worker for n in range(11, 11 + ready)))
    return replace(farm(), store=replace(farm().store, workers=workers))


def test_a_cap_that_was_lowered_while_a_create_is_in_flight_is_no_violation() -> None:
    assert not check(growing(4))
    assert not check_decisions(growing(4), [], SMALL)


def deletion(cause: RetireCause = RetireCause.IDLE) -> CommitDelete:
    machine = a_machine(1)
    return CommitDelete(
        subject=WORKER, reason=Reason.EMPTY, because="empty", worker_id=machine.worker.id,
        server_id="s", cause=cause, by="pool", node_id="n", modify_index=1,
    )  # fmt: skip


def creations(count: int) -> list[Decision]:
    return [
        CreateServer(subject=WORKER, reason=Reason.JOBS_WAITING, because="wanted",
                     name=f"os-worker-{number:03d}", flavor="hm.medium", image="i")
        for number in range(50, 50 + count)
    ]  # fmt: skip


def without(source: str) -> World:
    """A world of which a part is unknown."""
    unknown: dict[str, Any] = {source: None}
    return replace(farm(), **unknown)


PURGED = PurgeNode(
    subject=WORKER, reason=Reason.NODE_GONE, because="gone", worker_id=1, node_id="n"
)
REFUTED = RefuteCreate(
    subject=WORKER, reason=Reason.CREATE_REFUTED, because="never seen", worker_id=1
)


@pytest.mark.parametrize(
    ("world", "decisions", "found"),
    [
        pytest.param(farm(), [deletion()], [], id="an-empty-worker-goes"),
        pytest.param(farm(busy=True), [deletion()], ["I1"], id="a-busy-worker-goes"),
        pytest.param(farm(busy=True), [deletion(RetireCause.STALE)], [], id="a-lost-one-goes"),
        pytest.param(farm(), creations(1), [], id="within-the-cap"),
        pytest.param(farm(), creations(2), ["I4"], id="together-beyond-the-cap"),
        pytest.param(growing(1), creations(1), ["I4"], id="beyond-the-cap-with-what-is-coming"),
        pytest.param(without("cloud"), creations(1), ["I9"],
                     id="creating-without-seeing-the-cloud"),
        pytest.param(without("nomad"), creations(1), ["I9"], id="creating-without-seeing-nomad"),
        pytest.param(without("nomad"), [deletion()], ["I9"], id="deleting-without-seeing-nomad"),
        pytest.param(without("cloud"), [deletion()], ["I9"],
                     id="deleting-without-seeing-the-cloud"),
        pytest.param(without("nomad"), [replace(deletion(), node_id=None, modify_index=None)],
                     ["I9"], id="deleting-a-worker-without-a-node-unseen"),
        pytest.param(without("cloud"), [REFUTED], ["I9"], id="refuting-without-seeing-the-cloud"),
        pytest.param(without("nomad"), [REFUTED], [], id="refuting-without-seeing-nomad"),
        pytest.param(without("nomad"), [PURGED], ["I9"], id="purging-without-seeing-nomad"),
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


def test_every_action_says_what_it_relies_on() -> None:
    assert set(RELIES_ON) == set(HANDLERS)
    assert all(RELIES_ON.values())


@pytest.mark.parametrize("reconciler", RECONCILERS, ids=lambda reconciler: reconciler.name)
@given(world=worlds())
@trying(max_examples=25)
def test_the_real_rules_break_no_invariant_in_any_world(
    reconciler: Reconciler, world: World
) -> None:
    settings = Settings()
    decided = reconciler.decide(world, reconciler.settings_of(settings), NOW)

    assert not check_decisions(world, decided, settings)


def a_pause(target: str) -> Pause:
    return Pause(target=target, by="ada", reason="an upgrade", since=NOW)


DISPATCH = DispatchRun(
    subject=Subject(SubjectKind.JOB, "1"), reason=Reason.SLOT_FREE, because="a worker is free",
    job_id=1, parent="p", nomad_priority=50,
)  # fmt: skip


@pytest.mark.parametrize(
    ("target", "decision", "found"),
    [
        pytest.param("everything", DISPATCH, ["I12"], id="everything-rests"),
        pytest.param("loop:execution", DISPATCH, ["I12"], id="the-loop-rests"),
        pytest.param("loop:monitor", DISPATCH, [], id="another-loop-rests"),
        pytest.param("type:fsc_rlie", DISPATCH, ["I12"], id="the-type-rests"),
        pytest.param("type:gfsc", DISPATCH, [], id="another-type-rests"),
        pytest.param("type:fsc_rlie", PURGED, [], id="only-dispatches-have-a-type"),
        pytest.param(
            "everything", Held(subject=WORKER, reason=Reason.PAUSED, because="it rests"), [],
            id="nothing-is-done",
        ),
    ],
)  # fmt: skip
def test_what_is_paused_must_do_nothing(target: str, decision: Decision, found: list[str]) -> None:
    world = a_world(store={"ready": (a_job(id=1),), "pauses": (a_pause(target),)})

    violations = check_pauses(world, [decision], "execution")

    assert [violation.invariant for violation in violations] == found
    assert all(violation.invariant in INVARIANTS for violation in violations)


# ---- breakers ------------------------------------------------------------------------------------


def _removal(cause: RetireCause) -> CommitDelete:
    return CommitDelete(
        subject=WORKER,
        reason=Reason.STALE,
        because="its node never joined",
        worker_id=1,
        server_id=a_machine(1).worker.server_id or "",
        cause=cause,
        by="worker-pool",
    )


@pytest.mark.parametrize(
    ("cause", "closed", "broken"),
    [
        pytest.param(RetireCause.STALE, False, True, id="stale"),
        pytest.param(RetireCause.SERVER_ERROR, False, True, id="in-error"),
        pytest.param(RetireCause.PERSON, False, False, id="a-person-wants-it"),
        pytest.param(RetireCause.STALE, True, False, id="a-person-accepted-it"),
    ],
)
def test_a_removal_while_a_breaker_is_open_breaks_i9(
    cause: RetireCause, *, closed: bool, broken: bool
) -> None:
    server = a_machine(1).worker.server_id or ""
    others = Breaker(
        id=2, name=BreakerName.NODES, opened_at=NOW, because="9 of 10", suspects={"s": "other"}
    )
    accepted = replace(others, id=1, closed_at=NOW, closed_by="ada", accepted=frozenset({server}))
    world = a_world(a_machine(1), store={"breakers": (accepted, others) if closed else (others,)})

    found = check_decisions(world, [_removal(cause)], Settings())

    assert [violation.invariant for violation in found] == (["I9"] if broken else [])


def test_a_breaker_is_opened_by_what_its_own_source_shows() -> None:
    opened = OpenBreaker(
        subject=Subject(SubjectKind.BREAKER, "servers"),
        reason=Reason.SERVERS_MISSING,
        because="9 of 10",
        name=BreakerName.SERVERS,
        suspects={},
    )
    blind = replace(a_world(), nomad=None)

    assert check_decisions(blind, [opened], Settings()) == []
    [violation] = check_decisions(replace(blind, cloud=None), [opened], Settings())
    assert violation.invariant == "I9"
