"""`hrsi source`: how far each feed of the catalogues has been met, and what was not understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from controller.bootstrap import People
from controller.cli.jobs import tell_verdicts
from controller.cli.output import print_json, print_table, say
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
from controller.sweeps import feeds_wanted
from models.creation import JOB_TYPES_OF, Cursor, Feed
from models.errors import ConfigurationError
from models.parameter_text import standings
from models.records import LedgerRow
from models.settings import settings_kept
from models.wording import in_utc

app = typer.Typer(
    no_args_is_help=True, help="See how far the catalogues were read, and read them again."
)


DAY = timedelta(days=1)
MOST_REJECTED = 1_000


@app.command("list", epilog=examples("hrsi source list", "hrsi source list --json"))
def list_feeds(context: typer.Context, as_json: AsJson = False) -> None:
    """List the feeds: up to which publication each has been met, and when it was last looked
    through far before that, which it is once in `creation.deep_every`.

    Named are those of the settings and those that were read once.
    """
    with people(context) as desk:
        cursors = {cursor.feed: cursor for cursor in desk.feeds.cursors()}
    feeds = sorted({*cursors, *feeds_wanted(settings(context).creation)})
    if as_json:
        print_json([_plain(feed, cursors.get(feed)) for feed in feeds])
        return
    rows = [_row(feed, cursors.get(feed)) for feed in feeds]
    print_table("Feeds", ("feed", "met until", "looked far back at"), rows)


@app.command(
    epilog=examples(
        "hrsi source show creodias/SENTINEL-2/S2MSI1C",
        "hrsi source show creodias/SENTINEL-2/S2MSI1C --json",
    )
)
def show(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(help="As `hrsi source list` names it.")],
    as_json: AsJson = False,
) -> None:
    """Show one feed: how far behind it is, what it brings, what was not understood, and why."""
    shown, now = _feed(feed), datetime.now(UTC)
    with people(context) as desk:
        found = _look(desk, shown, now)
    if as_json:
        print_json(found)
        return
    cursor = found.cursor
    if cursor is None:
        say(f"{shown}: never read")
    else:
        say(f"{shown}: met until {in_utc(cursor.until)}, {found.lag_seconds:.0f} s ago")
        say(f"looked through far before that at {in_utc(cursor.deep_at)}")
    for each in found.brought:
        ordinary = (
            "" if each.least is None else f"; {each.least:.0f} to {each.most:.0f} are ordinary"
        )
        say(f"{each.type}: {each.jobs} jobs in the last 24 h{ordinary}")
    say(f"{found.rejected} entries of {shown.source} not understood: hrsi source rejects")
    rows = [(row.last_at, row.subject, row.reason, row.because) for row in found.reasons]
    print_table("Newest reasons", ("at", "about", "reason", "because"), rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """What one type of job had from catalogues in the last 24 h, and what is ordinary."""

    type: str
    jobs: int
    least: float | None
    most: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedNow:
    """One feed as it stands. `rejected` counts at most `MOST_REJECTED`."""

    feed: str
    cursor: Cursor | None
    lag_seconds: float | None
    brought: tuple[Brought, ...]
    rejected: int
    reasons: tuple[LedgerRow, ...]


def _look(desk: People, feed: Feed, now: datetime) -> FeedNow:
    cursor = next((each for each in desk.feeds.cursors() if each.feed == feed), None)
    types = JOB_TYPES_OF.get(feed.type, ())
    arrivals = desk.feeds.arrivals((now - DAY).replace(minute=0, second=0, microsecond=0))
    live = standings(desk.reader.parameters(), now)
    expected = settings_kept({each.parameter.key: each.value for each in live}).expected
    brought = []
    for name in types:
        least, most = expected.range_of(name, now) or (None, None)
        jobs = arrivals.counts.get(name, 0)
        brought.append(Brought(type=name, jobs=jobs, least=least, most=most))
    return FeedNow(
        feed=str(feed),
        cursor=cursor,
        lag_seconds=(now - cursor.until).total_seconds() if cursor else None,
        brought=tuple(brought),
        rejected=len(desk.feeds.rejects(feed.source, MOST_REJECTED)),
        reasons=desk.reader.ledger([f"source:{feed}", *(f"type:{name}" for name in types)], 5),
    )


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
        (
            row.last_at,
            row.entry.source,
            row.entry.collection.value,
            row.entry.entry,
            row.entry.reason,
            row.entry.why,
        )
        for row in found
    ]
    columns = ("last met", "source", "collection", "entry", "odd is its", "why")
    print_table("Not understood, newest first", columns, rows)


@app.command(epilog=examples("hrsi source groups", "hrsi source groups --type gfsc --json"))
def groups(
    context: typer.Context,
    job_type: Annotated[
        str | None, typer.Option("--type", help="Only of this type of job.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the groups of products that wait for more before a job is made of them, the longest
    waiting first: for what, since when, and when they are looked at again at the latest.
    """
    with people(context) as desk:
        found = desk.feeds.waiting(job_type, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (group.job_type, group.key, len(group.tiles), group.waits, group.waits_since, group.due_at)
        for group in found
    ]
    columns = ("type", "group", "tiles", "waits", "since", "at the latest until")
    print_table("Groups of products that wait for more", columns, rows)


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
