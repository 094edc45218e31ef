"""Products are announced at least once and exactly as they are, whatever fails and whoever dies."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from controller.clock import SystemClock
from controller.log import silence
from controller.simulate.process import Unread
from models.lifecycle import Status
from models.records import Job
from simulator.faults import Crash, Fault, Faults
from tests.plugins.pressroom import InMemory, names

FIRST, LAST = map(int, os.environ.get("HRSI_PUBLICATION_LIVES", "0..200").split(".."))
"""The seeds that are lived through, the last excluded; `make test-long` takes more of them."""

BLOCK = 25
JOBS = 2
HARD = {
    Fault.REFUSED: 0.01,
    Fault.TIMEOUT: 0.01,
    Fault.LOST_REPLY: 0.015,
    Fault.THROTTLED: 0.005,
    Fault.SERVER_ERROR: 0.01,
    Fault.CRASH: 0.01,
    Fault.CRASH_AFTER: 0.01,
}


def live(world: InMemory, passes: int) -> int:
    """Passes of a process that may die in any of them; how often it did."""
    deaths = 0
    for _ in range(passes):
        try:
            world.room.step()
        except Crash:
            deaths += 1
            world.room.begin()
        # A successor waits for the lease of the dead; a minute is never too short for it.
        world.time.advance(timedelta(minutes=2))
    return deaths


def all_is_done(world: InMemory, jobs: list[Job]) -> None:
    """In a calm world everything comes to its end, and every product was announced."""
    world.go_wrong(Faults())
    live(world, 1)
    for _ in range(20):
        found = [world.room.parts.desk.job(job.id).status for job in jobs]
        if {*found} == {Status.DONE} and not world.broker.failures:
            break
        live(world, 1)
    assert {world.room.parts.desk.job(job.id).status for job in jobs} == {Status.DONE}
    assert not world.broker.failures
    heard = {key.partition(":")[0] for key, _ in world.room.parts.announced()}
    assert heard == {name for number in range(len(jobs)) for name in names(number)}


def test_without_any_fault_each_product_is_announced_once() -> None:
    world = InMemory()
    jobs = [world.room.made(*names(number)) for number in range(JOBS)]
    assert len(world.room.until_done(*jobs)) <= 2
    heard = [key for key, _ in world.room.parts.announced()]
    assert len(heard) == len(set(heard)) == 2 * JOBS


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_AFTER])
def test_a_process_that_dies_at_any_call_leaves_nothing_half_done(fault: Fault) -> None:
    calls = 0
    while True:
        calls += 1
        world = InMemory()
        jobs = [world.room.made(*names(0))]
        faults = Faults()
        faults.order_at(calls, fault)
        world.go_wrong(faults)
        live(world, 1)
        if not faults.taken:
            break
        all_is_done(world, jobs)
        heard = [key for key, _ in world.room.parts.announced()]
        # The same message twice is the same id twice: no send was counted for it.
        assert {key.rpartition(":")[2] for key in heard} == {"1"}
    assert calls > 20


@pytest.mark.parametrize("first", range(FIRST, LAST, BLOCK))
def test_in_a_hard_life_nothing_is_lost_and_nothing_untrue_is_said(first: int) -> None:
    came_to: Counter[str] = Counter()
    metrics = Unread(CollectorRegistry(), SystemClock())
    with silence():
        for seed in range(first, min(first + BLOCK, LAST)):
            came_to += lived(InMemory(seed=seed, metrics=metrics), Random(seed))
    assert came_to["deaths"]
    assert came_to["refusals"]
    assert came_to["repeated"]


def lived(world: InMemory, chance: Random) -> Counter[str]:
    """A hard life, and the calm after it in which all must be announced; what came to pass."""
    jobs = [world.room.made(*names(number)) for number in range(JOBS)]
    world.go_wrong(Faults(rates=HARD, seed=world.seed))
    if chance.random() < 0.7:
        unheard = chance.choice([Fault.LOST_REPLY, Fault.CRASH_AFTER])
        world.faults.order("broker.publish", unheard)
    found: Counter[str] = Counter()
    for _ in range(8):
        world.broker.reachable = chance.random() < 0.8
        world.broker.admits = chance.random() < 0.95
        world.broker.whole = chance.random() < 0.95
        world.broker.short = chance.random() < 0.1
        world.broker.bound = chance.random() < 0.9
        world.buckets.reachable = chance.random() < 0.9
        found["refusals"] += endpoint(world, chance)
        found["deaths"] += live(world, 1)
    world.broker.set_right()
    world.buckets.reachable = True
    all_is_done(world, jobs)
    no_id_changed_by_itself(world)
    kept = Counter(key for key, _ in world.room.parts.announced())
    found["repeated"] = sum(count > 1 for count in kept.values())
    return found


def no_id_changed_by_itself(world: InMemory) -> None:
    """A message that nobody refused is repeated under the id that it had."""
    for row in world.store.tables.publications.values():
        assert row.send == 1 + row.refusals, row


def endpoint(world: InMemory, chance: Random) -> int:
    """Take what is announced; refuse some of it, once or twice, with or without its id."""
    refused = 0
    while world.broker.announced:
        message = world.broker.announced.pop(0)
        world.broker.taken.append(message)
        first = message.id.rpartition(":")[2] == "1"
        if first and chance.random() < 0.2:
            body = message.body if chance.random() < 0.5 else json.dumps(message.body.decode())
            raw = body if isinstance(body, bytes) else body.encode()
            for _ in range(chance.choice([1, 1, 2])):
                world.broker.refuse(raw, message.id if chance.random() < 0.7 else None)
            refused += 1
    return refused


def test_while_the_broker_is_away_for_an_hour_nothing_piles_up_in_memory() -> None:
    world = InMemory()
    jobs = [world.room.made(*names(number)) for number in range(5)]
    world.broker.reachable = False
    sizes: list[int] = []
    with silence():
        tracemalloc.start()
        try:
            for number in range(720):
                world.room.step_unjudged()
                world.time.advance(timedelta(seconds=5))
                if number in {120, 719}:
                    gc.collect()
                    sizes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    # The ledger in memory tells when a wait was last seen; nothing else may stay of a pass.
    assert sizes[1] - sizes[0] < 50 * 600
    world.broker.set_right()
    all_is_done(world, jobs)
