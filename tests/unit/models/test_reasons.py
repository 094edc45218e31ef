"""The page of reasons and the enum of reasons are the same list."""

import re
from pathlib import Path

import pytest

from models.plan import Reason

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (acts|waits|both) \| (.+) \| (.+) \|$")


def _rows() -> list[tuple[str, ...]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [match.groups() for line in lines if (match := ROW.match(line))]


def test_every_reason_has_one_row_and_every_row_is_a_reason() -> None:
    assert sorted(code for code, *_ in _rows()) == sorted(Reason)


def test_no_row_is_written_in_a_way_that_the_comparison_would_miss() -> None:
    starts = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "| `" in line[:4]]
    assert len(starts) == len(_rows())


@pytest.mark.parametrize("code", list(Reason))
def test_the_code_written_to_the_ledger_is_the_name(code: Reason) -> None:
    assert code.value == code.name
