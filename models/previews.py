"""What other parameters would change, as the API tells it. Who looks and decides is not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """One decision of a plan: what is done, or held back, with its reason and the numbers."""

    action: str
    subject: str
    what: str
    reason: str
    because: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A decision of a loop by the parameters in force and by the others; null: it is not made."""

    loop: str
    now: Decided | None
    then: Decided | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Previewed:
    """The decisions that differ, and how many of each kind both plans have."""

    differences: tuple[Difference, ...]
    now: Mapping[str, int]
    then: Mapping[str, int]


Previewer: TypeAlias = Callable[[Mapping[str, float | None]], Previewed]
"""Looks once at the world and decides twice; null is a parameter's default.

Raises `ConfigurationError` for parameters that cannot be, `PortError` when the store is away.
"""
