"""How decisions speak of things to people, the same words in every reconciler."""

from __future__ import annotations

from datetime import timedelta

from models.plan import Subject, SubjectKind
from models.records import Job


def job_subject(job: Job) -> Subject:
    """The job as what a decision is about."""
    return Subject(SubjectKind.JOB, str(job.id))


def named(job: Job) -> str:
    """A job as people know it: `job 17 (nrt fsc_rlie 32TLR)`."""
    return f"job {job.id} ({' '.join(filter(None, (job.priority, job.type, job.tile)))})"


def seconds(wait: timedelta) -> str:
    """A wait in whole seconds: `90 s`."""
    return f"{wait.total_seconds():.0f} s"


def counted(number: int, what: str) -> str:
    """A number of things whose plural takes an s: `1 job`, `12 jobs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def are(number: int, what: str) -> str:
    """A number of things of which something is said: `1 job is`, `12 jobs are`."""
    return f"{counted(number, what)} {'is' if number == 1 else 'are'}"


def wait(number: int, what: str) -> str:
    """A number of things that wait: `1 job waits`, `12 jobs wait`."""
    return f"{counted(number, what)} {'waits' if number == 1 else 'wait'}"
