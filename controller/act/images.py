"""Handlers of what the pool decides about the image that workers boot from."""

from __future__ import annotations

from controller.act.effects import Acting, Changes, Effect, subject_of
from models.actions import DeleteImage, EndImageMaking, MakeImage
from models.changes import CloseIntent, NoteFailure, OpenIntent
from models.errors import Conflict, FailureClass, HrsiError, Superseded, System, Unavailable
from models.fleet import DEPLOYMENT_METADATA, INTENT_METADATA
from models.images import FINISHED_TEXT, TEMPLATE_METADATA, images_of
from models.ports import ImageOrder
from models.records import Intent, IntentKind, IntentState


def make_image(action: MakeImage, acting: Acting) -> Effect:
    """Look whether the template is ready and nobody has made its image, then ask for one.

    The intent is committed after the look and before the call. It stays open until a list shows
    what came of it: an answer only says that Nova has begun.
    """
    intent = acting.intent(IntentKind.MAKE_IMAGE, action.name)

    def look() -> Changes:
        _require_none(action, acting)
        if not action.finished:
            _require_finished(action, acting)
        return (OpenIntent(at=acting.at, intent=intent),)

    return Effect(
        system=System.CLOUD,
        send=look,
        refused=lambda error: _not_yet(action, error, acting),
        then=_asked(action, intent, acting),
    )


def _require_none(action: MakeImage, acting: Acting) -> None:
    """Raise `Superseded` when there is an image after all: the list of a pass may be a minute old,
    and another process may have made one since.
    """
    images = acting.call(System.CLOUD, "worker_images", acting.tools.cloud.worker_images)
    for image in images_of(images.images, action.template_id):
        raise Superseded(f"image {image.name} ({image.id}) is there; no second one is made")


def _require_finished(action: MakeImage, acting: Acting) -> None:
    """Raise `Conflict` unless the template's console says that its set-up has finished."""
    console = acting.tools.cloud.console
    written = acting.call(System.CLOUD, "console", lambda: console(action.template_id))
    if FINISHED_TEXT not in written:
        raise Conflict(f"its console does not say {FINISHED_TEXT}")


def _not_yet(action: MakeImage, error: HrsiError, acting: Acting) -> Changes:
    """A template that is not ready is looked at again after the same pause, however often."""
    if not isinstance(error, Conflict):
        return acting.failure(subject_of(action), error)
    now = acting.now()
    note = NoteFailure(
        at=now,
        subject=subject_of(action),
        failure=FailureClass.CONFLICT,
        until=now + acting.settings.pool.template_check,
        message=str(error),
    )
    return (note,)


def _asked(action: MakeImage, intent: Intent, acting: Acting) -> Effect:
    order = ImageOrder(
        name=action.name,
        server_id=action.template_id,
        metadata={
            DEPLOYMENT_METADATA: acting.world.site.deployment,
            TEMPLATE_METADATA: action.template_id,
            INTENT_METADATA: str(intent.id),
        },
    )

    def send() -> Changes:
        make = acting.tools.cloud.make_image
        acting.call(System.CLOUD, intent.kind.value, lambda: make(order))
        return ()

    return Effect(
        system=System.CLOUD,
        send=send,
        refused=lambda error: (
            *acting.failed(intent, error),
            *_not_yet(action, error, acting),
        ),
    )


def end_image_making(action: EndImageMaking, acting: Acting) -> None:
    """Close the intent. What failed is tried again after a pause that doubles each time."""
    close = CloseIntent(
        at=acting.at, intent_id=action.intent_id, state=action.state, note=action.because
    )
    acting.commit(close)
    if action.state is IntentState.DONE:
        after = acting.success(subject_of(action))
    else:
        error = Unavailable(action.because, failure=FailureClass.SERVER_FAULT)
        after = acting.failure(subject_of(action), error)
    for change in after:
        acting.commit(change)


def delete_image(action: DeleteImage, acting: Acting) -> Effect:
    """Delete the image; one that is gone is no error. A cloud may refuse while it uses its data."""
    intent = acting.intent(IntentKind.DELETE_IMAGE, action.image_id)
    acting.commit(OpenIntent(at=acting.at, intent=intent))

    def send() -> Changes:
        delete = acting.tools.cloud.delete_image
        acting.call(System.CLOUD, intent.kind.value, lambda: delete(action.image_id))
        return (*acting.done(intent), *acting.success(subject_of(action)))

    return Effect(
        system=System.CLOUD,
        send=send,
        refused=lambda error: (
            *acting.failed(intent, error),
            *acting.failure(subject_of(action), error),
        ),
    )
