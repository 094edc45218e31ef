"""The part of the store in memory that is the outbox; `simulator.store.memory` has the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from models.manifest import Manifest
from models.ports import Asked, Verdict
from models.publication import OutboxFigures, Outgoing, Parked, Publishing
from models.reckoning import Made
from simulator.store import outbox, republishing
from simulator.store.people import Asking
from simulator.store.tables import Tables

T = TypeVar("T")


class MemoryOutbox(ABC):
    """`models.outbox.Outbox` in memory; each method is one call of the store."""

    tables: Tables

    @abstractmethod
    def _read(self, method: str, answer: Callable[[], T]) -> T:
        """One call that reads."""

    @abstractmethod
    def _write(self, method: str, change: Callable[[], T]) -> T:
        """One call that writes."""

    @abstractmethod
    def _asking(self, asked: Asked) -> Asking:
        """What a person's wish is carried out with."""

    def pending(self, limit: int) -> tuple[Publishing, ...]:
        """See `models.outbox.Outbox.pending`."""
        return self._read("pending", lambda: outbox.pending(self.tables, limit))

    def figures(self) -> OutboxFigures:
        """See `models.outbox.Outbox.figures`."""
        return self._read("figures", lambda: outbox.figures(self.tables))

    def manifest(self, job_id: int) -> Manifest | None:
        """See `models.outbox.Outbox.manifest`."""
        return self._read("manifest", lambda: outbox.manifest(self.tables, job_id))

    def outgoing(self, job_id: int) -> tuple[Outgoing, ...]:
        """See `models.outbox.Outbox.outgoing`."""
        return self._read("outgoing", lambda: outbox.outgoing(self.tables, job_id))

    def parked(self, limit: int = 100) -> tuple[Parked, ...]:
        """See `models.outbox.Outbox.parked`."""
        return self._read("parked", lambda: outbox.parked(self.tables, limit))

    def made(self, since: datetime, until: datetime) -> tuple[Made, ...]:
        """See `models.outbox.Outbox.made`."""
        return self._read("made", lambda: republishing.made(self.tables, since, until))

    def republish(self, products: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.republish`."""
        return self._write(
            "republish", lambda: republishing.republish(self._asking(asked), products)
        )

    def replay_parked(
        self, ids: Sequence[int], most_refusals: int, asked: Asked
    ) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.replay_parked`."""
        return self._write(
            "replay_parked",
            lambda: republishing.replay_parked(self._asking(asked), ids, most_refusals),
        )

    def forget_parked(self, ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.outbox.Outbox.forget_parked`."""
        return self._write(
            "forget_parked", lambda: republishing.forget_parked(self._asking(asked), ids)
        )

    def confirm_spooled(self, message_ids: Sequence[str], asked: Asked) -> int:
        """See `models.outbox.Outbox.confirm_spooled`."""
        return self._write(
            "confirm_spooled", lambda: outbox.confirm_spooled(self._asking(asked), message_ids)
        )
