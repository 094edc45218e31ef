"""What exit codes mean, for each job type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.exits import FSC, PLAIN, SWS, ExitTable, Meaning, describe
from worker.recipes import RECIPES

TABLES = [pytest.param(FSC, id="fsc"), pytest.param(SWS, id="sws"), pytest.param(PLAIN, id="plain")]


@pytest.mark.parametrize(
    ("table", "code", "meaning"),
    [
        pytest.param(FSC, 0, Meaning.PRODUCTS, id="success"),
        pytest.param(FSC, 1, Meaning.INTERNAL, id="its-own-error"),
        pytest.param(FSC, 99, Meaning.INTERNAL, id="the-last-of-these"),
        pytest.param(FSC, 100, Meaning.EXTERNAL, id="may-pass"),
        pytest.param(FSC, 101, Meaning.EXTERNAL, id="no-disk"),
        pytest.param(FSC, 102, Meaning.EXTERNAL, id="no-memory"),
        pytest.param(FSC, 137, Meaning.EXTERNAL, id="killed"),
        pytest.param(FSC, 199, Meaning.EXTERNAL, id="the-last-that-may-pass"),
        pytest.param(FSC, 200, Meaning.PERHAPS, id="too-cloudy"),
        pytest.param(FSC, 207, Meaning.PERHAPS, id="too-much-without-data"),
        pytest.param(FSC, 208, Meaning.INTERNAL, id="no-code-of-fsc"),
        pytest.param(SWS, 0xD0, Meaning.PRODUCTS, id="no-flag"),
        pytest.param(SWS, 0xD1, Meaning.PERHAPS, id="empty-assembly"),
        pytest.param(SWS, 0xD7, Meaning.PERHAPS, id="all-flags"),
        pytest.param(SWS, 249, Meaning.PERHAPS, id="the-last-good-one"),
        pytest.param(SWS, 250, Meaning.INTERNAL, id="above-the-good-ones"),
        pytest.param(PLAIN, 200, Meaning.INTERNAL, id="no-code-of-others"),
    ],
)
def test_a_code_means_what_the_software_says(table: ExitTable, code: int, meaning: Meaning) -> None:
    assert table.row_of(code).meaning is meaning


@pytest.mark.parametrize("table", TABLES)
@given(code=st.integers(-300, 300))
def test_every_code_means_something_and_has_words(table: ExitTable, code: int) -> None:
    row = table.row_of(code)

    assert row.first <= code <= row.last
    assert f"exit code {code}: " in describe(table, code)
    assert (row.meaning is Meaning.PRODUCTS) is (code == 0 or (table is SWS and code == 0xD0))


@given(code=st.integers(129, 192))
def test_a_signal_is_nobodys_fault_for_any_job_type(code: int) -> None:
    assert {recipe.exits.row_of(code).meaning for recipe in RECIPES.values()} == {Meaning.EXTERNAL}


def test_flags_and_signals_are_told_by_name() -> None:
    assert describe(SWS, 0xD6) == "exit code 214: no SWS, no WDS"
    assert describe(FSC, 137) == "exit code 137: ended by SIGKILL, most likely for want of memory"
