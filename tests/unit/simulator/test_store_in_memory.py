"""What only the store in memory has: faults on order, wake-ups, and a journal that takes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from models.changes import OpenIntent, QueueRun
from models.errors import HrsiError, Superseded, Throttled, Unavailable, Unknown
from models.ports import Asked, Placement, ViewLimits
from models.records import Lease
from models.world import StoreView
from simulator.examples import LONG_AGO, NOW, an_intent, queue_run, some_new_jobs
from simulator.faults import Crash, Fault, Faults
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.store.rows import Index, Journal, Rows
from simulator.timeline import Timeline
from tests.plugins.readiness import make_ready

ASKED = Asked(actor="ada")
LIMITS = ViewLimits(ready_per_flavor=10, ended_since=LONG_AGO)


class Bench:
    """A store with three ready jobs, its faults, and a lease on it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.store = MemoryStore(Timeline(NOW), SeededIds(), self.faults)
        self.store.submit(some_new_jobs(3), ASKED)
        make_ready(self.store, NOW)
        lease = self.store.acquire("execution", "bench", timedelta(hours=1))
        assert lease is not None
        self.lease: Lease = lease

    def queue(self) -> None:
        self.store.commit(self.lease, queue_run(1))

    def view(self) -> StoreView:
        return self.store.view(LIMITS)


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        pytest.param(Fault.REFUSED, Unavailable, False, id="refused"),
        pytest.param(Fault.SERVER_ERROR, Unavailable, False, id="server-error"),
        pytest.param(Fault.TIMEOUT, Unknown, False, id="connection-lost-before-the-commit"),
        pytest.param(Fault.THROTTLED, Throttled, False, id="throttled"),
        pytest.param(Fault.CRASH, Crash, False, id="crash-before"),
        pytest.param(Fault.LOST_REPLY, Unknown, True, id="connection-lost-after-the-commit"),
        pytest.param(Fault.CRASH_AFTER, Crash, True, id="crash-after"),
    ],
)
def test_a_commit_suffers_its_fault_whole_or_not_at_all(
    fault: Fault, error: type[BaseException], done: bool
) -> None:
    bench = Bench()
    before = bench.view()
    bench.faults.order("store.commit", fault)
    with pytest.raises(error):
        bench.queue()
    after = bench.view()
    assert (after != before) is done
    assert (len(after.in_flight), len(after.intents)) == (int(done), int(done))
    if not done:
        bench.queue()
        assert len(bench.view().in_flight) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault.REFUSED, Unavailable, id="refused"),
        pytest.param(Fault.TIMEOUT, Unavailable, id="timeout"),
        pytest.param(Fault.LOST_REPLY, Unavailable, id="lost-reply"),
        pytest.param(Fault.CRASH_AFTER, Crash, id="crash-after"),
    ],
)
def test_a_view_comes_whole_or_raises(fault: Fault, error: type[BaseException]) -> None:
    bench = Bench()
    bench.faults.order("store.view", fault)
    with pytest.raises(error):
        bench.view()
    assert len(bench.view().ready) == 3


def test_every_port_method_asks_for_its_fault_once() -> None:
    bench = Bench()
    calls: dict[str, Callable[[MemoryStore], object]] = {
        "acquire": lambda s: s.acquire("x", "y", timedelta(1)),
        "release": lambda s: s.release(bench.lease),
        "view": lambda s: s.view(LIMITS),
        "commit": lambda s: s.commit(bench.lease, OpenIntent(at=NOW, intent=an_intent())),
        "record": lambda s: s.record("loop", [], NOW),
        "prune": lambda s: s.prune(NOW),
        "claim": lambda s: s.claim(an_intent().id, Placement(allocation_id="a")),
        "submit": lambda s: s.submit([], ASKED),
        "cancel": lambda s: s.cancel([], ASKED),
        "relaunch": lambda s: s.relaunch([], ASKED),
        "retire": lambda s: s.retire([], ASKED, forced=False),
        "order": lambda s: s.order("hm.medium", 1, timedelta(1), ASKED),
        "set_parameter": lambda s: s.set_parameter("pool.max_workers", 1, ASKED),
        "story": lambda s: s.story("1"),
        "workers": lambda s: s.workers(),
        "ledger": lambda s: s.ledger(()),
        "totals": lambda s: s.totals(),
        "heartbeats": lambda s: s.heartbeats(),
        "leases": lambda s: s.leases(),
        "parameters": lambda s: s.parameters(),
        "audit": lambda s: s.audit(),
    }
    for method, call in calls.items():
        bench.faults.order(f"store.{method}", Fault.REFUSED)
        with pytest.raises(Unavailable, match=method):
            call(bench.store)
    assert [operation for operation, _ in bench.faults.taken] == [f"store.{m}" for m in calls]


def test_whoever_listens_is_woken_by_writes_alone() -> None:
    bench = Bench()
    hints = bench.store.listen()
    bench.view()
    bench.store.cancel([1], Asked(actor="ada", dry_run=True))
    with pytest.raises(Superseded):
        bench.store.commit(bench.lease, QueueRun(at=NOW, job_id=99, intent=an_intent()))
    assert not hints.wait(timedelta(hours=1))
    bench.queue()
    assert hints.wait(timedelta(0))
    assert not hints.wait(timedelta(0))


def test_a_lost_reply_still_wakes_whoever_listens() -> None:
    bench = Bench()
    hints = bench.store.listen()
    bench.faults.order("store.commit", Fault.LOST_REPLY)
    with pytest.raises(HrsiError):
        bench.queue()
    assert hints.pending


def test_parts_of_a_view_that_did_not_change_are_not_made_again() -> None:
    bench = Bench()
    bench.queue()
    first, second = bench.view(), bench.view()
    assert first.in_flight is second.in_flight
    assert first.counts is second.counts
    bench.store.cancel([2], ASKED)
    assert bench.view().counts is not first.counts


def test_leaving_a_transaction_by_an_error_takes_every_write_back() -> None:
    journal = Journal()
    rows: Rows[str, int] = Rows(journal)
    index = Index(rows, lambda row: row % 2, str)
    with journal:
        rows.put("1", 1)
        rows.put("2", 2)

    def fail() -> None:
        with journal:
            rows.put("3", 3)
            rows.drop("1")
            rows.drop("2")
            rows.put("2", 2)
            raise Crash

    with pytest.raises(Crash):
        fail()
    assert dict.fromkeys(rows) == dict.fromkeys(["1", "2"])
    assert (index.of(1), index.of(0), index.one(1), index.count(5)) == ([1], [2], 1, 0)
    assert journal.is_empty
