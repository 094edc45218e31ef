"""Publication: every product is announced exactly as it is, and nothing is lost on the way.

A job whose run made products goes from processed over start_publication to published and done; the
outbox says how far each of its products came. One without products is done at once. While the
broker does not answer products are copied all the same, and their messages wait. What the endpoint
refused is counted against its product, or parked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from models.actions import CountRefusal, EndJob, ParkRefusal, PublishJob
from models.broker import RefusedMessage
from models.errors import Malformed
from models.lifecycle import Status
from models.plan import Action, Decision, Held, Reason, Subject, SubjectKind
from models.publication import (
    ANNOUNCED,
    Publication,
    PublicationState,
    Publishing,
    may_be_sent,
)
from models.records import Job
from models.refusal_reading import product_in
from models.settings_publication import PublicationSettings
from models.wording import counted, job_subject, named
from models.world import Source, World

__all__ = ["decide", "pause_after"]

_DOUBLINGS = 20
"""More exceed every longest wait."""


def decide(world: World, settings: PublicationSettings, now: datetime) -> list[Decision]:
    """What is to be published now. Computes only: reads no clock, calls no one."""
    return [*_blind(world), *_refused(world), *_of_jobs(world, settings, now)]


def pause_after(refusals: int, settings: PublicationSettings) -> timedelta:
    """How long a product waits that was refused so often: doubling, capped."""
    doublings = min(max(refusals, 1) - 1, _DOUBLINGS)
    return min(settings.refusal_pause * (1 << doublings), settings.refusal_pause_max)


def _blind(world: World) -> Iterator[Decision]:
    held_back = {
        Source.OUTBOX: "nothing is published until it answers",
        Source.BROKER: "products are copied, and their messages wait until it answers",
    }
    for source, what in held_back.items():
        why = world.unknown.get(source)
        if why is not None:
            yield Held(
                subject=Subject(SubjectKind.SYSTEM, source.value),
                reason=Reason.SOURCE_UNKNOWN,
                because=f"{why}; {what}",
            )


# ---- jobs ----------------------------------------------------------------------------------------


def _of_jobs(world: World, settings: PublicationSettings, now: datetime) -> Iterator[Decision]:
    heard = world.refusals is not None
    resting = {b.subject: b for b in world.store.backoffs if b.until > now}
    room = iter(range(settings.jobs_per_pass))
    for each in world.publishing or ():
        subject = str(job_subject(each.job))
        if subject in resting:
            yield _resting(each.job, resting[subject].message)
            continue
        for decision in islice(_of_job(each, now, heard=heard), 1):
            if not isinstance(decision, Action) or next(room, None) is not None:
                yield decision


def _resting(job: Job, message: str) -> Decision:
    return Held(
        subject=job_subject(job),
        reason=Reason.BACKING_OFF,
        because=f"{named(job)} is not published for now: {message}",
    )


def _of_job(each: Publishing, now: datetime, *, heard: bool) -> Iterator[Decision]:
    match each.job.status:
        case Status.PROCESSED if not each.products:
            yield _ended(each.job, Reason.NOTHING_TO_PUBLISH, "its run made no product")
        case Status.PUBLISHED:
            yield _ended(each.job, Reason.ALL_ANNOUNCED, "all its products are announced")
        case Status.PROCESSED:
            made = counted(each.products or 0, "product")
            yield _publish(each, Reason.PRODUCTS_MADE, f"its run made {made}", send=heard)
        case Status.START_PUBLICATION:
            yield from _open(each, now, heard=heard)
        case _:
            return


def _ended(job: Job, reason: Reason, why: str) -> Decision:
    return EndJob(
        subject=job_subject(job),
        reason=reason,
        because=f"{named(job)} is done: {why}",
        job_id=job.id,
        expected_seq=job.seq,
    )


def _publish(each: Publishing, reason: Reason, why: str, *, send: bool) -> Decision:
    return PublishJob(
        subject=job_subject(each.job),
        reason=reason,
        because=f"{named(each.job)} is published: {why}",
        facts=(("products", each.products), ("send", int(send))),
        job_id=each.job.id,
        expected_seq=each.job.seq,
        begin=each.job.status is Status.PROCESSED,
        send=send,
    )


def _open(each: Publishing, now: datetime, *, heard: bool) -> Iterator[Decision]:
    """A job whose publication has begun: what of it can be done now, or what it waits for."""
    open_ = [p for p in each.publications if p.state not in ANNOUNCED]
    waiting = [p for p in open_ if p.state is PublicationState.WAITING]
    due = [p for p in open_ if may_be_sent(p, now)]
    if waiting or (due and heard) or not open_:
        why = (
            f"{counted(len(waiting), 'product')} to copy and "
            f"{counted(len(waiting) + len(due), 'message')} to send"
        )
        yield _publish(each, Reason.PUBLICATION_OPEN, why, send=heard)
    elif not due:
        yield _paused(each, open_, now)


def _paused(each: Publishing, open_: Sequence[Publication], now: datetime) -> Decision:
    first = min(open_, key=lambda p: p.not_before or now)
    return Held(
        subject=job_subject(each.job),
        reason=Reason.REFUSAL_PAUSE,
        because=f"{first.product} was refused by the endpoint {counted(first.refusals, 'time')}; "
        f"it is sent again at {first.not_before or now:%H:%M:%S} UTC",
        facts=(("refusals", first.refusals),),
    )


# ---- refusals ------------------------------------------------------------------------------------


def _refused(world: World) -> Iterator[Decision]:
    for message in world.refusals or ():
        yield _of_refusal(message)


def _of_refusal(message: RefusedMessage) -> Decision:
    try:
        product = product_in(message.body)
    except Malformed as error:
        return ParkRefusal(
            subject=Subject(SubjectKind.MESSAGE, message.receipt),
            reason=Reason.REFUSAL_UNMATCHED,
            because=f"a refused message names no product of ours: {error}; it is kept as it came",
            message=message,
        )
    return CountRefusal(
        subject=Subject(SubjectKind.PRODUCT, product),
        reason=Reason.PRODUCT_REFUSED,
        because=f"the endpoint refused {product}; it is sent again after a while, or given up",
        message=message,
        product=product,
    )
