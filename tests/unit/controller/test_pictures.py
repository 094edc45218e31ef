"""What a command cannot draw it says before the work, and never with a traceback."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.pictures import require_room, save
from models.errors import ConfigurationError


@pytest.mark.parametrize(
    ("place", "why"),
    [
        pytest.param("nowhere/day.svg", "No such file or directory", id="no-folder"),
        pytest.param("", "Is a directory", id="a-folder"),
    ],
)
@pytest.mark.parametrize(("command", "option"), [("simulate", "--plot"), ("demo", "--picture")])
def test_a_picture_that_cannot_be_written_is_refused_before_anything_begins(
    command: str, option: str, place: str, why: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [command, option, str(tmp_path / place)])
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith(f"{option} {tmp_path}")
    assert why in str(result.exception)
    assert result.output == ""
    assert list(tmp_path.iterdir()) == []


def test_to_look_for_room_changes_nothing(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    require_room("--plot", picture)
    assert not picture.exists()
    picture.write_text("<svg/>")
    require_room("--plot", picture)
    assert picture.read_text() == "<svg/>"


def test_a_picture_that_has_no_room_after_all_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        save("--plot", tmp_path, "<svg/>")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        f"--plot {tmp_path}: it cannot be written: Is a directory; name another file\n"
    )


@pytest.mark.parametrize("words", [["--lives", "0..2"], ["--replay", "7@12"]], ids=" ".join)
def test_what_is_no_day_of_production_is_not_drawn(words: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    result = CliRunner().invoke(app, ["simulate", *words, "--plot", str(picture)])
    assert result.exit_code == 2
    assert "neither --lives nor --replay" in " ".join(result.output.replace("│", "").split())
