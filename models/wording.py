"""How decisions speak of things to people, the same words in every reconciler."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches

from models.plan import Subject, SubjectKind
from models.records import Job


def job_subject(job: Job) -> Subject:
    """The job as what a decision is about."""
    return Subject(SubjectKind.JOB, str(job.id))


def named(job: Job) -> str:
    """A job as people know it: `job 17 (nrt fsc_rlie 32TLR)`."""
    return f"job {job.id} ({' '.join(filter(None, (job.priority, job.type, job.tile)))})"


def in_utc(at: datetime) -> str:
    """A moment: `2026-11-23 08:57:23 UTC`."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def seconds(wait: timedelta) -> str:
    """A wait in whole seconds: `90 s`."""
    return f"{wait.total_seconds():.0f} s"


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: which one is like it, or else all there are."""
    names = list(known)
    found = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else f"; there are: {', '.join(sorted(names))}"


def counted(number: int, what: str) -> str:
    """A number of things whose plural takes an s: `1 job`, `12 jobs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def are(number: int, what: str) -> str:
    """A number of things of which something is said: `1 job is`, `12 jobs are`."""
    return f"{counted(number, what)} {'is' if number == 1 else 'are'}"


def wait(number: int, what: str) -> str:
    """A number of things that wait: `1 job waits`, `12 jobs wait`."""
    return f"{counted(number, what)} {'waits' if number == 1 else 'wait'}"


def no_such_job(reference: str) -> str:
    """What is said of a job that there is not, by whoever was asked for it."""
    return f"there is no job {reference!r}: give an id, a unique id or TYPE/KEY"
