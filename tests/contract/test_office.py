"""What people read and order: the same at the store and over the HTTP API, refusals included.

Every test runs over both, as the command line opens them. What either tells is compared with what
the store itself tells, field by field, and what is ordered is looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from controller import bootstrap
from controller.config_groups import Config, DatabaseConfig, WebConfig
from controller.config_values import Secret
from infra.postgres import Postgres
from models.access import Role
from models.breakers import BreakerName
from models.changes import TripBreaker
from models.configuration import ConfigureJobs, Wait
from models.errors import ConfigurationError, HrsiError, Malformed, NotFound
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.listing import key_of
from models.office import Office
from models.pauses import EVERYTHING
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.ports import Asked, JobFilter, JobKey, JobSort, Operations, Reader, Span
from models.records import Heartbeat, NewJob, Priority
from models.submission import Line, job_of
from simulator.examples import FLAVOR, SENTINEL_2_NAMES, a_new_job, some_new_jobs
from tests.plugins.publishing import copied, publications
from tests.plugins.readiness import configured
from tests.plugins.stores import ASKED, HOUR, NOBODY, PLACES, Desk, postgres_doors
from tests.plugins.web import serving

MINUTE = timedelta(minutes=1)
DRY = replace(ASKED, dry_run=True)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An office, the store behind it, and how the audit trail names whoever orders there."""

    office: Office
    desk: Desk
    actor: str


@pytest.fixture(params=["store", "api"])
def place(request: pytest.FixtureRequest, postgres: Postgres, database_url: str) -> Iterator[Place]:
    desk = Desk(postgres_doors(postgres))
    if request.param == "store":
        config = Config(deployment="test", database=DatabaseConfig(url=Secret(database_url)))
        with bootstrap.office(config) as office:
            yield Place(office=office, desk=desk, actor=ASKED.actor)
        return
    with serving(postgres) as api:
        token = Secret(api.token(Role.ADMIN, "ada"))
        with bootstrap.office(Config(web=WebConfig(url=api.url, token=token))) as office:
            yield Place(office=office, desk=desk, actor="ada (api)")


def decision(subject: Subject, **facts: Any) -> Decision:
    return Held(
        subject=subject,
        reason=Reason.QUOTA_VCPUS,
        because="872 of 874 used",
        facts=tuple(facts.items()),
    )


def lived_in(desk: Desk) -> None:
    """A store in which much has happened."""
    run = desk.claimed()
    desk.advanced(run, Status.POST_PROCESSING)
    desk.end(run, Status.PROCESSED)
    desk.queued()
    desk.failed()
    desk.submit(3, priority=Priority.NRT, deadline=desk.now() + HOUR)
    desk.doors.operations.submit([a_new_job(type="gfsc", key="a key/with more", input={})], ASKED)
    [ready] = desk.submit()
    [waits] = desk.doors.operations.submit([handed_in(product=SENTINEL_2_NAMES[2])], ASKED).added
    at = desk.now()
    wait = Wait(for_job=ready, since=at, until=at + HOUR, why="it waits for another")
    configures = ConfigureJobs(at=at, jobs=(configured(desk.job(waits), wait=wait),))
    desk.do(configures)
    for name in PLACES:
        desk.at(name)
    at = desk.now()
    desk.do(TripBreaker(at=at, name=BreakerName.NODES, because="2 of 3", suspects={"s-1": "w-1"}))
    told = [decision(Subject(SubjectKind.JOB, "1"), waits=3), decision(FLAVOR_SUBJECT, used=872)]
    desk.doors.jobs.record("worker-pool", told, at)
    desk.doors.jobs.beat(Heartbeat(loop="worker-pool", holder="one", at=at, passes=7, leading=True))
    order = desk.doors.operations
    order.set_parameter("pool.max_workers", 50, ASKED, lasts=HOUR)
    order.set_parameter("pool.idle_for", 90.5, ASKED)
    order.set_parameter("pool.idle_for", None, ASKED)
    order.pause([EVERYTHING], ASKED, lasts=HOUR)
    order.order(FLAVOR, 2, HOUR, ASKED)


FLAVOR_SUBJECT = Subject(SubjectKind.FLAVOR, FLAVOR)

READS: Mapping[str, Callable[[Reader], object]] = {
    "jobs": lambda reader: reader.jobs(JobFilter()),
    "a-page": lambda reader: reader.jobs(JobFilter(after=JobKey(id=0), limit=2)),
    "last-first": lambda reader: reader.jobs(JobFilter(sort=JobSort.NEWEST, limit=3)),
    "by-change": lambda reader: reader.jobs(JobFilter(sort=JobSort.CHANGED_LAST)),
    "behind-a-change": lambda reader: reader.jobs(
        JobFilter(
            sort=JobSort.CHANGED_FIRST,
            after=key_of(reader.jobs(JobFilter())[0], JobSort.CHANGED_FIRST),
        )
    ),
    "chosen": lambda reader: reader.jobs(
        JobFilter(
            types=("fsc_rlie",),
            statuses=(Status.READY, Status.QUEUED),
            flavors=(FLAVOR,),
            priorities=(Priority.NRT, Priority.DELAYED),
            tile=reader.jobs(JobFilter())[0].tile,
            quarantined=False,
        )
    ),
    "stories": lambda reader: [reader.story(str(job.id)) for job in reader.jobs(JobFilter())],
    "by-unique-id": lambda reader: reader.story(str(reader.jobs(JobFilter())[0].unique_id)),
    "by-key": lambda reader: reader.story("gfsc/a key/with more"),
    "of-unique-ids": lambda reader: reader.of_unique_ids(
        [*(job.unique_id for job in reader.jobs(JobFilter(sort=JobSort.NEWEST))), uuid4()]
    ),
    "workers": lambda reader: reader.workers(),
    "all-workers": lambda reader: reader.workers(closed=True),
    "ledger": lambda reader: reader.ledger((), 1000),
    "standing": lambda reader: reader.standing(1000),
    "about-some": lambda reader: reader.ledger([str(FLAVOR_SUBJECT), "job:2"], 5),
    "about-many": lambda reader: reader.ledger([f"job:{n}" for n in range(250)], 5),
    "in-a-span": lambda reader: reader.ledger(
        [str(FLAVOR_SUBJECT)], 5, Span(began=reader.heartbeats()[0].at - MINUTE)
    ),
    "before-a-span": lambda reader: reader.ledger(
        [str(FLAVOR_SUBJECT)], 5, Span(began=reader.heartbeats()[0].at + MINUTE)
    ),
    "before-it-held": lambda reader: reader.ledger(
        [str(FLAVOR_SUBJECT)],
        5,
        Span(
            began=reader.heartbeats()[0].at - HOUR,
            over=reader.heartbeats()[0].at - MINUTE,
        ),
    ),
    "totals": lambda reader: reader.totals(),
    "heartbeats": lambda reader: reader.heartbeats(),
    "leases": lambda reader: reader.leases(),
    "parameters": lambda reader: reader.parameters(),
    "pauses": lambda reader: reader.pauses(),
    "audit": lambda reader: reader.audit(limit=1000),
    "audit-of-one": lambda reader: reader.audit(f"flavor:{FLAVOR}"),
    "breakers": lambda reader: reader.breakers(),
    "all-breakers": lambda reader: reader.breakers(closed=True),
}


def test_all_that_can_be_read_is_as_the_store_tells_it(place: Place) -> None:
    lived_in(place.desk)
    there = place.desk.doors.reader
    empty = {"before-a-span", "before-it-held"}
    for name, read in READS.items():
        told = read(place.office.reader)
        assert told == read(there), name
        assert bool(told) is (name not in empty), name


def test_more_jobs_than_a_page_has_come_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.api.reading.PAGE", 3)
    place.desk.doors.operations.submit(some_new_jobs(7), ASKED)
    listed = place.office.reader.jobs(JobFilter(limit=1000))
    assert listed == place.desk.doors.reader.jobs(JobFilter(limit=1000))
    assert len(listed) == 7
    assert place.office.reader.jobs(JobFilter(limit=4)) == listed[:4]


def test_publications_and_the_name_of_the_installation_are_told(place: Place) -> None:
    job = copied(place.desk)
    assert place.office.publications(job.id) == publications(place.desk, job) != ()
    assert place.office.publications(place.desk.claimed().job_id) == ()
    assert place.office.deployment() == "test"


# ---- orders --------------------------------------------------------------------------------------

Order = Callable[[Operations, Asked], object]


def handed_in(**line: Any) -> NewJob:
    """A job as somebody hands it in."""
    return job_of(Line(**{"type": "fsc_rlie", **line}), DEFAULT_REGISTRY)


def _submit(desk: Desk) -> Order:
    jobs = [
        handed_in(product=SENTINEL_2_NAMES[0], input={"more": [1, None, "é"]}),
        handed_in(product=SENTINEL_2_NAMES[1], priority=Priority.NRT, deadline=desk.now() + HOUR),
        handed_in(product=SENTINEL_2_NAMES[1], key="another", tile="32TLR"),
        handed_in(type="gfsc", name="28WEU-2022-09-06", tile="28WEU"),
        handed_in(type="gfsc", name="28WEU-2022-09-06", key="once-more", input={"product": "y"}),
    ]
    desk.doors.operations.submit(jobs[:1], ASKED)
    return lambda operations, asked: operations.submit(jobs, asked)


def _cancel(desk: Desk) -> Order:
    job_id = desk.claimed().job_id
    return lambda operations, asked: operations.cancel([job_id, NOBODY], asked)


def _relaunch(desk: Desk) -> Order:
    job_id = desk.failed().id
    return lambda operations, asked: operations.relaunch([job_id, NOBODY], asked)


def _retire(desk: Desk) -> Order:
    name = desk.ready().name
    return lambda operations, asked: operations.retire([name, "nobody"], asked, forced=True)


def _order(desk: Desk) -> Order:
    return lambda operations, asked: operations.order(
        FLAVOR, 2, timedelta(minutes=90), asked, outside_pool=True
    )


def _pause(desk: Desk) -> Order:
    targets = [EVERYTHING, "type:gfsc", "type:none"]
    return lambda operations, asked: operations.pause(targets, asked)


def _resume(desk: Desk) -> Order:
    desk.doors.operations.pause([EVERYTHING], ASKED)
    return lambda operations, asked: operations.resume([EVERYTHING, "type:gfsc"], asked)


def _breaker(desk: Desk) -> Order:
    at, name = desk.now(), BreakerName.SERVERS
    desk.do(TripBreaker(at=at, name=name, because="2 of 3", suspects={"s-1": "w-1"}))
    return lambda operations, asked: operations.close_breaker([name, "none"], asked)


ORDERS = [_submit, _cancel, _relaunch, _retire, _order, _pause, _resume, _breaker]


@pytest.mark.parametrize("prepared", ORDERS, ids=lambda each: each.__name__.strip("_"))
def test_an_order_is_judged_as_the_store_judges_it_tried_or_meant(
    place: Place, prepared: Callable[[Desk], Order]
) -> None:
    order = prepared(place.desk)
    wanted = replace(ASKED, reason="because of the test")
    with place.desk.nothing_written():
        tried = order(place.office.operations, replace(wanted, dry_run=True))
        there = replace(wanted, dry_run=True, actor=place.actor)
        assert tried == order(place.desk.doors.operations, there)
    before = place.desk.audit()
    done = order(place.office.operations, wanted)
    if isinstance(tried, tuple):
        assert done == tried
    more = place.desk.audit()[len(before) :]
    assert {actor for actor, _ in more} == {place.actor}
    assert place.desk.doors.reader.audit()[0].reason == wanted.reason


def test_a_parameter_is_set_for_a_while_and_back_to_its_default(place: Place) -> None:
    operations, reader = place.office.operations, place.desk.doors.reader
    made = operations.set_parameter("pool.max_workers", 50, ASKED, lasts=HOUR)
    assert made == reader.parameters()[0]
    assert (made.new, made.author, made.reason) == (50, place.actor, ASKED.reason)
    assert made.expires_at is not None
    back = operations.set_parameter("pool.max_workers", None, ASKED)
    assert back == reader.parameters()[0]
    assert back.new is None


def test_a_pause_lasts_as_long_as_was_said(place: Place) -> None:
    place.office.operations.pause([EVERYTHING], ASKED, lasts=HOUR)
    [pause] = place.desk.doors.reader.pauses()
    assert pause.until is not None
    assert pause.until - pause.since == HOUR


def test_a_token_is_made_shown_once_and_ended(place: Place) -> None:
    mint = place.office.mint
    assert mint.make("grafana", Role.VIEWER, DRY).token is None
    made = mint.make("grafana", Role.OPERATOR, ASKED, HOUR)
    assert made.verdict.done
    assert made.token is not None
    again = mint.make("grafana", Role.VIEWER, ASKED)
    assert (again.verdict.done, again.token) == (False, None)
    listed = mint.all()
    found = next(token for token in listed if token.name == "grafana")
    assert (found.role, found.created_by) == (Role.OPERATOR, place.actor)
    assert found.expires_at is not None
    verdicts = mint.revoke(("grafana", "nobody"), ASKED)
    assert [verdict.done for verdict in verdicts] == [True, False]
    ended = next(token for token in mint.all() if token.name == "grafana")
    assert ended.revoked_at is not None


# ---- refusals ------------------------------------------------------------------------------------

REFUSED: Mapping[str, tuple[type[HrsiError], Callable[[Reader, Operations], object]]] = {
    "no-such-id": (NotFound, lambda reader, _: reader.story(str(NOBODY))),
    "no-such-unique-id": (NotFound, lambda reader, _: reader.story(str(uuid4_of_nobody()))),
    "no-such-key": (NotFound, lambda reader, _: reader.story("gfsc/nothing")),
    "no-reference": (NotFound, lambda reader, _: reader.story("what is this?")),
    "an-odd-type": (NotFound, lambda reader, _: reader.story("a b/c")),
    "too-long-a-reference": (NotFound, lambda reader, _: reader.story("7" * 300)),
    "out-of-bounds": (
        ConfigurationError,
        lambda _, operations: operations.set_parameter("pool.max_workers", -1, ASKED),
    ),
    "does-not-go-together": (
        ConfigurationError,
        lambda _, operations: operations.set_parameter("passes.lease", 5, ASKED),
    ),
    "no-such-type": (
        Malformed,
        lambda _, operations: operations.submit([a_new_job(), a_new_job(type="fsc")], ASKED),
    ),
}


def uuid4_of_nobody() -> str:
    return "5456bd7a-9fc0-40dd-a131-cbee77f57577"


@pytest.mark.parametrize(("kind", "ask"), REFUSED.values(), ids=list(REFUSED))
def test_a_refusal_is_the_same_error_with_the_same_words(
    place: Place, kind: type[HrsiError], ask: Callable[[Reader, Operations], object]
) -> None:
    doors = place.desk.doors
    with place.desk.nothing_written():
        with pytest.raises(kind) as here:
            ask(place.office.reader, place.office.operations)
        with pytest.raises(kind) as there:
            ask(doors.reader, doors.operations)
    if kind is not Malformed:
        assert str(here.value) == str(there.value)
    assert type(here.value) is type(there.value)


def test_jobs_handed_in_are_those_that_were_meant(place: Place) -> None:
    deadline = place.desk.now() + HOUR
    jobs = [
        handed_in(product=SENTINEL_2_NAMES[0], input={"more": [1, None, "é"]}, deadline=deadline),
        handed_in(product=SENTINEL_2_NAMES[1], input={"product": "x"}),
        handed_in(product=SENTINEL_2_NAMES[1], key="another", tile="32TLR"),
        handed_in(type="gfsc", name="28WEU-2022-09-06", key="third", priority=Priority.NRT),
    ]
    made = place.office.operations.submit(jobs, ASKED)
    for job_id, new in zip(made.added, jobs, strict=True):
        story = place.desk.story(job_id)
        kept = {name: getattr(story.job, name) for name in ("type", "key", "name", "tile")}
        assert kept == {name: getattr(new, name) for name in kept}
        assert (story.job.priority, story.job.deadline) == (new.priority, new.deadline)
        assert story.input == new.input
    again = place.office.operations.submit(jobs, ASKED)
    assert (again.added, again.existing) == ((), made.added)
    assert place.office.operations.submit([], ASKED).added == ()
