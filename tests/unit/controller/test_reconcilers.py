"""What the shell is told of each reconciler is what the reconciler does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from controller.loop import Reconciler
from controller.reconcilers import RECONCILERS
from models.settings import DEFAULT_SETTINGS
from models.sightings import SightingKind
from models.world import Sighting, World
from simulator.examples import NOW
from simulator.strategies import worlds


class Asked(Mapping[str, Sighting]):
    """Sightings that note which kinds they are asked for."""

    def __init__(self, sightings: Mapping[str, Sighting]) -> None:
        self._sightings = sightings
        self.kinds: set[SightingKind] = set()

    def __getitem__(self, key: str) -> Sighting:
        self.kinds.add(SightingKind(key.partition(":")[0]))
        return self._sightings[key]

    def __iter__(self) -> Iterator[str]:
        self.kinds.update(SightingKind)
        return iter(self._sightings)

    def __len__(self) -> int:
        return len(self._sightings)


@pytest.mark.parametrize("reconciler", RECONCILERS, ids=lambda reconciler: reconciler.name)
@given(world=worlds())
def test_a_reconciler_reads_no_sighting_that_its_loop_does_not_remember(
    reconciler: Reconciler, world: World
) -> None:
    asked = Asked(world.sightings)
    settings: Any = reconciler.settings_of(DEFAULT_SETTINGS)

    reconciler.decide(replace(world, sightings=asked), settings, NOW)

    assert asked.kinds <= reconciler.sightings


def test_every_kind_of_sighting_is_remembered_by_one_loop() -> None:
    remembered = [kind for reconciler in RECONCILERS for kind in reconciler.sightings]

    assert sorted(remembered) == sorted(SightingKind)
