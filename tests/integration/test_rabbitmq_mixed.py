"""The publication loop on a real RabbitMQ to which one thing after another happens, by seed.

Store and buckets are in memory, where calls fail and processes die as well; what is judged is what
lies in the queue: every product at least once, under ids that only refusals change, nothing
published that is not there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from models.broker import Broker
from models.lifecycle import Status
from models.records import Job
from simulator.faults import Crash, Fault, Faults
from tests.plugins.brokers import DEADLINE, OnRabbit
from tests.plugins.pressroom import InMemory, names
from tests.plugins.rabbitmq import STRANGER, USER
from tests.plugins.wires import Wire, wire_to

pytestmark = pytest.mark.xdist_group("rabbitmq")

RUNS = 20
DYING = {Fault.CRASH: 0.01, Fault.CRASH_AFTER: 0.01, Fault.LOST_REPLY: 0.01, Fault.TIMEOUT: 0.01}


@dataclass
class Rig:
    """A press room in memory before a real broker, to which a wire leads."""

    world: InMemory
    rabbit: OnRabbit
    wire: Wire
    port: int
    chance: Random
    user: str = USER

    def __post_init__(self) -> None:
        parts = self.world.room.parts
        parts.broker = self._open
        parts.announced = self.announced
        self.world.room.begin()

    def _open(self) -> Broker:
        url = self.rabbit.rabbit.url_of(self.user, port=self.port)
        return self.rabbit.opening(url, self.rabbit.names, heartbeat=1)

    def announced(self) -> list[tuple[str, bytes]]:
        """What lies in the queue."""
        return [(each.id, each.body) for each in self.rabbit.announced()]

    def step(self) -> None:
        """One pass, of a process that may die in it; nobody looks into the broker."""
        try:
            self.world.room.step_unjudged()
        except Crash:
            self.world.room.begin()
        self.world.time.advance(timedelta(minutes=2))


@contextmanager
def cut(rig: Rig) -> Iterator[None]:
    """The connection breaks after some frames of ours."""
    rig.wire.left = rig.chance.randrange(12)
    yield
    rig.wire.left = None


@contextmanager
def silence(rig: Rig) -> Iterator[None]:
    """Nothing passes any more: heartbeats are missed."""
    rig.wire.silent = True
    yield
    rig.wire.silent = False


@contextmanager
def unbound(rig: Rig) -> Iterator[None]:
    """No queue takes what is sent: it comes back."""
    rig.rabbit.bind(bound=False)
    yield
    rig.rabbit.bind(bound=True)


@contextmanager
def short_of_memory(rig: Rig) -> Iterator[None]:
    """The broker blocks whoever publishes."""
    rig.rabbit.short_of_memory(short=True)
    rig.rabbit.deadline = timedelta(seconds=0.5)
    yield
    rig.rabbit.deadline = DEADLINE
    rig.rabbit.short_of_memory(short=False)


@contextmanager
def refused_access(rig: Rig) -> Iterator[None]:
    """The controller is started as somebody who may do nothing."""
    rig.user = STRANGER
    rig.world.room.begin()
    yield
    rig.user = USER
    rig.world.room.begin()


@contextmanager
def restarted(rig: Rig) -> Iterator[None]:
    """The broker dies without a word, and comes back."""
    rig.rabbit.go_away()
    yield
    rig.rabbit.come_back()


@contextmanager
def a_refusal(rig: Rig) -> Iterator[None]:
    """The endpoint cannot take a message, and says so once or twice."""
    found = rig.announced()
    if found:
        key, body = rig.chance.choice(found)
        twice = json.dumps(body.decode()).encode()
        for _ in range(rig.chance.choice([1, 2])):
            rig.rabbit.refuse(rig.chance.choice([body, twice]), key)
    yield


@contextmanager
def a_death(rig: Rig) -> Iterator[None]:
    """The controller dies between two passes."""
    rig.world.room.begin()
    yield


Happening = Callable[[Rig], AbstractContextManager[None]]
QUICK: tuple[Happening, ...] = (cut, unbound, refused_access, a_refusal, a_death)
SLOW: Mapping[int, Happening] = {0: restarted, 1: silence, 2: short_of_memory, 5: silence}
"""Those that take seconds, by the seed modulo 8: a run has one of them at most."""


def drawn(seed: int, chance: Random) -> list[Happening]:
    """What happens in a run, in its order."""
    found = chance.choices(QUICK, k=4)
    found += [SLOW[seed % 8]] if seed % 8 in SLOW else []
    chance.shuffle(found)
    return found


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_happens_to_the_broker_each_product_is_announced(
    real_broker: OnRabbit, seed: int
) -> None:
    chance = Random(seed)
    with wire_to(real_broker.rabbit) as (wire, port):
        rig = Rig(InMemory(seed=seed), real_broker, wire, port, chance)
        rig.step()  # what is to be there is declared
        jobs = [rig.world.room.made(*names(number)) for number in range(2)]
        rig.world.go_wrong(Faults(rates=DYING, seed=seed))
        for happen in drawn(seed, chance):
            with happen(rig):
                rig.step()
        rig.world.go_wrong(Faults())
        until_done(rig, jobs)
        each_is_announced(rig)
        rig.world.room.press.broker.close()


def until_done(rig: Rig, jobs: list[Job]) -> None:
    """In peace all comes to its end: passes until then, and one for what was refused last."""
    desk = rig.world.room.parts.desk
    for _ in range(40):
        rig.step()
        if {desk.job(job.id).status for job in jobs} == {Status.DONE}:
            break
    rig.world.room.judge()
    assert {desk.job(job.id).status for job in jobs} == {Status.DONE}


def each_is_announced(rig: Rig) -> None:
    """Every product, under each id that its row ever had, and under no other."""
    found = Counter(key for key, _ in rig.announced())
    rows = rig.world.store.tables.publications.values()
    assert set(found) == {
        f"{row.product}:{row.digest}:{send}" for row in rows for send in range(1, row.send + 1)
    }
    assert all(row.send == 1 + row.refusals for row in rows)


def test_each_thing_that_happens_is_in_some_run() -> None:
    happened = {happen for seed in range(RUNS) for happen in drawn(seed, Random(seed))}
    assert happened == {*QUICK, *SLOW.values()}
