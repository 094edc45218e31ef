"""Defects of the system we replace that only the whole program can show not to have.

docs/original-defects.md lists all of them with the tests that show each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

import pytest
from sqlalchemy import event

from controller import bootstrap
from controller.bootstrap import Ports
from controller.loop import Loop
from infra.postgres.store import PostgresStore
from models.plan import Action
from models.records import WorkerState
from tests.plugins.place import SOMEBODY, Place

pytestmark = pytest.mark.integration

PATIENCE = 120.0
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one pass asks for."""

    nomad: int
    cloud: int
    statements: int


def requests(ports: Ports, system: str) -> int:
    """How many requests went to a system so far."""
    return sum(
        int(sample.value)
        for family in ports.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "hrsi_http_requests_total" and sample.labels["system"] == system
    )


@contextmanager
def statements(ports: Ports) -> Iterator[list[str]]:
    """The statements that the store is sent during a block."""
    assert isinstance(ports.store, PostgresStore)
    engine, seen = ports.store._sessions.engine, list[str]()

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield seen
    finally:
        event.remove(engine, "after_cursor_execute", executed)


def cost_of_an_idle_pass(ports: Ports, pool: Loop) -> Cost:
    """The least of three passes: now and then one renews what is kept for a minute."""
    costs = []
    for _ in range(3):
        before = requests(ports, "nomad"), requests(ports, "openstack")
        with statements(ports) as sent:
            report = pool.step()
        assert report.error is None
        assert not [d for d in report.decisions if isinstance(d, Action)]
        costs.append(
            Cost(
                nomad=requests(ports, "nomad") - before[0],
                cloud=requests(ports, "openstack") - before[1],
                statements=len(sent),
            )
        )
    return min(costs, key=lambda cost: (cost.cloud, cost.statements))


def grow_to(number: int, ports: Ports, loops: Sequence[Loop]) -> None:
    """Order workers until there are so many, and let the loops run until all is quiet."""
    more = number - len(ports.people.reader.workers())
    ports.people.operations.order("hm.medium", more, timedelta(hours=1), SOMEBODY)
    until = time.monotonic() + PATIENCE
    while True:
        acted = [d for loop in loops for d in loop.step().decisions if isinstance(d, Action)]
        ready = [w for w in ports.people.reader.workers() if w.state is WorkerState.READY]
        if len(ready) == number and not acted:
            return
        assert time.monotonic() < until, f"{len(ready)} of {number} workers are ready"
        time.sleep(0.1)


@pytest.mark.slow
def test_an_idle_pass_asks_for_as_much_with_sixty_workers_as_with_five(place: Place) -> None:
    crowd = place.changed(HRSI_OPENSTACK_CALLS_PER_SECOND="1000")
    ports = bootstrap.connect(crowd.config, crowd.environment)
    for key, value in {"pool.create_burst": 100, "pool.idle_for": 3600}.items():
        ports.people.operations.set_parameter(key, value, SOMEBODY)
    process = bootstrap.controller(crowd.config, ports)
    pool = next(loop for loop in process.loops if loop.name == "worker-pool")
    try:
        costs = {}
        for number in (5, 60):
            grow_to(number, ports, process.loops)
            costs[number] = cost_of_an_idle_pass(ports, pool)
    finally:
        process.stop()

    assert costs[60].nomad == costs[5].nomad == 4
    assert costs[60].cloud == costs[5].cloud == ceil(60 / PAGE)
    assert costs[60].statements == costs[5].statements
