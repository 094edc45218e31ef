"""`hrsi job`: hand jobs in, look at them, cancel and relaunch them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.fetch import fetch_job
from controller.cli.joblog import job_log
from controller.cli.output import (
    EXIT_FAILED,
    complain,
    print_json,
    print_table,
    say,
)
from controller.cli.session import AsJson, DryRun, Why, asked, examples, office
from controller.clock import SystemClock
from models.errors import NotFound
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import ERRORS, Status
from models.ports import JobFilter, JobKey, JobStory, Reader, Submitted, Verdict
from models.submission import Submission, parse_submission
from models.turnaround import step_times
from models.wording import counted, in_utc, seconds

app = typer.Typer(
    no_args_is_help=True, help="Jobs: submit, list, show, log, fetch, cancel, relaunch."
)
app.command(
    "fetch",
    epilog=examples(
        "hrsi job fetch 17 ./job-17", "hrsi job fetch fsc_rlie/S2A_MSIL1C_… ./job --products"
    ),
)(fetch_job)
app.command(
    "log",
    epilog=examples(
        "hrsi job log 17", "hrsi job log 17 --stream main.stderr --follow", "hrsi job log 17 --list"
    ),
)(job_log)

Ids = Annotated[list[str], typer.Argument(metavar="JOB…", help="Id, unique id or TYPE/KEY.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Job type; may be repeated.")]
Statuses = Annotated[list[Status] | None, typer.Option("--status", help="Status; may be repeated.")]


@app.command(
    epilog=examples(
        """echo '{"type": "test", "name": "try-1"}' | hrsi job submit -""",
        "hrsi job submit jobs.jsonl --dry-run",
    )
)
def submit(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON Lines, - for standard input.")
    ],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Hand in jobs, one JSON object a line. Bad lines are refused one by one, good ones go in.

    A job that is in the table already (same type and key) is left as it is: twice adds nothing.
    """
    submission = parse_submission(_lines(file), DEFAULT_REGISTRY)
    with office(context) as desk:
        made = desk.operations.submit(submission.jobs, asked("job submit", dry_run=dry_run))
    if as_json:
        print_json({"added": made.added, "existing": made.existing, "refused": submission.refused})
    else:
        _tell_submission(submission, made, dry_run=dry_run)
    if submission.refused:
        raise typer.Exit(EXIT_FAILED)


def _lines(file: str) -> Iterable[bytes]:
    if file == "-":
        return sys.stdin.buffer.readlines()
    try:
        return Path(file).read_bytes().splitlines()
    except OSError as error:
        complain(f"{file}: cannot be read ({error.strerror}); no job was handed in")
        raise typer.Exit(EXIT_FAILED) from error


def _tell_submission(submission: Submission, made: Submitted, *, dry_run: bool) -> None:
    for refusal in submission.refused:
        complain(f"line {refusal.line}: {refusal.error}; this line was not taken")
    would = "would be " if dry_run else ""
    total = len(submission.jobs)
    new = total - len(made.existing) if dry_run else len(made.added)
    say(
        f"{counted(new, 'job')} {would}added, {_were(len(made.existing))} there already, "
        f"{counted(len(submission.refused), 'line')} refused"
    )
    if made.added:
        first, last = min(made.added), max(made.added)
        ids = f"It is job {first}" if first == last else f"They are jobs {first} to {last}"
        say(f"{ids}; see where one stands: hrsi why job {first}")


def _were(number: int) -> str:
    return f"{number} {'was' if number == 1 else 'were'}"


@app.command(
    "list",
    epilog=examples(
        "hrsi job list --status ready --type fsc_rlie", "hrsi job list --quarantined --json"
    ),
)
def list_jobs(
    context: typer.Context,
    types: Types = None,
    statuses: Statuses = None,
    tile: Annotated[str | None, typer.Option(help="Only this tile, e.g. 32TLR.")] = None,
    quarantined: Annotated[
        bool | None, typer.Option("--quarantined/--moving", help="Only (not) quarantined jobs.")
    ] = None,
    after: Annotated[int, typer.Option(help="Go on above this id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs by id."""
    wanted = JobFilter(
        types=_known(types),
        statuses=tuple(statuses or ()),
        tile=tile,
        quarantined=quarantined,
        after=JobKey(id=after),
        limit=limit,
    )
    with office(context) as desk:
        jobs = desk.reader.jobs(wanted)
    if as_json:
        print_json(jobs)
        return
    rows = [
        (
            *(j.id, j.type, j.name, j.priority, _status(j.status, quarantined=j.quarantined)),
            *(j.attempt, j.status_at, j.error_subtype),
        )
        for j in jobs
    ]
    columns = ("id", "type", "name", "priority", "status", "attempt", "since", "error")
    print_table("Jobs", columns, rows)
    if len(jobs) == limit:
        say(f"There may be more: --after {jobs[-1].id}")


def _status(status: Status, *, quarantined: bool) -> str:
    return f"{status} (quarantined)" if quarantined else status.value


@app.command(epilog=examples("hrsi job show 17", "hrsi job show gfsc/28WEU-2022-09-06 --json"))
def show(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="Id, unique id or TYPE/KEY.")],
    as_json: AsJson = False,
) -> None:
    """Show everything known about one job: its row, history and runs."""
    with office(context) as desk:
        story = desk.reader.story(job)
    if as_json:
        print_json(story)
        return
    _tell_story(story)


def _spelled(value: object) -> object:
    """A time with its day and zone: no heading says them for a column of unlike things."""
    return in_utc(value) if isinstance(value, datetime) else value


def _tell_story(story: JobStory) -> None:
    print_table(
        "Job",
        ("field", "value"),
        [(f.name, _spelled(getattr(story.job, f.name))) for f in fields(story.job)],
    )
    print_table(
        "History",
        ("seq", "at", "from", "to", "subtype", "message", "actor", "attempt"),
        [
            (h.seq, h.at, h.before, h.after, h.subtype, h.message, h.actor, h.attempt)
            for h in story.history
        ],
    )
    print_table(
        "Where its time went",
        ("step", "took", "share"),
        [
            (each.step, seconds(each.took), f"{each.share:.0%}")
            for each in step_times(story.history, SystemClock().now())
        ],
    )
    print_table(
        "Runs",
        ("attempt", "claim", "node", "address", "claimed", "ended", "end", "exit", "Nomad job"),
        [
            (
                *(r.attempt, r.claim, r.node_name, r.address, r.claimed_at, r.ended_at, r.end),
                *(r.exit_code, r.nomad_job_id),
            )
            for r in story.runs
        ],
    )


@app.command(epilog=examples('hrsi job cancel 17 18 --reason "wrong tile"'))
def cancel(
    context: typer.Context,
    jobs: Ids,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs. A run in flight is stopped; its worker is free again soon after."""
    with office(context) as desk:
        ids, missing = _judged(desk.reader, jobs)
        verdicts = desk.operations.cancel(ids, asked(reason, dry_run=dry_run))
    tell_verdicts("cancelled", (*verdicts, *missing), as_json=as_json, dry_run=dry_run)


@app.command(
    epilog=examples("hrsi job relaunch 17", "hrsi job relaunch --errors --type gfsc --dry-run"),
)
def relaunch(
    context: typer.Context,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB…")] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="All jobs in an error status (see --type).")
    ] = False,
    types: Types = None,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send jobs through error_checked back to work, with a new attempt budget."""
    if jobs and errors:
        raise typer.BadParameter("name the jobs or give --errors, not both")
    if not jobs and not errors:
        raise typer.BadParameter("name the jobs, or give --errors for all that are in error")
    with office(context) as desk:
        known, missing = _judged(desk.reader, jobs or [])
        ids = _in_error(desk.reader, _known(types)) if errors else known
        verdicts = desk.operations.relaunch(ids, asked(reason, dry_run=dry_run))
    if errors and not ids and not as_json:
        say("no job is in error")
    tell_verdicts("relaunched", (*verdicts, *missing), as_json=as_json, dry_run=dry_run)


def _judged(reader: Reader, references: Iterable[str]) -> tuple[list[int], list[Verdict]]:
    """The jobs that there are, and a refusal for each reference to none: the rest goes on."""
    ids: list[int] = []
    missing: list[Verdict] = []
    for reference in references:
        try:
            ids.append(reader.story(reference).job.id)
        except NotFound as error:
            subject = f"job:{reference}"
            missing.append(Verdict(subject=subject, done=False, because=str(error)))
    return ids, missing


def _known(types: Iterable[str] | None) -> tuple[str, ...]:
    """The types that were given, all of them known."""
    wanted = tuple(types or ())
    for each in wanted:
        if each not in DEFAULT_REGISTRY.types:
            known = ", ".join(DEFAULT_REGISTRY.types)
            raise typer.BadParameter(f"{each!r} is no job type; there are: {known}")
    return wanted


def _in_error(reader: Reader, types: Iterable[str]) -> list[int]:
    found: list[int] = []
    wanted = JobFilter(types=tuple(types), statuses=tuple(sorted(ERRORS)), limit=10_000)
    while page := reader.jobs(wanted):
        found += [job.id for job in page]
        wanted = replace(wanted, after=JobKey(id=found[-1]))
    return found


def tell_verdicts(
    done: str,
    verdicts: tuple[Verdict, ...],
    *,
    as_json: bool,
    dry_run: bool,
    later: bool = False,
) -> None:
    """Say what became of each thing that was asked for; exit 1 when one was refused.

    `later`: the controller does it from now on, and it has not happened yet. The same said of
    several is said once.
    """
    happened = "would be " if dry_run else "is to be " if later else ""
    if as_json:
        print_json(verdicts)
    else:
        for verdict, count in Counter(verdicts).items():
            word = f"{happened}{done}" if verdict.done else f"not {done}"
            times = f"{count} " if count > 1 else ""
            say(f"{verdict.subject}: {times}{word}: {verdict.because}")
    require_done(verdicts)


def require_done(verdicts: Iterable[Verdict]) -> None:
    """End with exit 1 when anything that was asked for was refused."""
    if not all(verdict.done for verdict in verdicts):
        raise typer.Exit(EXIT_FAILED)
