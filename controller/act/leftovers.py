"""Intents nobody waits for: calls that got no answer and whose effect no list will ever show.

An unanswered stop, evaluation, registration, mark, purge, deletion of an image or of what a job
left is decided again if it is still wanted; its old intent would stay open for ever. It is closed
as refuted once it has been overdue for so long that the call cannot be on its way any more.
Dispatches, creations, images in the making and deletions of servers are not here: these are closed
by what is seen of them, and by nothing else. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from models.changes import CloseIntent
from models.records import IntentKind, IntentState
from models.settings import Settings
from models.world import World

_REPEATED = frozenset(
    {
        IntentKind.STOP_CHILD,
        IntentKind.EVALUATE,
        IntentKind.REGISTER_PARENT,
        IntentKind.SET_ELIGIBLE,
        IntentKind.SET_INELIGIBLE,
        IntentKind.PURGE_NODE,
        IntentKind.DELETE_IMAGE,
        IntentKind.REMOVE_RESULTS,
        IntentKind.REMOVE_L2A,
    }
)


def leftovers(world: World, lease: str, settings: Settings, now: datetime) -> Iterator[CloseIntent]:
    """The closing of every such intent that was opened under this lease's name."""
    for intent in world.store.intents:
        overdue = now - intent.deadline >= settings.pool.refute_after
        if intent.lease == lease and intent.kind in _REPEATED and overdue:
            yield CloseIntent(
                at=now,
                intent_id=intent.id,
                state=IntentState.REFUTED,
                note="no answer came, and no effect can come any more",
            )
