"""What becomes of one job: ready, waiting for another, or put aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from models.configuration import IN_SERIES, Aside, Configured, Neighbour, Unready, Wait
from models.job_configs import JobConfig, SwsWdsConfig, has_masters, plain
from models.records import NewJob
from models.settings_configuration import ConfigurationSettings
from reconcilers.configuration import backward, series
from reconcilers.configuration.given import Given, UnfitInput, deadline, given, priority

NO_ASSEMBLY = 1
"""The bit of the exit code of a run that says that its assembly shows nothing."""

ASSEMBLY_CODES = range(0xD0, 0xD8)
"""Exit codes that have such bits."""


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of the jobs of one type."""

    jobs: list[Configured] = field(default_factory=list)
    unfit: list[Aside] = field(default_factory=list)
    futile: list[Aside] = field(default_factory=list)
    again: list[NewJob] = field(default_factory=list)


def judge(jobs: Iterable[Unready], settings: ConfigurationSettings, now: datetime) -> Outcome:
    """Each job by itself: one that makes no sense stops no other."""
    outcome = Outcome()
    for unready in jobs:
        try:
            read = given(unready)
        except UnfitInput as error:
            outcome.unfit.append(_aside(unready, str(error)))
            continue
        why = _why_futile(unready, read)
        if why:
            outcome.futile.append(_aside(unready, why))
            continue
        made = _configured(unready, read, settings, now)
        outcome.jobs.append(made)
        if made.wait is None and settings.backward_reprocessing:
            outcome.again += backward.again(unready)
    return outcome


def _aside(unready: Unready, why: str) -> Aside:
    return Aside(job_id=unready.job.id, expected_seq=unready.job.seq, why=why)


def _why_futile(unready: Unready, read: Given) -> str:
    """Why nothing would come of this job; empty when something may."""
    master = _master(unready, read)
    if master is None or not master.is_made or not _shows_nothing(master):
        return ""
    return f"job {master.id}, its master, found that the assembly which both need shows nothing"


def _configured(
    unready: Unready, read: Given, settings: ConfigurationSettings, now: datetime
) -> Configured:
    job, urgency = unready.job, priority(unready, read)
    blocker = _blocker(unready, read)
    wait = None if blocker is None else _wait(unready, blocker, settings, now)
    overtakes = blocker is not None and wait is None
    return Configured(
        job_id=job.id,
        expected_seq=job.seq,
        priority=urgency,
        deadline=deadline(unready, read, urgency),
        config=plain(_fields(unready, read, blocker if overtakes else None)),
        wait=wait,
        overtakes=overtakes,
    )


def _blocker(unready: Unready, read: Given) -> Neighbour | None:
    """The job that must be settled first."""
    if unready.job.type in IN_SERIES and unready.before is not None:
        return unready.before
    master = _master(unready, read)
    return master if master is not None and not (master.is_made or master.is_given_up) else None


def _master(unready: Unready, read: Given) -> Neighbour | None:
    """The other job that makes the assembly of this one; None when it needs none or makes it."""
    if not has_masters(unready.job.type) or read.master == unready.job.key:
        return None
    return unready.master


def _wait(
    unready: Unready, blocker: Neighbour, settings: ConfigurationSettings, now: datetime
) -> Wait | None:
    """None when this job has waited for long enough, for whatever it was."""
    since = unready.wait.since if unready.wait is not None else now
    until = since + settings.wait_most
    if until <= now:
        return None
    what = _what(unready, blocker)
    return Wait(for_job=blocker.id, since=since, until=until, why=f"it waits for {what}")


def _what(unready: Unready, blocker: Neighbour) -> str:
    """A job that this one waits for, and what it is to it."""
    if blocker is unready.before:
        return f"job {blocker.id}, which is earlier in the series of {unready.job.tile}"
    return f"job {blocker.id}, which makes the assembly that it needs"


# ---- what is stored ------------------------------------------------------------------------------


def _fields(unready: Unready, read: Given, overtaken: Neighbour | None) -> JobConfig:
    output = f"work/jobs/{unready.job.unique_id}"
    late = f"did not wait any longer for {_what(unready, overtaken)}" if overtaken else ""
    if unready.job.type in IN_SERIES:
        return series.fields(unready, output, late or _out_of_series(unready))
    if read.master is None or not has_masters(unready.job.type):
        return JobConfig(output=output)
    master = _master(unready, read)
    gone = master is None or master is overtaken or master.is_given_up
    relied_on = None if gone else master
    return SwsWdsConfig(
        output=output,
        order=late or _without(read.master, master, relied_on, own=read.master == unready.job.key),
        makes_assembly=relied_on is None,
        master_job=relied_on.id if relied_on is not None else None,
    )


def _out_of_series(unready: Unready) -> str:
    if not unready.after:
        return ""
    later = unready.after[0].id
    return f"out of series: it came when job {later}, which is later in it, was made already"


def _shows_nothing(master: Neighbour) -> bool:
    """Whether the assembly that it made is empty."""
    code = master.exit_code
    return code is not None and code in ASSEMBLY_CODES and bool(code & NO_ASSEMBLY)


def _without(name: str, master: Neighbour | None, relied_on: Neighbour | None, *, own: bool) -> str:
    """Why a job that has a master makes its assembly itself."""
    if own or relied_on is not None:
        return ""
    if master is None:
        return f"its master {name} is not there: it makes the assembly itself"
    return f"job {master.id}, its master, left no assembly: it makes one itself"
