"""`hrsi why`: the recorded reasons behind what happened, or did not, to one thing.

The ledger has a row for every decision, refusals included, from the moment its reason changed. A
job is also explained by what was decided about its flavor, type and runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.output import EXIT_FAILED, complain, print_json, print_table, say
from controller.cli.session import AsJson, examples, people
from models.job_types import DEFAULT_REGISTRY
from models.plan import Subject, SubjectKind
from models.ports import JobStory, Reader
from models.records import LedgerRow

app = typer.Typer(no_args_is_help=True, help="Why: the recorded reasons about one thing.")

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many reasons.")]


@app.command(epilog=examples("hrsi why job 17", "hrsi why job gfsc/28WEU-2022-09-06 --json"))
def job(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="JOB", help="Id, unique id or TYPE/KEY.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why a job is where it is: decisions about it, its flavor, its type and its runs."""
    with people(context) as desk:
        story = desk.reader.story(reference)
        rows = desk.reader.ledger(_subjects_of(story), limit)
    if as_json:
        print_json({"job": story.job, "decisions": rows})
        return
    say(_standing(story))
    _tell(rows)


def _standing(story: JobStory) -> str:
    found = story.job
    newest = story.history[-1]
    told = ": ".join(part for part in (newest.subtype, newest.message) if part)
    rests = ", quarantined until a person relaunches it" if found.quarantined else ""
    return (
        f"Job {found.id} ({found.type}, {found.name}) is {found.status} since "
        f"{found.status_at:%Y-%m-%d %H:%M:%S}, attempt {found.attempt}{rests}"
        + (f". {told}" if told else "")
    )


def _subjects_of(story: JobStory) -> list[str]:
    found = story.job
    subjects = [
        Subject(SubjectKind.JOB, str(found.id)),
        Subject(SubjectKind.FLAVOR, found.flavor),
        Subject(SubjectKind.TYPE, found.type),
    ]
    children = [run.nomad_job_id for run in story.runs if run.nomad_job_id]
    return [str(s) for s in (*subjects, *(Subject(SubjectKind.CHILD, c) for c in children))]


@app.command(epilog=examples("hrsi why worker os-worker-003"))
def worker(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Worker name, e.g. os-worker-007.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why a worker was created, kept, marked or deleted."""
    with people(context) as desk:
        subjects = [str(Subject(SubjectKind.WORKER, name)), *_machine(desk.reader, name)]
        rows = desk.reader.ledger(subjects, limit)
    _answer(f"worker {name}", rows, as_json=as_json)


def _machine(reader: Reader, name: str) -> list[str]:
    """The server and node that the worker of this name is or was: they have rows of their own."""
    found: list[str] = []
    for row in reader.workers(closed=True):
        if row.name == name:
            found += [str(Subject(SubjectKind.SERVER, row.server_id))] if row.server_id else []
            found += [str(Subject(SubjectKind.NODE, row.node_id))] if row.node_id else []
    return found


@app.command(epilog=examples("hrsi why flavor hm.large --limit 5"))
def flavor(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Flavor, e.g. hm.medium.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Why workers of a flavor were created, or why not."""
    if name not in DEFAULT_REGISTRY.flavors:
        known = ", ".join(DEFAULT_REGISTRY.flavors)
        raise typer.BadParameter(f"{name!r} is no flavor of the pool; there are: {known}")
    with people(context) as desk:
        rows = desk.reader.ledger([str(Subject(SubjectKind.FLAVOR, name))], limit)
    _answer(f"flavor {name}", rows, as_json=as_json)


def _answer(what: str, rows: tuple[LedgerRow, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        _tell(rows)
    else:
        complain(f"{what}: nothing was ever decided about it, or its records were pruned")
        raise typer.Exit(EXIT_FAILED)


def _tell(rows: tuple[LedgerRow, ...]) -> None:
    print_table(
        "Decisions, newest first",
        ("last", "first", "times", "about", "action", "reason", "because"),
        [(r.last_at, r.first_at, r.count, r.subject, r.action, r.reason, r.because) for r in rows],
    )
