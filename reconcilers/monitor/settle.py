"""Jobs in error statuses: every one goes on, waits for a stated time, or is quarantined.

Nothing is settled while something of the job may be running: two attempts would overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from models.actions import SettleError
from models.lifecycle import Status
from models.plan import Decision, Held, Next, Reason, Subject, SubjectKind
from models.records import Job
from models.wording import counted, job_subject, named
from reconcilers.monitor.budget import Fault, Verdict, verdict
from reconcilers.monitor.sight import Sight

_FAULTS = {
    Status.INTERNAL_ERROR: Fault.INTERNAL,
    Status.EXTERNAL_ERROR: Fault.EXTERNAL,
}


def settle_errors(sight: Sight) -> Iterator[Decision]:
    """Say of every job in an error status what comes next; those that wait are told per type."""
    waiting: defaultdict[str, list[Job]] = defaultdict(list)
    for job in sorted(sight.world.store.errors, key=lambda j: j.id):
        if job.quarantined:
            continue
        remains = _remains(sight, job)
        if remains is not None:
            yield _still_live(job, remains)
            continue
        after = _next(sight, job)
        if after is None:
            waiting[job.type].append(job)
        else:
            yield _settled(job, after)
    for job_type in sorted(waiting):
        yield _backing_off(job_type, waiting[job_type])


def _remains(sight: Sight, job: Job) -> str | None:
    """What of the job's earlier runs may still run, or be placed again; None: nothing."""
    children = sight.children_of(job)
    unfinished = min((child.id for child in children if not child.over), default=None)
    if unfinished is not None:
        return f"{unfinished} is not over"
    live = [a for child in children for a in sight.live.by_job.get(child.id, ())]
    live += [a for run in sight.ended_runs_of(job) for a in sight.live.of(run)]
    return f"allocation {min(a.id for a in live)} may still be running" if live else None


def _next(sight: Sight, job: Job) -> Verdict | None:
    """What comes next for a job of which nothing is left; None: its wait is not over."""
    fault = _FAULTS.get(job.status)
    if fault is None:
        return Verdict(then=Next.REQUEUE, because="its error was checked, and it goes on")
    failures = job.internal_failures if fault is Fault.INTERNAL else job.external_failures
    fresh = verdict(fault, failures, sight.settings, sight.now)
    # A time before the error is left over from an earlier one: this one has no wait yet.
    waits_until = job.not_before if job.not_before and job.not_before >= job.status_at else None
    if fresh.then is not Next.BACK_OFF or waits_until is None:
        return fresh
    if waits_until > sight.now:
        return None
    return Verdict(then=Next.REQUEUE, because=f"{fault.value} {failures}, its wait is over")


def _settled(job: Job, after: Verdict) -> SettleError:
    used_up = after.then is Next.QUARANTINE
    return SettleError(
        subject=job_subject(job),
        reason=Reason.ATTEMPTS_USED_UP if used_up else Reason.ERROR_RETRIED,
        because=f"{named(job)} stands in {job.status} ({job.error_subtype or 'no subtype'}): "
        f"{after.because}",
        job_id=job.id,
        expected_seq=job.seq,
        then=after.then,
        retry_at=after.retry_at,
    )


def _still_live(job: Job, remains: str) -> Held:
    return Held(
        subject=job_subject(job),
        reason=Reason.STILL_LIVE,
        because=f"{named(job)} stands in {job.status} and goes on when its last run has left: "
        f"{remains}",
    )


def _backing_off(job_type: str, jobs: list[Job]) -> Held:
    first = min((job.not_before, job.id) for job in jobs if job.not_before)
    verb = "backs off" if len(jobs) == 1 else "back off"
    return Held(
        subject=Subject(SubjectKind.TYPE, job_type),
        reason=Reason.BACKING_OFF,
        because=f"{counted(len(jobs), job_type + ' job')} {verb} after external errors, "
        f"first job {first[1]} until {first[0]:%H:%M:%S}",
        facts=(("waiting", len(jobs)), ("next_job", first[1])),
    )
