"""`hrsi` as a person types it, in the process of the test: what it says and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.cli import main

Said = tuple[int, str, str]
Hrsi = Callable[..., Said]
"""Exit status, standard output and standard error of one command."""


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Hrsi:
    """Run a command in this process, with these settings alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, **settings: str) -> Said:
        with monkeypatch.context() as now:
            now.setattr(sys, "argv", ["hrsi", *words])
            for name in ("DATABASE_URL", "HRSI_URL", "HRSI_TOKEN", "HRSI_DEPLOYMENT"):
                now.setenv(name, settings.get(name, ""))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return (int(ended.value.code or 0), said.out, said.err)

    return run
