"""The handler of retention: what a job left in the results bucket is deleted."""

from __future__ import annotations

import structlog

from controller.act.effects import Acting, Changes, Effect
from controller.keeping import remove
from models.actions import RemoveResults
from models.changes import OpenIntent
from models.errors import ConfigurationError, System
from models.objects import Shelf
from models.records import IntentKind

log = structlog.get_logger(__name__)


def remove_results(action: RemoveResults, acting: Acting) -> Effect:
    """Delete it, as far as the time of one call goes. What does not answer is met again in the next
    round: to delete what is deleted is no error.
    """
    shelf = _shelf(acting)
    intent = acting.intent(IntentKind.REMOVE_RESULTS, str(action.unique_id))
    acting.commit(OpenIntent(at=acting.at, intent=intent))

    def send() -> Changes:
        clock = acting.tools.clock
        until = clock.monotonic() + acting.settings.passes.call_deadline.total_seconds()
        removed = acting.call(
            System.OBJECTS,
            IntentKind.REMOVE_RESULTS.value,
            lambda: remove(
                shelf,
                action,
                acting.settings.retention.objects,
                late=lambda: clock.monotonic() >= until,
            ),
        )
        acting.tools.metrics.results_removed(removed)
        log.info(
            "results removed",
            action="results_removed",
            subject=str(action.subject),
            unique_id=str(action.unique_id),
            objects=removed,
            because=action.because,
        )
        return acting.done(intent)

    return Effect(
        system=System.OBJECTS, send=send, refused=lambda error: acting.failed(intent, error)
    )


def _shelf(acting: Acting) -> Shelf:
    shelf = acting.tools.results
    if shelf is None:
        raise ConfigurationError(
            "there is no results bucket to delete from: set s3.endpoint and s3.results"
        )
    return shelf
