"""What operators are shown of a world."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.figures import figures, next_due, oldest_waits
from models.breakers import Breaker, BreakerName
from models.errors import FailureClass
from models.lifecycle import Status
from models.plan import Held, Reason, Subject, SubjectKind
from models.records import Backoff, Pause, Priority
from models.world import JobCount
from simulator.examples import NOW, a_job, a_machine, a_parent_id, a_world

HOUR = timedelta(hours=1)


def count(flavor: str, status: Status, number: int, since: timedelta, resting: int = 0) -> JobCount:
    return JobCount(
        type="fsc_rlie", flavor=flavor, status=status, priority=Priority.NRT, count=number,
        oldest_at=NOW - since, quarantined=resting,
    )  # fmt: skip


COUNTS = (
    count("hm.medium", Status.READY, 3, HOUR),
    count("hm.large", Status.READY, 2, 2 * HOUR),
    count("hm.medium", Status.INTERNAL_ERROR, 4, 3 * HOUR, resting=1),
)


def test_jobs_of_several_flavors_are_counted_together() -> None:
    shown = figures(a_world(store={"counts": COUNTS}))

    assert shown.jobs["fsc_rlie", "ready", "nrt"] == 5
    assert shown.quarantined["fsc_rlie",] == 1


def test_the_job_that_has_stood_longest_in_a_status_is_told_of() -> None:
    waits = tuple(count("hm.medium", Status.CONFIGURED, 1, hours * HOUR) for hours in (2, 5, 1))
    shown = figures(a_world(store={"counts": (*COUNTS, *waits), "requested_at": NOW}))
    assert shown.standing == {
        ("fsc_rlie", "ready"): 2 * 3600,
        ("fsc_rlie", "internal_error"): 3 * 3600,
        ("fsc_rlie", "configured"): 5 * 3600,
    }


def test_demand_is_not_told_while_nomad_is_unknown_but_what_waits_is() -> None:
    world = a_world(a_machine(1), store={"counts": COUNTS, "ready_total": {"hm.medium": 3}})
    blind = figures(replace(world, nomad=None))

    assert not blind.demand
    assert blind.waiting["hm.medium",] == 3
    assert blind.waiting["hm.large",] == 0
    assert figures(world).demand["hm.medium"].free == 1


def refusal(kind: SubjectKind, subject: str, reason: Reason) -> Held:
    return Held(subject=Subject(kind, subject), reason=reason, because="no")


def test_the_oldest_wait_is_that_of_the_oldest_job_held_back_for_the_reason() -> None:
    job = a_job(id=9, status_at=NOW - 5 * HOUR)
    world = a_world(store={"counts": COUNTS, "ready": (job,)})

    waits = oldest_waits(
        world,
        [
            refusal(SubjectKind.FLAVOR, "hm.medium", Reason.MAX_WORKERS),
            refusal(SubjectKind.FLAVOR, "hm.large", Reason.MAX_WORKERS),
            refusal(SubjectKind.JOB, "9", Reason.BACKING_OFF),
            refusal(SubjectKind.WORKER, "os-worker-001", Reason.IDLE_TOO_SHORT),
            refusal(SubjectKind.FLAVOR, "unheard.of", Reason.FLAVOR_UNKNOWN),
        ],
        NOW,
    )

    assert waits == {Reason.MAX_WORKERS: 7200.0, Reason.BACKING_OFF: 18_000.0}


@pytest.mark.parametrize(
    ("subject", "reason", "waited"),
    [
        pytest.param("nomad", Reason.SOURCE_UNKNOWN, 2 * HOUR, id="nomad-is-unknown"),
        pytest.param("cloud", Reason.SOURCE_UNKNOWN, 2 * HOUR, id="the-cloud-is-unknown"),
        pytest.param("store", Reason.BAD_PARAMETER, None, id="a-bad-parameter-holds-nothing-back"),
    ],
)
def test_a_system_that_is_unknown_holds_every_ready_job_back(
    subject: str, reason: Reason, waited: timedelta | None
) -> None:
    held = [refusal(SubjectKind.SYSTEM, subject, reason)]

    waits = oldest_waits(replace(a_world(store={"counts": COUNTS}), nomad=None), held, NOW)

    assert waits == ({} if waited is None else {reason: waited.total_seconds()})


def test_a_parent_that_is_missing_holds_back_the_jobs_that_are_dispatched_to_it() -> None:
    held = [
        refusal(SubjectKind.PARENT, a_parent_id("hm.medium"), Reason.PARENT_MISSING),
        refusal(SubjectKind.PARENT, a_parent_id("hm.xlarge"), Reason.BACKING_OFF),
    ]

    waits = oldest_waits(a_world(store={"counts": COUNTS}), held, NOW)

    assert waits == {Reason.PARENT_MISSING: HOUR.total_seconds()}


def test_the_next_wait_that_ends_is_known() -> None:
    def backoff(until: timedelta) -> Backoff:
        return Backoff(
            subject="x", failure=FailureClass.QUOTA, failures=1, until=NOW + until, message=""
        )

    errors = (a_job(id=1, not_before=NOW + 2 * HOUR), a_job(id=2))
    world = a_world(store={"backoffs": (backoff(-HOUR), backoff(3 * HOUR)), "errors": errors})

    assert next_due(world, NOW) == NOW + 2 * HOUR
    assert next_due(a_world(), NOW) is None


def a_pause(target: str, until: timedelta | None = None) -> Pause:
    end = None if until is None else NOW + until
    return Pause(target=target, by="ada", reason="", since=NOW, until=end)


def test_a_breaker_shows_whether_it_is_open_and_how_many_it_names() -> None:
    opened = Breaker(
        id=1,
        name=BreakerName.NODES,
        opened_at=NOW,
        because="2 of 3",
        suspects={"s-1": "os-worker-001", "s-2": "os-worker-002"},
    )
    closed = replace(opened, id=2, name=BreakerName.SERVERS, closed_at=NOW)

    shown = figures(a_world(store={"breakers": (closed, opened)}))

    assert shown.breakers == {("servers",): 0, ("nodes",): 1, ("removals",): 0}
    assert shown.suspects == {("servers",): 0, ("nodes",): 2, ("removals",): 0}


def test_every_pause_is_counted_by_what_it_stops() -> None:
    pauses = (a_pause("everything"), a_pause("type:gfsc"))

    shown = figures(a_world(store={"pauses": pauses}))

    assert shown.pauses == {("everything",): 1, ("type:gfsc",): 1}


def test_jobs_of_a_paused_type_wait_for_their_type_and_not_for_their_flavor() -> None:
    newer = replace(count("hm.medium", Status.READY, 1, timedelta(minutes=5)), type="gfsc")
    pauses = (a_pause("type:fsc_rlie"),)
    world = a_world(store={"counts": (*COUNTS, newer), "pauses": pauses})
    held = [
        refusal(SubjectKind.TYPE, "fsc_rlie", Reason.PAUSED),
        refusal(SubjectKind.FLAVOR, "hm.medium", Reason.NO_SLOT),
    ]

    assert oldest_waits(world, held, NOW) == {
        Reason.PAUSED: 2 * 3600.0,
        Reason.NO_SLOT: 5 * 60.0,
    }


def test_the_end_of_a_pause_is_due() -> None:
    pauses = (a_pause("everything"), a_pause("type:gfsc", HOUR))

    assert next_due(a_world(store={"pauses": pauses}), NOW) == NOW + HOUR
