"""A person's wish that a worker should go, and what becomes of it; both stores answer by these."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from models.records import (
    IN_SERVICE,
    RetireCause,
    Retirement,
    RetireStep,
    Worker,
    WorkerState,
)
from models.wording import in_utc


def is_by_person(retirement: Retirement | None) -> bool:
    """A person wants the worker gone."""
    if retirement is None:
        return False
    return retirement.forced or retirement.cause is RetireCause.PERSON


def why_not_retired(worker: Worker | None, *, forced: bool) -> str | None:
    """Why the wish that this worker should go is refused; None: it is not."""
    if worker is None:
        return "there is no open worker of this name"
    if worker.state is WorkerState.CREATING:
        return "its server has not been seen yet: ask again when it boots"
    if worker.state not in IN_SERVICE:
        return f"it is {worker.state} already"
    before = worker.retirement
    if before is not None and before.cause is RetireCause.PERSON and (before.forced or not forced):
        return f"{before.by} has asked for it already"
    return None


def retired_by_person(worker: Worker, by: str, at: datetime, *, forced: bool) -> Retirement:
    """The retirement that the wish makes: a new one, or the one under way made the person's."""
    before = worker.retirement
    if before is None or before.step is RetireStep.UNDOING:
        return Retirement(
            cause=RetireCause.PERSON, by=by, step=RetireStep.MARKING, started_at=at, forced=forced
        )
    return replace(before, cause=RetireCause.PERSON, by=by, forced=forced)


def what_a_retirement_does(worker: Worker, *, forced: bool) -> str:
    """What the person is told of it."""
    if worker.outside_pool:
        return (
            "it is outside the pool: no job runs there, and its server is deleted now, whoever "
            "uses it"
        )
    if forced:
        return f"it is {worker.state}; a run on it is lost and its job runs again elsewhere"
    return f"it is {worker.state}; a run on it is finished first"


def what_an_order_does(flavor: str, until: datetime, *, outside_pool: bool) -> str:
    """What the person is told of an order for a worker."""
    comes = (
        "created as soon as the caps allow it, until then "
        f"`hrsi why flavor {flavor}` says what it waits for"
    )
    if outside_pool:
        return (
            f"outside the pool, deleted at {in_utc(until)}; {comes}; then `hrsi worker list` "
            "names it, and `hrsi why worker NAME` says its address"
        )
    return f"kept until {in_utc(until)}; {comes}"
