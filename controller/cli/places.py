"""Where each command is: its module is loaded when it is used, and not to say that it exists.

Loading all of them takes a second, which nobody who lists jobs should wait for. What `hrsi --help`
says of each stands here as well; a test compares it with the command's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from typer._click.core import Command as AnyCommand
from typer._click.core import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from controller.loading import load


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A command, or a whole group of them, in `controller.cli.<module>`: what it is for, and the
    Typer application that it belongs to, or is.
    """

    module: str
    says: str
    app: str = "app"
    is_group: bool = False

    def load(self, name: str) -> AnyCommand:
        """The command itself, of this name."""
        group = get_group(getattr(load(f"controller.cli.{self.module}"), self.app))
        _unwrap(group)
        if not self.is_group:
            return group.commands[name]
        group.name = name
        return group


def _unwrap(command: AnyCommand) -> None:
    """Make whole lines of the paragraphs of a help: docstrings are as wide as the code, and broken
    once more by a narrower terminal they are hard to read.
    """
    if command.help:
        paragraphs = command.help.split("\n\n")
        command.help = "\n\n".join(" ".join(lines.split("\n")) for lines in paragraphs)
    for inner in getattr(command, "commands", {}).values():
        _unwrap(inner)


def _group(module: str, says: str, app: str = "app") -> Place:
    return Place(module=module, says=says, app=app, is_group=True)


def _command(module: str, says: str) -> Place:
    return Place(module=module, says=says)


PLACES: Mapping[str, Place] = {
    "migrate": _command(
        "service",
        "Bring the database to the shape that this program needs, or back to an older one.",
    ),
    "controller": _command(
        "service", "Run the controller until SIGTERM, Ctrl-C or the end of its terminal."
    ),
    "plan": _command(
        "service",
        "Look once and print what the controller would do, and what it holds back; change nothing.",
    ),
    "status": _command(
        "status", "Show how it all stands: who leads, jobs, workers, and what is held back and why."
    ),
    "record": _command(
        "worlds",
        "Look once and write down what was seen, to be decided about again later or elsewhere.",
    ),
    "doctor": _command(
        "doctor",
        "Check settings, database, Nomad, cloud, buckets, broker and catalogues, and say how to "
        "mend what is wrong; change nothing.",
    ),
    "pause": _command(
        "pauses",
        "Let everything rest, or one loop, or the jobs of one type; runs that are out go on.",
    ),
    "resume": _command(
        "pauses",
        "End a pause. Each pause is ended by itself: without NAME or --type, that of everything.",
    ),
    "paused": _command("pauses", "List what is paused, by whom, why and until when."),
    "drain-all": _command(
        "drain", "Let every worker finish what runs on it, give it nothing new, then delete it."
    ),
    "audit": _command("audit", "List what people did: when, who, what, to which things, and why."),
    "demo": _command(
        "demo",
        "Run jobs end to end: a real PostgreSQL, a simulated cloud and Nomad, real processes.",
    ),
    "simulate": _command(
        "simulate",
        "Simulate days of production: the real loops and rules, a virtual clock, everything else "
        "made.",
    ),
    "simulator": _group(
        "simulator", "Serve a simulated Nomad or cloud, or both, to try a controller by hand."
    ),
    "bench": _group("bench", "Measure what the controller costs on this machine."),
    "job": _group("jobs", "Jobs: submit, list, show, log, fetch, cancel, relaunch."),
    "worker": _group("workers", "Workers: list, drain, delete, create."),
    "publication": _group(
        "publication",
        "Compare what was made with what was announced, announce again, and see refusals.",
    ),
    "source": _group("source", "See how far the catalogues were read, and read them again."),
    "campaign": _group(
        "campaign", "Campaigns: process again what was measured in a window of time."
    ),
    "param": _group("param", "Live parameters: list, show, set, history, rollback, preview."),
    "web": _command("web", "Serve the HTTP API until SIGTERM, Ctrl-C or the end of its terminal."),
    "token": _group("web", "Tokens for the HTTP API: create, list, revoke.", app="tokens"),
    "breaker": _group(
        "breaker", "Breakers: what holds deletions back when too much seems to be gone."
    ),
    "why": _group("why", "Why: the recorded reasons about one thing."),
}


def loaded() -> dict[str, AnyCommand]:
    """Every command, for whoever looks through all of them."""
    return {name: place.load(name) for name, place in PLACES.items()}


class Directory(TyperGroup):
    """The top of the command line: it knows what there is, and loads what is used."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Every name, in the order of the help."""
        del ctx
        return list(PLACES)

    def get_command(self, ctx: Context, cmd_name: str) -> AnyCommand | None:
        """What the help needs to know of a command."""
        del ctx
        place = PLACES.get(cmd_name)
        return TyperCommand(cmd_name, help=place.says) if place else None

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, AnyCommand | None, list[str]]:
        """The command that these words name, loaded."""
        name, found, rest = super().resolve_command(ctx, args)
        place = PLACES.get(name or "")
        return name, place.load(name) if name and place else found, rest
