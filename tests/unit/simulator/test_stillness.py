"""What happens in a simulated world wakes the loops that it concerns, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.simulation import SOURCES
from models.lifecycle import Status
from models.ports import Asked
from models.records import IntentKind, RetireStep, WorkerState
from models.settings import DEFAULT_SETTINGS
from simulator.examples.jobs import a_claimed_run, a_job
from simulator.examples.workers import a_retirement, a_worker, an_intent
from simulator.stillness import Stillness
from simulator.systems import Scenario, Systems, in_memory

LOOPS = ("configuration", "execution", "monitor", "publication", "read-back", "worker-pool")
NOBODY: frozenset[str] = frozenset()
EVERYBODY = frozenset(LOOPS)
WHO_SEES_RUNS = frozenset({"execution", "monitor", "worker-pool"})
THE_POOL = frozenset({"worker-pool"})

ASKED = Asked(actor="test", reason="test")

Event = Callable[[Systems], object]


def the_job(**changes: Any) -> Event:
    """Job 1 is written anew."""

    def happen(systems: Systems) -> None:
        jobs = systems.store.tables.jobs
        jobs.put(1, replace(jobs[1], **changes))

    return happen


def the_worker(**changes: Any) -> Event:
    """Worker 1 is written anew."""

    def happen(systems: Systems) -> None:
        workers = systems.store.tables.workers
        workers.put(1, replace(workers[1], **changes))

    return happen


def another_job(status: Status) -> Event:
    """A job comes, or is there now."""
    return lambda systems: systems.store.tables.jobs.put(2, a_job(id=2, status=status))


def an_open_intent(kind: IntentKind) -> Event:
    """An effect outside is about to be tried."""

    def happen(systems: Systems) -> None:
        intent = an_intent(kind=kind)
        systems.store.tables.intents.put(intent.id, intent)

    return happen


def a_world(*, ready: bool) -> Systems:
    """Job 1 runs, worker 1 goes; with or without another job that waits to run."""
    systems = in_memory(Scenario())
    systems.timeline.advance(timedelta(minutes=10))  # the list of images is no news any more
    tables = systems.store.tables
    tables.jobs.put(1, a_job(status=Status.PROCESSING, attempt=1))
    run = a_claimed_run()
    tables.runs.put(run.id, run)
    tables.workers.put(1, a_worker(retirement=a_retirement()))
    if ready:
        tables.jobs.put(3, a_job(id=3))
    return systems


def woken(systems: Systems, event: Event) -> frozenset[str]:
    """The loops that would make a pass because of what happened."""
    stillness = Stillness(systems, DEFAULT_SETTINGS)
    looks = {loop: stillness.look(loop, SOURCES[loop]) for loop in LOOPS}
    event(systems)
    return frozenset(
        loop
        for loop in LOOPS
        if not stillness.since(looks[loop], loop, SOURCES[loop], DEFAULT_SETTINGS)
    )


SEEN = a_retirement(step=RetireStep.SEEN)


@pytest.mark.parametrize(
    ("event", "concerned"),
    [
        pytest.param(lambda _: None, NOBODY, id="nothing"),
        pytest.param(the_job(status=Status.POST_PROCESSING, seq=9), NOBODY, id="a-program-goes-on"),
        pytest.param(
            the_job(status=Status.PROCESSED), WHO_SEES_RUNS | {"publication"}, id="a-program-ends"
        ),
        pytest.param(another_job(Status.PUBLISHED), {"publication"}, id="a-job-is-published"),
        pytest.param(the_job(losses=1), WHO_SEES_RUNS, id="a-running-job-is-counted-lost"),
        pytest.param(another_job(Status.INITIALIZED), {"configuration"}, id="a-job-comes"),
        pytest.param(another_job(Status.READY), WHO_SEES_RUNS, id="a-job-is-ready"),
        pytest.param(another_job(Status.DONE), NOBODY, id="a-job-is-done"),
        pytest.param(the_worker(retirement=SEEN), THE_POOL, id="a-deletion-goes-on"),
        pytest.param(
            the_worker(state=WorkerState.CLOSED), THE_POOL, id="a-worker-that-went-is-closed"
        ),
        pytest.param(
            the_worker(retirement=None), {"execution", "worker-pool"}, id="a-worker-is-taken-back"
        ),
        pytest.param(an_open_intent(IntentKind.PURGE_NODE), THE_POOL, id="a-node-is-purged"),
        pytest.param(an_open_intent(IntentKind.STOP_CHILD), WHO_SEES_RUNS, id="a-run-is-stopped"),
        pytest.param(
            lambda systems: systems.store.set_parameter("readback.late", 60, ASKED),
            EVERYBODY,
            id="a-parameter-is-set",
        ),
    ],
)
def test_what_happens_wakes_whom_it_concerns(event: Event, concerned: frozenset[str]) -> None:
    assert woken(a_world(ready=True), event) == concerned


def test_a_worker_for_which_no_job_is_ready_does_not_concern_execution() -> None:
    assert woken(a_world(ready=False), the_worker(retirement=None)) == THE_POOL
