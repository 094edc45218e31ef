"""Worlds as commands look at them: the current one, or a recorded one; and `hrsi record`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from controller import bootstrap
from controller.cli.output import say
from controller.cli.session import examples, settings
from controller.loop import Reconciler
from controller.planning import Look
from controller.reconcilers import RECONCILERS
from controller.recording import decode, encode
from models.errors import ConfigurationError, Malformed
from models.wording import in_utc

app = typer.Typer()

WorldFile = Annotated[
    Path | None,
    typer.Option(
        "--world",
        metavar="FILE",
        help="A world that `hrsi record` wrote, instead of the current one.",
        show_default=False,
    ),
]


def seen(
    context: typer.Context,
    reconcilers: Iterable[Reconciler],
    recorded: Path | None = None,
) -> Look:
    """One look at the current world, or at a recorded one, by what these reconcilers see."""
    if recorded is not None:
        return _recorded(recorded)
    return bootstrap.look_now(settings(context), tuple(reconcilers), {})


def _recorded(file: Path) -> Look:
    try:
        return Look.at(decode(file.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"{file}: it cannot be read: {error.strerror}") from error
    except Malformed as error:
        raise Malformed(f"{file}: {error}") from error


@app.command(
    epilog=examples(
        "hrsi record",
        "hrsi record before-the-change.json.gz",
        "hrsi plan --world before-the-change.json.gz",
    )
)
def record(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; by default named by the time."),
    ] = None,
) -> None:
    """Look once and write down what was seen, to be decided about again later or elsewhere.

    Secrets are left out. `hrsi plan --world FILE` and `hrsi param preview --world FILE` read it.
    """
    now = seen(context, RECONCILERS)
    written = encode(now.recording())
    path = file or Path(f"hrsi-world-{now.now:%Y%m%d-%H%M%S}.json.gz")
    try:
        with path.open("xb") as opened:
            opened.write(written)
    except FileExistsError as error:
        raise ConfigurationError(f"{path}: it exists already; nothing was written") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: it cannot be written: {error.strerror}") from error
    unknown = "".join(f"; the {source} is unknown: {why}" for source, why in _unknown(now))
    say(f"{path}: {len(written):,} bytes, the world of {in_utc(now.now)}{unknown}")


def _unknown(now: Look) -> Iterable[tuple[str, str]]:
    return ((source.value, why) for source, why in now.world.unknown.items())
