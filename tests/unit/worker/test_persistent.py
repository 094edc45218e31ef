"""What a run says is said again while nobody hears it, and only then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.errors import Superseded, Unavailable
from models.lifecycle import Status
from models.ports import Placement
from simulator.examples import NOW, a_new_job
from simulator.examples.changes import queue_run
from simulator.faults import Fault, Faults
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.timeline import Timeline
from tests.plugins.readiness import make_ready
from tests.plugins.stores import ASKED
from worker.persistent import Patience, Persistent

PLACEMENT = Placement(allocation_id="allocation-1")
SECOND = timedelta(seconds=1)


class Setting:
    """A queued run in a store that can be made to fail, and the waits that somebody had."""

    def __init__(self, whole: timedelta = timedelta(hours=1)) -> None:
        self.faults = Faults()
        self.timeline = Timeline(NOW)
        self.store = MemoryStore(self.timeline, SeededIds(), self.faults)
        [job] = self.store.submit([a_new_job()], ASKED).added
        make_ready(self.store, NOW)
        lease = self.store.acquire("execution", "test", timedelta(hours=1))
        assert lease is not None
        run = self.store.commit(lease, queue_run(job)).run
        assert run is not None
        self.run = run
        self.waits: list[float] = []
        patience = Patience(whole=whole, first=SECOND, longest=4 * SECOND)
        self.reports = Persistent(self.store, patience, self.waits.append)


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TIMEOUT, Fault.LOST_REPLY])
def test_what_nobody_heard_is_said_again_and_counts_once(fault: Fault) -> None:
    setting = Setting()
    setting.faults.order("store.claim", fault, times=3)
    claim = setting.reports.claim(setting.run.id, PLACEMENT)
    assert claim.number == 1
    assert len(setting.waits) == 3


def test_what_is_refused_is_said_once() -> None:
    setting = Setting()
    setting.reports.claim(setting.run.id, PLACEMENT)
    with pytest.raises(Superseded):
        setting.reports.report(setting.run.id, 7, Status.PRE_PROCESSING)
    assert setting.waits == []


def test_patience_ends() -> None:
    setting = Setting(whole=timedelta(0))
    setting.faults.order("store.claim", Fault.REFUSED)
    with pytest.raises(Unavailable):
        setting.reports.claim(setting.run.id, PLACEMENT)


def test_the_wait_that_is_asked_for_is_kept() -> None:
    setting = Setting()
    setting.faults.order("store.claim", Fault.THROTTLED, times=2)
    setting.reports.claim(setting.run.id, PLACEMENT)
    assert setting.waits == [1.0, 1.0]
