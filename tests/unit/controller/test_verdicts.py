"""What a person is told became of what they asked for."""

import pytest
import typer

from controller.cli.jobs import tell_verdicts
from models.ports import Verdict

DONE = Verdict(subject="worker:os-worker-001", done=True, because="it is ready")
NOT = Verdict(subject="worker:os-worker-002", done=False, because="it is deleting")


@pytest.mark.parametrize(
    ("dry_run", "later", "said"),
    [
        pytest.param(False, False, "deleted", id="done"),
        pytest.param(False, True, "is to be deleted", id="to-be-done-by-the-controller"),
        pytest.param(True, True, "would be deleted", id="only-tried"),
    ],
)
def test_what_has_not_happened_yet_is_not_told_as_if_it_had(
    dry_run: bool, later: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_verdicts("deleted", (DONE,), as_json=False, dry_run=dry_run, later=later)
    assert capsys.readouterr().out == f"worker:os-worker-001: {said}: it is ready\n"


def test_the_same_said_of_several_is_said_once_and_a_refusal_is_an_exit_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit):
        tell_verdicts("deleted", (DONE, DONE, NOT), as_json=False, dry_run=False)
    assert capsys.readouterr().out.splitlines() == [
        "worker:os-worker-001: 2 deleted: it is ready",
        "worker:os-worker-002: not deleted: it is deleting",
    ]
