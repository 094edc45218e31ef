"""What is read: the view of a pass, the ledger, heartbeats, lists and totals."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.actions import CloseWorker
from models.changes import CloseIntent
from models.errors import NotFound
from models.fleet import in_dispatch_order
from models.lifecycle import Status
from models.listing import key_of
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.ports import JobFilter, JobKey, JobSort, Span, ViewLimits
from models.records import Heartbeat, IntentState, Job, Priority
from models.world import StoreView
from simulator.examples import FLAVOR
from tests.plugins.stores import ASKED, HOUR, NOBODY, Desk

MINUTE = timedelta(minutes=1)


def held_back(desk: Desk, until: datetime) -> int:
    """A ready job that waits until then."""
    run = desk.claimed()
    desk.do(desk.requeued(run, until))
    return run.job_id


# ---- the view ------------------------------------------------------------------------------------


def test_an_empty_store_shows_nothing(desk: Desk) -> None:
    view = desk.view()
    assert view == StoreView(requested_at=view.requested_at)
    assert abs(view.requested_at - desk.now()) < MINUTE


def test_ready_jobs_are_shown_by_priority_deadline_and_age(desk: Desk) -> None:
    soon, late = desk.now() + HOUR, desk.now() + 2 * HOUR
    table: list[tuple[Priority, datetime | None]] = [
        (Priority.REPROCESSING, soon),
        (Priority.DELAYED, None),
        (Priority.DELAYED, late),
        (Priority.NRT, None),
        (Priority.DELAYED, soon),
        (Priority.NRT, late),
        (Priority.DELAYED, soon),
        (Priority.REPROCESSING, None),
    ]
    ids = [desk.submit(priority=p, deadline=d)[0] for p, d in table]
    ready = desk.view().ready
    assert [ids.index(job.id) for job in ready] == [5, 3, 4, 6, 2, 1, 0, 7]
    assert list(ready) == in_dispatch_order(ready)


def test_each_flavor_shows_the_top_of_its_queue_and_how_many_there_are(desk: Desk) -> None:
    medium = desk.submit(3)
    large = desk.submit(2, type="rlies1")
    view = desk.view(ready=1)
    assert [job.id for job in view.ready] == [large[0], medium[0]]
    assert view.ready_total == {"hm.medium": 3, "hm.large": 2}
    assert desk.view(ready=0).ready == ()


def test_jobs_held_back_are_ready_but_not_due(desk: Desk) -> None:
    waiting = held_back(desk, desk.now() + HOUR)
    view = desk.view()
    assert (view.ready, view.ready_total) == ((), {})
    assert [(count.status, count.count) for count in view.counts] == [(Status.READY, 1)]
    [due] = desk.submit()
    view = desk.view()
    assert [job.id for job in view.ready] == [due]
    assert view.ready_total == {FLAVOR: 1}
    assert desk.job(waiting).status is Status.READY


def test_a_job_becomes_due_as_time_passes(desk: Desk) -> None:
    # That it is not due before is said above, of an hour: on a busy machine no short wait is sure.
    job_id = held_back(desk, desk.now() + timedelta(milliseconds=30))
    desk.doors.pass_time(timedelta(milliseconds=40))
    assert [job.id for job in desk.view().ready] == [job_id]
    assert desk.view().ready_total == {FLAVOR: 1}


def test_what_leaves_the_queue_is_shown_no_more(desk: Desk) -> None:
    first, second = desk.submit(2)
    desk.queued(first)
    assert [job.id for job in desk.view().ready] == [second]
    assert desk.view().ready_total == {FLAVOR: 1}
    assert [flight.job.id for flight in desk.view().in_flight] == [first]


def test_jobs_in_flight_are_shown_with_their_current_run(desk: Desk) -> None:
    older = desk.claimed()
    job_id = held_back(desk, desk.now())
    newer = desk.queued(job_id)
    flights = [(flight.job.id, flight.run.id) for flight in desk.view().in_flight]
    assert flights == sorted([(older.job_id, older.id), (job_id, newer.id)])


def test_open_jobs_are_counted_by_where_they_stand(desk: Desk) -> None:
    desk.submit(2)
    desk.submit(type="gfsc", priority=Priority.NRT)
    desk.queued()
    desk.failed()
    [cancelled] = desk.submit()
    desk.doors.operations.cancel([cancelled], ASKED)
    found = [(c.type, c.flavor, c.status, c.priority, c.count) for c in desk.view().counts]
    delayed = Priority.DELAYED
    assert found == [
        ("fsc_rlie", "hm.medium", Status.READY, delayed, 2),
        ("fsc_rlie", "hm.medium", Status.QUEUED, delayed, 1),
        ("fsc_rlie", "hm.medium", Status.EXTERNAL_ERROR, delayed, 1),
        ("gfsc", "eo2.medium", Status.READY, Priority.NRT, 1),
    ]


def test_counts_tell_since_when_the_oldest_stands_there(desk: Desk) -> None:
    first, second, third = (desk.submit()[0] for _ in range(3))
    assert desk.view().counts[0].oldest_at == desk.job(first).status_at
    desk.queued(first)
    assert desk.view().counts[0].oldest_at == desk.job(second).status_at
    desk.doors.operations.cancel([second], ASKED)
    desk.doors.operations.relaunch([second], ASKED)
    assert desk.view().counts[0].oldest_at == desk.job(third).status_at


def test_errors_are_shown_by_when_they_are_due_and_up_to_a_limit(desk: Desk) -> None:
    jobs = [desk.failed(), desk.failed(Status.INTERNAL_ERROR), desk.failed()]
    view = desk.view()
    assert view.errors == tuple(jobs)
    limits = ViewLimits(ready_per_flavor=1, ended_since=desk.now(), errors=2)
    assert desk.doors.jobs.view(limits).errors == tuple(jobs[:2])


def test_runs_that_ended_since_a_moment_are_shown_in_order(desk: Desk) -> None:
    first, second = desk.claimed(), desk.claimed()
    desk.end(second, Status.EXTERNAL_ERROR)
    desk.doors.pass_time(timedelta(milliseconds=20))
    between = desk.now()
    desk.doors.pass_time(timedelta(milliseconds=20))
    desk.end(first, Status.EXTERNAL_ERROR)
    assert [run.id for run in desk.view(ended_since=between).ended_runs] == [first.id]
    assert [run.id for run in desk.view(ended_since=between - HOUR).ended_runs] == [
        second.id,
        first.id,
    ]
    last = desk.run(first).ended_at
    assert last is not None
    assert len(desk.view(ended_since=last).ended_runs) == 1
    assert desk.view(ended_since=last + timedelta(microseconds=1)).ended_runs == ()


# ---- the ledger ----------------------------------------------------------------------------------


def decision(
    reason: Reason = Reason.MAX_VCPUS, subject: str = FLAVOR, because: str = "no room", **facts: Any
) -> Held:
    """A decision not to act about a flavor."""
    return Held(
        subject=Subject(SubjectKind.FLAVOR, subject),
        reason=reason,
        because=because,
        facts=tuple(facts.items()),
    )


def test_a_span_counts_for_nothing_where_it_is_asked_about_all(desk: Desk) -> None:
    at = desk.now()
    desk.doors.jobs.record("pool", [decision()], at)
    later = Span(began=at + HOUR)
    assert desk.doors.reader.ledger([f"flavor:{FLAVOR}"], 5, later) == ()
    assert desk.doors.reader.ledger((), 5, later) == desk.doors.reader.ledger((), 5) != ()


def test_the_same_decision_again_makes_its_row_grow(desk: Desk) -> None:
    start = desk.now()
    for number in range(3):
        at = start + number * MINUTE
        desk.doors.jobs.record("pool", [decision(because=f"{number} wait", used=number)], at)
    [row] = desk.doors.reader.ledger(())
    assert (row.subject, row.reason, row.action, row.loop) == (
        f"flavor:{FLAVOR}",
        "MAX_VCPUS",
        "Held",
        "pool",
    )
    assert (row.first_at, row.last_at, row.count) == (start, start + 2 * MINUTE, 3)
    assert (row.because, row.facts) == ("2 wait", {"used": 2})


def test_another_reason_opens_a_new_row_and_so_does_the_old_one_after_it(desk: Desk) -> None:
    start = desk.now()
    reasons = [Reason.MAX_VCPUS, Reason.MAX_VCPUS, Reason.QUOTA_VCPUS, Reason.MAX_VCPUS]
    for number, reason in enumerate(reasons):
        desk.doors.jobs.record("pool", [decision(reason)], start + number * MINUTE)
    rows = desk.doors.reader.ledger(())
    assert [(row.reason, row.count) for row in rows] == [
        ("MAX_VCPUS", 1),
        ("QUOTA_VCPUS", 1),
        ("MAX_VCPUS", 2),
    ]


def test_reasons_given_together_stand_side_by_side(desk: Desk) -> None:
    start = desk.now()
    both = [decision(Reason.MAX_VCPUS), decision(Reason.QUOTA_VCPUS), decision(Reason.MAX_VCPUS)]
    desk.doors.jobs.record("pool", both, start)
    desk.doors.jobs.record("pool", both, start + MINUTE)
    desk.doors.jobs.record("pool", [decision(Reason.QUOTA_VCPUS)], start + 2 * MINUTE)
    desk.doors.jobs.record("pool", both, start + 3 * MINUTE)
    rows = desk.doors.reader.ledger(())
    assert sorted((row.reason, row.count) for row in rows) == [
        ("MAX_VCPUS", 2),
        ("MAX_VCPUS", 4),
        ("QUOTA_VCPUS", 4),
    ]


@pytest.mark.parametrize(
    ("gap", "counts"),
    [
        pytest.param(timedelta(seconds=119), [2], id="it-held-on"),
        pytest.param(timedelta(seconds=120), [1, 1], id="it-came-back"),
    ],
)
def test_what_was_not_written_for_long_is_over(
    desk: Desk, gap: timedelta, counts: list[int]
) -> None:
    start = desk.now()
    for at in (start, start + gap):
        desk.doors.jobs.record("pool", [decision()], at)
    assert [row.count for row in desk.doors.reader.ledger(())] == counts


def action(because: str, number: int, reason: Reason = Reason.EMPTY) -> CloseWorker:
    """An action on a worker."""
    return CloseWorker(
        subject=Subject(SubjectKind.WORKER, "os-worker-001"),
        reason=reason,
        because=because,
        facts=(("index", number),),
        worker_id=1,
    )


def test_an_action_that_says_anything_else_is_another_one(desk: Desk) -> None:
    start = desk.now()
    same, words, numbers = action("gone", 1), action("gone again", 1), action("gone", 2)
    for second, done in enumerate((same, same, words, numbers, same)):
        desk.doors.jobs.record("pool", [done], start + timedelta(seconds=second))
    rows = desk.doors.reader.ledger(())
    assert [(row.because, row.facts["index"], row.count) for row in rows] == [
        ("gone", 1, 1),
        ("gone", 2, 1),
        ("gone again", 1, 1),
        ("gone", 1, 2),
    ]


def test_different_actions_of_one_call_are_rows_of_their_own(desk: Desk) -> None:
    start = desk.now()
    other = action("not ours", 1, Reason.NODE_GONE)
    desk.doors.jobs.record("pool", [other], start)
    given = [action("gone", 1), action("gone", 2), other, action("gone", 2), action("gone", 3)]
    desk.doors.jobs.record("pool", given, start + timedelta(seconds=1))
    rows = desk.doors.reader.ledger(())
    assert sorted((row.because, row.facts["index"], row.count) for row in rows) == [
        ("gone", 1, 1),
        ("gone", 2, 2),
        ("gone", 3, 1),
        ("not ours", 1, 2),
    ]


def test_loops_subjects_and_actions_have_rows_of_their_own(desk: Desk) -> None:
    other: Decision = Decision(
        subject=Subject(SubjectKind.FLAVOR, FLAVOR), reason=Reason.IDLE, because="idle"
    )
    for _ in range(2):
        desk.doors.jobs.record("pool", [decision(), other, decision(subject="x")], desk.now())
        desk.doors.jobs.record("execution", [decision(Reason.NO_SLOT)], desk.now())
    rows = desk.doors.reader.ledger(())
    assert {(row.loop, row.subject, row.action, row.count) for row in rows} == {
        ("pool", f"flavor:{FLAVOR}", "Held", 2),
        ("pool", f"flavor:{FLAVOR}", "Decision", 2),
        ("pool", "flavor:x", "Held", 2),
        ("execution", f"flavor:{FLAVOR}", "Held", 2),
    }
    assert desk.doors.reader.totals()["decisions"] == 8


def test_a_refusal_that_is_said_to_be_over_stands_no_more_and_stays_in_the_ledger(
    desk: Desk,
) -> None:
    start, store, reader = desk.now(), desk.doors.jobs, desk.doors.reader
    one, two = decision(Reason.MAX_VCPUS), decision(Reason.QUOTA_VCPUS)
    store.record("pool", [one, two, action("gone", 1)], start)
    store.record("execution", [one], start)
    assert [(r.loop, r.reason) for r in reader.standing(2)] == [
        ("execution", "MAX_VCPUS"),
        ("pool", "QUOTA_VCPUS"),
    ]
    for _ in range(2):
        store.end_refusals("pool", [one, one, decision(Reason.IDLE)])
        assert {(r.loop, r.reason) for r in reader.standing(9)} == {
            ("execution", "MAX_VCPUS"),
            ("pool", "QUOTA_VCPUS"),
        }
    assert len(reader.ledger(())) == 4
    store.record("pool", [one, two], start + timedelta(seconds=1))
    rows = [(r.reason, r.count) for r in reader.ledger(()) if r.loop == "pool"]
    assert sorted(rows) == [("EMPTY", 1), ("MAX_VCPUS", 1), ("MAX_VCPUS", 1), ("QUOTA_VCPUS", 2)]


def test_the_ledger_is_read_by_subject_newest_first(desk: Desk) -> None:
    start = desk.now()
    for number, subject in enumerate(["a", "b", "a", "c"]):
        reason = list(Reason)[number]
        desk.doors.jobs.record("pool", [decision(reason, subject)], start + number * MINUTE)
    reader = desk.doors.reader
    assert [row.subject for row in reader.ledger(["flavor:a", "flavor:c"])] == [
        "flavor:c",
        "flavor:a",
        "flavor:a",
    ]
    assert [row.subject for row in reader.ledger((), limit=2)] == ["flavor:c", "flavor:a"]
    assert reader.ledger(["flavor:z"]) == ()


def test_pruning_drops_old_rows_and_old_closed_intents_alone(desk: Desk) -> None:
    start = desk.now()
    desk.doors.jobs.record("pool", [decision(Reason.IDLE, "old")], start)
    desk.doors.jobs.record("pool", [decision(Reason.IDLE, "new")], start + HOUR)
    closed, still_open = desk.queued(), desk.queued()
    desk.do(CloseIntent(at=desk.now(), intent_id=closed.id, state=IntentState.DONE))
    assert desk.doors.jobs.prune(start) == 0
    assert desk.doors.jobs.prune(start + MINUTE) == 2
    assert desk.doors.reader.totals()["decisions"] == 2
    assert [row.subject for row in desk.doors.reader.ledger(())] == ["flavor:new"]
    assert desk.open_intents() == {still_open.id}
    desk.do(CloseIntent(at=desk.now(), intent_id=closed.id, state=IntentState.DONE))
    desk.doors.jobs.record("pool", [decision(Reason.IDLE, "old")], start + HOUR)
    assert len(desk.doors.reader.ledger(())) == 2


# ---- lists ---------------------------------------------------------------------------------------


def test_the_newest_heartbeat_of_each_loop_and_holder_is_kept(desk: Desk) -> None:
    def beat(loop: str, holder: str, passes: int) -> Heartbeat:
        made = Heartbeat(
            loop=loop, holder=holder, at=desk.now(), passes=passes, leading=holder == "a"
        )
        desk.doors.jobs.beat(made)
        return made

    beat("pool", "a", 1)
    other = beat("pool", "b", 1)
    monitor = beat("monitor", "a", 7)
    newest = beat("pool", "a", 2)
    assert desk.doors.reader.heartbeats() == (monitor, newest, other)


def test_the_heartbeats_of_processes_long_gone_are_pruned(desk: Desk) -> None:
    now = desk.now()
    old, new = (
        Heartbeat(loop="pool", holder=str(at), at=at, passes=1, leading=False)
        for at in (now - HOUR, now)
    )
    for beat in (old, new):
        desk.doors.jobs.beat(beat)
    assert desk.doors.jobs.prune(now - MINUTE) == 0
    assert desk.doors.reader.heartbeats() == (new,)


@pytest.mark.parametrize(
    ("began", "over", "seen"),
    [
        pytest.param(0, None, ["third", "second", "first"], id="since-ever"),
        pytest.param(25, None, ["third"], id="after-the-second"),
        pytest.param(15, 18, ["second"], id="while-the-second-held"),
        pytest.param(0, 5, ["first"], id="before-the-second"),
        pytest.param(31, None, [], id="after-all"),
    ],
)
def test_what_held_in_a_span_is_told_and_nothing_else(
    desk: Desk, began: int, over: int | None, seen: list[str]
) -> None:
    """Each reason holds until the next one comes; the third still does."""
    now, subject = desk.now(), Subject(SubjectKind.SYSTEM, "nomad")
    said = {
        0: ("first", Reason.NO_SLOT),
        10: ("second", Reason.PAUSED),
        20: ("second", Reason.PAUSED),
        30: ("third", Reason.NO_SLOT),
    }
    for minute, (because, reason) in said.items():
        refusal = Held(subject=subject, reason=reason, because=because)
        desk.doors.jobs.record("execution", [refusal], now + minute * MINUTE / 10)
    span = Span(
        began=now + began * MINUTE / 10, over=None if over is None else now + over * MINUTE / 10
    )
    rows = desk.doors.reader.ledger([str(subject), "job:1"], span=span)
    assert [row.because for row in rows] == seen


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({}, [0, 1, 2, 3], id="all"),
        pytest.param({"limit": 2}, [0, 1], id="a-page"),
        pytest.param({"types": ("gfsc", "test")}, [1], id="by-type"),
        pytest.param({"statuses": (Status.QUEUED,)}, [2], id="by-status"),
        pytest.param({"statuses": (Status.QUEUED, Status.READY)}, [0, 1, 2], id="by-statuses"),
        pytest.param({"tile": "31TGL"}, [0], id="by-tile"),
        pytest.param({"quarantined": False}, [0, 1, 2, 3], id="not-quarantined"),
        pytest.param({"quarantined": True}, [], id="quarantined"),
        pytest.param({"types": ("fsc_rlie",), "statuses": (Status.READY,)}, [0], id="by-both"),
        pytest.param({"sort": JobSort.NEWEST, "limit": 3}, [3, 2, 1], id="newest-first"),
        pytest.param({"sort": JobSort.CHANGED_LAST, "limit": 2}, [3, 2], id="changed-last"),
        pytest.param({"flavors": ("hm.xlarge",)}, [], id="by-flavor"),
        pytest.param({"priorities": (Priority.DELAYED,)}, [0, 1, 2, 3], id="by-priority"),
    ],
)
def test_jobs_are_listed_by_what_is_asked(
    desk: Desk, wanted: dict[str, Any], found: list[int]
) -> None:
    tile = desk.submit(tile="31TGL")[0]
    gfsc = desk.submit(type="gfsc", tile="32TLR")[0]
    queued = desk.queued(desk.submit(tile="32TLS")[0]).job_id
    failed = desk.claimed(desk.submit(tile="32TLT")[0])
    desk.end(failed, Status.INTERNAL_ERROR)
    ids = [tile, gfsc, queued, failed.job_id]
    listed = desk.doors.reader.jobs(JobFilter(**wanted))
    assert [ids.index(job.id) for job in listed] == found


def test_a_list_goes_on_where_the_last_page_ended(desk: Desk) -> None:
    ids = desk.submit(5)
    pages = []
    after: JobKey | None = None
    while page := desk.doors.reader.jobs(JobFilter(after=after, limit=2)):
        pages.append([job.id for job in page])
        after = JobKey(id=page[-1].id)
    assert pages == [list(ids[:2]), list(ids[2:4]), list(ids[4:])]


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "types": st.lists(st.sampled_from(["gfsc", "fsc_rlie", "moon"]), max_size=2).map(tuple),
        "statuses": st.lists(
            st.sampled_from([Status.READY, Status.QUEUED, Status.CANCELLED, Status.DONE]),
            max_size=3,
        ).map(tuple),
        "flavors": st.sampled_from([(), ("hm.medium",), ("hm.large", "hm.xlarge")]),
        "priorities": st.sampled_from([(), (Priority.NRT,), (Priority.NRT, Priority.DELAYED)]),
        "tile": st.sampled_from([None, "31TGL", "32TLR"]),
        "quarantined": st.sampled_from([None, True, False]),
    },
)
"""What lists may be asked for; hardly any of it is left out by what is in the table."""


def test_a_list_is_the_same_page_by_page_whatever_is_asked_for(desk: Desk) -> None:
    """Every job that fits is in it once and in order, however long a page is."""
    some = desk.submit(4), desk.submit(3, type="gfsc"), desk.submit(3, tile="32TLR")
    desk.doors.operations.cancel([some[0][1], some[1][0], some[2][2]], ASKED)
    for job_id in (some[0][0], some[2][0]):
        desk.queued(job_id)
    reader = desk.doors.reader
    everything = reader.jobs(JobFilter(limit=1000))

    @settings(max_examples=40)
    @given(asked=FILTERS, sort=st.sampled_from(JobSort), limit=st.integers(1, 12))
    def check(asked: dict[str, Any], sort: JobSort, limit: int) -> None:
        wanted = JobFilter(**asked, sort=sort, limit=limit)
        found: list[Job] = []
        while page := reader.jobs(wanted):
            assert len(page) <= limit
            found += page
            wanted = replace(wanted, after=key_of(page[-1], sort))
        assert found == sorted(
            (job for job in everything if fits(job, **asked)),
            key=lambda job: (job.status_at, job.id) if sort.by_time else job.id,
            reverse=sort.descends,
        )

    check()


def fits(
    job: Job,
    types: tuple[str, ...] = (),
    statuses: tuple[Status, ...] = (),
    flavors: tuple[str, ...] = (),
    priorities: tuple[Priority, ...] = (),
    **rest: Any,
) -> bool:
    """What a filter means."""
    chosen = (
        (types, job.type),
        (statuses, job.status),
        (flavors, job.flavor),
        (priorities, job.priority),
    )
    equal = ((rest.get("tile"), job.tile), (rest.get("quarantined"), job.quarantined))
    return all(not wanted or is_ in wanted for wanted, is_ in chosen) and all(
        wanted in {None, is_} for wanted, is_ in equal
    )


@pytest.mark.parametrize(
    "reference",
    [str(NOBODY), "0", "fsc_rlie/nothing", "nothing", "", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
)
def test_a_job_that_there_is_not_is_not_found(desk: Desk, reference: str) -> None:
    with pytest.raises(NotFound):
        desk.doors.reader.story(reference)


def test_workers_are_listed_by_name_and_closed_ones_newest_first(desk: Desk) -> None:
    closed, ready, creating = desk.closed(), desk.ready(), desk.creating()
    assert desk.doors.reader.workers() == (ready, creating)
    assert desk.doors.reader.workers(closed=True) == (creating, ready, closed)


def test_totals_count_finished_things_too(desk: Desk) -> None:
    desk.submit(2)
    [cancelled] = desk.submit()
    desk.doors.operations.cancel([cancelled], ASKED)
    desk.closed()
    desk.gone()
    desk.booting()
    desk.creating()
    assert desk.doors.reader.totals() == {
        "jobs.ready": 2,
        "jobs.cancelled": 1,
        "quarantined": 0,
        "servers.created": 3,
        "servers.deleted": 2,
        "decisions": 0,
    }
