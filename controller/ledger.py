"""What of a pass's decisions goes into the ledger now. Pure.

Actions are written each time. What is refused about a subject is written whole: at once when it
is for other reasons than in the pass before, else again only now and then, so that its row's
`last_at` tells how long it held and a pass in which nothing changes writes little. When a refusal
is over, what it said last is written, as of the pass in which it said it, and that it is over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from models.plan import REPEAT_AFTER, Action, Decision


@dataclass(frozen=True, slots=True)
class Standing:
    """What is refused about one subject in one pass, and when any such was last written."""

    said: tuple[Decision, ...]
    written_at: datetime

    @property
    def reasons(self) -> frozenset[str]:
        """Why, whatever the words."""
        return frozenset(decision.reason.value for decision in self.said)


@dataclass(frozen=True, slots=True)
class Page:
    """What was refused in the last pass, by subject, and when that was."""

    standing: Mapping[str, Standing] = field(default_factory=lambda: MappingProxyType({}))
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What to write: `over` as of `over_at`, that `ended` is over, then `due`; and the page to
    remember afterwards.
    """

    due: tuple[Decision, ...]
    page: Page
    over: tuple[Decision, ...] = ()
    over_at: datetime | None = None
    ended: tuple[Decision, ...] = ()


def turn(page: Page, decisions: Iterable[Decision], now: datetime) -> Turn:
    """What to write at `now` of what was decided."""
    decisions = tuple(decisions)
    standing = {
        subject: _standing(page.standing.get(subject), said, now)
        for subject, said in _refusals(decisions).items()
    }
    due = tuple(
        decision
        for decision in decisions
        if isinstance(decision, Action) or standing[str(decision.subject)].written_at == now
    )
    return Turn(
        due=due,
        page=Page(standing, now),
        over=tuple(_over(page, standing)),
        over_at=page.at,
        ended=tuple(_ended(page, standing)),
    )


def _refusals(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    found: defaultdict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if not isinstance(decision, Action):
            found[str(decision.subject)].append(decision)
    return dict(found)


def _standing(before: Standing | None, said: Iterable[Decision], now: datetime) -> Standing:
    found = Standing(tuple(said), now)
    if before is None or before.reasons != found.reasons or now - before.written_at >= REPEAT_AFTER:
        return found
    return replace(found, written_at=before.written_at)


def _over(page: Page, standing: Mapping[str, Standing]) -> Iterable[Decision]:
    """Refusals that hold no more and have not been written as they were in the last pass."""
    for subject, before in page.standing.items():
        now = standing.get(subject)
        ended = now is None or before.reasons - now.reasons
        if ended and page.at is not None and before.written_at < page.at:
            yield from before.said


def _ended(page: Page, standing: Mapping[str, Standing]) -> Iterable[Decision]:
    """Refusals of the last pass that hold no more."""
    for subject, before in page.standing.items():
        now = standing.get(subject)
        still = now.reasons if now is not None else frozenset()
        yield from (said for said in before.said if said.reason.value not in still)
