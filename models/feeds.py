"""The port to what the store keeps of feeds; the rules of `models.ports` hold."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from models.composing import Group, GroupPlace, GroupWaits, Material, Needs
from models.creation import Arrivals, Cursor, Feed, Known, Met, Reject
from models.ports import Asked, Verdict
from models.wording import in_utc


class Feeds(Protocol):
    """What the store keeps of feeds. They are moved on by `CreateJobs` and `ComposeJobs`."""

    def cursors(self) -> tuple[Cursor, ...]:
        """The cursor of every feed that has been read, by feed."""

    def known(self, met: Met) -> Known:
        """What of this the store has already: a fixed number of queries, however much was met."""

    def arrivals(self, since: datetime) -> Arrivals:
        """How many jobs `CreateJobs` and `ComposeJobs` have added in the hours that began at
        `since` or later, cancelled ones left out. Reads a row for each type and hour of that time.
        """

    def due(self, now: datetime, limit: int) -> tuple[Group, ...]:
        """Groups of products that are due by `now`, the longest due first, at most so many."""

    def waiting(self, job_type: str | None = None, limit: int = 100) -> tuple[Group, ...]:
        """Groups of a type of job (None: of all) that wait for more: those that are due soonest
        first, then those that wait until a product comes, the longest waiting first.
        """

    def groups_about(self, place: GroupPlace, job_type: str | None = None) -> tuple[Group, ...]:
        """The groups of a type of job (None: of all), waiting or not, that go by that key, or have
        the tile on the day: by type and key, at most 100.
        """

    def group_waits(self) -> tuple[GroupWaits, ...]:
        """How many groups wait for more, and not for ever, by type of job; a type of which none
        waits is not there. Reads an index entry for each group that waits.
        """

    def material(self, needs: Needs, now: datetime) -> Material:
        """All that is needed to judge groups, in one consistent read: a fixed number of queries,
        however many groups.
        """

    def rejects(self, source: str | None = None, limit: int = 100) -> tuple[Reject, ...]:
        """Entries of a source (None: of all) that could not be understood, newest `last_at` first,
        of the same time by name.
        """

    def rewind(self, feed: Feed, to: datetime, asked: Asked) -> Verdict:
        """Move a feed's cursor back to `to`, so that all published from then on is met again.

        What has its job gets no second one. Refused: a feed that was never read, and a time that
        is not before its cursor, for nothing may be passed over. The verdict is about
        `source:<feed>`. Written into the audit trail.
        """


def judged(feed: Feed, until: datetime | None, to: datetime) -> Verdict:
    """Whether a feed whose cursor is at `until` (None: it has none) may be rewound to `to`."""
    subject = f"source:{feed}"
    if until is None:
        return Verdict(subject=subject, done=False, because="it was never read")
    if to >= until:
        return Verdict(
            subject=subject,
            done=False,
            because=f"its cursor is at {in_utc(until)}, which is not after that",
        )
    return Verdict(
        subject=subject,
        done=True,
        because=f"everything published between {in_utc(to)} and {in_utc(until)} is met again",
    )
