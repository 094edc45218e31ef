"""Live parameters of reading back what was published (see `models.settings`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait

DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadbackSettings:
    """How what was made is compared with what was announced and what our catalogue lists."""

    every: timedelta = wait(900, 1, DAY)
    """How long after one comparison the next one comes. Shorter asks the catalogue and the product
    bucket more often; longer tells later of a product that is missing."""

    late: timedelta = wait(3600, 1, 7 * DAY)
    """How long a product may be behind before it is told of: made and not in the outbox, in it and
    not confirmed, or confirmed and not in our catalogue. Shorter tells of products that are merely
    on their way, the catalogue takes minutes; longer leaves users without them."""

    days: int = number(3, 1, 31)
    """How many days back products are looked at, today included. Fewer forget a missing product
    before anybody was there on a Monday; more make each comparison longer."""

    pages: int = number(100, 1, 10_000)
    """Pages of our catalogue that one comparison reads at most, of each type of product. Fewer
    leave it unknown after a long outage; more hold it up while the catalogue is slow."""
