"""What one screen says of an installation, from its store alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.overview import GOING, STILL, Overview, overview
from models.pauses import EVERYTHING, loop_target
from models.plan import Held, Reason, Subject, SubjectKind
from models.ports import Asked
from models.records import Lease
from simulator.examples import FLAVOR, NOW, some_new_jobs
from simulator.examples.changes import reserve_worker
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline

ADA = Asked(actor="ada", reason="a test")
LOOPS = ("execution", "worker-pool")
OF_A_FLAVOR = Subject(SubjectKind.FLAVOR, FLAVOR)
SECOND = timedelta(seconds=1)


class House:
    """An installation whose store is in memory, and time."""

    def __init__(self) -> None:
        self.timeline = Timeline(NOW)
        self.store = MemoryStore(self.timeline, SeededIds())

    def lead(self, loop: str) -> Lease:
        lease = self.store.acquire(loop, "this-one", 30 * SECOND)
        assert lease is not None
        return lease

    def hold(self, *refusals: tuple[Subject, Reason, str]) -> None:
        """One pass that refuses these."""
        held = [Held(subject=about, reason=why, because=text) for about, why, text in refusals]
        self.store.record("execution", held, self.timeline.now())

    def look(self) -> Overview:
        return overview(self.store, LOOPS, self.timeline.now())


def test_a_refusal_is_shown_no_more_once_it_is_said_to_be_over() -> None:
    house = House()
    away = (Subject(SubjectKind.SYSTEM, "nomad"), Reason.SOURCE_UNKNOWN, "it is away")
    house.hold(away)
    assert [held.about for held in house.look().held] == ["system:nomad"]
    about, why, text = away
    house.store.end_refusals("execution", [Held(subject=about, reason=why, because=text)])
    assert house.look().held == ()


def worker(number: int) -> Subject:
    return Subject(SubjectKind.WORKER, f"os-worker-{number:03}")


def test_an_empty_installation_says_that_nobody_leads() -> None:
    found = House().look()
    assert [(loop.name, loop.leader, loop.last_pass_at) for loop in found.loops] == [
        ("execution", None, None),
        ("worker-pool", None, None),
    ]
    assert (found.jobs, found.quarantined, found.workers, found.held) == ({}, 0, {}, ())


def test_a_loop_that_nobody_needs_is_shown_once_somebody_has_led_it() -> None:
    house = House()

    def shown() -> list[str]:
        now = house.timeline.now()
        found = overview(house.store, LOOPS, now, optional={"execution"})
        return [loop.name for loop in found.loops]

    assert shown() == ["worker-pool"]
    house.lead("execution")
    assert shown() == ["execution", "worker-pool"]


def test_who_leads_for_how_long_still_and_since_when_nobody_does() -> None:
    house = House()
    house.lead("execution")
    house.timeline.advance(10 * SECOND)
    [execution, _] = house.look().loops
    assert (execution.leader, execution.lease_left) == ("this-one", 20 * SECOND)
    house.timeline.advance(20 * SECOND)
    [execution, _] = house.look().loops
    assert (execution.leader, execution.lease_left) == (None, None)


def test_jobs_and_workers_are_counted() -> None:
    house = House()
    ids = house.store.submit(some_new_jobs(3), ADA).added
    house.store.cancel(ids[:1], ADA)
    made = house.store.commit(house.lead("worker-pool"), reserve_worker()).worker
    assert made is not None
    found = house.look()
    assert found.jobs == {"initialized": 2, "cancelled": 1}
    assert found.workers == {made.flavor: {"creating": 1}}
    assert GOING not in found.workers[made.flavor]


@pytest.mark.parametrize(
    ("target", "resting"),
    [
        pytest.param(EVERYTHING, [True, True], id="everything"),
        pytest.param(loop_target("worker-pool"), [False, True], id="one-loop"),
    ],
)
def test_what_is_paused_rests(target: str, resting: list[bool]) -> None:
    house = House()
    house.store.pause([target], ADA, lasts=None)
    found = house.look()
    assert [loop.paused for loop in found.loops] == resting
    assert [pause.target for pause in found.pauses] == [target]


def test_many_workers_are_held_in_one_line_with_the_words_about_the_longest() -> None:
    house = House()
    house.hold((worker(7), Reason.BOOTING, "007 boots"))
    house.timeline.advance(SECOND)
    house.hold(
        (worker(7), Reason.BOOTING, "007 boots"),
        (worker(8), Reason.BOOTING, "008 boots"),
        (OF_A_FLAVOR, Reason.MAX_WORKERS, "no more"),
    )
    told = [(h.about, h.count, h.reason, h.since, h.because) for h in house.look().held]
    assert told == [
        ("workers", 2, "BOOTING", NOW, "007 boots"),
        (str(OF_A_FLAVOR), 1, "MAX_WORKERS", NOW + SECOND, "no more"),
    ]


def test_what_was_said_before_about_the_same_is_over() -> None:
    house = House()
    house.hold((OF_A_FLAVOR, Reason.MAX_WORKERS, "no more"))
    house.timeline.advance(SECOND)
    house.hold((OF_A_FLAVOR, Reason.NO_SLOT, "no slot"))
    assert [h.reason for h in house.look().held] == ["NO_SLOT"]


def test_what_is_no_longer_said_is_over_soon() -> None:
    house = House()
    house.hold((OF_A_FLAVOR, Reason.MAX_WORKERS, "no more"))
    house.timeline.advance(STILL - SECOND)
    assert [h.reason for h in house.look().held] == ["MAX_WORKERS"]
    house.timeline.advance(SECOND)
    assert house.look().held == ()
