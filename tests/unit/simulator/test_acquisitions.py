"""The jobs that the demo submits: real names first, then later passes over the same places."""

import json
from datetime import timedelta
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.product_names import parse_product_name
from simulator.acquisitions import SENTINEL_1, SENTINEL_2, acquisitions, later_pass

REAL = len(SENTINEL_1) + len(SENTINEL_2)


@given(count=st.integers(0, 400), seed=st.integers(0, 9))
def test_as_many_jobs_as_asked_for_and_no_key_twice(count: int, seed: int) -> None:
    jobs = [json.loads(line) for line in acquisitions(count, seed)]
    assert len(jobs) == count
    assert len({(job["type"], job.get("product", job.get("name"))) for job in jobs}) == count


def test_the_same_seed_makes_the_same_jobs_and_another_seed_others() -> None:
    assert list(acquisitions(60, 1)) == list(acquisitions(60, 1))
    assert list(acquisitions(60, 1)) != list(acquisitions(60, 2))


def test_the_real_products_come_first() -> None:
    products = [json.loads(line)["product"] for line in acquisitions(REAL)]
    assert products == [*SENTINEL_2, *SENTINEL_1]


def test_no_made_image_is_one_that_was_taken() -> None:
    made = [json.loads(line).get("product") for line in islice(acquisitions(300), REAL, None)]
    seen = {parse_product_name(name).sensing_at for name in (*SENTINEL_2, *SENTINEL_1)}
    assert not {parse_product_name(name).sensing_at for name in made if name} & seen


@pytest.mark.parametrize(
    ("name", "days", "orbits"),
    [
        pytest.param(SENTINEL_2[4], 10, 0, id="sentinel-2-comes-by-after-ten-days"),
        pytest.param(SENTINEL_1[0], 12, 175, id="sentinel-1-after-twelve-days-and-175-orbits"),
    ],
)
@given(repeats=st.integers(1, 50))
def test_a_later_pass_is_over_the_same_place(
    name: str, days: int, orbits: int, repeats: int
) -> None:
    first = parse_product_name(name)
    later = parse_product_name(later_pass(first, repeats, Random(0)))
    assert (later.unit, later.tile) == (first.unit, first.tile)
    assert later.sensing_at - first.sensing_at == timedelta(days=days * repeats)
    assert later.orbit - first.orbit == orbits * repeats
