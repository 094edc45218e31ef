"""What the program on a worker is told makes sense, or is refused by its name."""

import json
from pathlib import Path

import pytest

from models.errors import ConfigurationError
from models.payload import FILE
from worker.assignment import Assignment, Settings
from worker.cli import main
from worker.steps import EXIT_AGAIN

RUN = "5ba0e7a4-64ae-44a1-8e3e-d0ed3ab3d2b6"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What Nomad sets, with a payload in its place."""
    (tmp_path / FILE).write_text(json.dumps({"token": "secret", "input": {}}))
    return {
        "NOMAD_TASK_DIR": str(tmp_path),
        "NOMAD_ALLOC_DIR": str(tmp_path),
        "NOMAD_ALLOC_ID": "2c5d7a0e",
        "NOMAD_META_run": RUN,
        "HRSI_URL": "http://127.0.0.1:1",
        "HRSI_WORKER_SETTINGS": str(tmp_path / "none"),
    }


def test_what_nomad_sets_is_an_assignment(environment: dict[str, str]) -> None:
    assignment = Assignment.of(environment)
    assert (str(assignment.run_id), assignment.token) == (RUN, "secret")
    assert "secret" not in repr(assignment)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOMAD_META_run", None, "NOMAD_META_run is not set"),
        ("NOMAD_META_run", "by hand", "NOMAD_META_run is 'by hand', which is no UUID"),
        ("NOMAD_TASK_DIR", "/nowhere", "the payload of the run cannot be read"),
        ("HRSI_URL", None, "HRSI_URL is not set"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    environment: dict[str, str], name: str, value: str | None, said: str
) -> None:
    del environment[name]
    if value is not None:
        environment[name] = value
    with pytest.raises(ConfigurationError, match=said):
        Assignment.of(environment)


@pytest.mark.parametrize("payload", ["", "[]", '{"token": "x"}'])
def test_a_payload_that_is_none_of_ours_is_refused(
    environment: dict[str, str], payload: str
) -> None:
    Path(environment["NOMAD_TASK_DIR"], FILE).write_text(payload)
    with pytest.raises(ConfigurationError, match="the payload is not one of ours"):
        Assignment.of(environment)


@pytest.mark.parametrize("name", ["HRSI_SCIENCE_LIMIT", "HRSI_KILL_TIMEOUT"])
@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf", "1e300"])
def test_a_time_that_is_no_time_is_refused_before_the_run_begins(
    environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        Settings.of({**environment, name: value})


def test_what_cannot_begin_says_so_in_one_sentence(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**environment, "NOMAD_META_run": "by hand"}.items():
        monkeypatch.setenv(name, value)
    assert main(["run"]) == EXIT_AGAIN
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("cannot begin: NOMAD_META_run is 'by hand'")
