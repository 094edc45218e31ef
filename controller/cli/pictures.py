"""Files that a command draws into: whether it can is found out before the work, not after it."""

from __future__ import annotations

from pathlib import Path

import typer

from controller.cli.output import EXIT_FAILED, complain
from models.errors import ConfigurationError


def require_room(option: str, picture: Path | None) -> None:
    """See that a picture can be written there; what is there stays as it is.

    Raises `ConfigurationError` naming the option.
    """
    if picture is None:
        return
    was_there = picture.exists()
    try:
        picture.open("ab").close()
    except OSError as error:
        raise ConfigurationError(_unwritable(option, picture, error)) from error
    if not was_there:
        picture.unlink()


def save(option: str, picture: Path, drawn: str) -> None:
    """Write what was drawn. Exits with status 1 when there is no room for it after all."""
    try:
        picture.write_text(drawn, encoding="utf-8")
    except OSError as error:
        complain(_unwritable(option, picture, error))
        raise typer.Exit(EXIT_FAILED) from error


def _unwritable(option: str, picture: Path, error: OSError) -> str:
    return f"{option} {picture}: it cannot be written: {error.strerror}; name another file"
