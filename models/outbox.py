"""The port to what the store keeps of publications; the rules of `models.ports` hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from models.manifest import Manifest
from models.ports import Asked, Verdict
from models.publication import OutboxFigures, Outgoing, Parked, Publishing
from models.reckoning import Made


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

    def made(self, since: datetime, until: datetime) -> tuple[Made, ...]:
        """What runs made that ended in [`since`, `until`), of the newest run of each job and
        without cancelled jobs; in the order of that end, then by name. One query.
        """

    def republish(self, products: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """Announce products again that were announced before: WAITING, with the next `send` and
        without refusals, and their jobs go from done over error_checked to start_publication.

        Refused, with why: what was never announced, and what is on its way or was given up. One
        verdict per product, in order, about `product:<name>`; asked twice, the second is refused.
        """

    def replay_parked(
        self, ids: Sequence[int], most_refusals: int, asked: Asked
    ) -> tuple[Verdict, ...]:
        """Take parked messages in hand once more, as refusals that have just come, and forget those
        that are matched: their products are sent again at once, or given up after `most_refusals`.

        Refused, with why: what still names no product that was announced, and what would change
        nothing. One verdict per id, in order, about `parked:<id>`.
        """

    def forget_parked(self, ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """Keep parked messages no longer: a person has read them, and nothing is to follow. One
        that comes again is parked again. Verdicts as of `replay_parked`.
        """

    def confirm_spooled(self, message_ids: Sequence[str], asked: Asked) -> int:
        """SPOOLED → CONFIRMED for these messages: they were sent from their files. How many were
        SPOOLED; the others stay as they are. Counted for `OutboxFigures.from_files`, and written
        into the audit trail, about `product:<name>`.
        """


def moot(product: str) -> str:
    """Why a parked refusal of a product is not taken in hand."""
    return (
        f"a refusal of {product} changes nothing: it is on its way already, or was given up, and "
        "then its job is to be relaunched; `hrsi publication forget` keeps this no longer"
    )


def forgotten(key: int, why: str | None) -> Verdict:
    """What both stores say of a parked message that is to be kept no longer; None: there is none of
    this id.
    """
    because = "there is no such parked message" if why is None else f"it was parked because: {why}"
    return Verdict(subject=f"parked:{key}", done=why is not None, because=because)
