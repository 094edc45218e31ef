"""The live parameters of creation; `models.settings` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait


@dataclass(frozen=True, kw_only=True, slots=True)
class CreationSettings:
    """How catalogues are read."""

    period: timedelta = wait(5, 0.05, 86_400)
    """How long a feed is left alone after it was read to its end [job_creation_loop_sleep]. Shorter
    asks public catalogues more often than they like; longer delays every job."""

    overlap: timedelta = wait(15 * 60, 0, 7 * 86_400)
    """How far before its cursor a look at a feed begins. Catalogues list a product minutes after
    the time of publication that they say; shorter leaves such a product to the deep look, longer
    reads more of what is known each time."""

    deep_overlap: timedelta = wait(2 * 86_400, 0, 60 * 86_400)
    """How far before its cursor a deep look begins. What a catalogue lists later than this after
    the time that it says is never met; longer makes a deep look read more pages."""

    deep_every: timedelta = wait(15 * 60, 1, 7 * 86_400)
    """How often a feed gets a deep look. Rarer finds late products later; more often reads days of
    known products again."""

    first_window: timedelta = wait(7 * 86_400, 0, 365 * 86_400)
    """How far back a feed is read that never was [s2_search_default_duration_in_days]. Longer makes
    jobs of older products at the start; what is older is a matter of reprocessing."""

    page: int = number(500, 1, 1000)
    """Products per request. A page of 1,000 has 6 MB and takes a catalogue seconds; fewer make more
    requests."""

    pages: int = number(10, 1, 1000)
    """Requests to a feed in one pass; what is left waits for the next. More let one feed that is
    far behind hold up the others."""

    late_after: timedelta = wait(86_400, 0, 365 * 86_400)
    """How long after its measurement an image that is published again still gets a new job. What
    comes later, after a new baseline for instance, is left to reprocessing."""

    campaign_window: timedelta = wait(7 * 86_400, 3600, 365 * 86_400)
    """How much of its time of measurement a campaign asks a catalogue for at once. A catalogue that
    keeps no order has to give all of it within `pages`; longer asks too much of it at once, shorter
    asks more often."""

    backoff: timedelta = wait(10, 0, 3600)
    """How long a catalogue is left alone after a failure; doubles with each further one, unless it
    says itself when to come back. Shorter presses a service that is in trouble."""

    backoff_max: timedelta = wait(300, 0, 86_400)
    """Longest rest after failures. Longer leaves products waiting when the catalogue is back."""
