"""Which ready jobs are dispatched, in which order, into which slots, and what the rest is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import DispatchRun
from models.errors import FailureClass
from models.pauses import type_target
from models.plan import Decision, Held, Reason
from models.records import Backoff, Job, Pause, Priority
from models.settings import ExecutionSettings, PoolSettings
from models.world import World
from reconcilers.execution import decide
from simulator.examples import (
    NOW,
    Machine,
    a_booting_worker,
    a_child,
    a_creating_worker,
    a_job,
    a_machine,
    a_parent_id,
    a_retirement,
    a_run,
    a_world,
    an_allocation,
    an_evaluation,
    in_flight,
)

NO_LEAD = ExecutionSettings(lead=0)


def _jobs(count: int, **changes: object) -> tuple[Job, ...]:
    return tuple(a_job(id=n, **changes) for n in range(1, count + 1))


def _dispatched(decisions: Sequence[Decision]) -> list[tuple[int, str]]:
    return [(d.job_id, d.reason.value) for d in decisions if isinstance(d, DispatchRun)]


def _held(decisions: Sequence[Decision]) -> dict[str, str]:
    return {str(d.subject): d.reason.value for d in decisions if isinstance(d, Held)}


def _waiting_world(*machines: Machine, jobs: int, queued: int = 0) -> World:
    """Ready jobs, and runs dispatched before that Nomad has not placed yet."""
    flights = [in_flight(id=n) for n in range(100, 100 + queued)]
    flights = [replace(f, run=replace(f.run, nomad_job_id=a_child(f.run).id)) for f in flights]
    children = [a_child(f.run, status="pending") for f in flights]
    return a_world(
        *machines,
        store={"ready": _jobs(jobs), "in_flight": tuple(flights)},
        nomad={
            "jobs": tuple(children),
            "evaluations": tuple(an_evaluation(child.id, status="blocked") for child in children),
        },
    )


BOOTING = Machine(worker=a_booting_worker(id=7))
WISHED = Machine(worker=a_creating_worker(id=8))
RETIRING = a_machine(9, retirement=a_retirement())


@pytest.mark.parametrize(
    ("machines", "queued", "lead", "reasons"),
    [
        pytest.param([], 0, 0, [], id="no-worker-no-lead-nothing"),
        pytest.param([], 0, 2, ["LEAD"] * 2, id="no-worker-yet-only-the-lead"),
        pytest.param([a_machine(1)], 0, 0, ["SLOT_FREE"], id="one-free-worker"),
        pytest.param([BOOTING, WISHED], 0, 0, ["SLOT_COMING"] * 2, id="two-that-are-coming"),
        pytest.param(
            [WISHED, a_machine(1)],
            0,
            1,
            ["SLOT_FREE", "SLOT_COMING", "LEAD"],
            id="free-ones-first-then-coming-then-ahead",
        ),
        pytest.param(
            [a_machine(1), BOOTING], 1, 0, ["SLOT_COMING"], id="what-was-sent-before-takes-the-free"
        ),
        pytest.param([a_machine(1)], 1, 1, ["LEAD"], id="nothing-but-the-lead-is-left"),
        pytest.param([a_machine(1)], 5, 2, [], id="too-much-was-sent-already"),
        pytest.param([RETIRING], 0, 0, [], id="a-worker-that-goes-is-no-slot"),
        pytest.param(
            [a_machine(1, "hm.large")], 0, 0, [], id="a-slot-of-another-flavor-is-no-slot"
        ),
    ],
)
def test_jobs_fill_the_slots_that_exist_or_are_coming_and_the_lead(
    machines: list[Machine], queued: int, lead: int, reasons: list[str]
) -> None:
    world = _waiting_world(*machines, jobs=4, queued=queued)

    decisions = decide(world, ExecutionSettings(lead=lead), NOW)

    assert _dispatched(decisions) == list(enumerate(reasons, start=1))
    assert ("flavor:hm.medium" in _held(decisions)) == (len(reasons) < 4)


def test_a_worker_that_still_runs_something_is_no_slot() -> None:
    world = a_world(
        a_machine(1),
        store={"ready": _jobs(1)},
        nomad={"allocations": (an_allocation("backup", node=1),)},
    )

    decisions = decide(world, NO_LEAD, NOW)

    assert _held(decisions) == {"flavor:hm.medium": "NO_SLOT"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            {"priority": Priority.NRT, "created_at": NOW},
            {"priority": Priority.DELAYED, "deadline": NOW},
            id="priority-before-deadline",
        ),
        pytest.param(
            {"deadline": NOW + timedelta(hours=1), "created_at": NOW},
            {"deadline": NOW + timedelta(hours=2)},
            id="earlier-deadline-before-age",
        ),
        pytest.param({"deadline": NOW}, {"deadline": None}, id="a-deadline-before-none"),
        pytest.param(
            {"created_at": NOW - timedelta(hours=9)}, {"created_at": NOW}, id="older-first"
        ),
        pytest.param({}, {}, id="the-id-breaks-ties"),
    ],
)
def test_the_order_is_priority_then_deadline_then_age(
    first: dict[str, object], second: dict[str, object]
) -> None:
    jobs = (a_job(id=1, **first), a_job(id=2, **second))
    if first:
        jobs = (a_job(id=1, **second), a_job(id=2, **first))
    world = a_world(a_machine(1), store={"ready": jobs})

    decisions = decide(world, NO_LEAD, NOW)

    assert [job for job, _ in _dispatched(decisions)] == [2 if first else 1]


def test_a_dispatch_names_its_parent_and_tells_nomad_how_urgent_it_is() -> None:
    urgent = a_job(id=5, type="rlies1s2", priority=Priority.NRT)
    world = a_world(a_machine(1), store={"ready": (urgent,)})

    (decision,) = decide(world, NO_LEAD, NOW)

    assert isinstance(decision, DispatchRun)
    assert decision.parent == a_parent_id("hm.medium", "rlies1s2-processing")
    assert decision.nomad_priority == Priority.NRT.nomad
    assert decision.because == (
        "job 5 (nrt rlies1s2 32TLR) is next for hm.medium: a worker is free"
    )


def test_five_thousand_waiting_jobs_are_one_refusal_with_its_numbers() -> None:
    jobs = _jobs(50)
    busy = (an_allocation("other/1", node=1), an_allocation("other/2", node=2))
    world = a_world(
        a_machine(1),
        a_machine(2),
        store={"ready": jobs, "ready_total": {"hm.medium": 5000}},
        nomad={"allocations": busy},
    )

    (decision,) = decide(world, NO_LEAD, NOW)

    assert decision.reason is Reason.NO_SLOT
    assert decision.because == (
        "5000 hm.medium jobs wait: 2 workers, all busy; next in line is "
        "job 1 (delayed fsc_rlie 32TLR)"
    )
    assert dict(decision.facts) == {
        "waiting": 5000,
        "workers": 2,
        "free": 0,
        "coming": 0,
        "unplaced": 0,
        "next_job": 1,
    }


@pytest.mark.parametrize(
    ("machines", "queued", "text"),
    [
        pytest.param([], 0, "1 hm.medium job waits: no worker yet;", id="none"),
        pytest.param(
            [a_machine(1), BOOTING],
            2,
            "2 workers, 1 free and 1 coming for 2 runs dispatched before;",
            id="all-taken-by-earlier-runs",
        ),
    ],
)
def test_what_waits_is_told_why_in_a_sentence(
    machines: list[Machine], queued: int, text: str
) -> None:
    decisions = decide(_waiting_world(*machines, jobs=1, queued=queued), NO_LEAD, NOW)

    assert text in decisions[-1].because


def test_a_job_that_is_being_dispatched_takes_a_slot_and_gets_no_second_action() -> None:
    world = _waiting_world(a_machine(1), a_machine(2), jobs=4)
    world = replace(world, busy=frozenset({"job:3"}))

    decisions = decide(world, NO_LEAD, NOW)

    assert _dispatched(decisions) == [(1, "SLOT_FREE")]
    assert dict(decisions[-1].facts)["waiting"] == 2


@pytest.mark.parametrize(
    ("oddity", "subject", "reason"),
    [
        pytest.param({"type": "odd"}, "type:odd", "TYPE_UNKNOWN", id="a-type-nobody-set-up"),
        pytest.param({"flavor": "odd"}, "flavor:odd", "FLAVOR_UNKNOWN", id="an-unknown-flavor"),
        pytest.param(
            {"flavor": "hm.xlarge"},
            f"parent:{a_parent_id('hm.xlarge')}",
            "PARENT_MISSING",
            id="a-flavor-that-its-service-has-no-parent-for",
        ),
    ],
)
def test_one_jobs_bad_data_holds_that_job_alone(
    oddity: dict[str, Any], subject: str, reason: str
) -> None:
    bad = [replace(a_job(id=n), **oddity) for n in (1, 2)]
    world = a_world(a_machine(1), store={"ready": (*bad, a_job(id=3))})

    decisions = decide(world, NO_LEAD, NOW)

    assert _dispatched(decisions) == [(3, "SLOT_FREE")]
    assert _held(decisions) == {subject: reason}
    assert dict(decisions[0].facts) == {"waiting": 2, "next_job": 1}


@pytest.mark.parametrize(
    ("subject", "seconds_left", "dispatched"),
    [
        pytest.param(f"parent:{a_parent_id()}", 5, [], id="the-parent-refused-lately"),
        pytest.param(f"parent:{a_parent_id()}", -5, [1], id="its-pause-is-over"),
        pytest.param("job:1", 5, [2], id="one-job-failed-lately-and-the-next-takes-its-slot"),
    ],
)
def test_what_failed_lately_rests_and_says_so(
    subject: str, seconds_left: int, dispatched: list[int]
) -> None:
    backoff = Backoff(
        subject=subject,
        failure=FailureClass.UNAVAILABLE,
        failures=3,
        until=NOW + timedelta(seconds=seconds_left),
        message="no leader",
    )
    world = a_world(a_machine(1), store={"ready": _jobs(2), "backoffs": (backoff,)})

    decisions = decide(world, NO_LEAD, NOW)

    assert [job for job, _ in _dispatched(decisions)] == dispatched
    assert (_held(decisions).get(subject) == "BACKING_OFF") == (seconds_left > 0)


def test_a_second_run_of_a_queued_job_is_never_dispatched() -> None:
    flight = in_flight(id=1, run=a_run(job_id=1, sent_at=NOW, created_at=NOW))
    world = a_world(a_machine(1), store={"in_flight": (flight,)})

    assert _dispatched(decide(world, ExecutionSettings(), NOW)) == []


def test_ready_jobs_of_a_paused_type_are_reported_with_who_paused_it() -> None:
    pause = Pause(target=type_target("fsc_rlie"), by="ada", reason="bad inputs", since=NOW)
    counts = a_world(store={"ready": _jobs(3)}).store.counts
    world = a_world(a_machine(1), store={"counts": counts, "pauses": (pause,)})

    decisions = decide(world, NO_LEAD, NOW)

    (held,) = (d for d in decisions if d.reason is Reason.PAUSED)
    assert str(held.subject) == "type:fsc_rlie"
    assert held.because == (
        "3 jobs cannot be dispatched: type fsc_rlie is paused by ada: bad inputs"
    )
    assert _dispatched(decisions) == []


def test_a_paused_type_without_ready_jobs_holds_nothing_back() -> None:
    pause = Pause(target=type_target("gfsc"), by="ada", reason="", since=NOW)
    world = a_world(a_machine(1), store={"ready": _jobs(1), "pauses": (pause,)})

    decisions = decide(world, NO_LEAD, NOW)

    assert [job for job, _ in _dispatched(decisions)] == [1]
    assert not any(d.reason is Reason.PAUSED for d in decisions)


def test_a_dispatch_says_which_attempt_it_is() -> None:
    job = a_job(attempt=1)

    (sent,) = decide(a_world(a_machine(), store={"ready": (job,)}), ExecutionSettings(), NOW)

    assert dict(sent.facts) == {"attempt": 2}


def test_jobs_of_reprocessing_go_within_their_share_though_workers_are_free() -> None:
    urgent = a_job(id=1, priority=Priority.NRT)
    again = tuple(a_job(id=n, priority=Priority.REPROCESSING) for n in range(2, 6))
    busy = replace(in_flight(id=9), job=replace(in_flight(id=9).job, priority=again[0].priority))
    machines = [a_machine(n) for n in range(1, 7)]
    world = a_world(*machines, store={"ready": (*again, urgent), "in_flight": (busy,)})

    decisions = decide(world, NO_LEAD, NOW, PoolSettings(reprocessing_share=0.3, max_workers=10))

    assert [job_id for job_id, _ in _dispatched(decisions)] == [1, 2, 3]
    (held,) = (d for d in decisions if isinstance(d, Held))
    assert (str(held.subject), held.reason) == ("flavor:hm.medium", Reason.REPROCESSING_SHARE)
    assert held.because == (
        "2 reprocessing hm.medium jobs wait: reprocessing may take 3 workers and 262 vCPUs of the "
        "pool, and has 1 and 2"
    )
