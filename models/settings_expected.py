"""Live parameters of what a day brings; `models.settings` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.settings_fields import number

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedSettings:
    """How many jobs of each type a day brings: fewer are told as `FEW_PRODUCTS`, and more are shown
    beside what was expected. The ranges are those of the original's operators.
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

    monday: float = number(1.0, 0, 10)
    """What Mondays (UTC) bring, as a multiple of the ranges. Too low hides an outage on one, too
    high tells people of an ordinary one."""

    tuesday: float = number(1.0, 0, 10)
    """What Tuesdays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    wednesday: float = number(1.0, 0, 10)
    """What Wednesdays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    thursday: float = number(1.0, 0, 10)
    """What Thursdays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    friday: float = number(1.0, 0, 10)
    """What Fridays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    saturday: float = number(1.0, 0, 10)
    """What Saturdays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    sunday: float = number(1.0, 0, 10)
    """What Sundays (UTC) bring, as a multiple of the ranges. Too low hides an outage
    on one, too high tells people of an ordinary one."""

    def range_of(self, job_type: str, now: datetime) -> tuple[float, float] | None:
        """How many jobs the 24 h before `now` should have brought, least and most: each weekday
        counts for as long as it lasted. None: nothing is expected of this type.
        """
        ranges = {
            "fsc_rlie": (self.fsc_rlie_least, self.fsc_rlie_most),
            "rlies1": (self.rlies1_least, self.rlies1_most),
            "rlies1s2": (self.rlies1s2_least, self.rlies1s2_most),
            "sws_wds": (self.sws_wds_least, self.sws_wds_most),
            "gfsc": (self.gfsc_least, self.gfsc_most),
        }
        if job_type not in ranges:
            return None
        today = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / DAY
        factor = today * self._of_day(now) + (1 - today) * self._of_day(now - DAY)
        least, most = ranges[job_type]
        return least * factor, most * factor

    def _of_day(self, at: datetime) -> float:
        days = (
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        )
        return days[at.weekday()]
