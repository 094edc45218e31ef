"""The leader stands still at each call it makes, another takes over, and then the leader goes on.

As SIGSTOP does it, on virtual time: the pass of the first controller waits in a thread of its own
just before a call takes effect, while the second one lives through the lease's end and goes on with
the work; then the first one makes its call and ends its pass. The invariants hold after every step,
every job is processed once, and of all that the deposed one would still do only the call that was
on its way is done: everything else it finds refused, or does not send.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from controller.simulation import Plan, Simulation
from models.lifecycle import Status
from models.ports import Asked
from models.records import NewJob
from simulator.behaviour import Behaviour, Spread
from simulator.faults import Fault, Faults
from simulator.systems import Scenario

EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 11
"""Every how many calls are tried: all of them in the long run, a spread of them otherwise."""

PARTS = 3
LOOPS = ("configuration", "execution", "monitor", "worker-pool")
FIRST, SECOND = 0, 1
BEAT = timedelta(seconds=5)
AWAY = timedelta(minutes=4)
"""How long it stands still: beyond its lease, and long enough for the other to do its work."""

PATIENCE = 120.0
SHORT = Spread(least=timedelta(seconds=10), most=timedelta(seconds=40))
QUICK = Behaviour(pre_processing=SHORT, processing=SHORT, post_processing=SHORT, starting=SHORT)
WRITES = frozenset(
    {
        "cloud.create",
        "cloud.delete",
        "nomad.dispatch",
        "nomad.evaluate",
        "nomad.purge",
        "nomad.register",
        "nomad.set_eligibility",
        "nomad.stop",
    }
)


class Turnstile(Faults):
    """Lets nothing go wrong, but one thread wait at its first call from number `at` on."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.thread: threading.Thread | None = None
        self.held: str | None = None
        self.sent_after: list[str] = []
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._go_on = threading.Event()

    def take(self, operation: str) -> Fault | None:
        """See `Faults.take`."""
        fault = super().take(operation)
        if threading.current_thread() is not self.thread:
            return fault
        if self.held is not None:
            self.sent_after.append(operation)
        elif self.calls >= self.at:
            self.held = operation
            self.said.put("it stands still")
            self._go_on.wait(PATIENCE)
        return fault

    @contextmanager
    def passing(self, sim: Simulation, loop: str) -> Iterator[None]:
        """A pass of the first controller in a thread of its own; the block is lived through while
        it stands still, or after it has ended.
        """

        def make_a_pass() -> None:
            self.thread = threading.current_thread()
            sim.step(FIRST, loop)

        self._go_on.clear()
        with ThreadPoolExecutor(max_workers=1) as beside:
            ending = beside.submit(make_a_pass)
            ending.add_done_callback(lambda _: self.said.put("it has ended"))
            try:
                self.said.get(timeout=PATIENCE)
                yield
            finally:
                self._go_on.set()
            ending.result(PATIENCE)


def a_world(at: int, controllers: int = 2) -> tuple[Simulation, Turnstile]:
    turnstile = Turnstile(at)
    scenario = Scenario(seed=7, behaviours={"test": QUICK})
    sim = Simulation(Plan(scenario=scenario, faults=lambda: turnstile, controllers=controllers))
    jobs = [NewJob(type="test", key=f"job-{number}", name="test") for number in range(3)]
    sim.systems.store.submit(jobs, Asked(actor="test"))
    return sim, turnstile


def live(sim: Simulation, turnstile: Turnstile) -> None:
    """Make passes of both, the first one's beforehand, until it stood still once and all rests."""
    end = sim.systems.timeline.now() + timedelta(hours=6)
    while not sim.is_quiet():
        assert sim.systems.timeline.now() < end, sim.story()
        for loop in LOOPS:
            if turnstile.held is not None:
                sim.step(FIRST, loop)
            else:
                with turnstile.passing(sim, loop):
                    if turnstile.held is not None:
                        alone(sim, SECOND, AWAY)
            sim.step(SECOND, loop)
        sim.pass_time(BEAT)


def alone(sim: Simulation, process: int, span: timedelta) -> None:
    end = sim.systems.timeline.now() + span
    while sim.systems.timeline.now() < end:
        for loop in LOOPS:
            sim.step(process, loop)
        sim.pass_time(BEAT)


def calls_of_a_quiet_run() -> int:
    sim, turnstile = a_world(at=10**9, controllers=1)
    assert sim.run_until(sim.is_quiet, timedelta(hours=2))
    return turnstile.calls


CALLS = calls_of_a_quiet_run()


@pytest.mark.parametrize("part", range(PARTS))
def test_whoever_stands_still_at_a_call_does_no_harm_when_it_goes_on(part: int) -> None:
    stood = 0
    for at in range(1 + part * EVERY, CALLS, PARTS * EVERY):
        sim, turnstile = a_world(at)
        live(sim, turnstile)
        stood += turnstile.held is not None
        hit = f"at call {at}, {turnstile.held}"
        assert sim.truth.check(everything=True) == [], hit
        assert WRITES.isdisjoint(turnstile.sent_after), f"{hit}: it sent {turnstile.sent_after}"
        every_job_was_processed_once(sim, hit)
    assert stood > CALLS // (PARTS * EVERY) // 2, "it hardly ever stood still"


def every_job_was_processed_once(sim: Simulation, hit: str) -> None:
    tables = sim.systems.store.tables
    for job in tables.jobs.values():
        history = tables.history.get(job.id) or ()
        assert job.status is Status.PROCESSED, f"{hit}: job {job.id} is {job.status}"
        assert Counter(change.after for change in history)[Status.PROCESSED] == 1, hit
    children = [job for job in sim.systems.outside.nomad.state.jobs.by_id() if job.parent_id]
    per_run = Counter(child.meta["run"] for child in children)
    assert all(count == 1 for count in per_run.values()), f"{hit}: a run was dispatched twice"
