"""Breakers in the store: opened once, closed by the pool or by a person, whose word holds on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from models.breakers import Breaker, BreakerName
from models.changes import (
    BeginRetirement,
    NoteGone,
    SettleBreaker,
    TripBreaker,
    WithdrawAcceptance,
)
from models.errors import Superseded
from models.records import RetireCause, Worker
from tests.plugins.stores import ASKED, HOUR, NOBODY, Desk

DRY = replace(ASKED, dry_run=True)
TWO = {"s-1": "os-worker-001", "s-2": "os-worker-002"}
SERVERS, NODES = BreakerName.SERVERS, BreakerName.NODES


def trip(
    desk: Desk, name: BreakerName = SERVERS, suspects: Mapping[str, str] = TWO, why: str = "2 of 3"
) -> Breaker:
    """Open a breaker, or let the open one name more; as it stands then."""
    desk.do(TripBreaker(at=desk.now(), name=name, because=why, suspects=suspects))
    return next(b for b in desk.doors.reader.breakers() if b.name is name)


def closed(desk: Desk, name: BreakerName = SERVERS) -> Breaker:
    """A breaker that a person closed."""
    trip(desk, name)
    desk.doors.operations.close_breaker([name], ASKED)
    return desk.doors.reader.breakers(closed=True)[0]


def test_an_open_breaker_is_shown_with_what_opened_it(desk: Desk) -> None:
    at = desk.now()
    change = TripBreaker(at=at, name=SERVERS, because="2 of 3", suspects=TWO)
    desk.do(change)
    [breaker] = desk.view().breakers
    assert breaker == Breaker(
        id=breaker.id, name=SERVERS, opened_at=at, because="2 of 3", suspects=TWO
    )
    assert desk.doors.reader.breakers() == (breaker,)


def test_one_that_is_open_names_more_and_stays_the_same_opening(desk: Desk) -> None:
    before = trip(desk)
    after = trip(desk, suspects={"s-3": "os-worker-003"}, why="3 of 3")
    assert after == replace(before, because="3 of 3", suspects={**TWO, "s-3": "os-worker-003"})


def test_breakers_of_different_names_are_strangers(desk: Desk) -> None:
    trip(desk), trip(desk, NODES)
    assert [b.name for b in desk.doors.reader.breakers()] == [NODES, SERVERS]
    desk.doors.operations.close_breaker([SERVERS], ASKED)
    assert [b.name for b in desk.doors.reader.breakers()] == [NODES]


def test_what_is_explained_is_closed_in_the_name_of_the_lease_and_nothing_is_accepted(
    desk: Desk,
) -> None:
    breaker, at = trip(desk), desk.now()
    settle = SettleBreaker(at=at, breaker_id=breaker.id, message="they are back")
    desk.do(settle)
    assert desk.view().breakers == desk.doors.reader.breakers() == ()
    [past] = desk.doors.reader.breakers(closed=True)
    assert past == replace(breaker, closed_at=at, closed_by=desk.name, close_reason="they are back")
    desk.refuses(settle, Superseded)
    assert desk.audit() == []


def test_a_person_closes_it_and_the_word_holds_for_what_it_named(desk: Desk) -> None:
    breaker = trip(desk)
    [verdict] = desk.doors.operations.close_breaker([SERVERS], ASKED)
    assert (verdict.subject, verdict.done) == ("breaker:servers", True)
    assert all(name in verdict.because for name in TWO.values())
    assert desk.doors.reader.breakers() == ()
    [shown] = desk.view().breakers
    assert (shown.id, shown.closed_by, shown.close_reason) == (
        breaker.id,
        ASKED.actor,
        ASKED.reason,
    )
    assert shown.accepted == frozenset(TWO)
    assert desk.audit() == [(ASKED.actor, "breaker:servers")]


def test_a_closed_one_opens_again_as_another(desk: Desk) -> None:
    first = closed(desk)
    second = trip(desk)
    assert second.id != first.id
    assert second.accepted == frozenset()
    assert [b.id for b in desk.doors.reader.breakers(closed=True)] == [second.id, first.id]


def test_a_word_that_is_over_is_withdrawn_piece_by_piece(desk: Desk) -> None:
    breaker = closed(desk)
    withdraw = WithdrawAcceptance(at=desk.now(), breaker_id=breaker.id, server_ids=("s-1", "x"))
    desk.do(withdraw)
    assert [b.accepted for b in desk.view().breakers] == [frozenset({"s-2"})]
    desk.do(replace(withdraw, server_ids=("s-2",)))
    assert desk.view().breakers == ()
    desk.refuses(replace(withdraw, breaker_id=NOBODY), Superseded)


@pytest.mark.parametrize("name", ["servers", "nodes", "cloud", ""])
def test_one_that_is_not_open_or_not_there_is_not_closed(desk: Desk, name: str) -> None:
    if name == SERVERS:
        closed(desk)
    with desk.nothing_written():
        [verdict] = desk.doors.operations.close_breaker([name], ASKED)
    assert (verdict.subject, verdict.done) == (f"breaker:{name}", False)


def test_trying_closes_nothing_and_answers_the_same(desk: Desk) -> None:
    trip(desk)
    with desk.nothing_written():
        tried = desk.doors.operations.close_breaker([SERVERS, NODES], DRY)
    assert tried == desk.doors.operations.close_breaker([SERVERS, NODES], ASKED)


# ---- removals ------------------------------------------------------------------------------------


def _vanished(desk: Desk) -> Worker:
    worker = desk.ready()
    desk.do(NoteGone(at=desk.now(), worker_id=worker.id))
    return worker


def _persons(desk: Desk) -> Worker:
    """One that the pool gave up, and that a person then wanted gone."""
    worker = desk.marking(RetireCause.STALE)
    change = BeginRetirement(
        at=desk.now(), worker_id=worker.id, cause=RetireCause.PERSON, by="ada", intent=None
    )
    desk.do(change)
    return worker


def _vanished_while_retiring(desk: Desk) -> Worker:
    worker = desk.seen()
    desk.do(NoteGone(at=desk.now(), worker_id=worker.id))
    return worker


@pytest.mark.parametrize(
    ("removed", "counts"),
    [
        pytest.param(lambda d: d.marking(RetireCause.STALE), True, id="stale"),
        pytest.param(lambda d: d.seen(RetireCause.SERVER_ERROR), True, id="in-error"),
        pytest.param(_vanished, True, id="vanished"),
        pytest.param(_vanished_while_retiring, True, id="vanished-while-it-was-idle"),
        pytest.param(_persons, False, id="a-person-wanted-it"),
        pytest.param(lambda d: d.closed(), False, id="idle"),
        pytest.param(lambda d: d.ready(), False, id="not-removed"),
    ],
)
def test_removals_are_those_for_another_reason_than_idleness_or_a_person(
    desk: Desk, removed: object, *, counts: bool
) -> None:
    assert callable(removed)
    worker = removed(desk)
    expected = [worker.id] if counts else []
    assert [w.id for w in desk.view().removed] == expected
    assert desk.view(ended_since=desk.now() + HOUR).removed == ()


def test_a_removal_counts_from_its_beginning_and_goes_on_counting_when_it_is_closed(
    desk: Desk,
) -> None:
    worker = desk.seen(RetireCause.STALE)
    begun = desk.worker(worker.id).retirement
    assert begun is not None
    desk.do(desk.deletion(worker, RetireCause.STALE))
    desk.do(NoteGone(at=desk.now(), worker_id=worker.id))
    assert [w.id for w in desk.view(ended_since=begun.started_at).removed] == [worker.id]
    later = begun.started_at + timedelta(milliseconds=1)
    assert desk.view(ended_since=later).removed == ()
