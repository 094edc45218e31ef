"""Where a catalogue is, and how long and how often it may be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from infra.retry import RetryPolicy

OnRequest: TypeAlias = Callable[[str, str, float], None]
"""Told of every request: what it was for, how it ended (a status, `timeout`, `no_connection` or
`cut_short`), and how many seconds that took."""

READS = RetryPolicy(
    attempts=3, first_wait=timedelta(milliseconds=500), max_wait=timedelta(seconds=5)
)
"""Catalogues are slow and public: asked again a little later than our own systems."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueAccess:
    """One catalogue: its name here and its address, without what the protocol puts after it.

    `call_deadline` is asked anew for each call; the attempts of a call and the waits between them
    share it. `most_bytes` bounds an answer, far above the biggest page seen (6 MB for 1,000).
    """

    name: str
    address: str
    verify: bool | str = True
    call_deadline: Callable[[], timedelta] = lambda: timedelta(seconds=30)
    retry: RetryPolicy = READS
    most_bytes: int = 64 * 1024 * 1024
    on_request: OnRequest = lambda *_: None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.address.rstrip("/")
