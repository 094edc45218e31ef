"""What publication counts: messages by what became of them, and how late products are announced.

Part of `controller.metrics`, which keeps the registry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from prometheus_client import Counter, Histogram

from models.announcement import sensed_at
from models.broker import Fate, Told
from models.manifest import ProductKind
from models.publication import Outgoing

REFUSALS = ("counted", "parked")
SINCE_SENSING, SINCE_PUBLICATION = "sensing", "publication"
STEPS = ("creation", "waiting", "running", "publication")
"""The way of a product: until the catalogue's news is a job; until its run starts, earlier attempts
included; while it runs; until the message is confirmed. What nobody listed has no first step."""


class PressMetrics:
    """The counters and histograms of publication, all there from the start."""

    def __init__(self, counters: Mapping[str, Counter], timers: Mapping[str, Histogram]) -> None:
        self._messages = counters["hrsi_messages"]
        self._refusals = counters["hrsi_refusals"]
        self._confirm = timers["hrsi_confirm_seconds"]
        self._delay = timers["hrsi_product_delay_seconds"]
        self._turnaround = counters["hrsi_turnaround_seconds"]
        for kind in ProductKind:
            for fate in Fate:
                self._messages.labels(kind.value, fate.value)
            for since in (SINCE_SENSING, SINCE_PUBLICATION):
                self._delay.labels(kind.value, since)
            for step in STEPS:
                self._turnaround.labels(kind.value, step)
        for outcome in REFUSALS:
            self._refusals.labels(outcome)
        self._from_files: Mapping[str, int] | None = None

    def sent(
        self, rows: Sequence[Outgoing], told: Sequence[Told], seconds: float, now: datetime
    ) -> None:
        """Count messages that were sent together, `seconds` before all was said of them.

        What was refused before is no new product: only the first send tells how late it is.
        """
        for row, answer in zip(rows, told, strict=True):
            self._messages.labels(row.publication.kind, answer.fate.value).inc()
            if answer.fate is Fate.CONFIRMED:
                self._confirm.observe(seconds)
                if row.publication.send == 1:
                    self._late(row, now)

    def _late(self, row: Outgoing, now: datetime) -> None:
        since = {SINCE_SENSING: sensed_at(row.body), SINCE_PUBLICATION: row.listed_at}
        for name, at in since.items():
            if at is not None:
                delay = (now - at).total_seconds()
                self._delay.labels(row.publication.kind, name).observe(max(0.0, delay))
        moments = (row.listed_at or row.came_at, row.came_at, row.started_at, row.ended_at, now)
        for step, (began, ended) in zip(STEPS, pairwise(moments), strict=True):
            took = max(0.0, (ended - began).total_seconds())
            self._turnaround.labels(row.publication.kind, step).inc(took)

    def from_files(self, numbers: Mapping[str, int]) -> None:
        """Count messages that people sent from their files since this was last told, by the sums
        over all time that the store keeps of each kind.
        """
        before = numbers if self._from_files is None else self._from_files
        for kind, number in numbers.items():
            more = number - before.get(kind, 0)
            self._messages.labels(kind, Fate.CONFIRMED.value).inc(more)
        self._from_files = numbers

    def forget(self) -> None:
        """Another process counts from here on."""
        self._from_files = None

    def refused(self, outcome: str) -> None:
        """Count a refused message that was taken in hand."""
        self._refusals.labels(outcome).inc()
