"""How often a bucket is asked again, how long the waits grow, and how many are asked at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import tenacity

from models.errors import Temporary, Unknown

Answer = TypeVar("Answer")
Each = TypeVar("Each")


@dataclass(frozen=True, kw_only=True, slots=True)
class Insistence:
    """So many attempts, and the waits between them: about five minutes in all by default.

    A service that is away for longer is told as such, and the run goes elsewhere or comes back.
    """

    attempts: int = 8
    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=60)
    sleep: Callable[[float], None] = time.sleep

    def on(self, attempt: Callable[[], Answer]) -> Answer:
        """Do it until it goes well. Raises what the last attempt raised; what is permanent, at
        once: what is not there stays away however often one asks.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Temporary, Unknown)),
            wait=tenacity.wait_random_exponential(
                multiplier=self.first.total_seconds(), max=self.longest.total_seconds()
            ),
            stop=tenacity.stop_after_attempt(self.attempts),
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(attempt)


def side_by_side(work: Callable[[Each], Answer], on: Iterable[Each], at_once: int) -> list[Answer]:
    """Do it for each, so many at once; the answers in order. Raises what the first that failed
    raised, without waiting for those under way: what they wait for may be silent for long.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="bucket")
    try:
        return list(pool.map(work, on))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
