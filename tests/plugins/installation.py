"""An installation to type commands at: a database and a simulated cloud and Nomad over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller import bootstrap
from controller.cli.app import app
from controller.config import Config, load
from infra.postgres import Postgres, connect
from simulator.cloud.options import CloudOptions
from simulator.served import Served, serve
from simulator.systems import Scenario

KEY = "0123456789abcdef0123456789abcdef"
OURS = ("HRSI_", "OS_", "NOMAD_", "DATABASE_", "PG")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What came of a command. `refused` is the error that ended it, if one did."""

    status: int
    out: str
    refused: str

    @property
    def json(self) -> Any:
        """What it said, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Settings that lead to a world of its own, that world, and a keyboard."""

    environment: dict[str, str]
    served: Served
    database: Postgres
    folder: Path

    @property
    def config(self) -> Config:
        """The settings."""
        return load(None, self.environment)

    def one_pass(self, *loops: str) -> None:
        """Let a controller make one pass of each loop and end."""
        ports = bootstrap.connect(self.config, self.environment)
        assert bootstrap.controller(self.config, ports, loops).once()

    def type(self, *arguments: str, **settings: str) -> Typed:
        """Type a command, under other settings where some are given ("" takes one away)."""
        environment = {**self.environment, "COLUMNS": "240", **settings}
        result = CliRunner().invoke(app, [*arguments], env=environment)
        error = result.exception
        refused = "" if error is None or isinstance(error, SystemExit) else str(error)
        return Typed(status=result.exit_code, out=result.stdout, refused=refused)


@contextmanager
def installed(
    database_url: str, folder: Path, cloud: CloudOptions | None = None
) -> Iterator[Installation]:
    """An installation for the length of a block."""
    options = cloud or CloudOptions(boot_time=timedelta(seconds=0.2))
    scenario = Scenario(cloud=options, join_delay=timedelta(seconds=0.1))
    database = connect(database_url, application_name="tests")
    try:
        with serve(scenario, {}, folder / "nomad") as served:
            environment = {**served.environment(), **_settings(database_url, served)}
            yield Installation(
                environment=environment, served=served, database=database, folder=folder
            )
    finally:
        database.dispose()


def _settings(database_url: str, served: Served) -> Mapping[str, str]:
    return {
        "DATABASE_URL": database_url,
        "HRSI_DEPLOYMENT": "test",
        "HRSI_RUNS_TOKEN_KEY": KEY,
        "HRSI_RUNS_COMMAND": "/bin/true",
        "HRSI_OPENSTACK_PROJECT": served.environment()["OS_PROJECT_NAME"],
        "HRSI_OPENSTACK_NETWORKS": "farm-net",
        "HRSI_CONTROLLER_HEALTH": "127.0.0.1:0",
    }


@pytest.fixture
def installation(
    own_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """An installation in a folder of its own, where commands are typed."""
    monkeypatch.chdir(tmp_path)
    with installed(own_database_url, tmp_path) as made:
        yield made
