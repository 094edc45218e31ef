"""How much of the pool reprocessing may take, and what is over it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import demands, join
from models.lifecycle import Status
from models.records import InFlight, Job, Priority
from models.reprocessing import share_of
from models.settings import PoolSettings
from models.world import World
from simulator.examples import a_job, a_world, in_flight

AGAIN = Priority.REPROCESSING


def jobs(count: int, first: int = 1, **changes: Any) -> tuple[Job, ...]:
    return tuple(a_job(id=n, priority=AGAIN, **changes) for n in range(first, first + count))


def flights(count: int, priority: Priority = AGAIN) -> tuple[InFlight, ...]:
    return tuple(in_flight(Status.PROCESSING, id=500 + n, priority=priority) for n in range(count))


def world_of(ready: tuple[Job, ...], busy: tuple[InFlight, ...] = ()) -> World:
    return a_world(store={"ready": ready, "in_flight": busy})


@pytest.mark.parametrize(
    ("share", "max_workers", "max_vcpus", "busy", "passes"),
    [
        pytest.param(0.5, 10, 1000, 0, 5, id="half-of-the-workers"),
        pytest.param(0.5, 10, 1000, 3, 2, id="what-runs-counts"),
        pytest.param(0.5, 10, 1000, 7, 0, id="what-runs-beyond-it-is-left-and-nothing-follows"),
        pytest.param(0.5, 3, 1000, 0, 2, id="rounded-up"),
        pytest.param(0.5, 100, 14, 0, 3, id="half-of-the-vcpus-two-each"),
        pytest.param(0.01, 100, 10, 0, 1, id="one-always-goes"),
        pytest.param(0.01, 100, 10, 1, 0, id="but-only-one"),
        pytest.param(0, 100, 1000, 0, 0, id="none"),
        pytest.param(1, 2, 2, 5, 8, id="all-of-it-is-no-bound-the-caps-are"),
    ],
)
def test_so_many_jobs_of_reprocessing_may_go(
    share: float, max_workers: int, max_vcpus: int, busy: int, passes: int
) -> None:
    pool = PoolSettings(
        reprocessing_share=share, max_workers=max_workers, max_vcpus=max_vcpus, vcpu_share=1
    )

    found = share_of(world_of(jobs(8), flights(busy)), pool)

    assert found.over == frozenset(range(passes + 1, 9))
    assert found.held == ({"hm.medium": 8 - passes} if passes < 8 else {})


def test_other_priorities_neither_count_nor_wait() -> None:
    urgent = tuple(a_job(id=n, priority=Priority.NRT) for n in range(1, 6))
    pool = PoolSettings(reprocessing_share=0.1, max_workers=10)

    found = share_of(world_of((*urgent, *jobs(2, 6)), flights(9, Priority.DELAYED)), pool)

    assert (found.over, found.held) == (frozenset({7}), {"hm.medium": 1})


def test_a_job_that_is_not_set_up_takes_nobodys_place() -> None:
    ready = (replace(a_job(id=1, priority=AGAIN), type="odd"), *jobs(2, 2))
    pool = PoolSettings(reprocessing_share=0.1, max_workers=10)

    assert share_of(world_of(ready), pool).over == {3}


def test_a_small_job_does_not_overtake_a_big_one() -> None:
    big, small = a_job(id=1, type="sws_wds", priority=AGAIN), jobs(1, 2)
    pool = PoolSettings(reprocessing_share=0.5, max_vcpus=10, vcpu_share=1)

    assert share_of(world_of((big, *small), flights(1)), pool).over == {1, 2}


def test_what_the_view_does_not_show_waits_behind_what_it_shows() -> None:
    world = world_of(jobs(4))
    world = replace(world, store=replace(world.store, ready_total={"hm.medium": 900}))
    pool = PoolSettings(reprocessing_share=0.1, max_workers=20)

    held = share_of(world, pool).held

    assert held == {"hm.medium": 898}
    assert demands(world, join(world), held)["hm.medium"].waiting == 2


drawn = st.lists(
    st.tuples(st.sampled_from(Priority), st.sampled_from(["fsc_rlie", "rlies1", "sws_wds"])),
    max_size=12,
)


@given(ready=drawn, busy=st.integers(0, 4), share=st.sampled_from([0, 0.1, 0.3, 0.5, 0.9]))
def test_what_goes_stays_within_the_share(
    ready: list[tuple[Priority, str]], busy: int, share: float
) -> None:
    listed = tuple(a_job(id=n, priority=p, type=t) for n, (p, t) in enumerate(ready, start=1))
    world = world_of(listed, flights(busy))
    pool = PoolSettings(reprocessing_share=share, max_workers=8, max_vcpus=40, vcpu_share=1)

    found = share_of(world, pool)

    again = [job for job in listed if job.priority is AGAIN]
    goes = [job for job in again if job.id not in found.over]
    vcpus = sum(world.registry.flavors[job.flavor].vcpus for job in goes)
    assert found.over <= {job.id for job in again}
    assert not goes or busy + len(goes) <= max(found.workers, 1)
    assert not goes or busy + len(goes) == 1 or busy * 2 + vcpus <= found.vcpus
    assert sum(found.held.values()) == len(found.over)
    # The best that waits goes first, and one of them always can.
    assert share == 0 or busy or not again or goes
