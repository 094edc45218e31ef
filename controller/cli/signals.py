"""Signals that ask a command to end, for commands that have things to put away first."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

from controller.cli.output import EXIT_INTERRUPTED


class Signals:
    """SIGINT, SIGTERM and SIGHUP set `stop` instead of breaking off whatever is under way.

    A SIGHUP that is ignored, as under nohup, stays so.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.exit_status = EXIT_INTERRUPTED
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.exit_status = 128 + number
        self.stop.set()
