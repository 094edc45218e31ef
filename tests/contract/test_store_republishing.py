"""Both stores tell alike what was made, announce again alike, and take parked messages in hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from models.lifecycle import Status
from models.publication import ParkMessage, PublicationState
from models.records import Job
from simulator.examples.products import FSC, RLIE
from tests.plugins.publishing import (
    announced,
    begun,
    copied,
    hear,
    processed,
    publications,
    refuse,
    send,
    sending,
)
from tests.plugins.stores import ASKED, Desk

TRIED = replace(ASKED, dry_run=True)
LONG = timedelta(days=1)


def park(desk: Desk, body: bytes) -> int:
    desk.do(ParkMessage(at=desk.now(), body=body, why="it named nothing"))
    return next(each.id for each in desk.doors.outbox.parked() if each.body == body)


def naming(product: str) -> bytes:
    identifier = f"/eodata/HRSI/CLMS/Snow/{product}"
    return json.dumps({"resto": {"properties": {"productIdentifier": identifier}}}).encode()


def states(desk: Desk, job: Job) -> list[PublicationState | None]:
    found = desk.doors.outbox.made(desk.now() - LONG, desk.now() + LONG)
    return [each.state for each in found if each.job_id == job.id]


def test_what_was_made_is_told_with_how_far_it_came(desk: Desk) -> None:
    job = processed(desk)
    found = desk.doors.outbox.made(desk.now() - LONG, desk.now() + LONG)
    assert [(each.product, each.kind, each.job_id, each.status, each.state) for each in found] == [
        (FSC, "fsc", job.id, Status.PROCESSED, None),
        (RLIE, "rlie", job.id, Status.PROCESSED, None),
    ]
    assert all(each.since == each.made_at for each in found)
    assert states(desk, begun(desk)) == [PublicationState.WAITING] * 2
    assert states(desk, announced(desk)) == [PublicationState.CONFIRMED] * 2


def test_what_was_made_is_told_for_its_time_and_not_of_cancelled_jobs(desk: Desk) -> None:
    job = processed(desk)
    desk.doors.operations.cancel([processed(desk).id], ASKED)
    (first, _) = desk.doors.outbox.made(desk.now() - LONG, desk.now() + LONG)
    assert first.job_id == job.id
    assert desk.doors.outbox.made(first.made_at - LONG, first.made_at) == ()
    assert len(desk.doors.outbox.made(first.made_at, first.made_at + LONG)) == 2


def test_an_announced_product_is_announced_again_under_the_next_send(desk: Desk) -> None:
    job = announced(desk)
    before = publications(desk, job)
    outbox = desk.doors.outbox
    with desk.nothing_written():
        (tried,) = outbox.republish([FSC], TRIED)
    (verdict,) = outbox.republish([FSC], ASKED)
    assert verdict == tried
    assert verdict.done
    again, other = publications(desk, job)
    assert (again.state, again.send, again.digest) == (
        PublicationState.WAITING,
        before[0].send + 1,
        before[0].digest,
    )
    assert other == before[1]
    assert desk.path(job.id)[-3:] == [Status.DONE, Status.ERROR_CHECKED, Status.START_PUBLICATION]
    assert desk.audit()[-1:] == [(ASKED.actor, f"product:{FSC}")]
    with desk.nothing_written():
        (second,) = outbox.republish([FSC], ASKED)
    assert not second.done
    assert "on its way" in second.because


def test_the_second_product_of_a_job_joins_the_first(desk: Desk) -> None:
    job = announced(desk)
    verdicts = desk.doors.outbox.republish([RLIE, FSC, RLIE], ASKED)
    assert [verdict.done for verdict in verdicts] == [True] * 3
    assert [each.send for each in publications(desk, job)] == [2, 2]
    assert desk.job(job.id).status is Status.START_PUBLICATION


@pytest.mark.parametrize(
    ("why", "word"),
    [("never", "never announced"), ("sending", "on its way"), ("failed", "relaunch job")],
)
def test_what_cannot_be_announced_again_says_why(desk: Desk, why: str, word: str) -> None:
    if why == "sending":
        sending(desk)
    if why == "failed":
        announced(desk)
        desk.do(refuse(desk, FSC, most_refusals=1))
    with desk.nothing_written():
        (verdict,) = desk.doors.outbox.republish([FSC], ASKED)
    assert verdict.subject == f"product:{FSC}"
    assert not verdict.done
    assert word in verdict.because


def test_a_parked_message_that_names_a_product_by_now_is_a_refusal(desk: Desk) -> None:
    key = park(desk, naming(FSC))
    outbox = desk.doors.outbox
    with desk.nothing_written():
        (verdict,) = outbox.replay_parked([key], 3, ASKED)
    assert not verdict.done
    assert "never announced" in verdict.because
    job = announced(desk)
    with desk.nothing_written():
        (tried,) = outbox.replay_parked([key], 3, TRIED)
    (verdict,) = outbox.replay_parked([key], 3, ASKED)
    assert verdict == tried
    assert verdict.done
    again = publications(desk, job)[0]
    assert (again.state, again.send, again.refusals) == (PublicationState.REFUSED, 2, 1)
    assert outbox.parked() == ()
    assert desk.audit()[-1:] == [(ASKED.actor, f"parked:{key}")]
    desk.do(send(desk, desk.job(job.id)))
    desk.do(hear(desk, desk.job(job.id)))
    assert desk.job(job.id).status is Status.DONE


@pytest.mark.parametrize("most", [1, 3], ids=["given-up", "waiting"])
def test_a_parked_message_that_would_change_nothing_stays(desk: Desk, most: int) -> None:
    key = park(desk, naming(FSC))
    announced(desk)
    desk.do(refuse(desk, FSC, most_refusals=most))
    with desk.nothing_written():
        (tried,) = desk.doors.outbox.replay_parked([key], most, TRIED)
        (verdict,) = desk.doors.outbox.replay_parked([key], most, ASKED)
    assert verdict == tried
    assert not verdict.done
    assert f"a refusal of {FSC} changes nothing" in verdict.because


def test_a_parked_message_that_names_nothing_stays(desk: Desk) -> None:
    copied(desk)
    key = park(desk, b"nonsense")
    with desk.nothing_written():
        verdicts = desk.doors.outbox.replay_parked([key, key + 100], 3, ASKED)
    assert [verdict.done for verdict in verdicts] == [False, False]
    assert "no JSON" in verdicts[0].because
    assert "no such parked message" in verdicts[1].because


def test_a_parked_message_that_was_read_is_kept_no_longer(desk: Desk) -> None:
    outbox = desk.doors.outbox
    read, other = park(desk, b"nonsense"), park(desk, b"more of it")
    with desk.nothing_written():
        tried = outbox.forget_parked([read, read + 100], TRIED)
        assert outbox.forget_parked([read + 100], ASKED)[0].done is False
    told = outbox.forget_parked([read, read + 100], ASKED)
    assert told == tried
    assert [verdict.done for verdict in told] == [True, False]
    assert "it was parked because" in told[0].because
    assert "no such parked message" in told[1].because
    assert [each.id for each in outbox.parked()] == [other]
    assert desk.audit()[-1:] == [(ASKED.actor, f"parked:{read}")]
    assert outbox.figures().parked == 1
    # The same again is news.
    park(desk, b"nonsense")
    assert [each.count for each in outbox.parked()] == [1, 1]
