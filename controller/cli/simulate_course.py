"""How a simulation is shown while it goes on: a bar where somebody looks, else a line at times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from controller.simulate.run import Run, Watch
from controller.simulate.scenario import Options

SHOW_EVERY = timedelta(minutes=10)
"""How much virtual time passes between two looks of the progress bar."""

LINE_EVERY = 30.0
"""After how many real seconds a line is written where nobody looks at a screen."""


@contextmanager
def shown(options: Options) -> Iterator[Watch]:
    """What shows a simulation of these options on standard error, turn by turn."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield lines(options, lambda line: screen.print(line, soft_wrap=True), time.monotonic)
        return
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
    ) as progress:
        yield _bar(progress, options)


def lines(options: Options, tell: Callable[[str], None], clock: Callable[[], float]) -> Watch:
    """Tells how far a simulation is, in a line every `LINE_EVERY` seconds of `clock`."""
    began = told = clock()

    def watch(run: Run) -> None:
        nonlocal told
        now = clock()
        if now - told >= LINE_EVERY:
            told = now
            tell(f"{now - began:.0f} s: {_share(run, options)}, {_state(run)}")

    return watch


def _bar(progress: Progress, options: Options) -> Watch:
    task = progress.add_task("simulating", total=options.span.total_seconds(), state="")
    next_at = timedelta(0)

    def watch(run: Run) -> None:
        nonlocal next_at
        if run.elapsed < next_at:
            return
        next_at = run.elapsed + SHOW_EVERY
        progress.update(task, completed=run.elapsed.total_seconds(), state=_state(run))

    return watch


def _share(run: Run, options: Options) -> str:
    if run.elapsed < options.span:
        return f"{run.elapsed / options.span:.0%}"
    return "until all is quiet"


def _state(run: Run) -> str:
    hours, rest = divmod(run.elapsed, timedelta(hours=1))
    clock = f"day {hours // 24 + 1} {hours % 24:02}:{rest // timedelta(minutes=1):02}"
    tables, still = run.sim.systems.store.tables, run.sim.open_jobs()
    workers = tables.open_workers.count(True)
    return f"{clock}, {len(tables.jobs)} jobs, {still} of them open, {workers} workers"
