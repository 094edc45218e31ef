"""What a breakage is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One breakage: in `file`, the one place that reads `before` reads `after` instead."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
