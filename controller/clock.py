"""Real time and real chance, for those who are given a `Clock` and `Ids`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID, uuid4


class SystemClock:
    """Implements `Clock` by the clocks of this machine."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()


class RandomIds:
    """Implements `Ids` by the system's chance."""

    def uuid(self) -> UUID:
        """A new random uuid."""
        return uuid4()
