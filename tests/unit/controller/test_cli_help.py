"""The help of every command shows how it is used."""

from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from controller.cli.app import app

READING = {
    "list",
    "paused",
    "show",
    "plan",
    "demo",
    "job",
    "worker",
    "flavor",
    "history",
    "preview",
    "doctor",
}


def test_the_version_is_told() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"hrsi {metadata.version('hrsi-controller')}\n")


def commands(command: Any, name: str = "hrsi") -> Iterator[Any]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield pytest.param(name, command, id=name.replace(" ", "-"))
        return
    for word, each in inner.items():
        yield from commands(each, f"{name} {word}")


@pytest.mark.parametrize(("name", "command"), list(commands(get_command(app))))
def test_every_command_has_an_example_of_itself(name: str, command: Any) -> None:
    assert "Examples:" in command.epilog
    assert name in command.epilog


@pytest.mark.parametrize(
    ("name", "command"),
    [each for each in commands(get_command(app)) if str(each.id).split("-")[-1] in READING],
)
def test_every_command_that_reads_can_speak_json(name: str, command: Any) -> None:
    assert name
    assert "--json" in [option for each in command.params for option in each.opts]
