"""How a look becomes a `Check`, whatever comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from models.checkup import Check, Health
from models.errors import HrsiError

SKEW_TOLD = timedelta(seconds=2)
"""A difference of clocks that shows in what people read; below it is the header's own second."""
SKEW_HARMS = timedelta(seconds=30)
"""A difference that makes waits and limits wrong by more than a call may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a look came to; with a `remedy` when not all is well."""

    what: str
    health: Health = Health.OK
    remedy: str = ""


def warning(what: str, remedy: str) -> Found:
    """It works, but not as it could."""
    return Found(what=what, health=Health.WARNING, remedy=remedy)


def failed(what: str, remedy: str) -> Found:
    """It does not work."""
    return Found(what=what, health=Health.FAILED, remedy=remedy)


def checked(about: str, name: str, look: Callable[[], Found], remedy: str) -> Check:
    """Look; what a system refuses or cannot say is a failed check, with `remedy` to try first."""
    try:
        found = look()
    except HrsiError as error:
        found = failed(str(error), remedy)
    return Check(about=about, name=name, health=found.health, found=found.what, remedy=found.remedy)


def clock_found(ahead: timedelta, whose: str) -> Found:
    """What a difference of clocks means."""
    seconds = ahead.total_seconds()
    direction = "ahead of" if seconds > 0 else "behind"
    remedy = f"let this machine and {whose} keep time by the same servers (NTP, chrony)"
    told = f"its clock is {abs(seconds):.1f} s {direction} ours"
    if abs(ahead) >= SKEW_HARMS:
        return failed(f"{told}; waits and limits are wrong by as much", remedy)
    if abs(ahead) >= SKEW_TOLD:
        return warning(told, remedy)
    return Found(what=f"its clock is ours within {SKEW_TOLD.total_seconds():g} s")


def version_of(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: 2.0.6-dev is (2, 0, 6); () when there are none."""
    numbers = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in numbers.group(1).split(".")) if numbers else ()
