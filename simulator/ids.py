"""Identities from a seed: different from one another, the same for the same seed."""

from __future__ import annotations

from random import Random
from uuid import NAMESPACE_URL, UUID, uuid5


class SeededIds:
    """Implements `Ids` without chance: a simulated day can be run again."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = Random(seed)

    def uuid(self) -> UUID:
        """The next uuid of this seed."""
        return UUID(int=self._chance.getrandbits(128), version=4)


def named_id(kind: str, name: str) -> str:
    """The id of what a simulated cloud has by that name, the same in every world."""
    return str(uuid5(NAMESPACE_URL, f"simulated:{kind}:{name}"))
