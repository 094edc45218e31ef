"""From step to step of a retirement: what a store writes when a change of it is committed.

Both stores lock the worker, ask here what becomes of its retirement, and write that with the
intents. The guards are those in the docstrings of `models.changes`.
"""

from __future__ import annotations

from dataclasses import replace

from models.changes import BeginRetirement, NoteMark, NoteSeen
from models.errors import Superseded
from models.records import RetireCause, Retirement, RetireStep, Worker


def at_step(worker: Worker, *steps: RetireStep) -> Retirement:
    """The retirement of a worker that is at one of these steps. Raises `Superseded`."""
    if worker.retirement is None or worker.retirement.step not in steps:
        raise Superseded(f"{worker.name} is not at this step of its retirement")
    return worker.retirement


def begun(worker: Worker, change: BeginRetirement) -> Retirement:
    """A retirement that begins, or begins again at its mark. Raises `Superseded`."""
    before = worker.retirement
    if before is not None and before.step is not RetireStep.MARKING:
        raise Superseded(f"{worker.name} is retiring and past its mark")
    if change.forced and change.cause is not RetireCause.PERSON:
        raise Superseded(f"{worker.name}: only a person may force a retirement")
    if before is None:
        return Retirement(
            cause=change.cause,
            by=change.by,
            step=RetireStep.MARKING,
            started_at=change.at,
            forced=change.forced,
        )
    if change.cause is RetireCause.PERSON and before.cause is not RetireCause.PERSON:
        return replace(before, cause=change.cause, by=change.by, forced=change.forced)
    return before


def marked(before: Retirement | None, change: NoteMark) -> Retirement | None:
    """A retirement whose mark was answered with an index that counts; None when none does."""
    if before is None or before.step is not RetireStep.MARKING or change.index == 0:
        return None
    return replace(before, index=change.index)


def seen(before: Retirement, change: NoteSeen) -> Retirement:
    """A retirement whose node was seen ineligible, at the index that is frozen now."""
    return replace(
        before,
        step=RetireStep.SEEN,
        index=change.index,
        modify_index=change.modify_index,
        seen_at=change.at,
    )


def back_at_mark(before: Retirement) -> Retirement:
    """A retirement whose node changed after it was seen: nothing that was seen of it counts."""
    return replace(before, step=RetireStep.MARKING, index=None, modify_index=None, seen_at=None)


def undoing(worker: Worker, before: Retirement) -> Retirement:
    """A retirement that is taken back: the pool's own. Raises `Superseded`."""
    if before.cause is RetireCause.PERSON:
        raise Superseded(f"{worker.name} was retired by {before.by}; only a person may undo it")
    return replace(before, step=RetireStep.UNDOING)
