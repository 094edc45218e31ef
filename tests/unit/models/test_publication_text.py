"""What a product waits for is said of every state that it may be in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.lifecycle import Status
from models.publication import Publication, PublicationState
from models.publication_text import standing_of
from simulator.examples import NOW, a_job
from simulator.examples.products import FSC

LATER = NOW + timedelta(minutes=5)


def a_publication(state: PublicationState, **changes: Any) -> Publication:
    default: dict[str, Any] = {
        "id": 1,
        "job_id": 17,
        "run_id": UUID(int=1),
        "product": FSC,
        "kind": "fsc",
        "digest": "ab",
        "state": state,
        "send": 2,
        "begun_at": NOW,
        "changed_at": NOW,
    }
    return Publication(**{**default, **changes})


@pytest.mark.parametrize(
    ("publication", "words"),
    [
        pytest.param(a_publication(PublicationState.WAITING), "to be copied", id="waiting"),
        pytest.param(a_publication(PublicationState.COPIED), "waits to be sent", id="copied"),
        pytest.param(
            a_publication(PublicationState.SENDING, note="no queue is bound"),
            "to confirm send 2; until then it is sent again under the same id: no queue is bound",
            id="returned",
        ),
        pytest.param(
            a_publication(PublicationState.REFUSED, refusals=1, not_before=LATER),
            f"refused 1 of 3 times; it is sent again at {LATER:%Y-%m-%d %H:%M:%S} UTC, as send 2",
            id="refused",
        ),
        pytest.param(
            a_publication(PublicationState.REFUSED, refusals=2),
            "refused 2 of 3 times; it is sent again, as send 2",
            id="refused-and-due",
        ),
        pytest.param(
            a_publication(PublicationState.FAILED, refusals=3),
            "hrsi job relaunch 17",
            id="given-up",
        ),
        pytest.param(a_publication(PublicationState.CONFIRMED), "is confirmed", id="confirmed"),
        pytest.param(a_publication(PublicationState.SPOOLED), "to a file", id="spooled"),
    ],
)
def test_a_product_says_what_it_waits_for(publication: Publication, words: str) -> None:
    job = a_job(status=Status.START_PUBLICATION)
    (said,) = standing_of(job, [publication], sends=3)
    assert said.startswith(FSC)
    assert words in said


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        pytest.param({"status": Status.PROCESSED}, 1, id="it-has-not-begun"),
        pytest.param({"status": Status.INTERNAL_ERROR, "quarantined": True}, 1, id="given-up"),
        pytest.param({"status": Status.DONE}, 0, id="done"),
        pytest.param({"status": Status.READY}, 0, id="on-its-way-again"),
    ],
)
def test_only_of_what_waits_to_be_announced_it_is_told(
    changes: dict[str, Any], sentences: int
) -> None:
    rows = [a_publication(PublicationState.FAILED)]
    assert len(list(standing_of(a_job(**changes), rows, sends=3))) == sentences
