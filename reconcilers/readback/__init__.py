"""Read-back: what was made is also published, confirmed, and found in our catalogue.

Nothing is done about a product that is missing at one of these steps: a person is told which it is
and what brings it back, for the same wish may be repeated for as long as its cause is not mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.reckoning import MENDS, SAYS, ReadBack, Reckoning, Step, reckon
from models.remembered import remembered
from models.settings_readback import ReadbackSettings
from models.wording import are, seconds
from models.world import Source, World

__all__ = ["decide"]

MOST_NAMED = 50
"""Products named in one condition; `hrsi publication audit` names all."""


def decide(world: World, settings: ReadbackSettings, _now: datetime) -> list[Decision]:
    """What is missing where. Computes only: reads no clock, calls no one."""
    return [*_blind(world), *_missing(world, settings)]


def _blind(world: World) -> Iterator[Decision]:
    look = world.readback
    why = world.unknown.get(Source.READBACK) or (look.unknown if look is not None else "")
    if why:
        yield Held(
            subject=Subject(SubjectKind.SYSTEM, Source.READBACK.value),
            reason=Reason.SOURCE_UNKNOWN,
            because=f"{why}; what was announced is not compared with it until it answers",
        )


def _missing(world: World, settings: ReadbackSettings) -> Iterator[Decision]:
    if world.readback is None:
        return
    for reckoning in _reckoned(world.readback, settings):
        for step, products in reckoning.missing:
            yield _told(reckoning, step, products, settings)


@remembered
def _reckoned(look: ReadBack, settings: ReadbackSettings) -> tuple[Reckoning, ...]:
    """What is late when it is looked at: nothing is known of it before the next look."""
    found = None if look.found is None else frozenset(look.found)
    return reckon(look.made, found, look.at - settings.late)


def _told(
    reckoning: Reckoning, step: Step, products: tuple[str, ...], settings: ReadbackSettings
) -> Decision:
    named = ", ".join(products[:MOST_NAMED])
    more = len(products) - MOST_NAMED
    listed = f"{named} and {more} more" if more > 0 else named
    return Held(
        subject=Subject(SubjectKind.PRODUCTS, f"{reckoning.kind}/{reckoning.day}/{step}"),
        reason=Reason.PRODUCTS_MISSING,
        because=f"of {reckoning.made} {reckoning.kind} products of {reckoning.day} "
        f"{are(len(products), 'product')} {SAYS[step]} for more than {seconds(settings.late)}: "
        f"{listed}; {MENDS[step]}",
        facts=(
            ("made", reckoning.made),
            ("published", reckoning.published),
            ("confirmed", reckoning.confirmed),
            ("found", reckoning.found),
            ("missing", len(products)),
        ),
    )
