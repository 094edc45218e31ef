"""How far a campaign has come, as it is watched and told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from controller.bootstrap import People
from controller.cli.output import complain, say
from models.campaigning import Ending, subject_of
from models.campaigns import Campaign, CampaignState, Tally
from models.causes import who_leads
from models.wording import counted, wait

LOOK_EVERY = 0.5
"""Seconds between two looks at how far it is."""


@contextmanager
def left_running(campaign: Campaign) -> Iterator[None]:
    """Say of a Ctrl-C that it ended the watching alone."""
    try:
        yield
    except KeyboardInterrupt:
        complain(
            f"{subject_of(campaign.id)}: the controller goes on with it; `hrsi campaign show "
            f"{campaign.id}` says how far it is, `hrsi campaign cancel {campaign.id}` ends it"
        )
        raise


def watched(desk: People, campaign: Campaign) -> Campaign:
    """Wait until a campaign has created its jobs, is paused or cancelled; or nobody works on it."""
    leader = next((each for each in desk.reader.leases() if each.name == "creation"), None)
    if leader is None or leader.expires_at <= datetime.now(UTC):
        told = who_leads(
            desk.reader.leases(), desk.reader.heartbeats(), "creation", datetime.now(UTC)
        )
        say(f"{told}: it begins once a controller does")
        return campaign
    with bar("creating") as advance:
        for look in _looks(desk, campaign.id):
            campaign = look
            advance(campaign)
    return campaign


def _looks(desk: People, campaign_id: int) -> Iterable[Campaign]:
    while True:
        campaign = desk.campaigns.campaign(campaign_id)
        yield campaign
        if campaign.state is not CampaignState.RUNNING:
            return
        time.sleep(LOOK_EVERY)


@contextmanager
def bar(doing: str) -> Iterator[Callable[[Campaign], None]]:
    """A progress bar where somebody looks: what shows a campaign in it."""
    screen = Console(stderr=True)
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    ) as progress:
        task = progress.add_task(doing, total=1.0, state="")

        def advance(campaign: Campaign) -> None:
            progress.update(task, completed=campaign.share, state=_brief(campaign.tally))

        yield advance


def _brief(tally: Tally) -> str:
    return f"{tally.created} created, {tally.existing} there already"


def window(campaign: Campaign) -> str:
    """When what a campaign is about was measured."""
    order = campaign.order
    return f"{order.since:%Y-%m-%d %H:%M} to {order.until:%Y-%m-%d %H:%M}"


def story(campaign: Campaign, *, dry_run: bool) -> str:
    """How far a campaign is, in a sentence."""
    tally = campaign.tally
    verb = "would be created" if dry_run else "created"
    return (
        f"{campaign.share:.0%} met: {tally.listed} products listed, {tally.created} jobs {verb}, "
        f"{tally.existing} there already, {tally.left_out} left out (other tiles, older "
        f"versions), {tally.rejected} not understood"
    )


def ending_told(ending: Ending, *, dry_run: bool) -> list[str]:
    """What ending a campaign came to, in sentences."""
    would = "would be " if dry_run else ""
    told = [f"{ending.subject}: {would}ended: {ending.because}"]
    if ending.jobs_cancelled or not ending.jobs_waiting:
        were = would or ("was " if ending.jobs_cancelled == 1 else "were ")
        jobs = counted(ending.jobs_cancelled, "job")
        told.append(f"{jobs} that no run had begun for {were}cancelled")
    if ending.jobs_waiting:
        told.append(
            f"{wait(ending.jobs_waiting, 'job')} still and will be processed; `hrsi campaign "
            f"cancel {ending.subject.partition(':')[2]}` cancels them"
        )
    if ending.jobs_moving:
        told.append(
            f"{counted(ending.jobs_moving, 'job')} on the way, or resting after an error, left "
            "alone; `hrsi job cancel` cancels one"
        )
    return told
