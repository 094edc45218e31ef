"""Handlers of publication: begin, copy, send, and what the endpoint refused.

The steps of one job follow one another in one action, each committed before the next, so that a
process that dies leaves the outbox saying how far it came. Whatever takes effect outside may do so
twice: a copy of what is there already, a message under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from controller.act.effects import Acting, Changes, Effect
from controller.act.press import Differs, Press
from models.actions import CountRefusal, EndJob, ParkRefusal, PublishJob
from models.broker import Fate, Message, RefusedMessage
from models.errors import HrsiError, Malformed, Superseded, System
from models.manifest import Manifest, digest_of
from models.plan import Action
from models.publication import (
    FAILED_MESSAGE,
    FAILED_OBJECTS,
    BeginPublication,
    FailPublication,
    FinishJob,
    NoteCopied,
    NoteRefusal,
    NoteSending,
    NoteSent,
    Outgoing,
    ParkMessage,
    PublicationState,
    may_be_sent,
)
from models.wording import counted
from reconcilers.publication import pause_after


def publish_job(action: PublishJob, acting: Acting) -> Effect | None:
    """Begin if need be, copy, and send."""
    press = _press(acting)
    seq: int | None = action.expected_seq
    if action.begin:
        seq = _begin(action, acting, press)
    if seq is None:
        return None
    work = _Work(action=action, acting=acting, press=press, seq=seq)
    send = Effect(
        system=System.BROKER, send=work.send, refused=work.setback, unanswered=work.setback
    )
    return Effect(
        system=System.OBJECTS,
        send=work.copy,
        refused=work.not_copied,
        then=send if action.send else None,
    )


def end_job(action: EndJob, acting: Acting) -> None:
    """Let a job be done, and say why."""
    acting.commit(
        FinishJob(
            at=acting.at,
            job_id=action.job_id,
            expected_seq=action.expected_seq,
            message=action.because,
        )
    )


def count_refusal(action: CountRefusal, acting: Acting) -> Effect:
    """Count it in the outbox, or park it when nothing of that name was ever announced."""
    settings = acting.settings.publication
    # How often it was refused before, only the outbox knows: its job is done, and in no world.
    waits = (pause_after(number, settings) for number in range(1, settings.sends + 1))
    change = NoteRefusal(
        at=acting.at,
        product=action.product,
        message_id=action.message.message_id,
        retries_at=tuple(acting.at + wait for wait in waits),
        most_refusals=settings.sends,
        message=f"the endpoint refused {action.product}",
    )
    try:
        receipt = acting.commit(change)
    except Superseded as error:
        _park(action.message, str(error), acting)
    else:
        # One that was delivered again counts no second time.
        if receipt.job is not None:
            acting.tools.metrics.press.refused("counted")
    return _settled(action, action.message, acting)


def park_refusal(action: ParkRefusal, acting: Acting) -> Effect:
    """Keep it with its raw body."""
    _park(action.message, action.because, acting)
    return _settled(action, action.message, acting)


def _park(message: RefusedMessage, why: str, acting: Acting) -> None:
    acting.commit(ParkMessage(at=acting.at, body=message.body, why=why))
    acting.tools.metrics.press.refused("parked")


def _settled(action: Action, message: RefusedMessage, acting: Acting) -> Effect:
    """It is written down: the broker need not keep it any longer."""
    broker = _press(acting).broker

    def settle() -> Changes:
        acting.call(action.system, "settle", partial(broker.settle, [message.receipt]))
        return ()

    return Effect(system=action.system, send=settle)


def _press(acting: Acting) -> Press:
    press = acting.tools.press
    if press is None:
        raise Superseded("there is no product bucket any more: nothing is published")
    return press


def _begin(action: PublishJob, acting: Acting, press: Press) -> int | None:
    """Commit the outbox's rows; the job's new number. None when the job cannot be published."""
    manifest = press.outbox.manifest(action.job_id)
    if manifest is None:
        raise Superseded(f"job {action.job_id} has a newer run: nothing was begun")
    try:
        drafts = press.drafts(manifest)
    except Malformed as error:
        acting.commit(_failure(action, acting, action.expected_seq, FAILED_MESSAGE, error))
        return None
    receipt = acting.commit(
        BeginPublication(
            at=acting.at,
            job_id=action.job_id,
            expected_seq=action.expected_seq,
            run_id=manifest.run_id,
            digest=digest_of(manifest),
            drafts=drafts,
        )
    )
    return receipt.job.seq if receipt.job is not None else None


def _failure(
    action: PublishJob, acting: Acting, seq: int, subtype: str, error: HrsiError
) -> FailPublication:
    """A message that cannot be made is the same the next time; a file that differs may not be."""
    return FailPublication(
        at=acting.now(),
        job_id=action.job_id,
        expected_seq=seq,
        subtype=subtype,
        message=str(error),
        quarantined=subtype == FAILED_MESSAGE,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """The publication of one job, from the beginning of `seq` on."""

    action: PublishJob
    acting: Acting
    press: Press
    seq: int

    def copy(self) -> Changes:
        """Bring every file of the products that wait for it."""
        job_id = self.action.job_id
        rows = [row.publication for row in self.press.outbox.outgoing(job_id)]
        waiting = [row for row in rows if row.state is PublicationState.WAITING]
        if not waiting:
            return ()
        manifest = self._manifest()
        names = {row.product for row in waiting}
        # One that was announced before lies there: what its run left need not be kept for so long.
        anew = self.action.begin and all(row.send == 1 for row in waiting)
        wanted = (product for product in manifest.products if product.name in names)
        for errands in self.press.errands(manifest, wanted):
            bring = partial(self.press.bring, errands, anew=anew)
            self.acting.call(System.OBJECTS, "copy", bring)
        ids = tuple(row.id for row in waiting)
        return (
            NoteCopied(
                at=self.acting.now(), job_id=job_id, expected_seq=self.seq, publication_ids=ids
            ),
        )

    def _manifest(self) -> Manifest:
        manifest = self.press.outbox.manifest(self.action.job_id)
        if manifest is None:
            raise Superseded(f"job {self.action.job_id} has a newer run: nothing was copied")
        return manifest

    def not_copied(self, error: HrsiError) -> Changes:
        """What differs from its manifest has to be made again; the rest is tried again."""
        if isinstance(error, Differs):
            return (_failure(self.action, self.acting, self.seq, FAILED_OBJECTS, error),)
        return self.setback(error)

    def setback(self, error: HrsiError) -> Changes:
        """Wait, where the error does not pass by itself or says how long."""
        return self.acting.setback(str(self.action.subject), error)

    def send(self) -> Changes:
        """Send every message that may be sent; that it is about to be sent is committed before."""
        rows = self.press.outbox.outgoing(self.action.job_id)
        due = [row for row in rows if may_be_sent(row.publication, self.acting.at)]
        self.acting.commit(
            NoteSending(
                at=self.acting.at,
                job_id=self.action.job_id,
                expected_seq=self.seq,
                publication_ids=tuple(row.publication.id for row in due),
            )
        )
        told = self.acting.call(System.BROKER, "publish", lambda: self._published(due))
        return (self._heard(due, told, len(rows)), *self.acting.success(str(self.action.subject)))

    def _published(self, due: list[Outgoing]) -> list[tuple[Fate, str]]:
        clock = self.acting.tools.clock
        began = clock.monotonic()
        answers = self.press.broker.publish([self._message(row) for row in due])
        seconds = clock.monotonic() - began
        self.acting.tools.metrics.press.sent(due, answers, seconds, self.acting.now())
        return [(answer.fate, answer.why) for answer in answers]

    def _heard(self, due: list[Outgoing], told: list[tuple[Fate, str]], products: int) -> NoteSent:
        spooled = any(fate is Fate.SPOOLED for fate, _ in told)
        how = "written to files, for no broker is set" if spooled else "announced and confirmed"
        return NoteSent(
            at=self.acting.now(),
            job_id=self.action.job_id,
            expected_seq=self.seq,
            fates=tuple(
                (row.publication.id, fate, why) for row, (fate, why) in zip(due, told, strict=True)
            ),
            message=f"{counted(products, 'product')} {how}",
        )

    def _message(self, row: Outgoing) -> Message:
        found = row.publication
        return Message(
            id=found.message_id,
            body=row.body,
            headers={
                "job": self.action.job_id,
                "attempt": row.attempt,
                "run": str(found.run_id),
                "send": found.send,
                "product_type": found.kind,
            },
        )
