"""How long a job spent at each step of its way, out of its history. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from types import MappingProxyType

from models.lifecycle import ERRORS, FINAL, ON_WORKER, UNREADY, Status
from models.records import StatusChange

_STEPS: Mapping[str, frozenset[Status]] = MappingProxyType(
    {
        "configuring": UNREADY,
        "waiting for a worker": frozenset({Status.READY, Status.QUEUED}),
        "running": ON_WORKER,
        "publishing": frozenset({Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED}),
        "in error": ERRORS,
    }
)
"""What a job spends its time with; what comes after its end is nobody's."""

STEP_OF: Mapping[Status, str] = MappingProxyType(
    {status: step for step, statuses in _STEPS.items() for status in statuses}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTime:
    """How long all stays at a step took together, and which part of the whole (0 to 1) that is."""

    step: str
    took: timedelta
    share: float


def step_times(history: Sequence[StatusChange], now: datetime) -> tuple[StepTime, ...]:
    """The steps that a job was at, in the order of its way; one that is still moving, up to `now`.

    The history is in the order of its numbers; where a clock was turned back a stay took no time.
    """
    spent: defaultdict[str, timedelta] = defaultdict(timedelta)
    for change, following in zip_longest(history, history[1:]):
        if change.after not in FINAL:
            until = now if following is None else following.at
            spent[STEP_OF[change.after]] += max(timedelta(0), until - change.at)
    whole = sum(spent.values(), timedelta(0))
    return tuple(
        StepTime(step=step, took=spent[step], share=spent[step] / whole if whole else 0.0)
        for step in _STEPS
        if step in spent
    )
