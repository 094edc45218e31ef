"""A controller whose terminal is closed ends in order, and with it the PostgreSQL that it began."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.commands import SAID, Start
from tests.plugins.farm import Farm


def test_a_controller_whose_terminal_is_closed_leaves_nothing_running(
    farm: Farm, start_hrsi: Start, folder: Path, left_running: Callable[[], list[str]]
) -> None:
    process = start_hrsi("controller", **{**farm.settings, "DATABASE_URL": ""})
    wait_for(folder / SAID, "controller started")
    assert any("postgres" in command for command in left_running())
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)  # the shell sends one, and the kernel another
    assert process.wait(timeout=120) == 0, (folder / SAID).read_text()
    assert "controller stopped" in (folder / SAID).read_text()
    assert left_running() == []


def wait_for(file: Path, words: str) -> None:
    over = time.monotonic() + 60
    while words not in file.read_text():
        if time.monotonic() > over:
            pytest.fail(f"{words!r} was never said: {file.read_text()}")
        time.sleep(0.1)
