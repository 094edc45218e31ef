"""What nobody can mean is refused in a sentence, before anything is asked."""

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.session import moment
from models.errors import ConfigurationError

TOO_LARGE = "9223372036854775808"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("yesterday", "write it like", id="no-time"),
        pytest.param("9999-12-31", "a year from 1970 to 2999", id="the-day-after-it-is-none"),
        pytest.param("0001-01-01T00:00+09:00", "a year from 1970", id="in-utc-it-is-none"),
    ],
)
def test_a_time_that_nobody_can_mean_names_its_option(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        moment("--day", text)
    assert str(refused.value).startswith(f"--day: {text!r}")


@pytest.mark.parametrize(
    "command",
    ["publication replay", "publication forget", "campaign show", "campaign cancel"],
)
def test_a_number_that_no_row_can_have_is_refused(command: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), TOO_LARGE])
    assert said.exit_code == 2
    words = " ".join(said.output.replace("│", " ").split())
    assert f"{TOO_LARGE} is no id" in words
