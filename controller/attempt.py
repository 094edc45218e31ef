"""The one place of the shell that survives what nobody foresaw.

A loop must outlive a bad pass, and a pass a bad action: the failure becomes a value that is
logged with its stack and counted. What is no `Exception` (a crash ordered by the simulation, the
end of the process) goes through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Done(Generic[Answer]):
    """It worked; this is the answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not; this is why, with its stack attached."""

    error: Exception


def attempt(work: Callable[[], Answer]) -> Done[Answer] | Failed:
    """Do `work`; the answer or the failure is the result."""
    try:
        return Done(work())
    except Exception as error:  # noqa: BLE001 - see the head of this module
        return Failed(error)
