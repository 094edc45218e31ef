"""The dispatch protocol after the dispatch: parents that are fit, children adopted, calls repeated.

A lost answer and a phantom child look the same from here: the list does not show the run. Nothing
is concluded from a list that was asked for before the newest call left.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.actions import AbandonDispatch, ConfirmDispatch, RegisterParent, ResendDispatch
from models.fleet import Tracked
from models.lifecycle import Status
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.wording import job_subject, named, seconds
from reconcilers.execution.children import stop
from reconcilers.execution.sight import Sight


def register_parents(sight: Sight) -> Iterator[Decision]:
    """Register what Nomad lacks, has stopped, or has in another version."""
    for parent in sorted(sight.world.site.parents, key=lambda p: p.id):
        fault = sight.unfit.get(parent.id)
        if fault is not None:
            yield RegisterParent(
                subject=Subject(SubjectKind.PARENT, parent.id),
                reason=Reason.PARENT_MISSING,
                because=f"parent {parent.id} {fault}; without it no job can be dispatched to it",
                parent=parent,
            )


def confirm(sight: Sight) -> Iterator[Decision]:
    """Adopt what the list shows of a run; a second child of one run is stopped."""
    for flight in sight.unsettled:
        job, run, kept = flight.job, flight.run, flight.kept
        if kept is None:
            continue
        if run.nomad_job_id != kept.id:
            yield ConfirmDispatch(
                subject=job_subject(job),
                reason=Reason.DISPATCH_SEEN,
                because=f"attempt {run.attempt} of {named(job)} is listed as {kept.id}",
                job_id=job.id,
                run_id=run.id,
                nomad_job_id=kept.id,
            )
        for other in flight.children:
            if other is not kept and not other.over:
                because = f"attempt {run.attempt} of {named(job)} runs as {kept.id} already"
                yield stop(other, Reason.CHILD_TWICE, f"{other.id} is one too many: {because}")


def seek(sight: Sight) -> Iterator[Decision]:
    """See to every dispatch that no list has shown and no program has claimed."""
    for flight in sight.unsettled:
        run = flight.run
        unseen = run.nomad_job_id is None and flight.kept is None
        if flight.job.status is Status.QUEUED and run.claim == 0 and unseen:
            yield _sought(sight, flight)


def _sought(sight: Sight, flight: Tracked) -> Decision:
    job, run, settings = flight.job, flight.run, sight.settings
    sent_at = run.sent_at or run.created_at
    waited, age = sight.now - sent_at, sight.now - run.created_at
    what = f"the dispatch of attempt {run.attempt} of {named(job)}"
    if sight.nomad.requested_at <= sent_at or waited < settings.resend_after:
        return Held(
            subject=job_subject(job),
            reason=Reason.NO_ANSWER_YET,
            because=f"{what} left {seconds(waited)} ago and is not listed yet",
        )
    if age >= settings.resend_for:
        return AbandonDispatch(
            subject=job_subject(job),
            reason=Reason.DISPATCH_EXPIRED,
            because=f"{what} was not seen for {seconds(age)}: only a new attempt is safe now",
            job_id=job.id,
            run_id=run.id,
        )
    return _sent_again(sight, flight, f"{what} left {seconds(waited)} ago and is not listed")


def _sent_again(sight: Sight, flight: Tracked, what: str) -> Decision:
    job, obstacle = flight.job, sight.obstacle(flight.job)
    if obstacle is not None:
        return Held(
            subject=job_subject(job),
            reason=obstacle.reason,
            because=f"{what}; it cannot be sent again: {obstacle.because}",
        )
    return ResendDispatch(
        subject=job_subject(job),
        reason=Reason.DISPATCH_UNCONFIRMED,
        because=f"{what}: sent again under the same token",
        job_id=job.id,
        run_id=flight.run.id,
        parent=sight.parent_of(job),
        nomad_priority=job.priority.nomad,
    )
