"""Whatever catalogues, the store and controllers do to one another: jobs made of several products
are in the end what they would be if all had been listed at once, in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.simulation import Simulation
from models.composing import Group, Ingredient
from models.lifecycle import LIFE, Status
from models.product_names import ProductType
from models.records import Job
from models.settings_composition import CompositionSettings
from reconcilers.creation.composition import Bench
from reconcilers.creation.compositions import COMPOSITIONS
from reconcilers.creation.gfsc import DAYS as WINDOW
from reconcilers.creation.gfsc import INPUTS
from reconcilers.creation.groups import needs_of
from simulator.catalogues.listing import Disorder
from simulator.catalogues.memory import strangeness
from simulator.catalogues.options import CatalogueOptions, area_around
from simulator.store import composing
from simulator.store.tables import Note, Tables
from simulator.timeline import EPOCH
from tests.plugins.creation_lives import a_life

DAYS = timedelta(days=1)
TILES = ("32TLR", "32TMR", "32TLS")
AREA = area_around(TILES)
WRONG = Disorder(late=0.1, lagging=0.2, doubled=0.2, renewed=0.2, nonsense=0.1)
WAY = LIFE[: LIFE.index(Status.PROCESSED) + 1]


def composing_life(seed: int) -> Simulation:
    """Two catalogues in disorder, small pages."""
    catalogue = CatalogueOptions(
        tiles=TILES, lasts=3 * DAYS, disorder=WRONG, outages_every=DAYS, with_products=True
    )
    parameters = {"creation.page": 4, "creation.pages": 3, "composition.batch": 5}
    return a_life(seed, catalogue, parameters, frozenset({"store.set_parameter"}))


def live(sim: Simulation, until: timedelta, chance: Random) -> None:
    """Let the controllers look at the feeds, and somebody do some of the jobs, in any order."""
    tables = sim.systems.store.tables
    while sim.systems.timeline.now() < EPOCH + until:
        sim.step(chance.randrange(2), "creation")
        sim.pass_time(timedelta(minutes=chance.choice((0.2, 2, 10, 45))))
        waiting = [job for job in tables.jobs.values() if job.status in WAY[:-1]]
        for job in chance.sample(waiting, len(waiting) * chance.randrange(3) // 2):
            process(tables, job, sim.systems.timeline.now())


def process(tables: Tables, job: Job, at: datetime) -> None:
    """Do a job, out of turn: all that matters here is that it is done."""
    with tables.journal:
        tables.configs.put(job.id, {"order": "somebody did it out of turn"})
    for status in WAY[WAY.index(job.status) + 1 :]:
        with tables.journal:
            job = tables.move(job, status, Note(at=at, actor="somebody"))


def at_once(tables: Tables, group: Group, now: datetime) -> set[str]:
    """What jobs of a group would cover if all that is known now had been there from the first."""
    composition_settings = CompositionSettings()
    needs = needs_of([group], composition_settings)
    material = composing.material(tables, needs, now)
    fresh = Bench(
        group=Group(
            job_type=group.job_type, key=group.key, day=group.day, tiles=group.tiles, due_at=None
        ),
        parts=material.ingredients,
        moving=(),
        active=frozenset(material.active),
        area=AREA,
        settings=composition_settings,
        now=now,
    )
    made = COMPOSITIONS[group.job_type].compose(fresh).made
    return {cover for each in made for cover in each.covers}


def covered(group: Group) -> list[str]:
    """What the jobs of a group cover, each as often as it is."""
    return [cover for made in group.made for cover in made.covers]


def by_tile_and_day(tables: Tables) -> Mapping[tuple[str, date], list[Ingredient]]:
    """What was measured of snow."""
    found: defaultdict[tuple[str, date], list[Ingredient]] = defaultdict(list)
    for part in tables.ingredients.values():
        if part.type in INPUTS:
            found[part.place, part.sensing_at.date()].append(part)
    return found


def days_with_snow(tables: Tables, until: date) -> Iterator[tuple[str, date]]:
    """Tiles and days that must have a GFSC: something was measured then, or within a week before
    and anywhere that day.
    """
    seen = by_tile_and_day(tables)
    active = {day for _, day in seen}
    for tile in TILES:
        for day in sorted(active):
            window = [day - DAYS * back for back in range(WINDOW)]
            if day < until and any((tile, each) in seen for each in window):
                yield tile, day


@given(seed=st.integers(0, 10_000))
@settings(max_examples=2)
def test_jobs_of_several_products_come_to_the_same_in_any_order(seed: int) -> None:
    chance = Random(seed)
    sim = composing_life(seed)
    live(sim, 6 * DAYS, chance)
    sim.systems.faults.clear()
    live(sim, 8 * DAYS, chance)
    tables, now = sim.systems.store.tables, sim.systems.timeline.now()
    assert sim.systems.products is not None
    listed = [e.product for e in sim.systems.products.entries() if strangeness(e) is None]
    settled = {p.name for p in listed if p.published_at < now - DAYS}
    kept = {p.name for p in tables.ingredients.values() if p.type is not ProductType.GRDH}
    assert settled <= kept <= {product.name for product in listed}
    over = (now - 2 * DAYS).date()
    for group in (group for group in tables.groups.values() if group.day < over):
        keys = [made.key for made in group.made]
        assert len(keys) == len(set(keys))
        assert all(tables.jobs_by_key.one((group.job_type, key)) for key in keys)
        covers = covered(group)
        assert set(covers) == at_once(tables, group, now)
        if group.job_type != "gfsc":
            assert len(covers) == len(set(covers))
    made = {key for group in tables.groups.values() for key in (m.key for m in group.made)}
    jobs = [job for job in tables.jobs.values() if job.type in COMPOSITIONS]
    assert {job.key for job in jobs} == made
    snow = {(g.tiles[0], g.day) for g in tables.groups.values() if g.job_type == "gfsc" and g.made}
    assert {each for each in snow if each[1] < over} == set(days_with_snow(tables, over))
    assert {"gfsc", "sws_wds"} <= {job.type for job in jobs}
    newest_counts(tables)
    assert not sim.truth.violations


def newest_counts(tables: Tables) -> None:
    """Of the GFSC of a tile and day the newest is there, and has all that was measured that day."""
    seen = by_tile_and_day(tables)
    for group in tables.groups.values():
        if group.job_type != "gfsc" or not group.made or group.due_at is not None:
            continue
        newest = max(group.made, key=lambda made: int(made.note))
        assert newest == group.made[-1]
        job = tables.jobs_by_key.one(("gfsc", newest.key))
        assert job is not None
        assert job.status is not Status.CANCELLED
        wanted = {part.measurement for part in seen.get((group.tiles[0], group.day), ())}
        assert wanted <= set(newest.covers)
