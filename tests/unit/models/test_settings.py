"""Live parameters: made from what the store keeps, refused by name when they make no sense."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigurationError
from models.ports import ENDS_SHOWN
from models.settings import (
    DEFAULT_SETTINGS,
    PoolSettings,
    Settings,
    forgotten_keys,
    parameter_keys,
    parameter_value,
    settings_from,
    settings_kept,
)


def _field(key: str) -> Any:
    group, _, name = key.partition(".")
    return {f.name: f for f in fields(getattr(DEFAULT_SETTINGS, group))}[name]


def _plain(key: str) -> float:
    group, _, name = key.partition(".")
    default = getattr(getattr(DEFAULT_SETTINGS, group), name)
    return default.total_seconds() if isinstance(default, timedelta) else default


def test_nothing_stored_means_the_defaults() -> None:
    assert settings_from({}) == Settings() == DEFAULT_SETTINGS


@pytest.mark.parametrize("key", list(parameter_keys()))
def test_every_default_lies_within_its_bounds_and_survives_the_round_trip(key: str) -> None:
    assert settings_from({key: _plain(key)}) == DEFAULT_SETTINGS


@pytest.mark.parametrize("key", list(parameter_keys()))
def test_every_parameter_has_bounds_and_the_lower_is_below_the_upper(key: str) -> None:
    assert _field(key).metadata["low"] < _field(key).metadata["high"]


@pytest.mark.parametrize("key", list(parameter_keys()))
@pytest.mark.parametrize("side", ["low", "high"])
def test_a_value_out_of_bounds_is_refused_by_name(key: str, side: str) -> None:
    bound = _field(key).metadata[side]
    beyond = bound - 1 if side == "low" else bound + 1

    with pytest.raises(ConfigurationError, match=rf"parameter {key}: .* out of bounds"):
        settings_from({key: beyond})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("12", id="text"),
        pytest.param(None, id="nothing"),
        pytest.param(True, id="a-truth-value"),
        pytest.param([1], id="a-list"),
        pytest.param(1.5, id="half-a-worker"),
        pytest.param(float("nan"), id="not-a-number"),
        pytest.param(float("inf"), id="endless"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"parameter pool\.max_workers: "):
        settings_from({"pool.max_workers": value})


@pytest.mark.parametrize("value", ["1m", float("nan"), float("inf"), False, 10**400])
def test_a_wait_is_a_number_of_seconds(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"parameter pool\.idle_for: "):
        parameter_value("pool.idle_for", value)


@pytest.mark.parametrize("key", ["pool.max_wokers", "pool", "max_workers", "", "worker.x"])
def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"does not exist; there are: .*pool\.max_workers"):
        settings_from({key: 1})


def test_values_take_the_type_of_their_parameter() -> None:
    settings = settings_from(
        {"pool.max_workers": 12.0, "pool.vcpu_share": 1, "passes.resync": 2, "pool.idle_for": 0.5}
    )

    assert settings.pool.max_workers == 12
    assert isinstance(settings.pool.max_workers, int)
    assert isinstance(settings.pool.vcpu_share, float)
    assert settings.passes.resync == timedelta(seconds=2)
    assert settings.pool.idle_for == timedelta(seconds=0.5)


@given(
    lease=st.floats(1, 3600),
    resync=st.floats(0.05, 300),
    deadline=st.floats(0.1, 300),
)
def test_a_lease_that_a_call_could_outlive_is_refused(
    lease: float, resync: float, deadline: float
) -> None:
    values = {
        "passes.lease": lease,
        "passes.resync": resync,
        "passes.call_deadline": deadline,
    }
    one, two, three = (timedelta(seconds=s) for s in values.values())
    if one < two + 2 * three:
        with pytest.raises(ConfigurationError, match=r"passes\.lease"):
            settings_from(values)
    else:
        assert settings_from(values).passes.lease == one


def test_the_vcpu_budget_is_the_share_of_what_is_granted() -> None:
    assert PoolSettings().vcpu_budget == 874


def test_what_another_program_keeps_is_left_out_and_named() -> None:
    kept = {"pool.of_old": 7, "pool.max_workers": 5, "worker": 1}
    assert settings_kept(kept) == settings_from({"pool.max_workers": 5})
    assert forgotten_keys(kept) == ("pool.of_old", "worker")


def test_no_program_may_tidy_up_for_as_long_as_its_run_is_shown() -> None:
    with pytest.raises(ConfigurationError, match="out of bounds"):
        parameter_value("execution.wind_down", ENDS_SHOWN.total_seconds() / 2 + 1)
