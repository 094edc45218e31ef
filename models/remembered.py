"""Answers that are kept while the same question is asked about the very same things.

A pass joins the same lists many times, and a quiet world gives the same lists pass after pass. A
function of frozen things may be asked once for each: *the very same* is identity, never equality,
and a thing that is remembered is kept, so that its identity is not given to another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from operator import is_
from typing import TypeVar, TypeVarTuple

Things = TypeVarTuple("Things")
Answer = TypeVar("Answer")

KEPT = 4
"""Answers kept of each function: the loops of one process see the same lists in so many ways."""


def remembered(function: Callable[[*Things], Answer]) -> Callable[[*Things], Answer]:
    """A function that need not be asked twice. Its answer must not be changed by who gets it.

    Threads may share it: what one forgets for another is only asked again.
    """
    kept: tuple[tuple[tuple[object, ...], Answer], ...] = ()

    @wraps(function)
    def ask(*things: *Things) -> Answer:
        nonlocal kept
        for known, answer in kept:
            if all(map(is_, known, things)):
                return answer
        answer = function(*things)
        kept = ((things, answer), *kept[: KEPT - 1])
        return answer

    return ask
