"""What of a part of a campaign becomes a job: each image once, the newest version of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.actions import AddCampaignJobs
from models.areas import area_of_tiles
from models.campaigns import Campaign, CampaignLook, CampaignOrder, CampaignState, Tally
from models.catalogue import CatalogueProduct, Collection, RejectedEntry
from models.creation import Known, KnownJob, acquisition_of
from models.plan import Held, Reason
from models.product_names import ProductType
from models.records import Priority
from models.settings_composition import CompositionSettings
from models.settings_creation import CreationSettings
from reconcilers.creation import decide
from reconcilers.creation.campaigns import go_on, taken
from simulator.catalogues.listing import listing
from simulator.catalogues.orbits import BEGINNING
from simulator.examples import NOW, a_world

TILES = ("32TLR",)
AREA = area_of_tiles(TILES)
SPAN = timedelta(days=20)
IMAGES = tuple(
    entry.product
    for entry in listing(TILES, BEGINNING, BEGINNING + SPAN)
    if entry.product.type is ProductType.L1C and entry.product.tile == "32TLR"
)
FIRST, SECOND, *_ = IMAGES
ODD = RejectedEntry(
    source="creodias", collection=Collection.SENTINEL_2, entry="odd", why="no name", text="odd"
)


def a_campaign(**order: Any) -> Campaign:
    """One that runs, at its beginning."""
    wanted = CampaignOrder(
        job_type="fsc_rlie",
        source="creodias",
        since=BEGINNING,
        until=BEGINNING + SPAN,
        tiles=TILES,
    )
    return Campaign(
        id=3,
        order=replace(wanted, **order),
        state=CampaignState.RUNNING,
        reached=BEGINNING,
        tally=Tally(),
        asked_by="ada",
        reason="",
        created_at=NOW,
    )


def a_look(*products: CatalogueProduct, known: Known | None = None, **order: Any) -> CampaignLook:
    """All of a campaign at once."""
    return CampaignLook(
        campaign=a_campaign(**order),
        area=AREA,
        reached=BEGINNING + SPAN,
        products=products,
        known=known or Known(),
    )


def a_known(product: CatalogueProduct, key: str | None = None, *, cancelled: bool = False) -> Known:
    """The job of a product is there already."""
    image = acquisition_of(product, "fsc_rlie")
    return Known(jobs=(KnownJob(key=key or product.name, acquisition=image, cancelled=cancelled),))


def in_baseline(product: CatalogueProduct, baseline: str) -> CatalogueProduct:
    """The same image in another version."""
    name = product.name.replace(f"_N{product.baseline}_", f"_N{baseline}_")
    return replace(product, name=name, baseline=baseline, id=name)


def test_every_image_is_a_job_of_reprocessing_in_the_order_of_its_measurement() -> None:
    found = taken(a_look(*reversed(IMAGES)))
    assert [job.key for job in found.jobs] == [each.name for each in IMAGES]
    assert {(job.priority, job.deadline) for job in found.jobs} == {(Priority.REPROCESSING, None)}
    assert {job.input["campaign"] for job in found.jobs} == {3}
    assert found.tally == Tally(listed=len(IMAGES))


def test_what_was_measured_before_the_operation_began_is_processed_by_a_campaign() -> None:
    name = "S2A_MSIL1C_20160528T104032_N0202_R008_T32TLR_20160528T104248"
    early = BEGINNING.replace(year=2016)
    old = replace(FIRST, name=name, sensing=replace(FIRST.sensing, start=early), baseline="0202")
    assert [job.key for job in taken(a_look(old)).jobs] == [name]


@pytest.mark.parametrize(
    ("known", "again", "key"),
    [
        pytest.param(a_known(FIRST), False, None, id="its-job-is-there"),
        pytest.param(
            a_known(in_baseline(FIRST, "0100")), False, None, id="another-version-has-a-job"
        ),
        pytest.param(
            a_known(FIRST, cancelled=True), False, f"{FIRST.name}@3", id="its-job-was-cancelled"
        ),
        pytest.param(a_known(FIRST), True, f"{FIRST.name}@3", id="once-more"),
        pytest.param(
            a_known(in_baseline(FIRST, "0100")), True, FIRST.name, id="once-more-a-new-version"
        ),
        pytest.param(
            Known(jobs=(*a_known(FIRST).jobs, *a_known(FIRST, f"{FIRST.name}@3").jobs)),
            True,
            None,
            id="this-campaign-did-it",
        ),
    ],
)
def test_an_image_whose_job_is_there_gets_another_only_when_that_is_wanted(
    known: Known, again: bool, key: str | None
) -> None:
    found = taken(a_look(FIRST, known=known, again=again))
    assert [job.key for job in found.jobs] == ([] if key is None else [key])
    assert found.tally.existing == (key is None)


def test_of_several_versions_the_newest_counts() -> None:
    versions = [in_baseline(FIRST, each) for each in ("0301", "0999", "0500")]
    packed = replace(versions[1], id="cog", name=versions[1].name, is_cog=True)
    found = taken(a_look(versions[0], packed, *versions[1:], SECOND))
    assert [job.key for job in found.jobs] == [versions[1].name, SECOND.name]
    assert found.tally == Tally(listed=5, left_out=3)


def test_other_tiles_are_left_out() -> None:
    elsewhere = replace(FIRST, tile="32TMS", name=FIRST.name.replace("T32TLR", "T32TMS"))
    assert taken(a_look(elsewhere)).tally == Tally(listed=1, left_out=1)


def test_a_part_says_what_it_adds_and_how_far_it_comes() -> None:
    look = replace(a_look(*IMAGES, known=a_known(FIRST)), rejected=(ODD, ODD))
    (action,) = go_on([look])
    assert isinstance(action, AddCampaignJobs)
    assert (str(action.subject), action.reason) == ("campaign:3", Reason.CAMPAIGN_GOES_ON)
    assert (action.part.expected, action.part.reached) == (BEGINNING, BEGINNING + SPAN)
    assert len(action.part.jobs) == len(IMAGES) - 1
    assert (action.part.tally.existing, action.part.tally.rejected) == (1, 1)
    assert "1 there already" in action.because


def test_a_catalogue_that_is_away_is_told_and_moves_nothing() -> None:
    look = replace(a_look(), reached=BEGINNING, unknown="no answer")
    world = replace(a_world(), area=AREA, sweeps=(), campaigns=(look,))
    (held,) = decide(world, CreationSettings(), NOW, CompositionSettings())
    assert isinstance(held, Held)
    assert (str(held.subject), held.reason) == ("campaign:3", Reason.SOURCE_UNKNOWN)
    assert "no answer" in held.because
