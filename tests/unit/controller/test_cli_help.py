"""The help of every command shows how it is used."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.places import PLACES, loaded

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


HRSI = TyperGroup(name="hrsi", commands=loaded())


@pytest.mark.parametrize("name", PLACES)
def test_the_help_says_of_each_command_what_it_says_of_itself(name: str) -> None:
    first, _, _ = (HRSI.commands[name].help or "").partition("\n\n")

    assert PLACES[name].says == first


def test_the_help_names_every_command_in_the_order_of_the_table() -> None:
    told = CliRunner().invoke(app, ["--help"]).stdout
    _, _, listed = told.partition("Commands")

    assert re.findall(r"^│ (\S+)", listed, flags=re.MULTILINE) == list(PLACES)


def test_asking_for_help_loads_no_command() -> None:
    code = (
        "import sys; sys.argv = ['hrsi', '--help']\n"
        "from controller.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('sqlalchemy', 'openstack', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["job", "worker", "why", "audit"])
def test_who_asks_the_store_loads_no_other_client_library(name: str) -> None:
    code = (
        "import sys\n"
        "from controller.cli.places import PLACES\n"
        f"PLACES[{name!r}].load({name!r})\n"
        "from controller import bootstrap; bootstrap.people\n"
        "clients = ('boto3', 'docker', 'nomad', 'openstack', 'pika', 'requests')\n"
        "print([client for client in clients if client in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("name", "command"), list(commands(HRSI)))
def test_a_paragraph_of_a_help_is_as_wide_as_the_terminal(name: str, command: Any) -> None:
    assert [name for part in command.help.split("\n\n") if "\n" in part] == []


def test_a_wait_is_shown_as_people_write_it() -> None:
    told = CliRunner().invoke(app, ["simulator", "all", "--help"]).stdout
    assert re.findall(r"default: \((\d+ \w+)\)", told) == ["20 s", "20 s", "1 min"]


@pytest.mark.parametrize(("name", "command"), list(commands(HRSI)))
def test_every_command_has_an_example_of_itself(name: str, command: Any) -> None:
    assert "Examples:" in command.epilog
    assert name in command.epilog


@pytest.mark.parametrize(
    ("name", "command"),
    [each for each in commands(HRSI) if str(each.id).split("-")[-1] in READING],
)
def test_every_command_that_reads_can_speak_json(name: str, command: Any) -> None:
    assert name
    assert "--json" in [option for each in command.params for option in each.opts]
