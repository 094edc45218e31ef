"""docs/original-defects.md names tests that exist, for every defect that is to have one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "original-defects.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\d+) \|(.*)$", PAGE, re.MULTILINE))
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize("defect", [*range(1, 14)])
def test_every_defect_has_a_row_with_a_test(defect: int) -> None:
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", ROWS[str(defect)])


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")

    assert re.search(rf"^def {name}\(", source, re.MULTILINE)
