"""Parameters in words: what people may write, what they are shown, and that both agree."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigurationError
from models.parameter_text import (
    parameter,
    parameters,
    read_pair,
    read_wait,
    wait_in_words,
)
from models.settings import parameter_keys, settings_from


def test_every_parameter_is_described_in_the_order_of_the_groups() -> None:
    assert list(parameters()) == list(parameter_keys())


def test_a_parameter_is_described_as_it_is() -> None:
    idle = parameter("pool.idle_for")
    assert (idle.default, idle.unit, idle.bounds) == (120, "seconds", "0 s to 1 d")
    assert idle.explanation.startswith("How long a worker must have run nothing")
    assert parameter("pool.vcpu_share").unit == "number"
    assert parameter("pool.max_workers").unit == "whole number"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("30m", 1800),
        ("30 min", 1800),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("200ms", 0.2),
        ("1.5h", 5400),
    ],
)
def test_a_wait_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert read_wait(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "30x", "m", "-5", "-5s", "1h 30", "9" * 40, "1:30"])
def test_what_is_no_wait_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wait"):
        read_wait(text)


@given(seconds=st.integers(0, 10**7) | st.sampled_from([0.05, 0.1, 0.2, 1.5]))
def test_a_wait_that_is_shown_can_be_written(seconds: float) -> None:
    assert read_wait(wait_in_words(seconds)).total_seconds() == seconds


@pytest.mark.parametrize("key", list(parameter_keys()))
def test_every_default_and_bound_can_be_written_as_it_is_shown(key: str) -> None:
    each = parameter(key)
    assert each.read("default") is None
    for value in (each.default, each.low, each.high):
        assert each.read(each.shown(value)) == value
    default = each.read(each.shown(None))
    assert settings_from({key: default}) == settings_from({})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("pool.max_workers", "is not KEY=VALUE", id="no-value"),
        pytest.param("pool.most=5", "'pool.most' does not exist", id="no-such-key"),
        pytest.param(
            "pool.idle_four=5",
            r"'pool.idle_four' does not exist; did you mean pool.idle_for\?",
            id="a-slip",
        ),
        pytest.param("pool.max_workers=many", "'many' is not a whole number", id="no-number"),
        pytest.param("pool.max_workers=1.5", "1.5 is not a number", id="not-whole"),
        pytest.param("pool.max_workers=5m", "'5m' is not a whole number", id="a-wait-for-a-number"),
        pytest.param("pool.vcpu_share=2", "out of bounds", id="out-of-bounds"),
        pytest.param("pool.vcpu_share=nan", "nan", id="nan"),
        pytest.param("pool.idle_for=later", "'later' is no wait", id="no-wait"),
        pytest.param("pool.idle_for=2d", "out of bounds", id="a-wait-out-of-bounds"),
        pytest.param("pool.idle_for=", "is no wait", id="empty"),
    ],
)
def test_what_a_parameter_cannot_be_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_pair(text)


def test_a_pair_is_read() -> None:
    described, value = read_pair("pool.idle_for = 5m")
    assert (described.key, value) == ("pool.idle_for", 300)
