"""The right of this process to run one reconciler, and how much of it is left.

The store decides who holds a lease, by its own clock. What is left of it is counted here, on the
monotonic clock, from *before* the renewal was sent: an answer that took long only makes it less.
A call is sent only while what is left exceeds the call's deadline (`controller.act`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.ports import Clock, JobStore
from models.records import Lease

Told = Callable[[datetime, float, float], None]
"""Hears the store's time as it was told, and between which monotonic moments (seconds) it was."""


def unheard(_now: datetime, _asked: float, _answered: float) -> None:
    """Leave the store's time unheard: the clock at hand is everybody's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A lease and the monotonic moment (seconds) after which it may be another's."""

    lease: Lease
    until: float


class Leadership:
    """One lease by name, renewed once a pass; read by the threads that send calls."""

    def __init__(
        self, store: JobStore, clock: Clock, *, name: str, holder: str, told: Told = unheard
    ) -> None:
        self.name = name
        self.holder = holder
        self._store = store
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._held: Held | None = None

    def renew(self, ttl: timedelta) -> Lease | None:
        """Take or keep the lease; None when another holds it. Raises what the store raises."""
        asked = self._clock.monotonic()
        lease = self._store.acquire(self.name, self.holder, ttl)
        if lease is not None:
            self._told(lease.renewed_at, asked, self._clock.monotonic())
        with self._lock:
            until = asked + ttl.total_seconds()
            self._held = Held(lease=lease, until=until) if lease else None
        return lease

    def remaining(self, epoch: int) -> timedelta:
        """How long calls in the name of this epoch may still be in flight; zero when it is over."""
        with self._lock:
            held = self._held
        if held is None or held.lease.epoch != epoch:
            return timedelta(0)
        return timedelta(seconds=max(0.0, held.until - self._clock.monotonic()))

    @property
    def epoch(self) -> int | None:
        """The epoch that is held, as far as is known; None when none is."""
        with self._lock:
            held = self._held
        if held is None or held.until <= self._clock.monotonic():
            return None
        return held.lease.epoch

    def release(self) -> None:
        """Give the lease back, so that another process need not wait for it to expire."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            self._store.release(held.lease)
