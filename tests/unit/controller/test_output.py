"""Tables: what is never cut, what may be wrapped, and what a program gets to read."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from controller.cli.output import print_table, shown

SERVER = "6f0c7e1e-5d2c-4f0e-9a54-5b7d3a1c9e11"
SENTENCE = "3 hm.large jobs wait for a worker, and none is created: 210 of 210 workers are there"
YEARS_AGO = datetime(2022, 9, 6, 13, 3, 11, tzinfo=UTC)
ROWS = [("os-worker-001", SERVER, YEARS_AGO, SENTENCE), ("os-worker-1234", "–", None, "short")]


def printed(width: int, *, terminal: bool) -> str:
    out = io.StringIO()
    screen = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    print_table("Workers", ("name", "server", "created", "because"), ROWS, screen)
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 60, 80, 110, 200])
def test_on_a_terminal_names_ids_and_times_are_whole_at_any_width(width: int) -> None:
    text = printed(width, terminal=True)
    for whole in ("os-worker-001", "os-worker-1234", SERVER, "2022-09-06 13:03:11"):
        assert whole in text
    assert "…" not in text
    assert set(SENTENCE.split()) <= set(text.split())


@pytest.mark.parametrize("width", [20, 80])
def test_elsewhere_each_row_is_one_line_without_trailing_blanks(width: int) -> None:
    title, head, first, second = printed(width, terminal=False).splitlines()
    assert title == "Workers"
    assert head.split("  ") != [head]
    assert "created (UTC)" in head
    assert first == f"os-worker-001   {SERVER}  2022-09-06 13:03:11  {SENTENCE}"
    assert second.split() == ["os-worker-1234", "–", "–", "short"]
    assert head.index("because") == first.index(SENTENCE) == second.index("short")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(YEARS_AGO, "13:03:11", id="today"),
        pytest.param(YEARS_AGO - timedelta(days=1), "2022-09-05 13:03:11", id="yesterday"),
    ],
)
def test_a_time_of_today_goes_without_its_date(at: datetime, text: str) -> None:
    assert shown(at, YEARS_AGO.date()) == text
