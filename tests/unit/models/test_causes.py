"""Which rows of the ledger explain a job, a worker or a flavor."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from models.causes import about_flavor, about_job, about_worker, parent_of, who_leads
from models.changes import CancelCreate
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.plan import Held, Reason, Subject, SubjectKind
from models.ports import Asked, Placement, RunResult
from models.records import Heartbeat, IntentState, Lease, Priority
from simulator.examples import DEPLOYMENT, NOW, a_new_job, a_parent_id, an_id, queue_run
from simulator.examples.changes import reserve_worker
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.readiness import make_ready

HOUR = timedelta(hours=1)
FLAVOR = Subject(SubjectKind.FLAVOR, "hm.medium")
NOMAD = Subject(SubjectKind.SYSTEM, "nomad")


class Bench:
    """A store with one ready job since now."""

    def __init__(self) -> None:
        self.timeline = Timeline(NOW)
        self.store = MemoryStore(self.timeline, SeededIds())
        [self.job] = self.store.submit([a_new_job()], Asked(actor="ada")).added
        make_ready(self.store, NOW)

    def held(self, subject: Subject, after: timedelta, reason: Reason = Reason.NO_SLOT) -> None:
        refusal = Held(subject=subject, reason=reason, because="no")
        self.store.record("execution", [refusal], NOW + after)

    def told(self, limit: int = 20) -> list[str]:
        story = self.store.story(str(self.job))
        parent = parent_of(story.job, DEFAULT_REGISTRY, DEPLOYMENT)
        return [row.subject for row in about_job(self.store, story, parent, limit)]

    def lease(self, loop: str) -> Lease:
        lease = self.store.acquire(loop, "bench", HOUR)
        assert lease is not None
        return lease

    def processed_after(self, wait: timedelta) -> None:
        """The job waits, and then is run at once."""
        self.timeline.advance(wait)
        run = self.store.commit(self.lease("execution"), queue_run(self.job)).run
        assert run is not None
        claim = self.store.claim(run.id, Placement(allocation_id="a"))
        for status in (Status.PRE_PROCESSING, Status.PROCESSING, Status.POST_PROCESSING):
            self.store.report(run.id, claim.number, status)
        self.store.end(run.id, claim.number, RunResult(status=Status.PROCESSED))


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(FLAVOR, id="its-flavor"),
        pytest.param(Subject(SubjectKind.TYPE, "fsc_rlie"), id="its-type"),
        pytest.param(Subject(SubjectKind.PARENT, a_parent_id()), id="its-parent"),
        pytest.param(NOMAD, id="a-system-that-does-not-answer"),
        pytest.param(Subject(SubjectKind.SYSTEM, "cloud"), id="the-cloud"),
        pytest.param(Subject(SubjectKind.SYSTEM, "postgres"), id="a-bad-parameter"),
    ],
)
def test_a_job_is_explained_by_whatever_holds_it(subject: Subject) -> None:
    bench = Bench()
    bench.held(subject, HOUR)
    assert bench.told() == [str(subject)]


def test_another_parent_flavor_or_type_explains_nothing() -> None:
    bench = Bench()
    for kind in (SubjectKind.PARENT, SubjectKind.FLAVOR, SubjectKind.TYPE):
        bench.held(Subject(kind, "other"), HOUR)
    assert bench.told() == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(-timedelta(minutes=1), False, id="over-before-the-job-was-there"),
        pytest.param(-timedelta(seconds=30), True, id="may-still-have-held-when-it-came"),
        pytest.param(timedelta(minutes=59), True, id="while-it-waited"),
        pytest.param(timedelta(minutes=61), False, id="after-its-wait"),
    ],
)
@pytest.mark.parametrize("subject", [FLAVOR, NOMAD], ids=str)
def test_what_a_group_waits_for_concerns_a_job_in_its_own_time(
    subject: Subject, after: timedelta, told: bool
) -> None:
    bench = Bench()
    bench.held(subject, after)
    bench.processed_after(HOUR)
    assert bench.told() == ([str(subject)] if told else [])


def test_the_share_of_reprocessing_holds_no_other_job_back() -> None:
    bench = Bench()
    assert bench.store.story(str(bench.job)).job.priority is not Priority.REPROCESSING
    bench.held(FLAVOR, HOUR, Reason.REPROCESSING_SHARE)
    assert bench.told() == []


@pytest.mark.parametrize("name", ["broker", "outbox"])
def test_what_a_publication_waits_for_concerns_a_job_that_is_processed(name: str) -> None:
    bench, subject = Bench(), Subject(SubjectKind.SYSTEM, name)
    bench.processed_after(HOUR)
    bench.held(subject, 2 * HOUR)
    assert bench.told() == [str(subject)]


def test_younger_rows_of_a_group_do_not_push_those_of_the_jobs_time_out() -> None:
    bench = Bench()
    bench.held(FLAVOR, timedelta(minutes=1))
    bench.processed_after(HOUR)
    for number, reason in enumerate((Reason.MAX_WORKERS, Reason.MAX_VCPUS, Reason.NO_SLOT)):
        bench.held(FLAVOR, (2 + number) * HOUR, reason)
    assert bench.told(limit=1) == [str(FLAVOR)]


def test_a_worker_and_a_flavor_are_explained_by_a_system_that_does_not_answer() -> None:
    bench = Bench()
    bench.store.commit(bench.lease("worker-pool"), reserve_worker())
    bench.held(NOMAD, HOUR, Reason.SOURCE_UNKNOWN)
    name = bench.store.workers()[0].name
    for rows in (
        about_worker(bench.store, name, 5),
        about_flavor(bench.store, "hm.medium", 5),
    ):
        assert [row.reason for row in rows] == ["SOURCE_UNKNOWN"]
    assert about_worker(bench.store, "os-worker-999", 5) == ()


def test_what_was_decided_about_an_earlier_worker_of_a_name_does_not_explain_the_newest() -> None:
    bench, pool = Bench(), Subject(SubjectKind.WORKER, "os-worker-001")
    lease = bench.lease("worker-pool")
    old = bench.store.commit(lease, reserve_worker()).worker
    assert old is not None
    bench.held(pool, timedelta(minutes=1), Reason.MAX_WORKERS)
    bench.timeline.advance(timedelta(minutes=2))
    over = CancelCreate(
        at=bench.timeline.now(), worker_id=old.id, state=IntentState.REFUTED, note="no host"
    )
    bench.store.commit(lease, over)
    assert [row.reason for row in about_worker(bench.store, old.name, 5)] == ["MAX_WORKERS"]
    again = reserve_worker(at=NOW + HOUR)
    intent = replace(again.intent, id=an_id("create", "again"))
    bench.store.commit(lease, replace(again, intent=intent))
    assert about_worker(bench.store, old.name, 5) == ()
    bench.held(pool, HOUR, Reason.NO_SLOT)
    assert [row.reason for row in about_worker(bench.store, old.name, 5)] == ["NO_SLOT"]


def beat(at: datetime) -> Heartbeat:
    return Heartbeat(loop="execution", holder="a", at=at, passes=1, leading=True)


@pytest.mark.parametrize(
    ("lease_for", "beats", "said"),
    [
        pytest.param(None, [], "no controller leads execution; there was never a pass", id="none"),
        pytest.param(
            -HOUR,
            [beat(NOW - HOUR), beat(NOW - 2 * HOUR)],
            "no controller leads execution; the last pass was at "
            f"{NOW - HOUR:%Y-%m-%d %H:%M:%S} UTC",
            id="its-lease-is-over",
        ),
        pytest.param(
            HOUR,
            [beat(NOW)],
            f"a leads execution; the last pass was at {NOW:%Y-%m-%d %H:%M:%S} UTC",
            id="alive",
        ),
    ],
)
def test_who_leads_is_said_by_lease_and_last_sign_of_life(
    lease_for: timedelta | None, beats: list[Heartbeat], said: str
) -> None:
    leases = (
        []
        if lease_for is None
        else [
            Lease(
                name="execution",
                holder="a",
                epoch=1,
                renewed_at=NOW,
                expires_at=NOW + lease_for,
            )
        ]
    )
    assert who_leads(leases, beats, "execution", NOW) == said
