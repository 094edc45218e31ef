"""A place for the composed program: PostgreSQL, settings, and simulated systems over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.config import Config, load
from models.ports import Asked
from simulator.cloud.options import CloudOptions
from simulator.served import Served, serve
from simulator.systems import Scenario

SOMEBODY = Asked(actor="test@shell")
KEY = "0123456789abcdef0123456789abcdef"
QUICK = Scenario(
    cloud=CloudOptions(boot_time=timedelta(seconds=0.2)), join_delay=timedelta(seconds=0.1)
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Settings that lead to a world of our own, and that world."""

    config: Config
    environment: Mapping[str, str]
    served: Served

    def changed(self, **environment: str) -> Place:
        """The same world, with other settings."""
        given = {**self.environment, **environment}
        return replace(self, config=load(None, given), environment=given)


@contextmanager
def a_place(scenario: Scenario, database_url: str, folder: Path) -> Iterator[Place]:
    """A place whose outside is so."""
    with serve(scenario, {}, folder) as served:
        environment = {
            **served.environment(),
            "DATABASE_URL": database_url,
            "HRSI_DEPLOYMENT": "test",
            "HRSI_RUNS_TOKEN_KEY": KEY,
            "HRSI_RUNS_COMMAND": "/bin/true",
            "HRSI_OPENSTACK_PROJECT": served.environment()["OS_PROJECT_NAME"],
            "HRSI_OPENSTACK_NETWORKS": "farm-net",
            "HRSI_OPENSTACK_SECURITY_GROUPS": "default",
            "HRSI_CONTROLLER_HEALTH": "127.0.0.1:0",
        }
        yield Place(config=load(None, environment), environment=environment, served=served)


@pytest.fixture
def place(own_database_url: str, tmp_path: Path) -> Iterator[Place]:
    """A place where workers boot at once."""
    with a_place(QUICK, own_database_url, tmp_path) as made:
        yield made
