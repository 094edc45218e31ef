"""`hrsi publication`: messages that wait in files, and refusals that nobody could match."""

from __future__ import annotations

from typing import Annotated

import typer

from controller import bootstrap
from controller.cli.output import print_json, print_table, say
from controller.cli.session import AsJson, DryRun, Why, asked, examples, people, settings
from controller.spooling import send_spool
from models.wording import counted

app = typer.Typer(
    no_args_is_help=True, help="Send messages that wait in files, and see refusals of nobody."
)


@app.command(
    "send-spool",
    epilog=examples(
        'hrsi publication send-spool --reason "the broker is set up"',
        "hrsi publication send-spool --dry-run",
    ),
)
def send_spooled(context: typer.Context, reason: Why = "", dry_run: DryRun = False) -> None:
    """Send the messages that were written to files while no broker was set.

    Each goes under the id that it had; a file is taken away once its message is confirmed. Exit
    status 1 when one was not.
    """
    with people(context) as desk, bootstrap.post(settings(context)) as post:
        if dry_run:
            say(f"{counted(len(post.spool.files()), 'message')} would be sent")
            return
        sent = send_spool(post.spool, post.broker, desk.outbox, asked(reason))
    say(f"{counted(sent.confirmed, 'message')} sent and confirmed")
    for line in sent.kept:
        say(f"kept: {line}")
    if sent.kept:
        raise typer.Exit(1)


@app.command(epilog=examples("hrsi publication parked", "hrsi publication parked --limit 5 --json"))
def parked(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List refused messages that name no product of ours, newest first; --json has their bodies."""
    with people(context) as desk:
        found = desk.outbox.parked(limit)
    if as_json:
        print_json(found)
        return
    rows = [(row.last_at, row.count, len(row.body), row.why) for row in found]
    print_table("Parked, newest first", ("last met", "times", "bytes", "why"), rows)
