"""What handlers are made of: an outside call whose intent is committed, and what comes of it.

A handler prepares its action in the loop's thread (it commits the change with the intent) and
returns the `Effect` to perform, or None when nothing has to be done outside. The effect is
performed in the bounded pool of its system; what its answer changes is then committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar
from uuid import UUID

from controller.act.press import Press
from controller.leader import Leadership
from controller.metrics import Metrics
from models.changes import Change, CloseIntent, NoteFailure, NoteSuccess
from models.errors import FailureClass, HrsiError, Permanent, PortError, System
from models.objects import Shelf
from models.plan import Action
from models.ports import Clock, Cloud, Ids, JobStore, Orchestrator, Receipt, StopSignal
from models.records import Intent, IntentKind, IntentState, Lease
from models.settings import Settings
from models.world import World

Answer = TypeVar("Answer")
Changes: TypeAlias = Sequence[Change]


class NotSent(HrsiError):
    """The call was not sent: what is left of the lease or of its turn is too short for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One outside call. Each function gives the changes to commit; none of them commits itself.

    `send` makes the call and says what its answer changes. `refused` is for a definite no: nothing
    was changed outside (it was not even sent, for `NotSent`). `unanswered` is for no answer: the
    intent stays open. `then` follows once all that is committed.
    """

    system: System
    send: Callable[[], Changes]
    refused: Callable[[HrsiError], Changes] = field(default=lambda _: ())
    unanswered: Callable[[PortError], Changes] = field(default=lambda _: ())
    then: Effect | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What handlers use in every pass. `token_key` is the key of the run tokens; `press` is what
    publishes, where there is anything to publish with, `results` and `data` are the buckets of what
    jobs left, where there are such.
    """

    store: JobStore
    orchestrator: Orchestrator
    cloud: Cloud
    clock: Clock
    ids: Ids
    metrics: Metrics
    ending: StopSignal
    token_key: bytes = field(repr=False)
    press: Press | None = None
    results: Shelf | None = None
    data: Shelf | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Acting:
    """One pass, as its handlers see it: what it saw, in whose name it acts, and until when.

    `send_before` is the monotonic moment (seconds) after which no call of this pass is sent: an
    intent's deadline counts on it. `noted` are the failures that this pass has written down: ten
    creations refused at once for want of quota are one failure, not ten. `waiting` tells the
    watchdog what the loop waits for.
    """

    tools: Tools
    world: World
    settings: Settings
    fence: Lease
    leadership: Leadership
    at: datetime
    send_before: float
    noted: set[tuple[str, FailureClass]] = field(default_factory=set)
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext

    def commit(self, change: Change) -> Receipt:
        """Commit one change in the name of this pass; see `JobStore.commit`."""
        with self.waiting(f"committing {type(change).__name__}"):
            return self.tools.store.commit(self.fence, change)

    def intent(self, kind: IntentKind, subject: str, intent_id: UUID | None = None) -> Intent:
        """A new intent. Its deadline: the longest wait for its turn, then the longest call."""
        return Intent(
            id=intent_id or self.tools.ids.uuid(),
            kind=kind,
            subject=subject,
            opened_at=self.at,
            deadline=self.deadline,
            lease=self.fence.name,
            epoch=self.fence.epoch,
        )

    @property
    def deadline(self) -> datetime:
        """When every call of this pass has ended, answered or not."""
        return self.at + 2 * self.settings.passes.call_deadline

    def call(self, system: System, method: str, ask: Callable[[], Answer]) -> Answer:
        """Send one call if it may still be sent; counted and timed. Raises `NotSent`."""
        obstacle = self._obstacle()
        if obstacle is not None:
            raise NotSent(f"{method} was not sent: {obstacle}")
        with self.tools.metrics.request(system, method):
            return ask()

    def _obstacle(self) -> str | None:
        if self.tools.ending.is_set():
            return "the process is ending"
        if self.tools.clock.monotonic() > self.send_before:
            return "it waited too long for its turn"
        left = self.leadership.remaining(self.fence.epoch)
        allowed = self.settings.passes.call_deadline
        if left <= allowed:
            return (
                f"{left.total_seconds():.1f} s of the lease {self.fence.name!r} are left, "
                f"the call may take {allowed.total_seconds():g} s"
            )
        return None

    def now(self) -> datetime:
        """The time at which an answer is written down."""
        return self.tools.clock.now()

    def done(self, intent: Intent) -> Changes:
        """The intent took effect."""
        return (CloseIntent(at=self.now(), intent_id=intent.id, state=IntentState.DONE),)

    def failed(self, intent: Intent, error: HrsiError) -> Changes:
        """The intent had no effect and can have none any more."""
        close = CloseIntent(
            at=self.now(), intent_id=intent.id, state=IntentState.FAILED, note=str(error)
        )
        return (close,)

    def failure(self, subject: str, error: HrsiError) -> Changes:
        """One more failure of `subject`; the pause doubles each time. None for `NotSent`."""
        if not isinstance(error, PortError) or (subject, error.failure) in self.noted:
            return ()
        self.noted.add((subject, error.failure))
        failures = self._failures(subject, error.failure)
        pool = self.settings.pool
        pause = min(pool.backoff_max, pool.backoff * 2 ** min(failures, 20))
        if error.retry_after is not None:
            pause = max(pause, error.retry_after)
        now = self.now()
        note = NoteFailure(
            at=now,
            subject=subject,
            failure=error.failure,
            until=now + pause,
            message=str(error),
        )
        return (note,)

    def setback(self, subject: str, error: HrsiError) -> Changes:
        """A back-off for what does not mend by itself, or whose end the system named. Everything
        else is decided anew in the next pass.
        """
        lasting = isinstance(error, Permanent)
        named = isinstance(error, PortError) and error.retry_after is not None
        return self.failure(subject, error) if lasting or named else ()

    def success(self, subject: str) -> Changes:
        """It worked again, if it had failed before."""
        if any(b.subject == subject for b in self.world.store.backoffs):
            return (NoteSuccess(at=self.now(), subject=subject),)
        return ()

    def _failures(self, subject: str, failure: FailureClass) -> int:
        known = (b for b in self.world.store.backoffs if b.subject == subject)
        return sum(b.failures for b in known if b.failure is failure)


def subject_of(action: Action) -> str:
    """The subject of an action as back-offs and busy targets name it."""
    return str(action.subject)


def repeatable(action: Action, acting: Acting, intent: Intent, ask: Callable[[], object]) -> Effect:
    """The effect of a call that may be made again without harm and is over once it is answered."""
    method = intent.kind.value

    def send() -> Changes:
        acting.call(action.system, method, ask)
        return (*acting.done(intent), *acting.success(subject_of(action)))

    return Effect(
        system=action.system,
        send=send,
        refused=lambda error: (
            *acting.failed(intent, error),
            *acting.setback(subject_of(action), error),
        ),
    )


def flavors(acting: Acting) -> dict[str, str]:
    """The flavor of each type of job, as changes that add jobs take them."""
    return {name: found.flavor for name, found in acting.world.registry.types.items()}
