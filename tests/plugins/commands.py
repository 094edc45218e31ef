"""`hrsi` as a person starts it: a process and a folder of its own, and nobody else's settings."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

HRSI = (sys.executable, "-c", "from controller.cli import main; main()")
ROOT = Path(__file__).parents[2]

SAID = "stderr.txt"
"""Where started commands write what they say on standard error, one after the other."""

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


def clean_environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the settings of whoever runs the tests, and temporary files below `folder`."""
    ours = ("HRSI_", "OS_", "NOMAD_", "DATABASE_", "PG")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **inherited,
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        **settings,
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the commands of a test run. Not below pytest's own folder: that is closed, now and
    then, to the user that PostgreSQL runs as when root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="hrsi-e2e-") as made:
        yield Path(made)


@pytest.fixture
def hrsi(folder: Path) -> Run:
    """Run one command to its end: `hrsi("job", "list", DATABASE_URL=…)`."""

    def run(
        *arguments: str, typed: str = "", timeout: float = 180, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*HRSI, *arguments],
            cwd=folder,
            env=clean_environment(folder, settings),
            input=typed,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def start_hrsi(folder: Path) -> Iterator[Start]:
    """Start a command and go on; what it says on standard error is in the file `SAID`.

    Whatever is still running at the end of the test is killed.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        # Not a pipe: nobody reads along, and a full pipe would stop the command.
        with (folder / SAID).open("a") as said:
            process = subprocess.Popen(
                [*HRSI, *arguments],
                cwd=folder,
                env=clean_environment(folder, settings),
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=120)


@pytest.fixture
def left_running(folder: Path) -> Callable[[], list[str]]:
    """Command lines of processes that know this test's folder: nothing else may outlive it."""

    def find() -> list[str]:
        mark = str(folder).encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                knows = mark in command + (process / "environ").read_bytes()
            except OSError:
                continue  # it ended while we looked
            if knows and process.name != str(os.getpid()):
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    return find
