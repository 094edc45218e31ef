"""JSON Lines of jobs: good lines go in, bad ones are refused one by one, by line and field."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.job_types import DEFAULT_REGISTRY
from models.records import Priority
from models.submission import Line, job_of, line_of, parse_submission
from simulator.examples import SENTINEL_2_NAMES

PRODUCTS = (None, *SENTINEL_2_NAMES[:3])

PRODUCT = "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117"


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_product_name_gives_key_name_tile_and_sensing_time() -> None:
    submission = parse_submission(
        [line(type="fsc_rlie", product=PRODUCT + ".SAFE", priority="nrt")], DEFAULT_REGISTRY
    )
    (job,) = submission.jobs
    assert (job.key, job.name, job.tile) == (PRODUCT, "28WEU-2022-08-27", "28WEU")
    assert job.priority is Priority.NRT
    assert job.input == {"product": PRODUCT}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(b"{", "truncated", id="not-json"),
        pytest.param(b"[1]", "Expected `object`", id="not-an-object"),
        pytest.param(line(product=PRODUCT), "type", id="no-type"),
        pytest.param(line(type="fsc", product=PRODUCT), "field type: 'fsc'", id="unknown-type"),
        pytest.param(line(type="test"), "either field product", id="neither-name-nor-product"),
        pytest.param(
            line(type="test", name="a", product=PRODUCT), "either field product", id="both"
        ),
        pytest.param(line(type="test", name="a", tyle="x"), "`tyle`", id="misspelt-field"),
        pytest.param(line(type="test", name="a", tile="T28WEU"), "field tile", id="bad-tile"),
        pytest.param(line(type="test", name="a b"), "field name", id="blank-in-name"),
        pytest.param(
            line(type="test", name="a", priority="soon"),
            "field priority: Invalid enum value 'soon'; there are: nrt, delayed, reprocessing",
            id="bad-priority",
        ),
        pytest.param(
            line(type="test", name="a", deadline="2026-01-01T00:00:00"),
            "field deadline",
            id="deadline-without-zone",
        ),
        pytest.param(
            line(type="fsc_rlie", product="S2A"), "field product: 'S2A'", id="bad-product"
        ),
        pytest.param(b"\xff\xfe", "", id="not-text"),
    ],
)
def test_a_bad_line_is_refused_by_number_and_field_and_the_good_ones_go_in(
    bad: bytes, words: str
) -> None:
    good = line(type="test", name="good")
    submission = parse_submission([good, b"  \n", bad, good], DEFAULT_REGISTRY)
    assert [job.name for job in submission.jobs] == ["good", "good"]
    (refusal,) = submission.refused
    assert refusal.line == 3
    assert words in refusal.error


@given(st.lists(st.binary(max_size=40)))
def test_no_bytes_whatever_raise_or_get_lost(lines: list[bytes]) -> None:
    submission = parse_submission(lines, DEFAULT_REGISTRY)
    said = len(submission.jobs) + len(submission.refused)
    assert said == sum(1 for text in lines if text.strip())


@given(
    product=st.sampled_from(PRODUCTS),
    key=st.none() | st.just("mine"),
    priority=st.sampled_from(Priority),
    inputs=st.dictionaries(st.sampled_from(["a", "b"]), st.integers()),
)
def test_a_job_is_said_again_as_the_line_that_makes_it(
    product: str | None, key: str | None, priority: Priority, inputs: dict[str, Any]
) -> None:
    name = None if product else "mine-too"
    line = Line(type="gfsc", product=product, name=name, key=key, priority=priority, input=inputs)
    job = job_of(line, DEFAULT_REGISTRY)
    assert job_of(line_of(job, DEFAULT_REGISTRY), DEFAULT_REGISTRY) == job


UNSPOKEN = [
    pytest.param({"type": "none"}, "field type: 'none' is no job type", id="no-such-type"),
    pytest.param({"input": {}, "key": "x"}, "names none", id="nothing-names-its-product"),
]


@pytest.mark.parametrize(("changes", "why"), UNSPOKEN)
def test_a_job_that_no_line_makes_is_refused(changes: dict[str, Any], why: str) -> None:
    made = job_of(Line(type="gfsc", product=PRODUCTS[1]), DEFAULT_REGISTRY)
    with pytest.raises(ValueError, match=why):
        line_of(replace(made, **changes), DEFAULT_REGISTRY)


def test_a_job_that_is_named_by_its_key_alone_is_said_by_it() -> None:
    made = job_of(Line(type="gfsc", product=PRODUCTS[1]), DEFAULT_REGISTRY)
    assert line_of(replace(made, input={"product": "x"}), DEFAULT_REGISTRY).product == PRODUCTS[1]
