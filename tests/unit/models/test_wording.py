"""One thing is spoken of as one."""

import pytest

from models.wording import are, counted, wait


@pytest.mark.parametrize(
    ("number", "said"),
    [
        pytest.param(0, ("0 jobs", "0 jobs are", "0 jobs wait"), id="none"),
        pytest.param(1, ("1 job", "1 job is", "1 job waits"), id="one"),
        pytest.param(2, ("2 jobs", "2 jobs are", "2 jobs wait"), id="several"),
    ],
)
def test_words_agree_with_their_number(number: int, said: tuple[str, str, str]) -> None:
    assert (counted(number, "job"), are(number, "job"), wait(number, "job")) == said
