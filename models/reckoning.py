"""What was made, published, confirmed and found in our own catalogue, by kind and day. Pure.

The day is the one (UTC) on which the run ended that made a product. What is behind at one of the
four steps for longer than it should is told with the names of its products.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from models.lifecycle import Status
from models.publication import PublicationState


class Step(StrEnum):
    """Where a product may be missing.

    PUBLISHED nothing is written into the outbox for it · CONFIRMED the broker has not confirmed its
    message · FOUND our catalogue does not list it, though its message is confirmed.
    """

    PUBLISHED = "published"
    CONFIRMED = "confirmed"
    FOUND = "found"


SAYS: Mapping[Step, str] = MappingProxyType(
    {
        Step.PUBLISHED: "made and not in the outbox",
        Step.CONFIRMED: "in the outbox and not confirmed by the broker",
        Step.FOUND: "confirmed by the broker and not in our catalogue",
    }
)
"""How a product that is missing at a step stands, in words."""

MENDS: Mapping[Step, str] = MappingProxyType(
    {
        Step.PUBLISHED: "`hrsi why job` says what their jobs wait for",
        Step.CONFIRMED: "`hrsi why job` says what their jobs wait for; what is in files, `hrsi "
        "publication send-spool` sends",
        Step.FOUND: "ask the endpoint, then `hrsi publication republish` announces them again",
    }
)
"""What a person does about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A product that the newest run of a job made, and how far its announcement came.

    `state` is None while the outbox has nothing of it; `since` is then when it was made, and else
    when it came into that state. `files` is how many objects it has.
    """

    product: str
    kind: str
    job_id: int
    status: Status
    made_at: datetime
    since: datetime
    files: int = 0
    state: PublicationState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadBack:
    """One comparison. `found` are the products that our catalogue lists, None where none is asked
    or it did not answer. `absent` were announced and have not all their objects. `unknown` says
    what did not answer, catalogue or bucket.
    """

    at: datetime
    made: tuple[Made, ...] = ()
    found: tuple[str, ...] | None = None
    absent: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reckoning:
    """The products of one kind and day: how many came how far, and the names of those that are
    behind. `found` and what is missing there is None where no catalogue was asked.
    """

    kind: str
    day: date
    made: int
    published: int
    confirmed: int
    found: int | None
    missing: tuple[tuple[Step, tuple[str, ...]], ...] = ()


def missing_at(made: Made, found: Collection[str] | None) -> Step | None:
    """The first step that a product has not come to; None: it is where it should be."""
    if made.state is None:
        return Step.PUBLISHED
    if made.state is not PublicationState.CONFIRMED:
        return Step.CONFIRMED
    return Step.FOUND if found is not None and made.product not in found else None


def reckon(
    made: Iterable[Made], found: Collection[str] | None, late: datetime
) -> tuple[Reckoning, ...]:
    """By kind and day, the newest day first. Missing are those that are where they are since
    `late` or before.
    """
    groups: defaultdict[tuple[date, str], list[Made]] = defaultdict(list)
    for each in made:
        groups[each.made_at.date(), each.kind].append(each)
    ordered = sorted(groups.items(), key=lambda item: (-item[0][0].toordinal(), item[0][1]))
    return tuple(_reckoned(kind, day, each, found, late) for (day, kind), each in ordered)


def _reckoned(
    kind: str,
    day: date,
    made: list[Made],
    found: Collection[str] | None,
    late: datetime,
) -> Reckoning:
    behind: defaultdict[Step, list[str]] = defaultdict(list)
    confirmed = [each for each in made if each.state is PublicationState.CONFIRMED]
    for each in made:
        step = missing_at(each, found)
        if step is not None and each.since <= late:
            behind[step].append(each.product)
    return Reckoning(
        kind=kind,
        day=day,
        made=len(made),
        published=sum(each.state is not None for each in made),
        confirmed=len(confirmed),
        found=None if found is None else sum(each.product in found for each in confirmed),
        missing=tuple((step, tuple(sorted(behind[step]))) for step in Step if behind[step]),
    )


def span_of(day: date) -> tuple[datetime, datetime]:
    """From when to when a day lasts (UTC)."""
    began = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return began, began + timedelta(days=1)
