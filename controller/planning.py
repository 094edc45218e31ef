"""What the controller would do: steps 2 to 4 of a pass, and nothing after them.

`look` reads, `decided` computes. Takes no lease, writes nothing, sends nothing but reads. One look
has no memory: what takes several looks to be sure of (an absence, a quiet node) shows as held back.
What was seen in a look can be recorded, and decided about again, also under other parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

from controller.loop import Reconciler
from controller.observe import Observer, Parameters
from controller.recording import Recording
from models.pauses import heeding
from models.plan import Decision
from models.ports import Clock
from models.settings import Settings
from models.sightings import advance
from models.world import Source, World

Plan: TypeAlias = Mapping[str, tuple[Decision, ...]]
"""The decisions of one pass of each reconciler, by its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at the world: what was seen, the settings that were in force, and when."""

    world: World
    settings: Settings
    now: datetime

    @classmethod
    def at(cls, recording: Recording) -> Look:
        """The look that was recorded, under the settings that were in force then."""
        settings, _ = Parameters().update(recording.world.store.parameters)
        return cls(world=recording.world, settings=settings, now=recording.now)

    def recording(self) -> Recording:
        """The look as it is recorded."""
        return Recording(now=self.now, world=self.world)


def look(observer: Observer, reconcilers: Iterable[Reconciler], clock: Clock) -> Look:
    """One look at all that these reconcilers have to see.

    Raises `Unavailable` when the store cannot be read.
    """
    wanted: frozenset[Source] = frozenset().union(*(each.sources for each in reconcilers))
    seen = observer.observe(wanted, clock.monotonic(), frozenset())
    world = replace(seen.world, sightings=advance({}, seen.world))
    return Look(world=world, settings=seen.settings, now=clock.now())


def decided(seen: Look, reconcilers: Iterable[Reconciler]) -> Plan:
    """What each reconciler decides about a look, as far as it is not paused. Computes only."""
    pauses = seen.world.store.pauses
    return {
        each.name: tuple(heeding(_decided(each, seen), each.name, pauses)) for each in reconcilers
    }


def _decided(reconciler: Reconciler, seen: Look) -> list[Decision]:
    settings: Any = reconciler.settings_of(seen.settings)
    return reconciler.decide(_as_seen_by(reconciler, seen.world), settings, seen.now)


_SHOWN_BY: Mapping[str, Source] = MappingProxyType(
    {
        "nomad": Source.NOMAD,
        "cloud": Source.CLOUD,
        "sweeps": Source.CATALOGUES,
        "arrivals": Source.CATALOGUES,
        "days": Source.CATALOGUES,
        "due": Source.CATALOGUES,
        "campaigns": Source.CATALOGUES,
        "backlog": Source.BACKLOG,
        "publishing": Source.OUTBOX,
        "outbox": Source.OUTBOX,
        "refusals": Source.BROKER,
        "readback": Source.READBACK,
        "results": Source.RESULTS,
    }
)
"""Which source fills which part of a world; the store's is there for everybody."""

_EMPTY: Mapping[str, Any] = MappingProxyType({"campaigns": (), "days": ()})
"""What is not None where nobody looked."""


def _as_seen_by(reconciler: Reconciler, world: World) -> World:
    """The world without the systems that the reconciler does not look at."""
    sources = reconciler.sources
    hidden = [part for part, source in _SHOWN_BY.items() if source not in sources]
    unknown = {source: why for source, why in world.unknown.items() if source in sources}
    blank: dict[str, Any] = {part: _EMPTY.get(part) for part in hidden}
    return replace(world, **blank, unknown=unknown)


def plan(observer: Observer, reconcilers: Iterable[Reconciler], clock: Clock) -> Plan:
    """Look once and decide: the plan of now. Raises as `look`."""
    chosen = tuple(reconcilers)
    return decided(look(observer, chosen, clock), chosen)
