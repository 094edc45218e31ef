"""What jobs made is listed a while after they made it, under the names that our products have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.catalogue import Collection
from models.product_names import parse_snow_name
from simulator.catalogues.listing import Disorder
from simulator.catalogues.memory import strangeness
from simulator.catalogues.products import Habits, ProcessedJob, entries_of
from worker.standin_science import products_of

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
OPTICAL = {"tiles": ["32TLR"], "unit": "S2B", "sensing_start": "2026-01-10T10:30:17+00:00"}
RADAR = {
    "tiles": ["32TLR", "32TMR"],
    "unit": "S1A",
    "sensing_start": "2026-01-10T05:30:00+00:00",
}
SLICES = {
    "tiles": ["32TLR"],
    "unit": "S1A",
    "slices": [{"sensing_start": "2026-01-10T05:30:00+00:00"}],
    "products": ["SWS", "WDS"],
}
DAILY = {"tiles": ["32TLR"], "unit": "S1-S2", "day": "2026-01-10", "curation": 1_768_050_000}


def a_job(kind: str, given: dict[str, Any]) -> ProcessedJob:
    """A job of these images."""
    return ProcessedJob(type=kind, key="key", input=given, at=AT)


@pytest.mark.parametrize(
    ("kind", "given", "names"),
    [
        pytest.param(
            "fsc_rlie",
            OPTICAL,
            ["FSC_20260110T103017_S2B_T32TLR_V102_1", "RLIE_20260110T103017_S2B_T32TLR_V102_1"],
            id="fsc-and-rlie-of-an-image",
        ),
        pytest.param(
            "rlies1",
            RADAR,
            ["RLIE_20260110T053000_S1A_T32TLR_V102_1", "RLIE_20260110T053000_S1A_T32TMR_V102_1"],
            id="one-for-each-tile-of-a-slice",
        ),
        pytest.param(
            "rlies1s2", DAILY, ["RLIE_20260110T000000_S1-S2_T32TLR_V102_1"], id="of-both-missions"
        ),
        pytest.param(
            "sws_wds",
            SLICES,
            ["SWS_20260110T053000_S1A_T32TLR_V102_1", "WDS_20260110T053000_S1A_T32TLR_V102_1"],
            id="what-was-asked-for",
        ),
        pytest.param(
            "gfsc",
            DAILY,
            ["GFSC_20260110-007_S1-S2_T32TLR_V102_1768050000"],
            id="with-its-curation",
        ),
        pytest.param("gfsc", {}, [], id="nothing-of-what-was-handed-in-bare"),
        pytest.param("test", OPTICAL, [], id="nothing-of-a-test"),
    ],
)
def test_each_type_makes_its_products(kind: str, given: dict[str, Any], names: list[str]) -> None:
    entries = list(entries_of(a_job(kind, given), Habits()))
    assert [entry.title for entry in entries] == names
    for entry in entries:
        product, read = entry.product, parse_snow_name(entry.title)
        assert (product.type, product.tile, product.unit) == (read.type, read.tile, read.unit)
        assert product.sensing.start == read.sensing_at
        assert product.collection is Collection.HRSI
        assert AT <= product.published_at <= AT + timedelta(minutes=2)
        assert entry.visible_at == product.published_at


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        pytest.param("fsc_rlie", OPTICAL, id="fsc_rlie"),
        pytest.param("rlies1", RADAR, id="rlies1"),
        pytest.param("rlies1s2", DAILY, id="rlies1s2"),
        pytest.param("sws_wds", SLICES, id="sws_wds"),
        pytest.param("gfsc", DAILY, id="gfsc"),
    ],
)
def test_what_is_listed_is_what_the_stand_in_makes(kind: str, given: dict[str, Any]) -> None:
    made = dict(products_of({"type": kind, "tile": "32TLR", "name": "2026-01-10"}, given))
    assert [entry.title for entry in entries_of(a_job(kind, given), Habits())] == list(made)


def test_an_untidy_catalogue_lists_them_late_twice_and_among_nonsense() -> None:
    wrong = Habits(disorder=Disorder(late=1, lagging=1, doubled=1, nonsense=1))
    entries = list(entries_of(a_job("fsc_rlie", OPTICAL), wrong))
    understood = [entry for entry in entries if strangeness(entry) is None]
    assert len(entries) == 6
    assert len(understood) == 4
    assert len({entry.product.id for entry in entries}) == 6
    assert all(entry.product.published_at > AT + timedelta(hours=1) for entry in entries)
    assert any(entry.visible_at > entry.product.published_at for entry in entries)


def test_the_same_job_is_listed_in_the_same_way() -> None:
    habits = Habits(seed=3, disorder=Disorder())
    first = list(entries_of(a_job("rlies1", RADAR), habits))
    assert first == list(entries_of(a_job("rlies1", RADAR), habits))
    assert first != list(entries_of(a_job("rlies1", RADAR), Habits(seed=4, disorder=Disorder())))
