"""How often a job may fail before it rests, and how long it waits in between, by class of error.

A run that was lost with its worker is no fault of the job: it goes on at once. An error outside
the job is likely to last a while: each wait is twice the one before. An error inside the job is
likely to come again: few attempts, no wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.plan import Next
from models.settings import MonitorSettings
from models.wording import seconds

_MOST_DOUBLINGS = 30
"""A millisecond doubled this often exceeds every cap, and an hour is still a timedelta."""


class Fault(StrEnum):
    """The class of an error, each with a budget of its own."""

    LOST = "lost"
    EXTERNAL = "external_error"
    INTERNAL = "internal_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What becomes of a job after a failure; `retry_at` only with BACK_OFF."""

    then: Next
    because: str
    retry_at: datetime | None = None


def verdict(fault: Fault, failures: int, settings: MonitorSettings, now: datetime) -> Verdict:
    """What comes after failure number `failures` of this class, the one in question included."""
    attempts = {
        Fault.LOST: settings.lost_attempts,
        Fault.EXTERNAL: settings.external_attempts,
        Fault.INTERNAL: settings.internal_attempts,
    }[fault]
    count = f"{fault.value} {failures} of {attempts}"
    if failures >= attempts:
        return Verdict(then=Next.QUARANTINE, because=f"{count}, quarantined until a person acts")
    wait = pause(failures, settings) if fault is Fault.EXTERNAL else timedelta()
    if wait > timedelta():
        return Verdict(
            then=Next.BACK_OFF,
            because=f"{count}, tried again in {seconds(wait)}",
            retry_at=now + wait,
        )
    return Verdict(then=Next.REQUEUE, because=f"{count}, tried again")


def pause(failures: int, settings: MonitorSettings) -> timedelta:
    """How long to wait after this many external errors: doubling, capped."""
    doublings = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
    return min(settings.external_backoff * (1 << doublings), settings.external_backoff_max)
