"""Which tests share a process, and which begin, where several processes run them.

pytest-xdist asks for whoever hands the tests out. Its own way to keep tests together, by marks,
keeps nothing together since pytest 9.2, which no longer lets it write them into a test's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARE_BY_FILE = {"contract", "integration", "migrations"}
"""Folders where the tests of a file share a database or a server."""

ONE_SERVER: Mapping[str, tuple[str, ...]] = {
    "rabbit_server": (
        "contract/test_broker_contract.py",
        "integration/test_publication.py",
        "integration/test_rabbitmq_mixed.py",
        "integration/test_rabbitmq_outages.py",
        "integration/test_reading_back.py",
    ),
    "engine_address": (
        "contract/test_containers_contract.py",
        "integration/test_run_container.py",
    ),
}
"""Fixtures that take long to start: the files that use one run in the same process."""

STAGES = {"e2e": 0, "integration": 1, "stateful": 2, "contract": 3, "migrations": 3}
"""When the tests of a folder begin; those of all other folders come last."""
LAST = 4


class InTurn(LoadScopeScheduling):
    """Hands out together what shares a server, and every other test by itself."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """The name of what a test is handed out with."""
    file = below_tests(nodeid)
    for server, files in ONE_SERVER.items():
        if file in files:
            return server
    return file if file.partition("/")[0] in SHARE_BY_FILE else nodeid


def below_tests(nodeid: str) -> str:
    """The file of a test, as seen from the folder of all tests."""
    return str(PurePosixPath(nodeid.partition("::")[0]).relative_to("tests"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> InTurn:
    """Whoever hands the tests out to the processes."""
    return InTurn(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole programs and servers, which wait for one another; lives, which compute and
    would keep those waiting, follow; thousands of short tests fill up what is left to each process.
    """
    items.sort(key=lambda item: stage_of(item.nodeid))


def stage_of(nodeid: str) -> int:
    """When a test begins: smaller is earlier."""
    return STAGES.get(below_tests(nodeid).partition("/")[0], LAST)
