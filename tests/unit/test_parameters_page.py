"""docs/parameters.md says what is: every live parameter, as its docstring explains it."""

from pathlib import Path

import pytest

from models.parameter_text import Parameter, parameters
from models.settings import parameter_keys
from tools.parameters_page import page

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_that_of_the_docstrings() -> None:
    current = PAGE.read_text(encoding="utf-8") == page()
    assert current, "run: python -m tools.parameters_page docs/parameters.md"


def test_the_page_has_every_parameter() -> None:
    assert [key for key in parameter_keys() if f"| `{key}` |" not in page()] == []


@pytest.mark.parametrize("each", [pytest.param(p, id=p.key) for p in parameters().values()])
def test_every_parameter_says_what_it_is_and_what_a_wrong_value_does(each: Parameter) -> None:
    assert len(each.explanation.split()) >= 12
    assert each.explanation.endswith(".")
