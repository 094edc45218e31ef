"""The outcome switch: the one place that turns what happened to an action into what is done next.

Nothing here retries: the next pass looks at the world and decides anew. An action whose outcome is
unknown leaves its intent open, and the world says so until it is seen or refuted.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from controller.act import HANDLERS
from controller.act.effects import Acting, Changes, Effect, NotSent
from controller.act.executor import Executor
from controller.attempt import Done, Failed, attempt
from controller.metrics import Metrics, kind_of
from models.errors import (
    HrsiError,
    IllegalTransition,
    Permanent,
    PortError,
    Superseded,
    Temporary,
    Throttled,
    Unknown,
)
from models.plan import Action, Outcome

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an action ended; `error` is what made it end like that."""

    outcome: Outcome
    error: Exception | None = None


AS_DECIDED = Ending(Outcome.DONE)


def ending_of(error: Exception) -> Ending:
    """What an error makes of an action. One that nobody foresaw may have come after the effect."""
    match error:
        case NotSent() | Throttled():
            outcome = Outcome.LATER
        case Superseded() | IllegalTransition():
            outcome = Outcome.OVERTAKEN
        case Temporary():
            outcome = Outcome.TEMPORARY
        case Permanent():
            outcome = Outcome.PERMANENT
        case _:
            outcome = Outcome.UNKNOWN
    return Ending(outcome, error)


def perform(effect: Effect, acting: Acting) -> Ending:
    """Make the calls of an effect one after another, as far as each comes to its end.

    Raises what the store says when the world has moved on meanwhile.
    """
    step: Effect | None = effect
    while step is not None:
        ending = _call(step, acting)
        if ending.error is not None:
            return ending
        step = step.then
    return AS_DECIDED


def _call(effect: Effect, acting: Acting) -> Ending:
    """One call, and what came of it written down. The types of the errors say which it was."""
    try:
        changes = effect.send()
    except Unknown as error:
        return _settle(effect.unanswered(error), acting, ending_of(error))
    except (PortError, NotSent) as error:
        return _settle(effect.refused(error), acting, ending_of(error))
    return _settle(changes, acting, AS_DECIDED)


def _settle(changes: Changes, acting: Acting, ending: Ending) -> Ending:
    """Commit what came of a call. What could not be written down is unknown: the intent is open."""
    try:
        for change in changes:
            acting.commit(change)
    except PortError as error:
        return Ending(Outcome.UNKNOWN, error)
    return ending


class Hands:
    """Carries out actions for the loops of one process."""

    def __init__(self, executor: Executor, metrics: Metrics) -> None:
        self.executor = executor
        self._metrics = metrics

    def carry_out(self, action: Action, acting: Acting) -> None:
        """Prepare one action and hand its effect to the executor; never raises an `Exception`."""
        if not self.executor.admits(action.system):
            crowded = NotSent(f"too many calls to {action.system} wait already")
            self._end(action, ending_of(crowded), acting)
            return
        prepared = attempt(lambda: HANDLERS[type(action)](action, acting))
        if isinstance(prepared, Failed):
            self._end(action, ending_of(prepared.error), acting)
            return
        effect = prepared.answer
        if effect is None:
            self._end(action, AS_DECIDED, acting)
            return
        self.executor.run(
            str(action.subject), effect.system, lambda: self._perform(action, effect, acting)
        )

    def _perform(self, action: Action, effect: Effect, acting: Acting) -> None:
        match attempt(lambda: perform(effect, acting)):
            case Failed(error):
                self._end(action, ending_of(error), acting)
            case Done(ending):
                self._end(action, ending, acting)

    def _end(self, action: Action, ending: Ending, acting: Acting) -> None:
        """Count and log. What is overtaken or comes later is the ordinary run of things."""
        self._metrics.action_ended(action, ending.outcome)
        telling = log.bind(
            loop=acting.fence.name,
            subject=str(action.subject),
            reason=action.reason.value,
            because=action.because,
        )
        if ending.error is None:
            telling.info("action done", action=kind_of(type(action)))
            return
        ours = isinstance(ending.error, HrsiError)
        quiet = ending.outcome in {Outcome.OVERTAKEN, Outcome.LATER}
        tell = telling.info if quiet else telling.warning if ours else telling.error
        tell(
            "action not done",
            action=kind_of(type(action)),
            outcome=ending.outcome.value,
            error=str(ending.error) or type(ending.error).__name__,
            exc_info=None if ours else ending.error,
        )
