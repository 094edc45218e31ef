"""The port to what the store keeps of publications; the rules of `models.ports` hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.manifest import Manifest
from models.ports import Asked
from models.publication import OutboxFigures, Outgoing, Parked, Publishing


class Outbox(Protocol):
    """What the store keeps of publications; the rules of `models.ports` hold."""

    def pending(self, limit: int) -> tuple[Publishing, ...]:
        """Jobs in processed, start_publication and published, most urgent first, then by when they
        came there; at most `limit`. Those of start_publication alone have their publications, by
        id. A fixed number of queries.
        """

    def figures(self) -> OutboxFigures:
        """What is in start_publication and not announced, by kind and state; FAILED is over. The
        cost depends on what is open, and on how many messages are parked.
        """

    def manifest(self, job_id: int) -> Manifest | None:
        """What the newest run of a job made, if it said so."""

    def outgoing(self, job_id: int) -> tuple[Outgoing, ...]:
        """All publications of a job, by id, with their messages."""

    def parked(self, limit: int = 100) -> tuple[Parked, ...]:
        """Messages that nobody could match, newest `last_at` first, then by id."""

    def confirm_spooled(self, message_ids: Sequence[str], asked: Asked) -> int:
        """SPOOLED → CONFIRMED for these messages: they were sent from their files. How many were
        SPOOLED; the others stay as they are. Written into the audit trail, about `product:<name>`.
        """
