"""How much of a lease is left, and who holds it."""

from datetime import timedelta

import pytest

from controller.leader import Leadership
from models.records import Lease
from simulator.faults import Fault
from simulator.systems import Scenario, Systems, in_memory

TTL = timedelta(seconds=90)


def leadership(systems: Systems, holder: str) -> Leadership:
    return Leadership(systems.store, systems.timeline, name="pool", holder=holder)


class SlowStore:
    """A store whose answers take their time."""

    def __init__(self, systems: Systems, takes: timedelta) -> None:
        self._systems, self._takes = systems, takes

    def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        lease = self._systems.store.acquire(name, holder, ttl)
        self._systems.timeline.advance(self._takes)
        return lease


def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    systems = in_memory(Scenario())
    slow = SlowStore(systems, timedelta(seconds=20))
    mine = Leadership(slow, systems.timeline, name="pool", holder="a")  # type: ignore[arg-type]

    lease = mine.renew(TTL)

    assert lease is not None
    assert mine.remaining(lease.epoch) == timedelta(seconds=70)


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        pytest.param(timedelta(seconds=89), False, id="held"),
        pytest.param(timedelta(seconds=90), True, id="expired"),
    ],
)
def test_another_takes_over_when_the_lease_has_run_out(after: timedelta, taken: bool) -> None:
    systems = in_memory(Scenario())
    first, second = leadership(systems, "a"), leadership(systems, "b")
    held = first.renew(TTL)
    systems.timeline.advance(after)

    found = second.renew(TTL)

    assert held is not None
    assert (found is not None) is taken
    if found is not None:
        assert found.epoch == held.epoch + 1
        assert first.renew(TTL) is None
    assert (first.remaining(held.epoch) > timedelta(0)) is not taken


def test_a_released_lease_is_free_at_once() -> None:
    systems = in_memory(Scenario())
    first, second = leadership(systems, "a"), leadership(systems, "b")
    held = first.renew(TTL)
    assert held is not None

    first.release()

    assert first.remaining(held.epoch) == timedelta(0)
    assert second.renew(TTL) is not None


def test_a_renewal_that_fails_leaves_what_was_left() -> None:
    systems = in_memory(Scenario())
    mine = leadership(systems, "a")
    lease = mine.renew(TTL)
    assert lease is not None
    systems.timeline.advance(timedelta(seconds=30))
    systems.faults.order("store.acquire", Fault.REFUSED)

    with pytest.raises(Exception, match="no answer"):
        mine.renew(TTL)

    assert mine.remaining(lease.epoch) == timedelta(seconds=60)
