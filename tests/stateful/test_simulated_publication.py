"""Worlds in which products are published: whatever goes wrong there, each is announced."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from controller.simulate.report import products_made, products_published
from controller.simulation import Plan, Simulation
from models.lifecycle import Status
from models.overview import overview
from models.plan import Reason
from models.ports import Asked
from models.records import NewJob
from simulator.behaviour import Behaviour, Spread
from simulator.catalogues.options import CatalogueOptions
from simulator.faults import Fault, Faults
from simulator.mishaps import calm
from simulator.press import PressOptions, SimulatedPress
from simulator.press_mishaps import PRESS_MISHAPS
from simulator.systems import Scenario

ASKED = Asked(actor="test", reason="test")
HOUR = timedelta(hours=1)
SHORT = Spread(least=timedelta(seconds=1), most=timedelta(seconds=20))
QUICK = Behaviour(
    starting=SHORT,
    pre_processing=SHORT,
    processing=SHORT,
    post_processing=SHORT,
    winding_down=SHORT,
)


def world(
    seed: int,
    *,
    refused: float = 0.0,
    faults: Faults | None = None,
    catalogue: CatalogueOptions | None = None,
) -> Simulation:
    """A farm that has four jobs to do."""
    scenario = Scenario(
        seed=seed,
        behaviours={"fsc_rlie": QUICK, "gfsc": QUICK},
        catalogue=catalogue,
        press=PressOptions(refused=refused),
    )
    sim = Simulation(
        Plan(scenario=scenario, faults=lambda: faults or Faults(), skipping=faults is None)
    )
    kinds = ("fsc_rlie", "gfsc", "fsc_rlie", "gfsc")
    jobs = [NewJob(type=kind, key=f"{n}", name=f"{n}") for n, kind in enumerate(kinds)]
    sim.systems.store.submit(jobs, ASKED)
    return sim


def press_of(sim: Simulation) -> SimulatedPress:
    assert sim.systems.press is not None
    return sim.systems.press


def all_is_announced(sim: Simulation) -> None:
    """Every job is done, and each of the six products has its confirmed announcement."""
    tables = sim.systems.store.tables
    assert {job.status for job in tables.jobs.values()} == {Status.DONE}, sim.story()
    assert products_made(tables) == products_published(press_of(sim)) == 6
    assert set(press_of(sim).endpoint.accepted) == {
        product.name for made in tables.manifests.values() for product in made.products
    }


def test_in_a_world_without_faults_each_product_is_announced_once() -> None:
    sim = world(0)
    assert sim.run_until(sim.is_quiet, 3 * HOUR), sim.story()
    all_is_announced(sim)
    assert len(press_of(sim).broker.taken) == 6


@pytest.mark.parametrize("name", sorted(PRESS_MISHAPS))
def test_what_goes_wrong_behind_publication_is_felt_and_passes(name: str) -> None:
    sim = world(1)
    assert sim.run_until(lambda: bool(sim.systems.store.tables.manifests), HOUR), sim.story()
    before = felt(sim)
    assert PRESS_MISHAPS[name](sim.systems, Random(1))
    assert felt(sim) != before
    assert sim.run_until(sim.is_quiet, 12 * HOUR), sim.story()
    all_is_announced(sim)
    assert felt(sim)[:-1] == before[:-1]


@pytest.mark.parametrize("name", sorted(PRESS_MISHAPS))
def test_a_world_left_in_peace_publishes_again(name: str) -> None:
    sim = world(2)
    before = felt(sim)
    PRESS_MISHAPS[name](sim.systems, Random(1))
    calm(sim.systems)
    assert felt(sim) == before


def felt(sim: Simulation) -> tuple[object, ...]:
    press = press_of(sim)
    broker = press.broker
    answers = (broker.reachable, broker.short, broker.admits, broker.bound, broker.whole)
    return (*answers, press.buckets.reachable, press.endpoint.opens_at)


@pytest.mark.parametrize("seed", range(3))
def test_with_refusals_crashes_and_failing_calls_all_is_announced_in_the_end(seed: int) -> None:
    rates = {**dict.fromkeys(Fault, 0.006), Fault.CRASH: 0.002, Fault.CRASH_AFTER: 0.002}
    sim = world(seed, refused=0.2, faults=Faults(rates=rates, seed=seed))
    chance = Random(seed)
    for _ in range(150):
        if chance.random() < 0.2:
            PRESS_MISHAPS[chance.choice(sorted(PRESS_MISHAPS))](sim.systems, chance)
        sim.round()
    calm(sim.systems)
    assert sim.run_until(sim.is_quiet, 24 * HOUR), sim.story()
    all_is_announced(sim)
    assert {"broker", "objects"} & {operation.partition(".")[0] for operation, _ in taken(sim)}


def listed(sim: Simulation) -> set[str]:
    """The products that our catalogue lists."""
    assert sim.systems.products is not None
    now = sim.systems.timeline.now()
    return {e.product.name for e in sim.systems.products.entries() if e.visible_at <= now}


def missing(sim: Simulation) -> dict[str, str]:
    """What `hrsi status` says of products that are missing, by what it is about."""
    found = overview(sim.systems.store, (), sim.systems.timeline.now()).held
    return {h.about: h.because for h in found if h.reason == Reason.PRODUCTS_MISSING}


def test_a_product_that_the_endpoint_loses_is_told_of_until_it_is_announced_again() -> None:
    nothing = CatalogueOptions(tiles=("32TLR",), lasts=timedelta(0), with_products=True)
    sim = world(4, catalogue=nothing)
    endpoint, tables = press_of(sim).endpoint, sim.systems.store.tables
    assert sim.run_until(lambda: bool(tables.manifests), HOUR), sim.story()
    (made, *_) = tables.manifests.values()
    lost = made.products[0]
    endpoint.loses.add(lost.name)
    assert sim.run_until(lambda: bool(missing(sim)), 3 * HOUR), sim.story()
    ((about, because),) = missing(sim).items()
    assert about == f"products:{lost.kind}/{sim.systems.timeline.now():%Y-%m-%d}/found"
    assert "1 product is confirmed by the broker and not in our catalogue for more than" in because
    assert f": {lost.name}; ask the endpoint" in because
    assert listed(sim) == products_of(sim) - {lost.name}

    endpoint.loses.clear()
    (verdict,) = sim.systems.store.republish([lost.name], ASKED)
    assert verdict.done
    assert sim.run_until(lambda: not missing(sim), 2 * HOUR), sim.story()
    assert listed(sim) == products_of(sim)


def products_of(sim: Simulation) -> set[str]:
    """What runs made."""
    manifests = sim.systems.store.tables.manifests.values()
    return {product.name for made in manifests for product in made.products}


def taken(sim: Simulation) -> list[tuple[str, Fault]]:
    return sim.systems.faults.taken
