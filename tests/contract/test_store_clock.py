"""The store's clock is set: a lease stays with who holds it, and is free when that one is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from controller.clock import SystemClock
from infra.postgres import Postgres
from models.ports import JobStore
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from tests.plugins.shifted import Shift, shifted_clock

HOUR = timedelta(hours=1)
TTL = timedelta(seconds=90)


class SetClock(SystemClock):
    """The clocks of this machine, of which the one on the wall is set."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.by

    def set(self, by: timedelta) -> None:
        self.by = by


@dataclass(frozen=True)
class Shifting:
    """A store, and the lever of its clock."""

    jobs: JobStore
    shift: Shift


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Shifting]:
    if request.param == "memory":
        clock = SetClock()
        yield Shifting(MemoryStore(clock, SeededIds()), clock.set)
        return
    database: Postgres = request.getfixturevalue("own_database")
    with shifted_clock(database) as shift:
        yield Shifting(database.store, shift)


def test_a_clock_turned_back_does_not_lengthen_a_lease_beyond_what_its_holder_believes(
    store: Shifting,
) -> None:
    first = store.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    store.shift(-HOUR)
    assert store.jobs.acquire("monitor", "b", 10 * TTL) is None, "it is still held"
    store.shift(-HOUR + TTL / 2)
    assert store.jobs.acquire("monitor", "b", TTL) is None, "and not for a moment less than told"
    store.shift(-HOUR + TTL + timedelta(seconds=30))
    second = store.jobs.acquire("monitor", "b", TTL)
    assert second is not None
    assert second.epoch == first.epoch + 1


def test_who_holds_a_lease_keeps_it_when_the_clock_is_turned_back(store: Shifting) -> None:
    first = store.jobs.acquire("monitor", "a", TTL)
    store.shift(-HOUR)
    again = store.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    assert again is not None
    assert again.epoch == first.epoch
    assert again.expires_at < first.expires_at
    assert store.jobs.acquire("monitor", "b", TTL) is None


def test_a_clock_put_forward_ends_a_lease_and_raises_its_epoch(store: Shifting) -> None:
    first = store.jobs.acquire("monitor", "a", TTL)
    store.shift(HOUR)
    second = store.jobs.acquire("monitor", "b", TTL)
    assert first is not None
    assert second is not None
    assert second.epoch == first.epoch + 1


@pytest.mark.parametrize(
    ("end", "least"),
    [
        pytest.param(lambda store, lease: None, TTL, id="expired"),
        pytest.param(lambda store, lease: store.release(lease), timedelta(0), id="given-back"),
    ],
)
def test_who_takes_a_lease_after_another_is_told_how_long_nobody_renewed_it(
    store: Shifting, end: Callable[[JobStore, object], None], least: timedelta
) -> None:
    first = store.jobs.acquire("monitor", "a", TTL)
    assert first is not None
    assert first.unled is None
    kept = store.jobs.acquire("monitor", "a", TTL)
    assert kept is not None
    assert kept.unled is None
    end(store.jobs, kept)
    store.shift(2 * TTL)
    second = store.jobs.acquire("monitor", "b", TTL)
    assert second is not None
    assert second.unled is not None
    assert second.unled >= least + TTL
