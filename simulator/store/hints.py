"""Wake-ups of the job store in memory."""

from __future__ import annotations

from datetime import timedelta


class MemoryHints:
    """Wake-ups of one loop. Virtual time waits elsewhere, so `wait` only tells what is pending."""

    def __init__(self) -> None:
        self.pending = False

    def wait(self, timeout: timedelta) -> bool:
        """Tell whether something may have changed since the last call, at once."""
        del timeout
        pending, self.pending = self.pending, False
        return pending

    def wake(self) -> None:
        """Let the next `wait` say True."""
        self.pending = True
