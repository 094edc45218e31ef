"""`hrsi simulate --lives`: many short hard lives, on every processor, and what they came to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from controller.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    complain,
    complain_at_length,
    print_json,
    print_table,
    say,
)
from controller.simulate.lives import Life
from controller.simulate.many import SHOWN, Tally, live_through
from models.errors import ConfigurationError

LINE_EVERY = 250
"""After how many lives a line is written where nobody looks at a screen."""

_PLACE = re.compile(r"(-?\d+)@(\d+)")
_SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?")


def place_of(text: str) -> tuple[int, int]:
    """Seed and step of a place in a simulation. Raises `ConfigurationError`."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"--replay {text}: it is SEED@STEP, such as 7@12034")
    return int(found[1]), int(found[2])


def seeds_of(text: str) -> range:
    """`A..B`: A to B-1; `A`: that one. Raises `ConfigurationError`."""
    found = _SEEDS.fullmatch(text)
    seeds = range(int(found[1]), int(found[2] or int(found[1]) + 1)) if found else range(0)
    if not seeds:
        raise ConfigurationError(f"--lives {text}: it is A..B, such as 0..200, or one seed")
    return seeds


def through_lives(seeds: str, replay_at: str | None, *, as_json: bool) -> None:
    """Live through these seeds and tell what they came to; with a place, tell the story there.

    Exits with status 1 when an invariant was broken.
    """
    if replay_at is not None:
        seed, step = place_of(replay_at)
        life = Life(seed)
        broken = life.live(step).broken
        for line in (broken or life.story_at(step)).splitlines():
            say(line)
        return
    wanted = seeds_of(seeds)
    conclude(_watched(wanted), wanted, as_json=as_json)


def conclude(tally: Tally, wanted: range, *, as_json: bool) -> None:
    """Tell what lives came to. Exits with status 1 when an invariant was broken, with that of
    Ctrl-C when these are not all that were wanted.
    """
    _tell(tally, as_json=as_json)
    for lived in tally.broken[:SHOWN]:
        complain_at_length(f"{lived.broken}")
    if tally.interrupted:
        rest = f"{tally.upto}..{wanted.stop}"
        complain(f"Only the seeds below {tally.upto} were lived: go on with --lives {rest}")
        raise typer.Exit(EXIT_INTERRUPTED)
    if tally.broken:
        raise typer.Exit(EXIT_FAILED)


def _watched(seeds: range) -> Tally:
    """Live, with a progress bar where somebody looks and now and then a line where nobody does."""
    processes = min(os.cpu_count() or 1, len(seeds))
    screen = Console(stderr=True)
    if not screen.is_terminal:
        return live_through(seeds, processes, _lines(screen))
    with Progress(
        TextColumn("[bold]living"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  {task.fields[state]}"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    ) as progress:
        task = progress.add_task("living", total=len(seeds), state="")

        def watch(tally: Tally) -> None:
            progress.update(task, completed=tally.lives, state=_state(tally))

        return live_through(seeds, processes, watch)


def _lines(screen: Console) -> Callable[[Tally], None]:
    def watch(tally: Tally) -> None:
        if tally.lives % LINE_EVERY == 0:
            where = f"every seed below {tally.upto} is lived"
            screen.print(f"{tally.seconds:.0f} s: {where}, {_state(tally)}", soft_wrap=True)

    return watch


def _state(tally: Tally) -> str:
    return f"{tally.deletions} deletions, {tally.dispatches} dispatches, {len(tally.broken)} broken"


def _tell(tally: Tally, *, as_json: bool) -> None:
    found = tally.as_json()
    if as_json:
        print_json(found)
        return
    counts = {name: value for name, value in found.items() if isinstance(value, int | float)}
    print_table("Lives", ("what", "how much"), counts.items())
    for name, counted in (
        ("Calls that failed", tally.faults),
        ("What else happened", tally.mishaps),
        ("What people asked for", tally.asked),
    ):
        print_table(name, ("what", "how often"), counted.most_common())
