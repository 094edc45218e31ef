"""Identities from a seed: different from one another, the same for the same seed."""

from __future__ import annotations

from random import Random
from uuid import UUID


class SeededIds:
    """Implements `Ids` without chance: a simulated day can be run again."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = Random(seed)

    def uuid(self) -> UUID:
        """The next uuid of this seed."""
        return UUID(int=self._chance.getrandbits(128), version=4)
