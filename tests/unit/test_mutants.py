"""Every planted breakage still has its line, once, and tests that are there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutants.mutant import Mutant
from tools.mutants.planted import PLANTED

ROOT = Path(__file__).parents[2]


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in PLANTED}) == len(PLANTED) >= 20


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_planted(mutant: Mutant) -> None:
    whole = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert whole.count(mutant.before) == 1, f"{mutant.file}: not there once: {mutant.before!r}"
    # One that does not compile, or names what is not there, is killed by everything.
    planted = whole.replace(mutant.before, mutant.after)
    ast.parse(planted)
    linted = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"]
    assert subprocess.run(linted, input=planted, text=True, check=False).returncode == 0
    assert all((ROOT / test).is_file() for test in mutant.tests)
