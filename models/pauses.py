"""What people have paused: everything, one loop, or one job type; for a while or until resumed.

A paused loop looks and decides as ever, and does nothing: each action is held back and says so. Of
a paused type nothing new is dispatched, and its jobs ask for no worker: the store's views leave
them out of the queue (`paused_types` says which), so that execution, which dispatches, and the
pool, which creates, cannot disagree. Runs that were dispatched before are carried through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from models.errors import ConfigurationError
from models.job_types import Registry
from models.plan import Action, Decision, Held, Reason
from models.records import Pause
from models.wording import in_utc

EVERYTHING = "everything"
_LOOP, _TYPE = "loop:", "type:"


def loop_target(name: str) -> str:
    """The target of a pause of one loop."""
    return f"{_LOOP}{name}"


def type_target(name: str) -> str:
    """The target of a pause of one job type."""
    return f"{_TYPE}{name}"


def why_not_pausable(target: str, registry: Registry) -> str | None:
    """Why there can be no pause of this target; None: there can."""
    if target.startswith(_TYPE) and target.removeprefix(_TYPE) not in registry.types:
        return f"there is no such type; there are: {', '.join(registry.types)}"
    if target == EVERYTHING or target.startswith((_LOOP, _TYPE)):
        return None
    return f"it is neither {EVERYTHING} nor {_LOOP}NAME nor {_TYPE}NAME"


def end_of(begun: datetime, lasts: timedelta | None) -> datetime | None:
    """When a pause is over by itself. Raises `ConfigurationError` when it is no time at all."""
    if lasts is not None and lasts <= timedelta(0):
        raise ConfigurationError("a pause cannot be over before it begins")
    return None if lasts is None else begun + lasts


def paused_types(pauses: Iterable[Pause]) -> frozenset[str]:
    """The job types whose jobs are neither dispatched nor given workers."""
    targets = (pause.target for pause in pauses)
    return frozenset(t.removeprefix(_TYPE) for t in targets if t.startswith(_TYPE))


def pause_of_type(pauses: Iterable[Pause], name: str) -> Pause | None:
    """The pause of one job type, if there is one."""
    return next((pause for pause in pauses if pause.target == type_target(name)), None)


def pause_of_loop(pauses: Iterable[Pause], name: str) -> Pause | None:
    """What keeps a loop from acting: the pause of everything, else its own."""
    by_target = {pause.target: pause for pause in pauses}
    return by_target.get(EVERYTHING) or by_target.get(loop_target(name))


def heeding(
    decisions: Iterable[Decision], loop: str, pauses: Iterable[Pause]
) -> Iterator[Decision]:
    """The decisions of a loop as far as it may act; a refusal takes the place of each action that
    a pause forbids.
    """
    pause = pause_of_loop(pauses, loop)
    for decision in decisions:
        if pause is not None and isinstance(decision, Action):
            yield _held_back(decision, pause)
        else:
            yield decision


def _held_back(decision: Decision, pause: Pause) -> Held:
    return Held(
        subject=decision.subject,
        reason=Reason.PAUSED,
        because=f"{decision.because}; not done, for {in_words(pause)}",
        facts=(*decision.facts, ("would_be", decision.reason.value)),
    )


def in_words(pause: Pause) -> str:
    """A pause as people read it: `type gfsc is paused by ada until 12:00:00: bad input`."""
    return f"{pause.target.replace(':', ' ')} is paused {_how(pause)}"


def made_in_words(pause: Pause) -> str:
    """What becomes of a wish to pause something: `by ada until 12:00:00: bad input`."""
    return _how(pause)


def ended_in_words(pause: Pause) -> str:
    """What was resumed: `it was paused by ada until 12:00:00: bad input`."""
    return f"it was paused {_how(pause)}"


def _how(pause: Pause) -> str:
    until = "" if pause.until is None else f" until {in_utc(pause.until)}"
    why = f": {pause.reason}" if pause.reason else ""
    return f"by {pause.by}{until}{why}"
