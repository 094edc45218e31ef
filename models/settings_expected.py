"""Live parameters of what a day brings; `models.settings` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.settings_fields import number

DAY = timedelta(days=1)
TYPES = ("fsc_rlie", "rlies1", "rlies1s2", "sws_wds", "gfsc")
"""Types of job of which every day brings some."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedSettings:
    """How many jobs of each type a day brings: fewer are told as `FEW_PRODUCTS`, and more are shown
    beside what was expected. The ranges are those of the original's operators; each type has
    weekdays of its own, for not all that flies, or is published, does so every day alike.
    """

    tiles: int = number(1054, 1, 100_000)
    """For how many tiles the ranges hold. An area with fewer than half of them is not judged: what
    flies over a small one differs too much from day to day. Set this and the ranges for yours."""

    fsc_rlie_least: int = number(400, 0, 1_000_000)
    """Fewest jobs fsc_rlie in 24 h that nobody wonders about. Higher tells people of ordinary
    days; 0 never tells anybody that a catalogue lists nothing any more."""

    fsc_rlie_most: int = number(600, 0, 1_000_000)
    """Most jobs fsc_rlie of an ordinary day. Only shown: more do no harm but to the queue."""

    rlies1_least: int = number(80, 0, 1_000_000)
    """Fewest jobs rlies1 in 24 h: one for each Sentinel-1 slice over the area. Higher
    tells people of ordinary days; 0 never tells anybody of silence."""

    rlies1_most: int = number(120, 0, 1_000_000)
    """Most jobs rlies1 of an ordinary day. Only shown beside what came: more do no harm but
    to the queue."""

    rlies1s2_least: int = number(80, 0, 1_000_000)
    """Fewest jobs rlies1s2 in 24 h: one for each tile that both missions saw that day. Higher
    tells people of ordinary days; 0 never tells anybody of silence."""

    rlies1s2_most: int = number(150, 0, 1_000_000)
    """Most jobs rlies1s2 of an ordinary day. Only shown beside what came: more do no harm but
    to the queue."""

    sws_wds_least: int = number(150, 0, 1_000_000)
    """Fewest jobs sws_wds in 24 h: one for each tile of an assembly, mostly mountains. Higher
    tells people of ordinary days; 0 never tells anybody of silence."""

    sws_wds_most: int = number(300, 0, 1_000_000)
    """Most jobs sws_wds of an ordinary day. Only shown beside what came: more do no harm but
    to the queue."""

    gfsc_least: int = number(850, 0, 1_000_000)
    """Fewest jobs gfsc in 24 h: one for nearly each tile every day. Higher
    tells people of ordinary days; 0 never tells anybody of silence."""

    gfsc_most: int = number(1150, 0, 1_000_000)
    """Most jobs gfsc of an ordinary day. Only shown beside what came: more do no harm but
    to the queue."""

    fsc_rlie_monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    fsc_rlie_sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring of fsc_rlie, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1_sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring of rlies1, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    rlies1s2_sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring of rlies1s2, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    sws_wds_sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring of sws_wds, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    gfsc_sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring of gfsc, as a multiple of its range. Too low hides an
    outage on one, too high tells people of an ordinary one."""

    def range_of(self, job_type: str, now: datetime) -> tuple[float, float] | None:
        """How many jobs the 24 h before `now` should have brought, least and most: each weekday
        counts for as long as it lasted. None: nothing is expected of this type.
        """
        if job_type not in TYPES:
            return None
        today = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / DAY
        before = self._on(job_type, now - DAY)
        factor = today * self._on(job_type, now) + (1 - today) * before
        least, most = (getattr(self, f"{job_type}_{end}") for end in ("least", "most"))
        return least * factor, most * factor

    def _on(self, job_type: str, at: datetime) -> float:
        """What the weekday of a moment brings of a type, as a multiple of its range."""
        return float(getattr(self, f"{job_type}_{WEEKDAYS[at.weekday()]}"))
