"""What a run says goes out in order, while the run goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from models.errors import HrsiError, IllegalTransition, Superseded, Unavailable
from models.lifecycle import Status
from models.ports import Claim, Placement, RunResult
from simulator.examples import a_job
from worker.spool import Spool

PATIENCE = 120.0
CLAIM = Claim(run_id=UUID(int=1), number=3, attempt=1, job=a_job(), input={})
DONE = RunResult(status=Status.INTERNAL_ERROR, exit_code=0)


@dataclass
class Ears:
    """Reports that hear what is said, once they are open, and refuse what they are told to."""

    refuse: dict[Status, HrsiError] = field(default_factory=dict)
    heard: list[Status] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        return CLAIM

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        self._hear(claim, status)

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        self._hear(claim, result.status)

    def _hear(self, claim: int, status: Status) -> None:
        assert claim == CLAIM.number
        assert self.open.wait(PATIENCE)
        if status in self.refuse:
            raise self.refuse[status]
        self.heard.append(status)


def test_nothing_waits_while_nobody_hears_and_all_is_said_in_order_in_the_end() -> None:
    ears = Ears()
    spool = Spool(ears, CLAIM)
    spool.say(Status.PRE_PROCESSING)
    spool.say(Status.PROCESSING)
    assert ears.heard == []
    ears.open.set()
    spool.end(DONE)

    assert ears.heard == [Status.PRE_PROCESSING, Status.PROCESSING, Status.INTERNAL_ERROR]


@pytest.mark.parametrize("refusal", [Superseded("another"), IllegalTransition("no")])
def test_who_is_refused_is_told_at_once_and_says_no_more(refusal: HrsiError) -> None:
    told = threading.Event()
    ears = Ears(refuse={Status.PROCESSING: refusal})
    ears.open.set()
    spool = Spool(ears, CLAIM, told.set)
    spool.say(Status.PROCESSING)
    assert told.wait(PATIENCE)
    spool.say(Status.POST_PROCESSING)
    with pytest.raises(Superseded):
        spool.end(DONE)

    assert ears.heard == []


def _said(spool: Spool) -> None:
    spool.say(Status.PROCESSING)


@pytest.mark.parametrize(
    ("failing", "before"),
    [
        pytest.param(Status.INTERNAL_ERROR, lambda _: None, id="the-end"),
        pytest.param(Status.PROCESSING, _said, id="what-came-before"),
    ],
)
def test_an_api_that_stays_away_is_said_to_whoever_waits_for_the_end(
    failing: Status, before: Callable[[Spool], None]
) -> None:
    ears = Ears(refuse={failing: Unavailable("for an hour")})
    ears.open.set()
    spool = Spool(ears, CLAIM)
    before(spool)
    with pytest.raises(Unavailable, match="for an hour"):
        spool.end(DONE)
    assert Status.INTERNAL_ERROR not in ears.heard
