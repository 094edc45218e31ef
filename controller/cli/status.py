"""`hrsi status`: how it all stands, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import typer

from controller.cli.output import Row, print_json, print_table, say
from controller.cli.pauses import LOOPS
from controller.cli.session import AsJson, examples, office, settings
from controller.clock import SystemClock
from controller.config import Config
from controller.reconcilers import loops_of
from models.overview import GOING, LoopStanding, Overview, overview
from models.records import WorkerState
from models.wording import are, in_utc, seconds

app = typer.Typer()

STATES = (WorkerState.CREATING, WorkerState.BOOTING, WorkerState.READY, GOING, WorkerState.DELETING)
"""The columns of workers, in the order of their lives."""


@app.command(epilog=examples("hrsi status", "hrsi status --json"))
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how it all stands: who leads, jobs, workers, and what is held back and why.

    It reads the store alone, so it answers while Nomad or OpenStack are away.
    """
    with office(context) as desk:
        found = overview(
            desk.reader, LOOPS, SystemClock().now(), optional=_optional(settings(context))
        )
        name = desk.deployment() or "This installation"
    if as_json:
        print_json(found)
        return
    say(f"{name} at {in_utc(found.at)}")
    _tell(found)


def _optional(config: Config) -> set[str]:
    """The loops that a controller of these settings does not run; another one may."""
    return set(LOOPS).difference(loops_of(config))


def _tell(found: Overview) -> None:
    columns = ("loop", "led by", "lease left", "last pass", "state")
    print_table("Loops", columns, [_loop(loop, found.at) for loop in found.loops])
    print_table("Jobs", ("status", "jobs"), found.jobs.items())
    if found.quarantined:
        say(
            f"{are(found.quarantined, 'job')} quarantined, for a person to decide: "
            "hrsi job list --quarantined"
        )
    print_table("Workers", ("flavor", *STATES, "all"), _workers(found))
    for pause in found.pauses:
        until = f"until {in_utc(pause.until)}" if pause.until else "for good"
        say(f"{pause.target} is paused by {pause.by} {until}: {pause.reason}")
    for breaker in found.breakers:
        say(
            f"Breaker {breaker.name} is open since {in_utc(breaker.opened_at)}: "
            f"{breaker.because}. See hrsi breaker list"
        )
    print_table(
        "Held back now",
        ("since", "about", "how many", "reason", "because"),
        [(h.since, h.about, h.count, h.reason, h.because) for h in found.held],
    )


def _loop(loop: LoopStanding, now: datetime) -> Row:
    last = None if loop.last_pass_at is None else f"{_ago(now - loop.last_pass_at)} ago"
    left = None if loop.lease_left is None else seconds(loop.lease_left)
    leader = loop.leader or "nobody: start one with hrsi controller"
    return (loop.name, leader, left, last, "paused" if loop.paused else "acts")


def _ago(past: timedelta) -> str:
    # The clocks of two machines differ by a little: nothing was in the future.
    return seconds(max(timedelta(0), past))


def _workers(found: Overview) -> Iterator[Row]:
    for flavor, numbers in found.workers.items():
        yield (flavor, *(numbers.get(state, 0) for state in STATES), sum(numbers.values()))
