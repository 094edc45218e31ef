"""What every command begins with: the settings, the store, and who is asking."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from controller import bootstrap
from controller.bootstrap import People
from controller.config import Config, load
from models.errors import ConfigurationError
from models.office import Office
from models.parameter_text import read_wait
from models.ports import Asked

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the audit trail.")]
Because = Annotated[
    str,
    typer.Option("--reason", help="Why, for whoever comes next. Needed, except with --dry-run."),
]

Lasts = Annotated[
    str | None,
    typer.Option("--for", metavar="WAIT", help="For a while only: 30m, 4h, 2d."),
]
EARLIEST, LATEST = 1970, 2999
"""Years that a person may name. A day, an hour or a zone further there is time, too."""

LONGEST = timedelta(days=365)

_LARGEST_ID = 2**63 - 1
"""The database counts no further."""


def examples(*commands: str) -> str:
    """The end of a command's help: how it is used, a line each."""
    return "\n\n".join(["", "Examples:", *(f"  {command}" for command in commands), ""])


def settings(context: typer.Context) -> Config:
    """The start-up settings of this call, read once."""
    if not isinstance(context.obj, Config):
        context.obj = load(context.find_root().params.get("config"))
    return context.obj


@contextmanager
def office(context: typer.Context) -> Iterator[Office]:
    """What people read and order: at the database, or over the API where they have a token."""
    with bootstrap.office(settings(context)) as opened:
        yield opened


@contextmanager
def people(context: typer.Context) -> Iterator[People]:
    """The store as people use it, for commands that need the database itself.

    Raises `ConfigurationError` where there is a token for the API instead.
    """
    with bootstrap.people(settings(context)) as desk:
        yield desk


def asked(reason: str = "", *, dry_run: bool = False) -> Asked:
    """Who asks: the user at this machine, as the audit trail will name them."""
    actor = f"{getpass.getuser()}@{socket.gethostname()}"
    return Asked(actor=actor, reason=reason, dry_run=dry_run)


def asked_why(reason: str, *, dry_run: bool) -> Asked:
    """Who asks for what may be done for a stated reason alone; to look needs none.

    Raises `ConfigurationError` when there is no reason.
    """
    if not dry_run and not reason.strip():
        raise ConfigurationError("--reason is empty; say why, whoever comes next will ask")
    return asked(reason, dry_run=dry_run)


def moment(option: str, text: str) -> datetime:
    """A time that somebody gave; UTC when it says no zone. Raises `ConfigurationError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{option}: {text!r} is no time; write it like 2026-01-05 or 2026-01-05T12:00"
        ) from error
    if not EARLIEST <= at.year <= LATEST:
        raise ConfigurationError(
            f"{option}: {text!r} is no time of this system; give a year from {EARLIEST} to {LATEST}"
        )
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def counted_up(given: int | Sequence[int]) -> int | Sequence[int]:
    """Ids that somebody gave; for an argument's `callback`. Raises `typer.BadParameter`."""
    for each in [given] if isinstance(given, int) else given:
        if not 1 <= each <= _LARGEST_ID:
            raise typer.BadParameter(f"{each} is no id; they are counted from 1")
    return given


def lasting(text: str | None) -> timedelta | None:
    """What somebody gave as `--for`; None: for good. Raises `ConfigurationError`."""
    if text is None:
        return None
    try:
        found = read_wait(text)
    except ValueError as error:
        raise ConfigurationError(f"--for: {error}") from error
    if not timedelta(0) < found <= LONGEST:
        raise ConfigurationError(f"--for: {text!r} is not more than nothing and at most a year")
    return found
