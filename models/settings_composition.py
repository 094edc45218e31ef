"""Live parameters of the jobs that are made of several products (see `models.settings`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, kw_only=True, slots=True)
class CompositionSettings:
    """When a job that is made of several products waits for more of them."""

    batch: int = number(200, 1, 5000)
    """Groups of products that one pass looks at; what is left waits for the next. More make a pass
    after an outage longer, fewer make more passes of it."""

    look_again: timedelta = wait(600, 1, DAY)
    """How long a group that waits for jobs of ours, or for any product of its day, is left alone.
    Shorter looks at the same again; longer finds later that a job was given up."""

    rlie_wait: timedelta = wait(8 * HOUR, 0, 7 * DAY)
    """How long after the end of a day its ice products of both missions are put together
    [rlies1s2_min_delay_from_end_of_day_hours]. Shorter misses products of the evening, which then
    are in none; longer delays what is complete."""

    rlie_wait_most: timedelta = wait(24 * HOUR, 0, 31 * DAY)
    """How long after the end of a day ice products are waited for while jobs that may make them
    are not over [rlies1s2_max_delay_from_end_of_day_hours_wait_for_rlie_products]. Longer lets one
    job that fails again and again hold up its tile."""

    rlie_window: timedelta = wait(31 * DAY, DAY, 365 * DAY)
    """How old a day may be whose ice products are still put together
    [rlies1s2_max_search_window_days]. Widen it beyond an outage that lasted longer."""

    slice_wait: timedelta = wait(6 * HOUR, 0, 7 * DAY)
    """How long after the last slice of a data take was published the next one is waited for by the
    tiles that reach into it. Shorter leaves a part of these tiles without products when slices come
    far apart; longer delays them where a slice never comes."""

    radar_wait: timedelta = wait(3 * HOUR, 0, 7 * DAY)
    """How long a tile with a new FSC product waits for the SWS and WDS of the same day before its
    GFSC is made. Shorter makes more GFSC that are soon made again; longer delays the others."""

    gap_wait: timedelta = wait(2 * HOUR, 0, 7 * DAY)
    """How long after the end of a day a tile that had no product of that day gets its GFSC from
    those of the days before. Shorter makes more GFSC that are made again when a product comes."""
