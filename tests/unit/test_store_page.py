"""docs/store.md says what is: the status machine of `models.lifecycle`, the tables of the store."""

from __future__ import annotations

import re
from pathlib import Path

from models import lifecycle
from models.lifecycle import Status
from models.tables import metadata
from tools.status_diagram import diagram, replaced

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")


def test_the_diagram_of_the_page_is_that_of_the_status_table() -> None:
    assert replaced(PAGE) == PAGE, "run: python -m tools.status_diagram docs/store.md"


def test_the_diagram_and_its_table_hold_every_allowed_change_and_no_other() -> None:
    arrows = set(re.findall(r"^    (\S+) --> (\w+)$", diagram(), re.MULTILINE))
    rows = re.findall(r"^\| (\w+) \| [\w ]+ \| (.*) \|$", diagram(), re.MULTILINE)
    ways = {
        ("[*]" if before == "nothing" else before, after)
        for before, said in rows
        if before != "from"
        for after in (Status if said == "any status" else filter(None, said.split(", ")))
    }
    allowed = {(before or "[*]", after) for before, after in lifecycle.transition_pairs()}
    assert arrows | ways == allowed


def test_the_page_lists_every_table_of_the_store() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) - {"commit", "acquire"} == set(
        metadata.tables
    )
