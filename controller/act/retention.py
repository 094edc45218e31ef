"""The handlers of retention: what a job left in a bucket is deleted.

What does not answer is met again in the next round: to delete what is deleted is no error.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from controller.act.effects import Acting, Changes, Effect
from controller.keeping import Due, remove
from models.actions import RemoveL2a, RemoveResults
from models.changes import OpenIntent
from models.errors import ConfigurationError, System
from models.l2a import ForgetL2a, GiveUpL2a, place_of
from models.manifest import folder_of
from models.objects import Shelf
from models.records import Intent, IntentKind

log = structlog.get_logger(__name__)


def remove_results(action: RemoveResults, acting: Acting) -> Effect:
    """Delete it, as far as the time of one call goes."""
    shelf = _set(acting.tools.results, "results")
    intent = acting.intent(IntentKind.REMOVE_RESULTS, str(action.unique_id))
    acting.commit(OpenIntent(at=acting.at, intent=intent))

    def send() -> Changes:
        removed = _remove(shelf, folder_of(action.unique_id), action, acting)
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

    return _effect(acting, intent, send)


def remove_l2a(action: RemoveL2a, acting: Acting) -> Effect:
    """Give it up, so that no job begins with it any more, then delete it. It is forgotten once
    nothing is left of it.
    """
    shelf = _set(acting.tools.data, "data")
    intent = acting.intent(IntentKind.REMOVE_L2A, str(action.job_id))
    acting.commit(
        GiveUpL2a(at=acting.at, job_id=action.job_id, before=action.before, intent=intent)
    )

    def send() -> Changes:
        folder = place_of(action.path)
        removed = _remove(shelf, folder, action, acting)
        acting.tools.metrics.l2a_removed(removed)
        log.info(
            "L2A removed",
            action="l2a_removed",
            subject=str(action.subject),
            path=action.path,
            objects=removed,
            because=action.because,
        )
        if any(shelf.store.objects(shelf.bucket, folder)):
            return acting.done(intent)
        return (*acting.done(intent), ForgetL2a(at=acting.now(), job_id=action.job_id))

    return _effect(acting, intent, send)


def _effect(acting: Acting, intent: Intent, send: Callable[[], Changes]) -> Effect:
    return Effect(
        system=System.OBJECTS, send=send, refused=lambda error: acting.failed(intent, error)
    )


def _remove(shelf: Shelf, folder: str, action: RemoveResults | RemoveL2a, acting: Acting) -> int:
    clock = acting.tools.clock
    until = clock.monotonic() + acting.settings.passes.call_deadline.total_seconds()
    due = Due(
        shelf=shelf,
        folder=folder,
        before=action.before,
        most=acting.settings.retention.objects,
        late=lambda: clock.monotonic() >= until,
    )
    kind = IntentKind.REMOVE_RESULTS if isinstance(action, RemoveResults) else IntentKind.REMOVE_L2A
    return acting.call(System.OBJECTS, kind.value, lambda: remove(due))


def _set(shelf: Shelf | None, name: str) -> Shelf:
    if shelf is None:
        raise ConfigurationError(
            f"there is no {name} bucket to delete from: set s3.endpoint and s3.{name}"
        )
    return shelf
