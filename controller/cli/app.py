"""The top of the command line; the commands themselves are found by `controller.cli.places`."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import say
from controller.cli.places import Directory

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="HRSI_CONFIG",
        help="Settings file; ./hrsi.toml is read when it exists.",
        show_default=False,
    ),
]

app = typer.Typer(
    name="hrsi",
    cls=Directory,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and with them passwords
    help="Turn waiting snow and ice jobs into finished products: jobs, workers, and why.",
    epilog="Try it out: hrsi demo. Every command has --help with examples.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"hrsi {metadata.version('hrsi-controller')}")
        raise typer.Exit


@app.callback()
def hrsi(
    config: ConfigFile = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Turn waiting snow and ice jobs into finished products: jobs, workers, and why."""
