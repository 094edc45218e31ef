"""What a run says is said again while nobody hears it: the API may be away for a while.

Saying the same twice changes nothing (`models.ports.RunReports`), so that after no answer, too,
the same is said again. What is refused is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import tenacity

from models.errors import PortError, Temporary, Unknown
from models.lifecycle import Status
from models.ports import Claim, Placement, RunReports, RunResult

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long the same is said again, and how long the waits in between grow.

    An hour: the API is away for an upgrade or a night's failover, and hours of work of a run that
    is done would be lost with its last word. The worker is busy for as long as it waits.
    """

    whole: timedelta = timedelta(hours=1)
    first: timedelta = timedelta(milliseconds=500)
    longest: timedelta = timedelta(seconds=30)


class Persistent:
    """`models.ports.RunReports` that does not give up at once."""

    def __init__(
        self,
        reports: RunReports,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reports = reports
        patience = patience or Patience()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Temporary, Unknown)),
            wait=_as_asked(
                tenacity.wait_random_exponential(
                    multiplier=patience.first.total_seconds(),
                    max=patience.longest.total_seconds(),
                )
            ),
            stop=tenacity.stop_before_delay(patience.whole.total_seconds()),
            sleep=sleep,
            reraise=True,
        )

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        return self._said(lambda: self._reports.claim(run_id, placement))

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        self._said(lambda: self._reports.report(run_id, claim, status, message))

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        self._said(lambda: self._reports.end(run_id, claim, result))

    def _said(self, say: Callable[[], Answer]) -> Answer:
        return self._retrying.copy()(say)


def _as_asked(wait: tenacity.wait.wait_base) -> Callable[[tenacity.RetryCallState], float]:
    """The wait that the API asks for, where it does, else one that grows by chance."""

    def chosen(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, PortError) and error.retry_after is not None:
            return error.retry_after.total_seconds()
        return wait(state)

    return chosen
