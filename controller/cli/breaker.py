"""`hrsi breaker`: what opened them, and the word of a person that closes one."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.jobs import tell_verdicts
from controller.cli.output import print_json, print_table, say
from controller.cli.session import AsJson, Because, DryRun, asked_why, examples, office
from models.breakers import Breaker, BreakerName

app = typer.Typer(
    no_args_is_help=True,
    help="Breakers: what holds deletions back when too much seems to be gone.",
)

SHOWN = 8
"""Workers of an opening that are named in the table; `--json` has all of them."""

All = Annotated[bool, typer.Option("--all", help="Closed ones too, the newest first.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(BreakerName)}.")]


@app.command(
    "list",
    epilog=examples("hrsi breaker list", "hrsi breaker list --all", "hrsi breaker list --json"),
)
def listed(context: typer.Context, closed: All = False, as_json: AsJson = False) -> None:
    """List open breakers: since when, why, and which workers they name."""
    with office(context) as desk:
        found = desk.reader.breakers(closed=closed)
    if as_json:
        print_json(found)
        return
    columns = ("breaker", "opened", "because", "workers", "closed", "by", "why")
    rows = [
        (b.name, b.opened_at, b.because, _named(b), b.closed_at, b.closed_by, b.close_reason)
        for b in found
    ]
    print_table("Breakers" if closed else "Open breakers", columns, rows)
    if any(breaker.closed_at is None for breaker in found):
        say(
            "While one is open, deletions, purges and requeues for absence are held back; workers "
            "are created and jobs dispatched as ever. docs/guide.md says what to look at before "
            "you close it."
        )


def _named(breaker: Breaker) -> str:
    names = sorted(breaker.suspects.values())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


@app.command(
    epilog=examples(
        'hrsi breaker close servers --reason "rack 12 burnt, all eight are gone" --dry-run',
        'hrsi breaker close removals --reason "image without nomad, mended; let them go"',
    )
)
def close(
    context: typer.Context,
    name: Name,
    reason: Because = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close a breaker: what it names by now is no mistake of a list, go on with it.

    The workers that it names are then treated by the ordinary rules: what is missing is asked for
    by id, what failed is deleted. They count for no breaker until they are well again.
    """
    with office(context) as desk:
        asking = asked_why(reason, dry_run=dry_run)
        verdicts = desk.operations.close_breaker([name], asking)
    tell_verdicts("closed", verdicts, as_json=as_json, dry_run=dry_run)
