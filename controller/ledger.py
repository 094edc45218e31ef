"""What of a pass's decisions goes into the ledger now. Pure.

Actions are written each time. A refusal that says the same as before is written again only now and
then: its row's `last_at` tells how long it held, and a pass in which nothing changes writes little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

from models.plan import Action, Decision

REPEAT_AFTER = timedelta(seconds=30)
"""How old the row of a refusal that still holds may be: half of the minute after which every wait
has to have a recorded reason."""

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """When each (subject, reason) that held in the last pass was last written."""

    written: Mapping[Key, datetime] = field(default_factory=lambda: MappingProxyType({}))


def turn(page: Page, decisions: Iterable[Decision], now: datetime) -> tuple[list[Decision], Page]:
    """The decisions to write at `now`, and the page to remember once they are written."""
    due: list[Decision] = []
    written: dict[Key, datetime] = {}
    for decision in decisions:
        key = (str(decision.subject), decision.reason.value)
        last = page.written.get(key)
        fresh = last is not None and now - last < REPEAT_AFTER
        if fresh and last is not None and not isinstance(decision, Action):
            written[key] = last
        else:
            due.append(decision)
            written[key] = now
    return due, Page(written)
