"""Passes that would see nothing new are left out, and nothing becomes different by it.

Two worlds of one seed live through the same days, one with every pass, one without those that
`simulator.stillness` finds needless. All that lasts must be equal: jobs with their histories, runs,
workers, intents, Nomad's and the cloud's state. Only the number of passes may differ, and what
counts them: heartbeats, leases, and how often the ledger repeats a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.simulation import Plan, Simulation
from models.ports import Asked
from models.records import NewJob, Priority
from simulator.behaviour import Behaviour, Ending, Spread
from simulator.cloud.options import CloudOptions
from simulator.systems import Scenario

PERSON = Asked(actor="operator", reason="drawn")
TYPES = ("test", "gfsc", "fsc_rlie")
SOME_TIME = Spread(least=timedelta(seconds=5), most=timedelta(minutes=6))
MIXED = Behaviour(
    starting=SOME_TIME,
    pre_processing=SOME_TIME,
    processing=SOME_TIME,
    post_processing=SOME_TIME,
    winding_down=SOME_TIME,
    endings={
        Ending.INTERNAL_ERROR: 0.1,
        Ending.EXTERNAL_ERROR: 0.2,
        Ending.SILENT_EXIT: 0.1,
        Ending.HANG: 0.1,
    },
)
PAUSABLE = ("everything", "loop:execution", "loop:worker-pool", "type:gfsc")
PARAMETERS = {
    "pool.max_workers": 5,
    "pool.boot_limit": 240,
    "monitor.limit_processing": 400,
    "monitor.external_backoff": 45,
    "execution.wind_down": 120,
}

Event = tuple[str, int, int]
"""What happens, how many seconds after the event before, and a number to choose by."""

events = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "jobs",
                "jobs",
                "jobs",
                "retire",
                "cancel",
                "relaunch",
                "order",
                "lose_node",
                "lose_allocation",
                "vanish",
                "parameter",
                "pause",
            ]
        ),
        st.integers(0, 1500),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=8,
)


class Life:
    """One world that lives through drawn events."""

    def __init__(self, seed: int, *, skipping: bool) -> None:
        scenario = Scenario(
            seed=seed,
            cloud=CloudOptions(boot_spread=4.0),
            behaviours=dict.fromkeys(TYPES, MIXED),
        )
        plan = Plan(scenario=scenario, parameters=PARAMETERS, skipping=skipping)
        self.sim = Simulation(plan)
        self.made = 0

    def live(self, history: Sequence[Event]) -> None:
        at = timedelta()
        for what, wait, pick in history:
            at += timedelta(seconds=wait)
            happen = getattr(self, what)
            self.sim.systems.timeline.after(at, partial(happen, pick))
        end = self.sim.systems.timeline.now() + at + timedelta(minutes=30)
        while self.sim.systems.timeline.now() < end:
            self.sim.round()

    def jobs(self, pick: int) -> None:
        count, kind = pick % 4 + 1, TYPES[pick % len(TYPES)]
        names = [f"{kind}-{self.made + number}" for number in range(count)]
        self.made += count
        priority = list(Priority)[pick % 3]
        jobs = [NewJob(type=kind, key=name, name=name, priority=priority) for name in names]
        self.sim.systems.store.submit(jobs, PERSON)

    def retire(self, pick: int) -> None:
        workers = self.sim.systems.store.tables.open_workers.of(True)
        if workers:
            name = workers[pick % len(workers)].name
            self.sim.systems.store.retire([name], PERSON, forced=pick % 2 == 0)

    def cancel(self, pick: int) -> None:
        if self.made:
            self.sim.systems.store.cancel([pick % self.made + 1], PERSON)

    def relaunch(self, pick: int) -> None:
        if self.made:
            self.sim.systems.store.relaunch([pick % self.made + 1], PERSON)

    def order(self, pick: int) -> None:
        self.sim.systems.store.order("eo1.xsmall", 1, timedelta(minutes=pick % 20), PERSON)

    def lose_node(self, pick: int) -> None:
        nodes = self.sim.systems.outside.nomad.state.nodes.by_id()
        if nodes:
            back = timedelta(seconds=pick * 5) if pick % 3 else None
            self.sim.systems.outside.nomad.lose_node(nodes[pick % len(nodes)].id, back)

    def lose_allocation(self, pick: int) -> None:
        live = list(self.sim.systems.outside.nomad.state.allocs.live)
        if live:
            self.sim.systems.outside.nomad.lose_allocation(live[pick % len(live)])

    def vanish(self, pick: int) -> None:
        servers = self.sim.truth.servers()
        if servers:
            self.sim.systems.outside.cloud.vanish(servers[pick % len(servers)].id)

    def parameter(self, pick: int) -> None:
        lasts = timedelta(seconds=pick * 7 + 1) if pick % 2 else None
        self.sim.systems.store.set_parameter("pool.idle_for", pick, PERSON, lasts=lasts)

    def pause(self, pick: int) -> None:
        target = PAUSABLE[pick % len(PAUSABLE)]
        lasts = timedelta(seconds=pick * 7 + 1) if pick % 2 else None
        self.sim.systems.store.pause([target], PERSON, lasts=lasts)

    def lasting(self) -> dict[str, Any]:
        tables, outside = self.sim.systems.store.tables, self.sim.systems.outside
        return {
            "jobs": list(tables.jobs.values()),
            "histories": list(tables.history.values()),
            "runs": list(tables.runs.values()),
            "workers": list(tables.workers.values()),
            "intents": list(tables.intents.values()),
            "identities": list(tables.identities.values()),
            "backoffs": list(tables.backoffs.values()),
            "nodes": outside.nomad.state.nodes.by_id(),
            "children": outside.nomad.state.jobs.by_id(),
            "servers": [(server.id, server.status) for server in outside.cloud.servers()],
        }


# Each of these tells when one part of `simulator.stillness`, or the memory of a loop, is left out.
@example(seed=1, history=[("jobs", 0, 1), ("jobs", 30, 2), ("retire", 700, 3), ("jobs", 100, 3)])
@example(seed=1, history=[("jobs", 0, 4), ("parameter", 200, 99)])
@example(seed=2, history=[("jobs", 0, 4), ("vanish", 300, 0)])
@given(seed=st.integers(0, 10**6), history=events)
@settings(max_examples=max(6, settings().max_examples // 8))
def test_a_pass_that_is_left_out_would_have_changed_nothing(
    seed: int, history: list[Event]
) -> None:
    whole, skipping = Life(seed, skipping=False), Life(seed, skipping=True)
    whole.live(history)
    skipping.live(history)
    expected, got = whole.lasting(), skipping.lasting()
    for name, rows in expected.items():
        assert got[name] == rows, f"{name} differ\n{skipping.sim.story()}"
    assert skipping.sim.steps == whole.sim.steps == whole.sim.passes
    assert skipping.sim.passes < whole.sim.passes
