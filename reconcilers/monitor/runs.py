"""Runs in flight: which are to be stopped, which have failed, and which are to be left alone.

Each job is seen by an ordered list of small rules; the first that knows it answers, with nothing
to do as one of the answers. Lists are read in the order jobs, evaluations, allocations: what Nomad
could still place of a run that the job list shows as over would be seen in a later list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from models.actions import FailRun, StopChild
from models.fleet import Tracked, tracked
from models.lifecycle import ON_WORKER, Status
from models.plan import Decision, Held, Next, Reason, Subject, SubjectKind
from models.records import Job, RunEnd
from models.sightings import child_missing, child_unclaimed
from models.wording import job_subject, named, seconds
from reconcilers.monitor.budget import Fault, verdict
from reconcilers.monitor.sight import Sight

# Subtypes that operators know from the system that we replace.
INCONSISTENT = "Job inconsistency with Nomad"
IMAGE_PULL = "SI software docker image pull error"
WORKER_LOST = "Worker lost"


def watch_runs(sight: Sight) -> Iterator[Decision]:
    """See to every job in flight."""
    for case in tracked(sight.world, sight.nomad):
        yield from _answer(sight, case)


def _answer(sight: Sight, case: Tracked) -> Sequence[Decision]:
    for rule in RULES:
        answer = rule(sight, case)
        if answer is not None:
            return answer
    return ()


# ---- the rules, in their order -------------------------------------------------------------------


def _dispatching(_sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """A run that nobody has seen in Nomad yet is the business of execution."""
    unseen = case.run.nomad_job_id is None and case.run.claim == 0
    return () if case.job.status is Status.QUEUED and unseen else None


def _being_stopped(sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """A stop that was asked for is seen through: failed when nothing is live, asked again else."""
    if case.run.stop_reason is None:
        return None
    if case.unfinished:
        if any(child.id in sight.stopping for child in case.unfinished):
            return [_held(case, Reason.STILL_LIVE, "it is being stopped")]
        asked_at, pause = case.run.stop_asked_at, sight.settings.stop_again_after
        if asked_at is not None and sight.now - asked_at < pause:
            ago = f"{seconds(sight.now - asked_at)} ago, and again after {seconds(pause)}"
            return [_held(case, Reason.STILL_LIVE, f"its stop was asked for {ago}")]
        # The same words again: they become the run's stop reason, which must not grow.
        return _stops(case, case.run.stop_reason)
    if case.live:
        return [_held(case, Reason.STILL_LIVE, f"it was stopped, but {_where(case)}")]
    return [_stuck_failure(sight, case)]


def _vanished(sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """A run whose child is missing is lost once it was missing often enough."""
    if case.children:
        return None
    if case.live:
        return [_held(case, Reason.STILL_LIVE, f"Nomad has forgotten its job, but {_where(case)}")]
    seen = sight.world.sightings.get(child_missing(case.run.id))
    needed = sight.settings.vanished_after_passes
    if seen is None:
        return ()
    if seen.count < needed:
        return [_held(case, Reason.RUN_VANISHED, f"missing in {seen.count} of {needed} lists")]
    missing = f"its child was missing in {seen.count} lists"
    if sight.doubt is not None:
        return [_held(case, Reason.BREAKER_OPEN, f"{missing}, but {sight.doubt}")]
    if sight.unheard(case.run):
        why = f"{missing}, but so is its node {case.run.node_id}: Nomad cannot say that it ended"
        return [_held(case, Reason.ABSENCE_UNPROVED, why)]
    failure = _Failure(reason=Reason.RUN_VANISHED, end=RunEnd.LOST)
    because = f"{_run(case)} is lost, {missing}"
    return [_failed(sight, case, failure, because)]


def _ended(sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """A run whose child is over, with nothing live, failed without its program's saying so."""
    if case.unfinished:
        return None
    if case.live:
        return [_held(case, Reason.STILL_LIVE, f"its child is over, but {_where(case)}")]
    if any(child.id in sight.evaluated and not child.stopped for child in case.children):
        return [_held(case, Reason.NOMAD_RERUNS, "its child is dead, but is being evaluated")]
    lost = any(child.lost for child in case.children)
    if lost or sight.machine_gone(case.run):
        failure = _Failure(reason=Reason.WORKER_LOST, end=RunEnd.LOST, subtype=WORKER_LOST)
        because = f"{_run(case)} was lost with its worker, and Nomad runs it no more"
        return [_failed(sight, case, failure, because)]
    because = f"{_run(case)} failed, its child is over and it never said how it ended"
    return [_failed(sight, case, _Failure(), because)]


def _stuck(sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """A program that takes too long, or never claims, is asked to stop."""
    status = case.job.status
    if status in ON_WORKER and case.claimed_is_live:
        stay, limit = sight.now - case.job.status_at, sight.limit(case.job, status)
        if stay > limit:
            return _stops(case, _too_long(case, f"in {status}", stay, limit))
    for allocation in case.unclaimed:
        limit = sight.limit(case.job, Status.STARTED)
        seen = sight.world.sightings.get(child_unclaimed(allocation.id))
        stay = sight.now - seen.first_at if seen else timedelta()
        if stay > limit:
            return _stops(case, _too_long(case, "placed without a claim", stay, limit))
    return None


def _rerun(sight: Sight, case: Tracked) -> Sequence[Decision] | None:
    """Nomad runs a lost run again by itself: it is adopted, and its wait is no failure."""
    claimed_at = case.run.claimed_at
    shown = claimed_at is not None and claimed_at < sight.nomad.requested_at
    waiting = case.unclaimed or any(child.status == "pending" for child in case.unfinished)
    if case.job.status in ON_WORKER and shown and waiting and not case.claimed_is_live:
        where = "starts again" if case.unclaimed else "waits for a worker again"
        return [_held(case, Reason.NOMAD_RERUNS, f"it lost its worker and {where} in Nomad")]
    return None


RULES = (_dispatching, _being_stopped, _vanished, _ended, _stuck, _rerun)


# ---- what they decide ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    """How a run failed; by itself: outside the science, seen from Nomad alone."""

    reason: Reason = Reason.RUN_FAILED
    end: RunEnd = RunEnd.FAILED
    status: Status = Status.EXTERNAL_ERROR
    subtype: str = INCONSISTENT


def _stuck_failure(sight: Sight, case: Tracked) -> FailRun:
    status, subtype = Status.EXTERNAL_ERROR, INCONSISTENT
    if case.job.status is Status.PROCESSING:
        # The science hung: another worker would not help it, and each try may cost hours.
        status = Status.INTERNAL_ERROR
    elif case.job.status in {Status.QUEUED, Status.STARTED}:
        subtype = IMAGE_PULL
    failure = _Failure(reason=Reason.RUN_STUCK, status=status, subtype=subtype)
    return _failed(sight, case, failure, f"{case.run.stop_reason}; it was stopped")


def _failed(sight: Sight, case: Tracked, failure: _Failure, because: str) -> FailRun:
    fault, before = _budget(case.job, failure)
    after = verdict(fault, before + 1, sight.settings, sight.now)
    used_up = after.then is Next.QUARANTINE
    return FailRun(
        subject=job_subject(case.job),
        reason=Reason.ATTEMPTS_USED_UP if used_up else failure.reason,
        because=f"{because}: {after.because}",
        facts=(("cause", failure.reason.value), ("failures", before + 1)),
        job_id=case.job.id,
        run_id=case.run.id,
        expected_seq=case.job.seq,
        end=failure.end,
        status=failure.status,
        subtype=failure.subtype,
        then=after.then,
        retry_at=after.retry_at,
    )


def _budget(job: Job, failure: _Failure) -> tuple[Fault, int]:
    if failure.end is RunEnd.LOST:
        return Fault.LOST, job.losses
    if failure.status is Status.INTERNAL_ERROR:
        return Fault.INTERNAL, job.internal_failures
    return Fault.EXTERNAL, job.external_failures


def _stops(case: Tracked, because: str) -> list[Decision]:
    return [
        StopChild(
            subject=Subject(SubjectKind.CHILD, child.id),
            reason=Reason.RUN_STUCK,
            because=because,
            nomad_job_id=child.id,
            run_id=case.run.id,
            stuck=True,
        )
        for child in sorted(case.unfinished, key=lambda c: c.id)
    ]


def _held(case: Tracked, reason: Reason, what: str) -> Held:
    return Held(
        subject=job_subject(case.job),
        reason=reason,
        because=f"{_run(case)} is left alone: {what}",
    )


def _run(case: Tracked) -> str:
    return f"attempt {case.run.attempt} of {named(case.job)}"


def _too_long(case: Tracked, where: str, stay: timedelta, limit: timedelta) -> str:
    return f"{_run(case)} is {where} for {seconds(stay)}, {seconds(limit)} are allowed"


def _where(case: Tracked) -> str:
    first, *more = case.live
    others = f" and {len(more)} more" if more else ""
    return f"allocation {first.id}{others} may still be running on node {first.node_id}"
