"""`hrsi audit`: what people did, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.output import print_json, print_table
from controller.cli.session import AsJson, examples, office

app = typer.Typer()

NAMED = 3
"""So many of the things that one request changed are named; of the rest it is said how many."""


@app.command(epilog=examples("hrsi audit", "hrsi audit --about job:17", "hrsi audit --json"))
def audit(
    context: typer.Context,
    about: Annotated[
        str | None,
        typer.Option(metavar="SUBJECT", help="Only what changed this: job:17, worker:NAME, …"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what people did: when, who, what, to which things, and why."""
    with office(context) as desk:
        lines = desk.reader.audit(about, limit)
    if as_json:
        print_json(lines)
        return
    rows = [(a.at, a.actor, a.action, _named(a.subjects), a.reason) for a in lines]
    print_table("What people did, newest first", ("at", "who", "did", "to", "why"), rows)


def _named(subjects: tuple[str, ...]) -> str:
    more = len(subjects) - NAMED
    return " ".join((*subjects[:NAMED], *([f"and {more} more"] if more > 0 else [])))
