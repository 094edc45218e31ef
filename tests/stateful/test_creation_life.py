"""Whatever catalogues, the store and controllers do to one another: every product has its job."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.simulation import Simulation
from models.campaigns import CampaignOrder, CampaignState
from models.creation import acquisition_of
from models.ports import Asked
from models.product_names import ProductType
from models.settings_creation import CreationSettings
from simulator.catalogues.listing import Disorder
from simulator.catalogues.memory import strangeness
from simulator.catalogues.options import CatalogueOptions
from simulator.timeline import EPOCH
from tests.plugins.creation_lives import a_life

DAYS = timedelta(days=1)
WRONG = Disorder(late=0.15, lagging=0.2, doubled=0.2, renewed=0.2, nonsense=0.1, packed=0.5)
PEOPLES = frozenset({"store.set_parameter", "store.begin_campaign"})
"""What the test does itself: nothing of it goes wrong."""

JOB_TYPE = {ProductType.L1C: "fsc_rlie", ProductType.GRDH: "rlies1"}


def reading(seed: int) -> Simulation:
    """One catalogue in disorder, pages of two."""
    catalogue = CatalogueOptions(
        tiles=("32TLR", "32TMS"), lasts=4 * DAYS, disorder=WRONG, outages_every=DAYS
    )
    return a_life(seed, catalogue, {"creation.page": 2, "creation.pages": 3}, PEOPLES)


def live(sim: Simulation, until: timedelta, chance: Random) -> None:
    """Let one or the other controller look at the feeds now and then."""
    while sim.systems.timeline.now() < EPOCH + until:
        sim.step(chance.randrange(2), "creation")
        sim.pass_time(timedelta(minutes=chance.choice((0.2, 2, 10, 45))))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=4)
def test_every_accepted_product_has_its_job_once_and_every_image_one(seed: int) -> None:
    chance = Random(seed)
    sim = reading(seed)
    live(sim, 8 * DAYS, chance)
    sim.systems.faults.clear()
    live(sim, 8.2 * DAYS, chance)
    assert sim.systems.catalogue is not None
    listed = [e.product for e in sim.systems.catalogue.entries() if strangeness(e) is None]
    late_after = CreationSettings().late_after
    images = {acquisition_of(product, JOB_TYPE[product.type]) for product in listed}
    young = (p for p in listed if p.published_at - p.sensing.start <= late_after)
    prompt = {p.name: p for p in young if not p.is_cog}
    versions = Counter(acquisition_of(p, JOB_TYPE[p.type]) for p in prompt.values())
    tables = sim.systems.store.tables
    # What is made of several products is judged in `test_composition_life`.
    keys = [job.key for job in tables.jobs.values() if job.type in JOB_TYPE.values()]
    assert len(keys) == len(set(keys))
    assert set(keys) <= {product.name for product in listed}
    seen = (known.acquisition for known in tables.acquired.values())
    jobs = Counter(image for image in seen if image.job_type in JOB_TYPE.values())
    assert jobs == {image: max(1, versions[image]) for image in images}
    strange = {e.title for e in sim.systems.catalogue.entries() if strangeness(e) is not None}
    assert {reject.entry.entry for reject in tables.rejects.values()} == strange
    assert not sim.truth.violations


@given(seed=st.integers(0, 10_000))
@settings(max_examples=2)
def test_a_campaign_does_every_image_of_its_window_once_more_and_none_twice(seed: int) -> None:
    chance, sim = Random(seed), reading(seed)
    store, catalogue = sim.systems.store, sim.systems.catalogue
    assert catalogue is not None
    sim.pass_time(7 * DAYS)
    live(sim, 7.2 * DAYS, chance)
    order = CampaignOrder(
        job_type="fsc_rlie",
        source=catalogue.name,
        since=EPOCH,
        until=EPOCH + 3 * DAYS,
        tiles=("32TLR", "32TMS"),
        again=True,
    )
    campaign = store.begin_campaign(order, Asked(actor="ada")).campaign
    live(sim, 7.7 * DAYS, chance)
    sim.systems.faults.clear()
    live(sim, 8 * DAYS, chance)
    ended = store.campaign(campaign.id)
    assert ended.state is CampaignState.DONE
    tables = store.tables
    mine = [job_id for which, job_id in tables.campaign_jobs if which == campaign.id]
    keys = {tables.jobs[job_id].key for job_id in mine}
    done = [k.acquisition for k in tables.acquired.values() if k.key in keys]
    now = sim.systems.timeline.now()
    images = {
        acquisition_of(entry.product, "fsc_rlie")
        for entry in catalogue.entries()
        if entry.product.type is ProductType.L1C
        and strangeness(entry) is None
        and entry.visible_at <= now
        and order.since <= entry.product.sensing.start < order.until
    }
    assert images
    assert len(done) == len(set(done)) == ended.tally.created
    assert set(done) <= images
    # What creation itself has added in the very same pass is there, and not done once more.
    assert ended.tally.created + ended.tally.existing == len(images)
    assert images <= {known.acquisition for known in tables.acquired.values()}
    assert not sim.truth.violations
