"""`hrsi source`: how far each feed of the catalogues has been met, and what was not understood."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.jobs import tell_verdicts
from controller.cli.output import print_json, print_table
from controller.cli.session import (
    AsJson,
    DryRun,
    Why,
    asked,
    examples,
    moment,
    people,
    settings,
)
from controller.config import Config
from controller.sweeps import INPUTS
from models.creation import Cursor, Feed
from models.errors import ConfigurationError

app = typer.Typer(
    no_args_is_help=True, help="See how far the catalogues were read, and read them again."
)


@app.command("list", epilog=examples("hrsi source list", "hrsi source list --json"))
def list_feeds(context: typer.Context, as_json: AsJson = False) -> None:
    """List the feeds: up to which publication each has been met, and when it was last gone through.

    Named are those of the settings and those that were read once.
    """
    with people(context) as desk:
        cursors = {cursor.feed: cursor for cursor in desk.feeds.cursors()}
    feeds = sorted({*cursors, *_wanted(settings(context))})
    if as_json:
        print_json([_plain(feed, cursors.get(feed)) for feed in feeds])
        return
    rows = [_row(feed, cursors.get(feed)) for feed in feeds]
    print_table("Feeds", ("feed", "met until", "gone through at"), rows)


@app.command(
    epilog=examples(
        "hrsi source rejects",
        "hrsi source rejects creodias --limit 5",
        "hrsi source rejects --json",
    )
)
def rejects(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(help="Only those of this catalogue.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the entries that nobody understood, newest first; with --json also their text."""
    with people(context) as desk:
        found = desk.feeds.rejects(source, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (row.last_at, row.entry.source, row.entry.collection.value, row.entry.entry, row.entry.why)
        for row in found
    ]
    columns = ("last met", "source", "collection", "entry", "why")
    print_table("Not understood, newest first", columns, rows)


@app.command(
    epilog=examples(
        'hrsi source rewind creodias/SENTINEL-2/S2MSI1C --to 2026-01-05 --reason "they re-indexed"',
        "hrsi source rewind creodias/SENTINEL-2/S2MSI1C --to 2026-01-05T12:00 --dry-run",
    )
)
def rewind(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(help="As `hrsi source list` names it.")],
    to: Annotated[
        str, typer.Option("--to", metavar="WHEN", help="A day or a time, UTC when it says no zone.")
    ],
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a feed's cursor back, so that all published from then on is met again.

    What has its job gets no second one.
    """
    moved, back = _feed(feed), moment("--to", to)
    with people(context) as desk:
        verdict = desk.feeds.rewind(moved, back, asked(reason, dry_run=dry_run))
    tell_verdicts("rewound", (verdict,), as_json=as_json, dry_run=dry_run)


def _wanted(config: Config) -> list[Feed]:
    names = [name for name, _ in (*config.creation.odata, *config.creation.resto)]
    return [Feed(source=n, collection=c, type=t) for n in names for c, t in INPUTS]


def _row(feed: Feed, cursor: Cursor | None) -> tuple[object, ...]:
    if cursor is None:
        return (str(feed), "never read", "")
    return (str(feed), cursor.until, cursor.deep_at)


def _plain(feed: Feed, cursor: Cursor | None) -> dict[str, object]:
    return {
        "feed": str(feed),
        "until": cursor.until if cursor else None,
        "deep_at": cursor.deep_at if cursor else None,
    }


def _feed(text: str) -> Feed:
    try:
        return Feed.named(text)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
