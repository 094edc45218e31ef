"""What a run says goes out in its order from a thread of its own, while the run goes on.

An API that is away holds nothing up: the software works, and what was said is said when it is back.
Only the end is waited for. Nothing is left out and nothing overtakes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from models.errors import HrsiError, IllegalTransition, Superseded
from models.lifecycle import Status
from models.ports import Claim, RunReports, RunResult


class Spool:
    """Says what one claim has to say. `taken_over` is called when nobody wants to hear it."""

    def __init__(
        self, reports: RunReports, claim: Claim, taken_over: Callable[[], None] = lambda: None
    ) -> None:
        self._reports = reports
        self._claim = claim
        self._taken_over = taken_over
        self._lines: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._error: HrsiError | None = None
        self._said = threading.Event()
        self._thread = threading.Thread(target=self._send, name="spool", daemon=True)
        self._thread.start()

    def say(self, status: Status) -> None:
        """Let the job be told where the run stands; returns at once."""
        claim = self._claim
        self._lines.put(lambda: self._reports.report(claim.run_id, claim.number, status))

    def end(self, result: RunResult) -> None:
        """Say how the run ended, once all before is said, and wait until it is heard.

        Raises `Superseded` when nobody wants to hear it, and what the port raises otherwise: of
        this, or of anything said before.
        """
        self._lines.put(lambda: self._end(result))
        self._said.wait()
        if self._error is not None:
            raise self._error

    def _end(self, result: RunResult) -> None:
        self._reports.end(self._claim.run_id, self._claim.number, result)
        self._said.set()

    def _send(self) -> None:
        while not self._said.is_set():
            line = self._lines.get()
            try:
                line()
            except HrsiError as error:
                self._give_up(error)

    def _give_up(self, error: HrsiError) -> None:
        refused = isinstance(error, Superseded | IllegalTransition)
        self._error = Superseded(str(error)) if refused else error
        if refused:
            # Before whoever waits for the end goes on: news that come later would disturb them.
            self._taken_over()
        self._said.set()
