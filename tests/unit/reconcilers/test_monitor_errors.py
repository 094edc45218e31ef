"""Jobs in error statuses: every one goes on, waits for a stated time, or is quarantined."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import SettleError
from models.lifecycle import ERRORS, Status
from models.plan import Decision, Next
from models.records import Job
from models.settings import MonitorSettings
from models.world import World
from reconcilers.monitor import decide
from reconcilers.monitor.budget import Fault, pause, verdict
from simulator.examples import NOW, a_child, a_claimed_run, a_job, a_world, an_allocation

SETTINGS = MonitorSettings()
FAILED_AT = NOW - timedelta(minutes=10)


def _failed(status: Status = Status.EXTERNAL_ERROR, **changes: Any) -> Job:
    facts = {"id": 1, "attempt": 1, "seq": 9, "status_at": FAILED_AT, "error_subtype": "S3"}
    return a_job(status=status, **{**facts, **changes})


def _world(*jobs: Job, **nomad: Any) -> World:
    return a_world(store={"errors": jobs}, nomad=nomad)


def _told(decisions: Sequence[Decision]) -> list[tuple[str, str, str]]:
    return [(type(d).__name__, str(d.subject), d.reason.value) for d in decisions]


def _after(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("job", "then", "retry_at"),
    [
        pytest.param(
            _failed(external_failures=1), Next.BACK_OFF, _after(1), id="first-external-error"
        ),
        pytest.param(
            _failed(external_failures=5),
            Next.BACK_OFF,
            _after(16),
            id="each-wait-is-twice-the-last",
        ),
        pytest.param(
            _failed(external_failures=7), Next.BACK_OFF, _after(60), id="no-longer-than-the-cap"
        ),
        pytest.param(_failed(external_failures=8), Next.QUARANTINE, None, id="external-used-up"),
        pytest.param(
            _failed(external_failures=2, not_before=_after(-1)),
            Next.REQUEUE,
            None,
            id="its-wait-is-over",
        ),
        pytest.param(
            _failed(external_failures=2, not_before=NOW), Next.REQUEUE, None, id="over-this-moment"
        ),
        pytest.param(
            _failed(external_failures=2, not_before=FAILED_AT - timedelta(seconds=1)),
            Next.BACK_OFF,
            _after(2),
            id="the-wait-of-an-earlier-error-is-none-of-this-one",
        ),
        pytest.param(
            _failed(external_failures=8, not_before=_after(5)),
            Next.QUARANTINE,
            None,
            id="the-limit-was-lowered-meanwhile",
        ),
        pytest.param(
            _failed(external_failures=0), Next.BACK_OFF, _after(1), id="an-error-nobody-counted"
        ),
        pytest.param(
            _failed(Status.INTERNAL_ERROR, internal_failures=2), Next.REQUEUE, None, id="internal"
        ),
        pytest.param(
            _failed(Status.INTERNAL_ERROR, internal_failures=3),
            Next.QUARANTINE,
            None,
            id="internal-used-up",
        ),
        pytest.param(
            _failed(Status.INTERNAL_ERROR, internal_failures=1, external_failures=99),
            Next.REQUEUE,
            None,
            id="classes-are-counted-apart",
        ),
        pytest.param(
            _failed(Status.ERROR_CHECKED, internal_failures=99, external_failures=99),
            Next.REQUEUE,
            None,
            id="checked-and-stranded",
        ),
    ],
)
def test_a_job_in_an_error_status_goes_on_waits_or_rests(
    job: Job, then: Next, retry_at: Any
) -> None:
    (decision,) = decide(_world(job), SETTINGS, NOW)

    assert isinstance(decision, SettleError)
    assert (decision.job_id, decision.expected_seq) == (1, 9)
    assert (decision.then, decision.retry_at) == (then, retry_at)
    quarantined = then is Next.QUARANTINE
    assert decision.reason.value == ("ATTEMPTS_USED_UP" if quarantined else "ERROR_RETRIED")


@pytest.mark.parametrize("status", sorted(ERRORS))
def test_no_error_status_is_a_dead_end(status: Status) -> None:
    assert len(decide(_world(_failed(status)), SETTINGS, NOW)) == 1


def test_a_quarantined_job_rests_until_a_person_acts() -> None:
    assert decide(_world(_failed(quarantined=True)), SETTINGS, NOW) == []


def test_jobs_that_wait_are_told_by_type_with_the_first_to_go_on() -> None:
    jobs = [
        _failed(id=n, external_failures=1, not_before=_after(n), type=name)
        for n, name in ((3, "gfsc"), (2, "fsc_rlie"), (1, "fsc_rlie"))
    ]

    decisions = decide(_world(*jobs), SETTINGS, NOW)

    assert _told(decisions) == [
        ("Held", "type:fsc_rlie", "BACKING_OFF"),
        ("Held", "type:gfsc", "BACKING_OFF"),
    ]
    assert decisions[0].because == (
        "2 fsc_rlie jobs back off after external errors, first job 1 until 12:01:00"
    )
    assert decisions[1].because == (
        "1 gfsc job backs off after external errors, first job 3 until 12:03:00"
    )
    assert dict(decisions[0].facts) == {"waiting": 2, "next_job": 1}


@pytest.mark.parametrize(
    ("nomad", "expected"),
    [
        pytest.param({"jobs": (a_child(),)}, ("Held", "STILL_LIVE"), id="its-child-runs"),
        pytest.param(
            {"jobs": (a_child(status="pending"),)},
            ("Held", "STILL_LIVE"),
            id="it-may-be-placed-again",
        ),
        pytest.param(
            {"jobs": (a_child(stopped=True),), "allocations": (an_allocation(),)},
            ("Held", "STILL_LIVE"),
            id="stopped-but-still-on-its-machine",
        ),
        pytest.param(
            {"jobs": (a_child(status="dead"),)},
            ("SettleError", "ERROR_RETRIED"),
            id="dead-and-nothing-live",
        ),
        pytest.param(
            {"jobs": (a_child(stopped=True),)},
            ("SettleError", "ERROR_RETRIED"),
            id="stopped-and-nothing-live",
        ),
        pytest.param(
            {"jobs": (a_child(a_claimed_run(job_id=2)),)},
            ("SettleError", "ERROR_RETRIED"),
            id="another-jobs-child",
        ),
        pytest.param(
            {"allocations": (an_allocation("x"),)},
            ("SettleError", "ERROR_RETRIED"),
            id="somebody-elses-allocation",
        ),
    ],
)
def test_nothing_is_settled_while_something_of_the_job_may_run(
    nomad: dict[str, Any], expected: tuple[str, str]
) -> None:
    decisions = decide(_world(_failed(), **nomad), SETTINGS, NOW)

    assert _told(decisions) == [(expected[0], "job:1", expected[1])]


def test_a_purged_child_of_an_ended_run_still_holds_the_job_by_its_allocation() -> None:
    run = a_claimed_run(ended_at=FAILED_AT)
    world = a_world(
        store={"errors": (_failed(),), "ended_runs": (run,)},
        nomad={"allocations": (an_allocation("purged", id=run.allocation_id),)},
    )

    assert _told(decide(world, SETTINGS, NOW)) == [("Held", "job:1", "STILL_LIVE")]


def test_without_nomad_no_error_is_settled() -> None:
    world = replace(_world(_failed()), nomad=None)

    assert _told(decide(world, SETTINGS, NOW)) == [("Held", "system:nomad", "SOURCE_UNKNOWN")]


def test_a_busy_job_is_not_settled_twice() -> None:
    world = replace(_world(_failed(), _failed(id=2)), busy=frozenset({"job:1"}))

    assert [str(d.subject) for d in decide(world, SETTINGS, NOW)] == ["job:2"]


# ---- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "attempts"), [(Fault.LOST, 10), (Fault.EXTERNAL, 8), (Fault.INTERNAL, 3)]
)
def test_a_job_runs_as_often_as_its_class_of_error_allows(fault: Fault, attempts: int) -> None:
    ends = [verdict(fault, n, SETTINGS, NOW).then for n in range(1, attempts + 1)]

    assert ends[-1] is Next.QUARANTINE
    assert Next.QUARANTINE not in ends[:-1]


@pytest.mark.parametrize("fault", Fault)
def test_only_external_errors_wait(fault: Fault) -> None:
    assert (verdict(fault, 1, SETTINGS, NOW).then is Next.BACK_OFF) == (fault is Fault.EXTERNAL)


def test_a_pause_of_nothing_is_no_pause() -> None:
    at_once = replace(SETTINGS, external_backoff=timedelta())

    assert verdict(Fault.EXTERNAL, 2, at_once, NOW).then is Next.REQUEUE


@pytest.mark.parametrize("backoff", [timedelta(milliseconds=1), timedelta(hours=1)])
@pytest.mark.parametrize("failures", [0, 1, 31, 32, 99, 10_000])
def test_the_pause_never_exceeds_its_cap_however_often_a_job_failed(
    backoff: timedelta, failures: int
) -> None:
    settings = replace(SETTINGS, external_backoff=backoff, external_backoff_max=timedelta(days=1))

    wait = pause(failures, settings)

    assert timedelta() < wait <= timedelta(days=1)
    assert (wait == timedelta(days=1)) == (failures > 30)
