"""`hrsi simulate`: days of production in memory, with the real loops, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.lives import place_of, through_lives
from controller.cli.output import (
    EXIT_FAILED,
    complain,
    complain_at_length,
    print_json,
    print_table,
    say,
)
from controller.cli.pictures import require_room, save
from controller.cli.session import examples
from controller.cli.simulate_course import shown
from controller.log import silence
from controller.simulate.plot import draw
from controller.simulate.run import Outcome, Run, replay
from controller.simulate.scenario import FaultLevel, Options

app = typer.Typer()


@app.command(
    epilog=examples(
        "hrsi simulate",
        "hrsi simulate --days 3 --faults some --plot days.svg",
        "hrsi simulate --from-catalogue --days 7 --faults all",
        "hrsi simulate --workers-max 50 --jobs-per-day 4000 --json",
        "hrsi simulate --faults all --replay 7@12034",
        "hrsi simulate --lives 0..200",
    )
)
def simulate(
    days: Annotated[float, typer.Option(min=0.01, max=60, help="How long jobs arrive.")] = 1.0,
    workers_max: Annotated[
        int | None, typer.Option(min=1, max=5000, help="pool.max_workers; vCPUs in proportion.")
    ] = None,
    jobs_per_day: Annotated[int, typer.Option(min=1, max=100_000, help="How many jobs.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another history for another seed.")] = 0,
    faults: Annotated[FaultLevel, typer.Option(help="How much goes wrong.")] = FaultLevel.NONE,
    from_catalogue: Annotated[
        bool,
        typer.Option(
            "--from-catalogue",
            help="Jobs come from a simulated catalogue, about as many; with faults it is untidy.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The report as one JSON object, alone on stdout.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw jobs, workers, queue and turnaround into this SVG.")
    ] = None,
    replay_at: Annotated[
        str | None,
        typer.Option("--replay", metavar="SEED@STEP", help="Tell what led to this step instead."),
    ] = None,
    lives: Annotated[
        str | None,
        typer.Option(metavar="A..B", help="Live short hard lives instead, one per seed A to B-1."),
    ] = None,
) -> None:
    """Simulate days of production: the real loops and rules, a virtual clock, everything else made.

    Jobs arrive as they do in production (docs/simulate.md says how), and it goes on until all is
    quiet again. The invariants are checked after every step. The same seed and options give the
    same report, except for its `wall_s`. With --lives everything is drawn from the seed, and as
    much as can go wrong does, between the first step of a worker's deletion and the last above all.
    """
    if plot is not None and (lives is not None or replay_at is not None):
        raise typer.BadParameter(
            "--plot draws whole days: it goes with neither --lives nor --replay"
        )
    if lives is not None:
        with silence():
            through_lives(lives, replay_at, as_json=as_json)
        return
    options = Options(
        days=days,
        workers=workers_max,
        jobs_per_day=jobs_per_day,
        seed=seed,
        faults=faults,
        from_catalogue=from_catalogue,
    )
    require_room("--plot", plot)
    # Hundreds of thousands of passes would each log a line.
    with silence():
        if replay_at is not None:
            say_story(options, replay_at)
            return
        with shown(options) as watch:
            outcome = Run(options).until_quiet(watch)
    _tell(outcome, as_json=as_json)
    if plot is not None:
        save("--plot", plot, draw(options, outcome))
    if outcome.broken is not None:
        raise typer.Exit(EXIT_FAILED)


def say_story(options: Options, place: str) -> None:
    """Run again to a step and print the story there. Raises `ConfigurationError`."""
    seed, step = place_of(place)
    there = options.seeded(seed)
    with shown(there) as watch:
        story = replay(there, step, watch)
    for line in story.splitlines():
        say(line)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    report = outcome.report.as_json()
    if as_json:
        print_json(report)
    else:
        print_table("Report", ("what", "how much"), report.items())
    if not outcome.report.jobs_created:
        complain("No job arrived, so this says nothing: give more --days or --jobs-per-day.")
    if outcome.broken is not None:
        complain_at_length(outcome.broken)
