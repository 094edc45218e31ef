"""What the controller would do now: steps 2 to 4 of a pass, and nothing after them.

Takes no lease, writes nothing, sends nothing but reads. One look has no memory: what takes several
looks to be sure of (an absence, a quiet node) shows as held back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controller.loop import Reconciler
from controller.observe import Observer
from models.plan import Decision
from models.ports import Clock
from models.sightings import advance


def plan(
    observer: Observer, reconcilers: Iterable[Reconciler], clock: Clock
) -> dict[str, tuple[Decision, ...]]:
    """The decisions of one pass of each reconciler, by its name, all about the same snapshots.

    Raises `Unavailable` when the store cannot be read.
    """
    asked_at = clock.monotonic()
    decided: dict[str, tuple[Decision, ...]] = {}
    for reconciler in reconcilers:
        seen = observer.observe(reconciler.sources, asked_at, frozenset())
        world = replace(seen.world, sightings=advance({}, seen.world))
        settings = reconciler.settings_of(seen.settings)
        decided[reconciler.name] = tuple(reconciler.decide(world, settings, clock.now()))
    return decided
