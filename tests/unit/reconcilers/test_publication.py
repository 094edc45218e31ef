"""What publication decides: which job goes on, which waits and why, what becomes of refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.actions import CountRefusal, EndJob, ParkRefusal, PublishJob
from models.broker import RefusedMessage
from models.errors import FailureClass
from models.lifecycle import Status
from models.plan import Decision, Held, Reason
from models.publication import Publication, PublicationState, Publishing
from models.records import Backoff
from models.settings_publication import PublicationSettings
from models.world import Source, World
from reconcilers.publication import decide, pause_after
from simulator.examples import NOW, a_job, a_world
from simulator.examples.base import NOW as THEN

SETTINGS = PublicationSettings()
SOON = NOW + timedelta(minutes=1)


def a_row(state: PublicationState, number: int = 1, **changes: Any) -> Publication:
    default = Publication(
        id=number,
        job_id=1,
        run_id=UUID(int=1),
        product=f"FSC_2022082{number}T130318_S2A_T28WEU_V102_1",
        kind="fsc",
        digest="ab",
        state=state,
        send=1,
        begun_at=THEN,
        changed_at=THEN,
    )
    return replace(default, **changes)


def seen(*jobs: Publishing, broker: bool = True, **changes: Any) -> World:
    world = replace(a_world(), publishing=jobs, refusals=() if broker else None, **changes)
    if broker:
        return world
    return replace(world, unknown={Source.BROKER: "nobody answers"})


def publishing(
    status: Status, *rows: Publication, products: int | None = 2, number: int = 1
) -> Publishing:
    job = a_job(id=number, status=status, seq=9)
    return Publishing(job=job, products=products, publications=rows)


def the(decisions: list[Decision]) -> Decision:
    (found,) = decisions
    return found


@pytest.mark.parametrize("products", [0, None])
def test_a_job_that_made_nothing_is_done_at_once(products: int | None) -> None:
    found = the(decide(seen(publishing(Status.PROCESSED, products=products)), SETTINGS, NOW))
    assert isinstance(found, EndJob)
    assert (found.reason, found.expected_seq) == (Reason.NOTHING_TO_PUBLISH, 9)


def test_a_job_that_made_products_is_published() -> None:
    found = the(decide(seen(publishing(Status.PROCESSED)), SETTINGS, NOW))
    assert isinstance(found, PublishJob)
    assert (found.reason, found.begin, found.send) == (Reason.PRODUCTS_MADE, True, True)


def test_a_published_job_is_done() -> None:
    found = the(decide(seen(publishing(Status.PUBLISHED)), SETTINGS, NOW))
    assert isinstance(found, EndJob)
    assert found.reason is Reason.ALL_ANNOUNCED


@pytest.mark.parametrize(
    "state", [PublicationState.WAITING, PublicationState.COPIED, PublicationState.SENDING]
)
def test_what_was_begun_goes_on(state: PublicationState) -> None:
    rows = a_row(state), a_row(PublicationState.CONFIRMED, 2)
    found = the(decide(seen(publishing(Status.START_PUBLICATION, *rows)), SETTINGS, NOW))
    assert isinstance(found, PublishJob)
    assert (found.reason, found.begin) == (Reason.PUBLICATION_OPEN, False)


def test_a_refused_product_waits_and_says_until_when() -> None:
    row = a_row(PublicationState.REFUSED, not_before=SOON, refusals=2)
    world = seen(publishing(Status.START_PUBLICATION, row))
    found = the(decide(world, SETTINGS, NOW))
    assert isinstance(found, Held)
    assert found.reason is Reason.REFUSAL_PAUSE
    assert f"{SOON:%H:%M:%S}" in found.because
    assert isinstance(the(decide(world, SETTINGS, SOON)), PublishJob)


def test_one_refused_product_does_not_hold_up_the_other() -> None:
    rows = (
        a_row(PublicationState.REFUSED, not_before=SOON),
        a_row(PublicationState.COPIED, 2),
    )
    found = the(decide(seen(publishing(Status.START_PUBLICATION, *rows)), SETTINGS, NOW))
    assert isinstance(found, PublishJob)


def test_while_the_broker_is_away_products_are_copied_and_messages_wait() -> None:
    new = publishing(Status.PROCESSED, number=1)
    waiting = publishing(Status.START_PUBLICATION, a_row(PublicationState.WAITING), number=2)
    copied = publishing(Status.START_PUBLICATION, a_row(PublicationState.COPIED), number=3)
    held, *acted = decide(seen(new, waiting, copied, broker=False), SETTINGS, NOW)
    assert isinstance(held, Held)
    assert held.reason is Reason.SOURCE_UNKNOWN
    assert [(a.job_id, a.send) for a in acted if isinstance(a, PublishJob)] == [
        (1, False),
        (2, False),
    ]
    assert len(acted) == 2


def test_without_the_outbox_nothing_is_published() -> None:
    world = replace(a_world(), refusals=(), unknown={Source.OUTBOX: "no answer"})
    found = the(decide(world, SETTINGS, NOW))
    assert isinstance(found, Held)
    assert found.reason is Reason.SOURCE_UNKNOWN


def test_a_job_that_rests_after_a_failure_says_why() -> None:
    back = Backoff(
        subject="job:1",
        failure=FailureClass.AUTHORISATION,
        failures=1,
        until=SOON,
        message="access refused",
    )
    world = seen(publishing(Status.PROCESSED))
    world = replace(world, store=replace(world.store, backoffs=(back,)))
    found = the(decide(world, SETTINGS, NOW))
    assert isinstance(found, Held)
    assert found.reason is Reason.BACKING_OFF
    assert "access refused" in found.because
    assert isinstance(the(decide(world, SETTINGS, SOON)), PublishJob)


def test_one_pass_goes_on_with_so_many_jobs_and_no_more() -> None:
    jobs = [publishing(Status.PROCESSED, number=number) for number in range(1, 8)]
    found = decide(seen(*jobs), replace(SETTINGS, jobs_per_pass=3), NOW)
    assert [d.job_id for d in found if isinstance(d, PublishJob)] == [1, 2, 3]
    assert len(found) == 3


def test_a_refusal_of_ours_is_counted_and_anything_else_is_parked() -> None:
    name = "FSC_20220827T130318_S2A_T28WEU_V102_1"
    ours = b'{"resto": {"properties": {"productIdentifier": "/eodata/HRSI/CLMS/a/%s"}}}' % (
        name.encode()
    )
    messages = (
        RefusedMessage(receipt="1-1", body=ours, message_id="m"),
        RefusedMessage(receipt="1-2", body=b"nonsense"),
    )
    counted, parked = decide(replace(seen(), refusals=messages), SETTINGS, NOW)
    assert isinstance(counted, CountRefusal)
    assert (counted.product, counted.message.message_id) == (name, "m")
    assert isinstance(parked, ParkRefusal)
    assert "no JSON" in parked.because


@pytest.mark.parametrize(
    ("refusals", "minutes"), [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (500, 60)]
)
def test_each_refusal_doubles_the_wait_up_to_its_cap(refusals: int, minutes: int) -> None:
    assert pause_after(refusals, SETTINGS) == timedelta(minutes=minutes)
