"""`hrsi publication`: what was announced and what was not, and what a person does about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated

import typer

from controller import bootstrap
from controller.bootstrap import People
from controller.cli.jobs import tell_verdicts
from controller.cli.output import EXIT_FAILED, print_json, print_table, say
from controller.cli.session import (
    AsJson,
    Because,
    DryRun,
    Why,
    asked,
    asked_why,
    counted_up,
    examples,
    moment,
    people,
    settings,
)
from controller.clock import SystemClock
from controller.config import Config
from controller.readback import found_in
from controller.spooling import send_spool
from models.manifest import ProductKind
from models.parameter_text import standings
from models.publication import ANNOUNCED
from models.reckoning import MENDS, SAYS, Made, Reckoning, missing_at, reckon, span_of
from models.settings import Settings, settings_kept
from models.wording import are, counted

app = typer.Typer(
    no_args_is_help=True,
    help="Compare what was made with what was announced, announce again, and see refusals.",
)

ParkedIds = Annotated[
    list[int],
    typer.Argument(metavar="ID…", callback=counted_up, help="As `parked` lists them."),
]
Day = Annotated[str, typer.Option("--day", help="The day (UTC) on which it was made: 2026-01-05.")]
Kind = Annotated[ProductKind | None, typer.Option("--type", help="Products of this type alone.")]


@app.command(
    epilog=examples(
        "hrsi publication audit --day 2026-01-05",
        "hrsi publication audit --day 2026-01-05 --type fsc --json",
    )
)
def audit(context: typer.Context, day: Day, kind: Kind = None, as_json: AsJson = False) -> None:
    """Count the products of a day: made, published, confirmed, found in our catalogue.

    Those that are behind for longer than `readback.late` are named; exit status 1 when there are
    any. Without creation.products there is no catalogue to look into.
    """
    now = SystemClock().now()
    with people(context) as desk:
        made = _made(desk, day, kind)
        late = now - _live(desk).readback.late
    found = _found(settings(context), made)
    reckoned = reckon(made, found, late)
    if as_json:
        print_json(reckoned)
    else:
        print_table(
            "Products by day and type",
            ("day", "type", "made", "published", "confirmed", "found"),
            [
                (f"{r.day}", r.kind, r.made, r.published, r.confirmed, _or_unknown(r.found))
                for r in reckoned
            ],
        )
        if reckoned and found is None:
            say("Our catalogue was not asked: creation.products names none")
        for each in reckoned:
            for step, products in each.missing:
                which = f"{each.day} {each.kind}: {are(len(products), 'product')} {SAYS[step]}"
                say(f"{which}: {', '.join(products)}; {MENDS[step]}")
        if reckoned:
            say(_in_all(reckoned))
    if any(each.missing for each in reckoned):
        raise typer.Exit(EXIT_FAILED)


@app.command(
    epilog=examples(
        'hrsi publication republish FSC_20220827T130318_S2A_T28WEU_V102_1 --reason "lost there"',
        "hrsi publication republish --day 2026-01-05 --type fsc --missing --dry-run",
    )
)
def republish(
    context: typer.Context,
    products: Annotated[list[str] | None, typer.Argument(metavar="PRODUCT…")] = None,
    day: Annotated[str | None, typer.Option("--day", help="All products of this day.")] = None,
    kind: Kind = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Of them, those that our catalogue does not list.")
    ] = False,
    reason: Because = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Announce products again, by name or by day: under the next send, their objects looked at.

    What is on its way already is refused, so that asking twice announces once.
    """
    if bool(products) == (day is not None):
        raise typer.BadParameter("name the products or give --day, not both")
    if products and (kind is not None or missing):
        raise typer.BadParameter("--type and --missing choose among the products of --day")
    asking = asked_why(reason, dry_run=dry_run)
    with people(context) as desk:
        names = products or []
        if day is not None:
            made = _announced(desk, day, kind)
            made = _unlisted(settings(context), made) if missing else made
            names = [each.product for each in made]
        verdicts = desk.outbox.republish(names, asking)
    if not names and not as_json:
        say("no product is to be announced again")
    tell_verdicts("announced again", verdicts, as_json=as_json, dry_run=dry_run, later=True)


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
    if dry_run:
        waiting = bootstrap.spool(settings(context), SystemClock()).files()
        say(f"{counted(len(waiting), 'message')} would be sent")
        return
    with people(context) as desk, bootstrap.post(settings(context)) as post:
        sent = send_spool(post.spool, post.broker, desk.outbox, asked(reason))
    say(f"{counted(sent.confirmed, 'message')} sent and confirmed")
    for line in sent.kept:
        say(f"kept: {line}")
    if sent.kept:
        raise typer.Exit(EXIT_FAILED)


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
    rows = [(row.id, row.last_at, row.count, len(row.body), row.why) for row in found]
    print_table("Parked, newest first", ("id", "last met", "times", "bytes", "why"), rows)
    if rows:
        say(
            "Once their cause is mended, `hrsi publication replay ID…` takes them in hand once "
            "more; what you have read and nothing is to follow from, `hrsi publication forget ID…`"
        )


@app.command(
    epilog=examples(
        'hrsi publication replay 7 8 --reason "the database was restored"',
        "hrsi publication replay 7 --dry-run",
    )
)
def replay(
    context: typer.Context,
    ids: ParkedIds,
    reason: Because = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take parked messages in hand once more: what names a product by now is sent again."""
    asking = asked_why(reason, dry_run=dry_run)
    with people(context) as desk:
        sends = _live(desk).publication.sends
        verdicts = desk.outbox.replay_parked(ids, sends, asking)
    tell_verdicts("replayed", verdicts, as_json=as_json, dry_run=dry_run)


@app.command(
    epilog=examples(
        'hrsi publication forget 7 8 --reason "sent by a test of the endpoint"',
        "hrsi publication forget 7 --dry-run",
    )
)
def forget(
    context: typer.Context,
    ids: ParkedIds,
    reason: Because = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep parked messages no longer: once read they are no alarm any more.

    Save what you need of them before: `hrsi publication parked --json` has their bodies.
    """
    asking = asked_why(reason, dry_run=dry_run)
    with people(context) as desk:
        verdicts = desk.outbox.forget_parked(ids, asking)
    tell_verdicts("forgotten", verdicts, as_json=as_json, dry_run=dry_run)


def _unlisted(config: Config, made: Collection[Made]) -> list[Made]:
    """Those that our catalogue does not list."""
    found = _found(config, made)
    if found is None:
        raise typer.BadParameter("--missing needs our catalogue: set creation.products")
    return [each for each in made if missing_at(each, found) is not None]


def _live(desk: People) -> Settings:
    """The live parameters."""
    stand = standings(desk.reader.parameters(), SystemClock().now())
    return settings_kept({each.parameter.key: each.value for each in stand})


def _made(desk: People, day: str, kind: ProductKind | None) -> list[Made]:
    since, until = span_of(moment("--day", day).date())
    made = desk.outbox.made(since, until)
    return [each for each in made if kind is None or each.kind == kind.value]


def _announced(desk: People, day: str, kind: ProductKind | None) -> list[Made]:
    return [each for each in _made(desk, day, kind) if each.state in ANNOUNCED]


def _found(config: Config, made: Collection[Made]) -> frozenset[str] | None:
    """What our catalogue lists of these; None: there is none to ask."""
    if not config.creation.products:
        return None
    name = config.creation.products[0][0]
    with bootstrap.catalogue(config, name) as catalogue:
        return found_in(catalogue, made, SystemClock().now() + timedelta(minutes=1))


def _in_all(reckoned: Collection[Reckoning]) -> str:
    """How many are where they should be, on their way, and missing."""
    made = sum(each.made for each in reckoned)
    there = sum(each.confirmed if each.found is None else each.found for each in reckoned)
    late = sum(len(products) for each in reckoned for _, products in each.missing)
    where = "in our catalogue" if all(each.found is not None for each in reckoned) else "confirmed"
    counts = f"{there} {where}, {made - there - late} on the way, {late} missing"
    return f"{counted(made, 'product')} made: {counts}"


def _or_unknown(found: int | None) -> str:
    return "not asked" if found is None else str(found)
