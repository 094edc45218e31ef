"""The live parameters of publication; `models.settings` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicationSettings:
    """How products are announced."""

    jobs_per_pass: int = number(200, 1, 1000)
    """Jobs whose publication one pass goes on with, the most urgent first. More make a pass longer
    after an outage; fewer make it drain slowly."""

    refusals_per_pass: int = number(100, 1, 1000)
    """Refused messages that one pass takes in hand. More let a flood of them hold up products."""

    sends: int = number(3, 1, 100)
    """How often a product may be refused by the endpoint before its job is quarantined. The same
    message mostly fails the same way: more load the endpoint, 1 gives up on whatever was chance."""

    refusal_pause: timedelta = wait(300, 0, 86_400)
    """How long a refused product waits before it is sent again; doubles with each refusal. Shorter
    meets the endpoint in the same trouble; longer delays the product."""

    refusal_pause_max: timedelta = wait(3600, 0, 7 * 86_400)
    """Longest such wait. Longer leaves products unannounced when the endpoint is well again."""
