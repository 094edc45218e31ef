"""`hrsi demo`: the whole program at work on one machine, with nothing to set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.live import Live

from controller.cli.output import EXIT_FAILED, complain, print_json, print_table
from controller.cli.pictures import require_room, save
from controller.cli.session import examples
from controller.cli.signals import Signals
from controller.demo.picture import draw
from controller.demo.run import End, Ending, watch
from controller.demo.scene import Scene, progress_line
from controller.demo.stage import Play, stage
from controller.demo.view import view
from models.errors import HrsiError

app = typer.Typer()

LINE_EVERY = timedelta(seconds=3)
REPEAT_AFTER = timedelta(seconds=60)
"""How often a line comes again that says nothing new: one sees that the demo is still there."""

Show = Callable[[Scene], None]


@app.command(
    epilog=examples(
        "hrsi demo",
        "hrsi demo --jobs 200 --until-quiet",
        "hrsi demo --from-catalogue",
        "hrsi demo --headless --until-quiet --json",
    )
)
def demo(
    jobs: Annotated[int, typer.Option(min=1, max=5_000, help="How many jobs.")] = 40,
    headless: Annotated[
        bool, typer.Option("--headless", help="A line every few seconds instead of a picture.")
    ] = False,
    until_quiet: Annotated[
        bool,
        typer.Option("--until-quiet", help="End when every job has ended and no worker is left."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The report as one JSON object, alone on stdout.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Other jobs and boot times for another seed.")] = 0,
    from_catalogue: Annotated[
        bool,
        typer.Option(
            "--from-catalogue", help="Nobody submits jobs: they come from a simulated catalogue."
        ),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the liveliest moment into this SVG file.")
    ] = None,
) -> None:
    """Run jobs end to end: a real PostgreSQL, a simulated cloud and Nomad, real processes.

    Needs no setting and no network. Everything that it starts ends with it. Waits are shortened
    through ordinary parameters, set with the reason "demo".
    """
    require_room("--picture", picture)
    screen = Console(stderr=as_json)
    with Signals() as signals:
        screen.print("Starting PostgreSQL, a simulated cloud and Nomad, and the controller…")
        try:
            with stage(Play(jobs=jobs, seed=seed, from_catalogue=from_catalogue)) as watcher:
                with _shown(screen, headless=headless or not screen.is_terminal) as show:
                    ending = watch(watcher, show, signals.stop, until_quiet=until_quiet)
                screen.print("Ending what was started: runs, controller, services, PostgreSQL…")
        except HrsiError:
            # A Ctrl-C reaches what is being started as well, which then fails.
            if signals.stop.is_set():
                raise typer.Exit(signals.exit_status) from None
            raise
    _tell(ending, as_json=as_json)
    if picture is not None:
        save("--picture", picture, draw(ending.busiest))
    if ending.end is End.STOPPED:
        raise typer.Exit(signals.exit_status)
    if ending.end is End.TOO_LATE:
        complain(f"hrsi demo: it should be quiet by now: {progress_line(ending.last)}")
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _shown(screen: Console, *, headless: bool) -> Iterator[Show]:
    if headless:
        yield Lines(screen.file).show
        return
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        yield lambda scene: live.update(view(scene, *screen.size), refresh=True)


class Lines:
    """A progress line every few seconds while there is news; first what never changes."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._next = timedelta(0)
        self._last: Scene | None = None

    def show(self, scene: Scene) -> None:
        """Print a line when it is time for one."""
        if not self._next:
            self._out.write("".join(f"{note}\n" for note in scene.notes))
        if scene.elapsed < self._next or self._is_old(scene):
            return
        self._out.write(progress_line(scene) + "\n")
        self._out.flush()
        self._next, self._last = scene.elapsed + LINE_EVERY, scene

    def _is_old(self, scene: Scene) -> bool:
        last = self._last
        if last is None or scene.elapsed - last.elapsed >= REPEAT_AFTER:
            return False
        return progress_line(replace(scene, elapsed=last.elapsed)) == progress_line(last)


def _tell(ending: Ending, *, as_json: bool) -> None:
    report = ending.report.as_json()
    if as_json:
        print_json(report)
    else:
        print_table("Report", ("what", "how many"), report.items())
