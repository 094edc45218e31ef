"""`hrsi pause`, `hrsi resume`, `hrsi paused`: let something rest, and see what rests."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.jobs import tell_verdicts
from controller.cli.output import print_json, print_table
from controller.cli.session import (
    AsJson,
    Because,
    DryRun,
    Lasts,
    Why,
    asked,
    asked_why,
    examples,
    lasting,
    office,
)
from controller.reconcilers import RECONCILERS
from models.pauses import EVERYTHING, loop_target, type_target

app = typer.Typer()

LOOPS = tuple(reconciler.name for reconciler in RECONCILERS)

Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help=f"Only this loop: {', '.join(LOOPS)}."),
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="T", help="Only jobs of this type, e.g. gfsc.")
]


@app.command(
    epilog=examples(
        'hrsi pause --for 30m --reason "Nomad is upgraded"',
        "hrsi pause worker-pool --dry-run",
        'hrsi pause --type gfsc --reason "its inputs are wrong"',
    )
)
def pause(
    context: typer.Context,
    reason: Because = "",
    name: Name = None,
    job_type: Type = None,
    lasts: Lasts = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let everything rest, or one loop, or the jobs of one type; runs that are out go on.

    A paused loop goes on looking and says what it would do. Of a paused type nothing is dispatched,
    and no worker is created for it.
    """
    with office(context) as desk:
        asking = asked_why(reason, dry_run=dry_run)
        target = _target(name, job_type)
        verdicts = desk.operations.pause([target], asking, lasts=lasting(lasts))
    tell_verdicts("paused", verdicts, as_json=as_json, dry_run=dry_run)


@app.command(
    epilog=examples("hrsi resume", "hrsi resume worker-pool", "hrsi resume --type gfsc --dry-run")
)
def resume(
    context: typer.Context,
    name: Name = None,
    job_type: Type = None,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a pause. Each pause is ended by itself: without NAME or --type, that of everything."""
    with office(context) as desk:
        asking = asked(reason, dry_run=dry_run)
        verdicts = desk.operations.resume([_target(name, job_type)], asking)
    tell_verdicts("resumed", verdicts, as_json=as_json, dry_run=dry_run)


def _target(name: str | None, job_type: str | None) -> str:
    if name is not None and job_type is not None:
        raise typer.BadParameter("give a loop's NAME or --type, not both")
    if job_type is not None:
        return type_target(job_type)
    if name is None:
        return EVERYTHING
    if name not in LOOPS:
        raise typer.BadParameter(f"{name!r} is no loop; there are: {', '.join(LOOPS)}")
    return loop_target(name)


@app.command(epilog=examples("hrsi paused", "hrsi paused --json"))
def paused(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is paused, by whom, why and until when."""
    with office(context) as desk:
        found = desk.reader.pauses()
    if as_json:
        print_json(found)
        return
    rows = [(p.target, p.since, p.until, p.by, p.reason) for p in found]
    print_table("Pauses", ("what", "since", "until", "by", "why"), rows)
