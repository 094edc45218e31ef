"""Whom a decision must leave alone for now, whatever the rules say.

Every reconciler passes its decisions through `restrained` at the end. A target that has an action
in flight in this process gets no second one, and says nothing: the action in flight is the reason.
An effect outside that failed lately is not tried before its back-off is over, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from models.errors import System
from models.plan import Action, Decision, Held, Reason
from models.records import Backoff
from models.wording import counted
from models.world import World


def resting(world: World, now: datetime) -> dict[str, Backoff]:
    """The back-offs that are not over, by subject; of several the one that ends last."""
    unfinished = (b for b in world.store.backoffs if b.until > now)
    return {b.subject: b for b in sorted(unfinished, key=lambda b: (b.until, b.failure))}


def restrained(decisions: Iterable[Decision], world: World, now: datetime) -> Iterator[Decision]:
    """Let through what may be acted on now; a refusal takes the place of what has to rest."""
    asleep = resting(world, now)
    for decision in decisions:
        if not isinstance(decision, Action):
            yield decision
            continue
        subject = str(decision.subject)
        if subject in world.busy:
            continue
        if subject in asleep and decision.system is not System.STORE:
            yield backing_off(decision, asleep[subject])
        else:
            yield decision


def backing_off(decision: Decision, backoff: Backoff) -> Held:
    """The refusal of a decision whose subject failed lately."""
    return Held(
        subject=decision.subject,
        reason=Reason.BACKING_OFF,
        because=f"{decision.because}; not tried before {backoff.until:%H:%M:%S} UTC after "
        f"{counted(backoff.failures, 'failure')} in a row: {backoff.message}",
        facts=(("failures", backoff.failures), ("failure", backoff.failure.value)),
    )
