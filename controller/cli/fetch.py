"""`hrsi job fetch`: what the results bucket has of a job, in a folder of this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from controller import bootstrap
from controller.cli.output import EXIT_FAILED, complain, say
from controller.cli.session import office, settings
from controller.fetching import PRODUCTS, Found, fetch, is_free, look, make_room
from models.errors import ConfigurationError
from models.objects import ObjectStore
from models.wording import counted


def fetch_job(
    context: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Unique id, id or TYPE/KEY.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or a new one.")],
    products: Annotated[
        bool, typer.Option("--products", help="What its runs delivered, too: it may be large.")
    ] = False,
) -> None:
    """Fetch the working directory and the logs of a job from the results bucket.

    They lie directly in DIR: `hrsi-worker replay DIR` runs its software again on them.
    """
    if not is_free(folder):
        raise ConfigurationError(f"{folder} is not an empty folder; nothing was fetched")
    unique_id = _unique_id(context, job)
    with bootstrap.results(settings(context)) as shelf:
        found = look(shelf, unique_id, products=products)
        make_room(folder)
        told = _fetched(shelf.store, found, folder)
    for key in found.refused:
        complain(f"left out: no file may be called so: {key}")
    for sentence in told:
        complain(sentence)
    come = len(found.files) - len(told)
    left = "" if products else f"; what runs delivered ({PRODUCTS}) comes with --products"
    say(f"{counted(come, 'file')} of job {unique_id} in {folder}{left}")
    if told or found.refused:
        raise typer.Exit(EXIT_FAILED)


def _unique_id(context: typer.Context, reference: str) -> UUID:
    """A unique id is believed: the bucket may know more jobs than the database that is at hand."""
    with suppress(ValueError):
        return UUID(reference)
    with office(context) as desk:
        return desk.reader.story(reference).job.unique_id


def _fetched(store: ObjectStore, found: Found, folder: Path) -> list[str]:
    """Fetch with a bar where somebody looks."""
    bar = Progress(
        TextColumn("fetching"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        disable=not Console(stderr=True).is_terminal,
    )
    with bar:
        task = bar.add_task("fetching", total=found.size)
        return list(fetch(store, found, folder, lambda size: bar.advance(task, size)))
