"""`hrsi campaign`: process again, or late, what was measured in a window of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from controller import bootstrap
from controller.bootstrap import People
from controller.campaign_reading import offers_of
from controller.campaigning import foretold
from controller.cli.campaign_course import (
    bar,
    ending_told,
    left_running,
    story,
    watched,
    window,
)
from controller.cli.jobs import tell_verdicts
from controller.cli.output import EXIT_FAILED, print_json, print_table, say
from controller.cli.session import (
    AsJson,
    DryRun,
    Why,
    asked,
    counted_up,
    examples,
    moment,
    people,
    settings,
)
from controller.clock import SystemClock
from controller.config import Config
from models.areas import area_of_tiles
from models.campaigning import end_campaign, source_of, subject_of
from models.campaigns import (
    Begun,
    Campaign,
    CampaignOrder,
    CampaignState,
    Tally,
)
from models.errors import ConfigurationError, Malformed
from models.parameter_text import standings
from models.settings import settings_kept
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import CAMPAIGN_TYPES

app = typer.Typer(
    no_args_is_help=True,
    help="Campaigns: process again what was measured in a window of time.",
)

Id = Annotated[
    int,
    typer.Argument(metavar="ID", callback=counted_up, help="As `hrsi campaign list` shows it."),
]

EVERY_BATCH = 1_000_000
"""More than there are jobs."""


@app.command(
    epilog=examples(
        "hrsi campaign create --type fsc_rlie --from 2024-01-01 --to 2024-02-01 "
        "--tiles 32TLR,32TMS --dry-run",
        "hrsi campaign create --type rlies1 --from 2024-01-01 --to 2024-02-01 --again "
        '--reason "software 1.8"',
        "hrsi campaign create --type gfsc --from 2024-01-01 --to 2024-02-01 --dry-run",
    )
)
def create(
    context: typer.Context,
    job_type: Annotated[
        str, typer.Option("--type", metavar="T", help=f"One of: {', '.join(CAMPAIGN_TYPES)}.")
    ],
    since: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="Measured from this day or time on.")
    ],
    until: Annotated[str, typer.Option("--to", metavar="WHEN", help="Measured before that.")],
    tiles: Annotated[
        str | None,
        typer.Option(help="Only these, such as 32TLR,32TMS; else the area of the settings."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="A catalogue of the settings that lists what the type is made of; else the first."
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what has its job already.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait until all of its jobs are created.")
    ] = False,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create jobs of reprocessing for all that was measured in a window, through the catalogue.

    The controller creates them part by part; whatever is interrupted goes on where it was. Together
    such jobs take no more than `pool.reprocessing_share` of the pool. A dry run reads the catalogue
    and counts. What is made of several products is made of those that are listed today.
    """
    config = settings(context)
    order = CampaignOrder(
        job_type=job_type,
        source=_source(config, job_type, source),
        since=moment("--from", since),
        until=_past("--to", until),
        tiles=_tiles(config, tiles),
        again=again,
    )
    if order.since >= order.until:
        raise ConfigurationError("--from is not before --to: there is nothing in between")
    with people(context) as desk:
        if dry_run:
            ended = _counted(config, desk, order)
        else:
            begun = desk.campaigns.begin_campaign(order, asked(reason))
            ended = begun.campaign
            with left_running(ended):
                if not as_json:
                    say(_greeting(begun))
                ended = ended if detach else watched(desk, ended)
    if as_json:
        print_json(ended)
    else:
        say(story(ended, dry_run=dry_run))
    if ended.state is CampaignState.CANCELLED:
        raise typer.Exit(EXIT_FAILED)


@app.command(
    "list",
    epilog=examples("hrsi campaign list", "hrsi campaign list --all", "hrsi campaign list --json"),
)
def listed(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List campaigns and how far each has come."""
    with people(context) as desk:
        found = desk.campaigns.campaigns(ended=ended)
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "type", "measured", "tiles", "met", "created", "existing", "by")
    rows = [
        (
            each.id,
            each.state,
            each.order.job_type,
            window(each),
            len(each.order.tiles),
            f"{each.share:.0%}",
            each.tally.created,
            each.tally.existing,
            each.asked_by,
        )
        for each in found
    ]
    print_table("Campaigns", columns, rows)


@app.command(epilog=examples("hrsi campaign show 3", "hrsi campaign show 3 --json"))
def show(context: typer.Context, campaign_id: Id, as_json: AsJson = False) -> None:
    """Show one campaign: how far it has come, what it met, and where its jobs stand."""
    with people(context) as desk:
        campaign = desk.campaigns.campaign(campaign_id)
        jobs = desk.campaigns.jobs_of_campaign(campaign_id)
        reasons = desk.reader.ledger([subject_of(campaign_id)], 5)
    if as_json:
        print_json({"campaign": campaign, "jobs": jobs, "reasons": reasons})
        return
    order, why = campaign.order, f": {campaign.reason}" if campaign.reason else ""
    say(f"campaign {campaign.id}, {campaign.state}, begun by {campaign.asked_by}{why}")
    say(f"{order.job_type} from {order.source}, measured {window(campaign)}")
    say(f"tiles: {', '.join(order.tiles)}")
    say(story(campaign, dry_run=False))
    say("jobs: " + (", ".join(f"{n} {s}" for s, n in jobs.items()) or "none yet"))
    rows = [(row.last_at, row.reason, row.because) for row in reasons]
    print_table("Newest reasons", ("at", "reason", "because"), rows)


def _turning(to: CampaignState, done: str) -> Callable[..., None]:
    """The command that turns a campaign to a state, from which it can be turned back."""

    def turn(
        context: typer.Context,
        campaign_id: Id,
        reason: Why = "",
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        with people(context) as desk:
            asking = asked(reason, dry_run=dry_run)
            verdict = desk.campaigns.turn_campaign(campaign_id, to, asking)
        tell_verdicts(done, (verdict,), as_json=as_json, dry_run=dry_run)

    return turn


app.command(
    "pause",
    help="""Create no further jobs of a campaign until it is resumed. The jobs that are there go on.

    `hrsi param set pool.reprocessing_share=0` holds those back that no run has begun for.
    """,
    epilog=examples('hrsi campaign pause 3 --reason "the catalogue is slow"'),
)(_turning(CampaignState.PAUSED, "paused"))
app.command(
    "resume",
    help="Go on with a campaign that was paused, from where it was.",
    epilog=examples("hrsi campaign resume 3"),
)(_turning(CampaignState.RUNNING, "resumed"))


@app.command(
    epilog=examples(
        'hrsi campaign cancel 3 --reason "wrong tiles"', "hrsi campaign cancel 3 --keep-jobs"
    )
)
def cancel(
    context: typer.Context,
    campaign_id: Id,
    keep_jobs: Annotated[
        bool, typer.Option("--keep-jobs", help="Only create no further ones.")
    ] = False,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a campaign, and cancel its jobs that no run has begun for; those that run go on.

    Said again, it does what is left to do. Of a campaign that has created all its jobs, those that
    wait are cancelled.
    """
    with people(context) as desk:
        ending = end_campaign(
            desk.campaigns,
            campaign_id,
            asked(reason, dry_run=dry_run),
            batches=EVERY_BATCH,
            keep_jobs=keep_jobs,
        )
    if as_json:
        print_json(ending)
    else:
        for sentence in ending_told(ending, dry_run=dry_run):
            say(sentence)


def _greeting(begun: Begun) -> str:
    campaign = begun.campaign
    subject = subject_of(campaign.id)
    if begun.is_new:
        return f"{subject}: begun"
    since = f"{campaign.created_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{subject}: it is {campaign.state} with the same order since {since}, begun by"
        f" {campaign.asked_by}: no second one is begun"
    )


# ---- what was asked for --------------------------------------------------------------------------


def _source(config: Config, job_type: str, name: str | None) -> str:
    try:
        return source_of(offers_of(config.creation), job_type, name)
    except Malformed as error:
        raise ConfigurationError(f"--{error}") from error


def _past(option: str, text: str) -> datetime:
    at = moment(option, text)
    if at > datetime.now(UTC):
        raise ConfigurationError(
            f"{option}: {text} is yet to come; what is measured from now on gets its jobs anyway"
        )
    return at


def _tiles(config: Config, text: str | None) -> tuple[str, ...]:
    if text is None:
        return bootstrap.area(config.creation).tiles
    try:
        return area_of_tiles([each.strip() for each in text.split(",") if each.strip()]).tiles
    except ValueError as error:
        raise ConfigurationError(f"--tiles: {error}") from error


# ---- how far it is -------------------------------------------------------------------------------


def _counted(config: Config, desk: People, order: CampaignOrder) -> Campaign:
    """What a campaign would come to. Nothing is written."""
    campaign = Campaign(
        id=0,
        order=order,
        state=CampaignState.RUNNING,
        reached=order.since,
        tally=Tally(),
        asked_by=asked().actor,
        reason="",
        created_at=datetime.now(UTC),
    )
    with bootstrap.library(config) as library, bar("counting") as advance:
        reader = library.reader_of(order, SystemClock())
        for part in foretold(campaign, reader, desk.feeds, _creation(desk)):
            campaign = part
            advance(campaign)
    return campaign


def _creation(desk: People) -> CreationSettings:
    """The live parameters of creation."""
    found = standings(desk.reader.parameters(), datetime.now(UTC))
    return settings_kept({each.parameter.key: each.value for each in found}).creation
