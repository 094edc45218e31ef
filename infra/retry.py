"""How long a call may take, how often a read is asked again, and what rest others ask for.

Shared by every adapter of `infra`; knows none of them. Only reads are ever asked again: a write
that got no answer is `Unknown`, and looking comes before asking. The waits of a read are part of
its deadline, so that a retried call ends no later than one that was answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from models.errors import Temporary, Unavailable

Read = TypeVar("Read")

_DIGITS = 9
"""As many seconds as anybody means: Python refuses numbers of some thousand digits."""


def rest_asked_for(said: str | None, now: datetime) -> timedelta | None:
    """The rest that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); None when
    there is none or it makes no sense.
    """
    text = (said or "").strip()
    if text.isdecimal():
        return timedelta(seconds=int(text.lstrip("0")[:_DIGITS] or 0))
    try:
        at: datetime = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        return None
    return max(timedelta(0), at - now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """The moment, on a monotonic clock, at which a call has ended, answered or not."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, allowed: timedelta, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """A deadline `allowed` from now."""
        return cls(at=clock() + allowed.total_seconds(), clock=clock)

    def remaining(self) -> float:
        """Seconds left; 0 or less once it has passed."""
        return self.at - self.clock()

    def require(self, attempt: str) -> float:
        """Seconds left for one more request of `attempt`; `Unavailable` when there are none.

        To be asked before a request leaves: nothing was sent when it raises.
        """
        left = self.remaining()
        if left <= 0:
            raise Unavailable(f"{attempt}: its deadline passed before the request could be sent")
        return left


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often a read is asked again after a `Temporary` error, and how long it waits between.

    The wait doubles from `first_wait` to `max_wait`; a longer one that the system itself asked
    for (`retry_after`) is kept. Whatever does not fit into the deadline is not tried.
    """

    attempts: int = 3
    first_wait: timedelta = timedelta(milliseconds=200)
    max_wait: timedelta = timedelta(seconds=2)

    def call(
        self,
        read: Callable[[], Read],
        deadline: Deadline,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Read:
        """The answer of `read`; else its last error, unchanged. Never to be given a write."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Temporary),
            # Not stop_before_delay: the deadline began before this policy was asked.
            stop=lambda state: (
                state.attempt_number >= self.attempts or self._wait(state) >= deadline.remaining()
            ),
            wait=self._wait,
            sleep=sleep,
            reraise=True,
        )
        return retrying(read)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        first, most = self.first_wait.total_seconds(), self.max_wait.total_seconds()
        backoff: float = min(most, first * 2 ** (state.attempt_number - 1))
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Temporary) and error.retry_after is not None:
            return max(backoff, error.retry_after.total_seconds())
        return backoff


ONCE = RetryPolicy(attempts=1)
"""For those who show every failure, such as tests and `doctor`."""
