"""Both stores keep the outbox alike: what may follow what, and when a job is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from models.broker import Fate
from models.errors import Superseded
from models.lifecycle import Status
from models.manifest import digest_of
from models.publication import (
    FAILED_ENDPOINT,
    FROM_FILES,
    NoteSending,
    OutboxFigures,
    ParkMessage,
    PublicationState,
)
from simulator.examples import NOW
from simulator.examples.products import FSC, RLIE
from tests.plugins.publishing import (
    PAUSE,
    announced,
    begin,
    begun,
    copied,
    copy,
    fail,
    finish,
    hear,
    outgoing,
    processed,
    publications,
    refuse,
    send,
    sending,
)
from tests.plugins.stores import ASKED, Desk


def states(desk: Desk, job_id: int) -> list[PublicationState]:
    return [each.publication.state for each in desk.doors.outbox.outgoing(job_id)]


def test_publication_begins_with_a_row_for_every_product(desk: Desk) -> None:
    job = processed(desk)
    (waiting,) = desk.doors.outbox.pending(10)
    assert (waiting.job, waiting.products, waiting.publications) == (job, 2, ())

    desk.do(begin(desk, job))

    (begun_,) = desk.doors.outbox.pending(10)
    manifest = desk.doors.outbox.manifest(job.id)
    assert manifest is not None
    assert begun_.job.status is Status.START_PUBLICATION
    assert begun_.publications == publications(desk, job)
    assert [each.message_id for each in begun_.publications] == [
        f"{FSC}:{digest_of(manifest)}:1",
        f"{RLIE}:{digest_of(manifest)}:1",
    ]
    assert [each.body for each in outgoing(desk, job)] == [b"%s!" % n.encode() for n in (FSC, RLIE)]


def test_step_by_step_a_job_is_published_and_done(desk: Desk) -> None:
    job = begun(desk)
    assert states(desk, job.id) == [PublicationState.WAITING] * 2
    desk.do(copy(desk, job))
    assert states(desk, job.id) == [PublicationState.COPIED] * 2
    desk.do(send(desk, job))
    assert states(desk, job.id) == [PublicationState.SENDING] * 2
    desk.do(hear(desk, job))
    assert states(desk, job.id) == [PublicationState.CONFIRMED] * 2
    assert desk.path(job.id)[-3:] == [Status.START_PUBLICATION, Status.PUBLISHED, Status.DONE]
    assert desk.story(job.id).history[-1].message == "2 products announced"
    assert desk.doors.outbox.pending(10) == ()


@pytest.mark.parametrize("fate", [Fate.UNKNOWN, Fate.RETURNED, Fate.REJECTED])
def test_what_is_not_confirmed_is_sent_again_under_the_same_id(desk: Desk, fate: Fate) -> None:
    job = sending(desk)
    before = [each.message_id for each in publications(desk, job)]
    desk.do(hear(desk, job, fate))
    assert desk.job(job.id).status is Status.START_PUBLICATION
    assert states(desk, job.id) == [PublicationState.SENDING, PublicationState.CONFIRMED]
    desk.do(send(desk, job))
    assert [each.message_id for each in publications(desk, job)] == before
    desk.do(hear(desk, job))
    assert desk.job(job.id).status is Status.DONE


def test_what_was_not_sent_cannot_be_confirmed(desk: Desk) -> None:
    job = copied(desk)
    desk.do(hear(desk, job))
    assert states(desk, job.id) == [PublicationState.COPIED] * 2
    assert desk.job(job.id).status is Status.START_PUBLICATION


def test_what_was_not_copied_cannot_be_sent(desk: Desk) -> None:
    job = begun(desk)
    desk.do(send(desk, job))
    assert states(desk, job.id) == [PublicationState.WAITING] * 2


def test_a_spooled_message_lets_its_job_go_on(desk: Desk) -> None:
    job = sending(desk)
    desk.do(hear(desk, job, Fate.SPOOLED, Fate.SPOOLED))
    assert states(desk, job.id) == [PublicationState.SPOOLED] * 2
    assert desk.job(job.id).status is Status.DONE


def test_whoever_saw_the_job_elsewhere_writes_nothing(desk: Desk) -> None:
    job = processed(desk)
    late = begin(desk, job)
    desk.do(begin(desk, job))
    desk.refuses(late, Superseded)
    job = desk.job(job.id)
    stale = replace(job, seq=job.seq - 1)
    desk.refuses(copy(desk, stale), Superseded)
    desk.refuses(send(desk, stale), Superseded)
    desk.refuses(hear(desk, stale), Superseded)
    desk.refuses(fail(desk, stale), Superseded)
    desk.refuses(finish(desk, job), Superseded)


def test_a_job_without_products_is_done_and_says_why(desk: Desk) -> None:
    job = processed(desk, products=())
    desk.do(finish(desk, job))
    assert desk.path(job.id)[-2:] == [Status.PROCESSED, Status.DONE]
    assert desk.story(job.id).history[-1].message == "no product"


def test_a_job_with_products_is_never_done_unpublished(desk: Desk) -> None:
    desk.refuses(finish(desk, processed(desk)), Superseded)


@pytest.mark.parametrize("quarantined", [True, False])
def test_what_cannot_be_published_is_an_error(desk: Desk, quarantined: bool) -> None:
    job = begun(desk)
    desk.do(fail(desk, job, quarantined=quarantined))
    job = desk.job(job.id)
    assert (job.status, job.error_subtype) == (Status.INTERNAL_ERROR, "S3 object not found")
    assert (job.internal_failures, job.quarantined) == (1, quarantined)
    assert job.resume_status is Status.READY


def test_a_refused_product_of_a_job_that_is_done_is_sent_again(desk: Desk) -> None:
    job = announced(desk)
    first = publications(desk, job)[0]
    desk.do(refuse(desk, FSC))
    job = desk.job(job.id)
    assert desk.path(job.id)[-4:] == [
        Status.DONE,
        Status.EXTERNAL_ERROR,
        Status.ERROR_CHECKED,
        Status.START_PUBLICATION,
    ]
    again, other = publications(desk, job)
    assert (again.state, again.send, again.refusals) == (PublicationState.REFUSED, 2, 1)
    assert other.state is PublicationState.CONFIRMED
    assert again.message_id != first.message_id
    desk.do(send(desk, job))
    assert states(desk, job.id)[0] is PublicationState.REFUSED
    later = replace(send(desk, job), at=desk.now() + PAUSE)
    desk.do(later)
    desk.do(hear(desk, job))
    assert desk.job(job.id).status is Status.DONE


def test_a_refusal_counts_once_a_send(desk: Desk) -> None:
    job = announced(desk)
    first = publications(desk, job)[0]
    desk.do(refuse(desk, FSC, message_id=first.message_id))
    with desk.nothing_written():
        desk.do(refuse(desk, FSC, message_id=first.message_id))
        desk.do(refuse(desk, FSC))
    job = desk.job(job.id)
    desk.do(replace(send(desk, job), at=desk.now() + PAUSE))
    desk.do(hear(desk, job))
    with desk.nothing_written():
        desk.do(refuse(desk, FSC, message_id=first.message_id))
    desk.do(refuse(desk, FSC))
    assert publications(desk, job)[0].refusals == 2


def test_before_the_confirm_is_heard_a_refusal_counts_as_well(desk: Desk) -> None:
    job = sending(desk)
    desk.do(refuse(desk, FSC))
    assert states(desk, job.id) == [PublicationState.REFUSED, PublicationState.SENDING]
    assert desk.job(job.id).seq == job.seq
    desk.do(hear(desk, job))
    assert states(desk, job.id) == [PublicationState.REFUSED, PublicationState.CONFIRMED]
    assert desk.job(job.id).status is Status.START_PUBLICATION


def test_the_last_refusal_gives_up_and_a_relaunch_publishes_again(desk: Desk) -> None:
    job = announced(desk)
    desk.do(refuse(desk, FSC, most_refusals=1))
    job = desk.job(job.id)
    assert (job.status, job.error_subtype) == (Status.INTERNAL_ERROR, FAILED_ENDPOINT)
    assert job.quarantined
    assert states(desk, job.id)[0] is PublicationState.FAILED

    desk.doors.operations.relaunch([job.id], ASKED)
    job = desk.job(job.id)
    assert job.status is Status.PROCESSED
    desk.do(begin(desk, job))
    assert states(desk, job.id) == [PublicationState.WAITING] * 2
    assert [each.send for each in publications(desk, job)] == [2, 2]
    assert [each.refusals for each in publications(desk, job)] == [0, 0]


def test_a_refusal_of_a_cancelled_job_leaves_it_there(desk: Desk) -> None:
    job = sending(desk)
    desk.doors.operations.cancel([job.id], ASKED)
    desk.do(refuse(desk, FSC))
    assert desk.job(job.id).status is Status.CANCELLED


def test_a_product_that_was_never_announced_cannot_be_refused(desk: Desk) -> None:
    desk.refuses(refuse(desk, FSC), Superseded)


def test_parked_messages_are_kept_as_they_came_and_counted(desk: Desk) -> None:
    body = b"\xff\x00nonsense"
    for why in ("it is no JSON", "it is no JSON at all"):
        desk.do(ParkMessage(at=desk.now(), body=body, why=why))
    desk.do(ParkMessage(at=desk.now(), body=b"other", why="?"))
    found = {each.body: each for each in desk.doors.outbox.parked()}
    assert {key: each.count for key, each in found.items()} == {body: 2, b"other": 1}
    assert found[body].why == "it is no JSON at all"


def test_the_most_urgent_jobs_are_looked_at_first(desk: Desk) -> None:
    jobs = [processed(desk) for _ in range(3)]
    ranked = sorted(jobs, key=lambda job: (job.priority.rank, job.status_at, job.id))
    assert [each.job.id for each in desk.doors.outbox.pending(2)] == [j.id for j in ranked[:2]]


def test_the_outbox_tells_what_is_open_by_kind_and_state(desk: Desk) -> None:
    assert desk.doors.outbox.figures() == OutboxFigures()
    job, other = sending(desk), begun(desk)
    announced(desk)
    desk.do(hear(desk, job))
    desk.do(refuse(desk, FSC, most_refusals=1))
    desk.do(ParkMessage(at=desk.now(), body=b"nonsense", why="it is no JSON"))
    rows = publications(desk, other)
    found = desk.doors.outbox.figures()
    assert {(each.kind, each.state, each.number) for each in found.open} >= {
        (row.kind, PublicationState.WAITING, 1) for row in rows
    }
    assert {each.oldest_at for each in found.open} == {row.begun_at for row in rows}
    assert all(each.state is not PublicationState.FAILED for each in found.open)
    assert found.parked == 1


@pytest.mark.parametrize(
    ("given", "listed_at"),
    [
        pytest.param({"published_at": NOW.isoformat()}, NOW, id="a-catalogue-said-when"),
        pytest.param({"published_at": "some day"}, None, id="in-words"),
        pytest.param({"published_at": 7}, None, id="as-a-number"),
        pytest.param({}, None, id="handed-in-by-a-person"),
    ],
)
def test_a_message_knows_when_its_image_was_published_and_its_run_was_made(
    desk: Desk, given: dict[str, object], listed_at: datetime | None
) -> None:
    job = processed(desk, desk.submit(input=given)[0])
    desk.do(begin(desk, job))
    (run,) = desk.story(job.id).runs
    for row in outgoing(desk, job):
        assert row.listed_at == listed_at
        assert (row.came_at, row.started_at, row.ended_at) == (
            job.created_at,
            run.claimed_at,
            run.ended_at,
        )


def test_nobody_sends_for_a_job_that_moved_on(desk: Desk) -> None:
    job = sending(desk)
    desk.doors.operations.cancel([job.id], ASKED)
    change = NoteSending(at=desk.now(), job_id=job.id, expected_seq=job.seq, publication_ids=(1, 2))
    desk.refuses(change, Superseded)


def test_messages_that_were_sent_from_their_files_are_confirmed(desk: Desk) -> None:
    job = sending(desk)
    desk.do(hear(desk, job, Fate.SPOOLED, Fate.SPOOLED))
    first, second = publications(desk, job)
    outbox = desk.doors.outbox
    assert outbox.confirm_spooled([first.message_id, "another:digest:1", "nonsense"], ASKED) == 1
    assert states(desk, job.id) == [PublicationState.CONFIRMED, PublicationState.SPOOLED]
    assert desk.audit()[-1:] == [(ASKED.actor, f"product:{first.product}")]
    with desk.nothing_written():
        assert outbox.confirm_spooled([first.message_id], ASKED) == 0
        assert outbox.confirm_spooled([], ASKED) == 0
    assert outbox.figures().from_files == {first.kind: 1}
    assert outbox.confirm_spooled([second.message_id], ASKED) == 1
    assert outbox.figures().from_files == {first.kind: 1, second.kind: 1}
    assert all(not name.startswith(FROM_FILES) for name in desk.doors.reader.totals())
