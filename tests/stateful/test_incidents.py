"""Incidents of other systems, each a named scenario; `docs/incidents.md` tells their stories."""

import re
from collections import Counter
from collections.abc import Callable
from inspect import getmembers, isfunction
from pathlib import Path

import pytest

from tests.stateful.incidents import deletion, dispatch, growth, leases, lists

MODULES = (deletion, dispatch, growth, leases, lists)
PAGE = Path(__file__).parents[2] / "docs" / "incidents.md"
SCENARIOS: dict[str, Callable[[], None]] = {
    name.replace("_", "-"): play
    for module in MODULES
    for name, play in getmembers(module, isfunction)
    if play.__module__ == module.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("play", SCENARIOS.values(), ids=SCENARIOS)
def test_what_went_wrong_there_goes_well_here(play: Callable[[], None]) -> None:
    play()


def test_the_page_tells_of_every_scenario_once_and_of_no_other() -> None:
    named = re.findall(r"^\| .* \| `([a-z0-9-]+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert Counter(named) == Counter(list(SCENARIOS))
