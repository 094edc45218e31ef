"""`make mutants`: plant each breakage in a copy of the tree, and see that the tests kill it.

Exit status 1 when one survives, or was not run: its line is gone, or its tests fail without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

from tools.mutants.mutant import Mutant
from tools.mutants.planted import PLANTED

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "htmlcov")
TIME_LIMIT = 900.0
"""Seconds for the tests of one mutant: one that hangs them all is found, too, but not for free."""

PASSED, FAILED = 0, 1
"""Exit statuses of pytest; any other says that it could not run the tests."""


class End(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of one mutant, by which test or why not, in how many seconds."""

    mutant: Mutant
    end: End
    by: str
    seconds: float


def main() -> int:
    """Run from the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("-k", dest="wanted", default="", help="only mutants whose name has this")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1, help="at once")
    options = parser.parse_args()
    chosen = [mutant for mutant in PLANTED if options.wanted in mutant.name]
    if not chosen:
        print(f"no mutant is named like {options.wanted!r}")
        return 1
    with tempfile.TemporaryDirectory(prefix="hrsi-mutants-") as folder:
        fields = _fields(Path(folder), min(options.jobs, len(chosen)))
        sane, said = _tests_pass(fields[0], chosen)
        if not sane:
            print(f"The tests fail without any mutant: mend them first.\n{said}")
            return 1
        verdicts = list(_told(_tried(chosen, fields), len(chosen)))
    alive = [v for v in verdicts if v.end is not End.KILLED]
    print(f"{len(verdicts) - len(alive)} of {len(verdicts)} mutants were killed.")
    return 1 if alive else 0


def _fields(folder: Path, number: int) -> list[Path]:
    """Copies of the tree in which mutants are planted, one for each process."""
    fields = [folder / f"field-{place}" for place in range(number)]
    for field in fields:
        shutil.copytree(ROOT, field, ignore=LEFT_OUT)
    return fields


def _tests_pass(field: Path, mutants: Iterable[Mutant]) -> tuple[bool, str]:
    """Whether the tests of all mutants pass while none is planted."""
    tests = sorted(set(chain.from_iterable(mutant.tests for mutant in mutants)))
    print(f"Running the tests of all mutants without any ({len(tests)} files) …", flush=True)
    status, said = _pytest(field, tests)
    return status == PASSED, said


def _tried(mutants: Sequence[Mutant], fields: Iterable[Path]) -> Iterator[Verdict]:
    free: SimpleQueue[Path] = SimpleQueue()
    for field in fields:
        free.put(field)

    def one(mutant: Mutant) -> Verdict:
        field = free.get()
        try:
            return _try(mutant, field)
        finally:
            free.put(field)

    with ThreadPoolExecutor(free.qsize()) as crew:
        yield from crew.map(one, mutants)


def _try(mutant: Mutant, field: Path) -> Verdict:
    began, file = time.monotonic(), field / mutant.file
    whole = file.read_text(encoding="utf-8")
    if whole.count(mutant.before) != 1:
        why = f"{mutant.file} has its line {whole.count(mutant.before)} times, not once"
        return Verdict(mutant=mutant, end=End.NOT_RUN, by=why, seconds=0)
    file.write_text(whole.replace(mutant.before, mutant.after), encoding="utf-8")
    try:
        status, said = _pytest(field, mutant.tests)
    finally:
        file.write_text(whole, encoding="utf-8")
    seconds = time.monotonic() - began
    if status == FAILED:
        return Verdict(mutant=mutant, end=End.KILLED, by=_killer(said), seconds=seconds)
    if status == PASSED:
        by = " ".join(mutant.tests)
        return Verdict(mutant=mutant, end=End.SURVIVED, by=by, seconds=seconds)
    return Verdict(mutant=mutant, end=End.NOT_RUN, by=said[-2000:], seconds=seconds)


def _pytest(field: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit status and output of the tests of one copy, in a process that sees that copy alone."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(field), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=field,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"FAILED nothing came of it within {TIME_LIMIT:g} s"
    return done.returncode, done.stdout + done.stderr


def _killer(said: str) -> str:
    """The test that failed first, by pytest's own summary."""
    lines = (line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    return next(lines, "a test").partition(" ")[2].partition(" - ")[0]


def _told(verdicts: Iterable[Verdict], total: int) -> Iterator[Verdict]:
    for number, verdict in enumerate(verdicts, start=1):
        print(f"{number:3}/{total} {verdict.end:8} {verdict.seconds:5.1f} s  {verdict.mutant.name}")
        print(f"            {verdict.by}", flush=True)
        yield verdict


if __name__ == "__main__":
    sys.exit(main())
