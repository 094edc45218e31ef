"""The results bucket, looked through round after round: a bounded part of it at every look.

Where a round stands is in memory alone; a controller that starts begins a new one, and so does the
look after one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from models.actions import RemoveResults
from models.manifest import folder_of
from models.objects import Shelf
from models.ports import Clock, Reader
from models.records import Job
from models.settings_retention import RetentionSettings

JOBS = "work/jobs/"
"""Where the results bucket has what jobs left. Nothing else in it is looked at."""

AT_ONCE = 1000
"""So many objects S3 deletes in one request."""


@dataclass(kw_only=True)
class Rounds:
    """Looks into the results bucket, a part of it at a time. For one thread at a time."""

    shelf: Shelf
    reader: Reader
    clock: Clock
    _round: Iterator[str] | None = field(default=None, init=False)
    _again: float = field(default=float("-inf"), init=False)

    def look(self, settings: RetentionSettings) -> tuple[Job, ...]:
        """The jobs that have the next folders of the round; none while it is too early to look.

        Raises `PortError`; the next look is then made at once, and begins a new round.
        """
        now = self.clock.monotonic()
        if now < self._again:
            return ()
        found = self.reader.of_unique_ids(self._next(settings.folders))
        self._again = now + settings.every.total_seconds()
        return found

    def _next(self, count: int) -> tuple[UUID, ...]:
        round_ = self._round or self.shelf.store.folders(self.shelf.bucket, JOBS)
        self._round = None  # should it break off
        names = list(islice(round_, count))
        if len(names) == count:
            self._round = round_
        return tuple(_ids(names))


def _ids(names: Sequence[str]) -> Iterator[UUID]:
    """The unique ids that folders are called by; what is called otherwise is nobody's."""
    for name in names:
        with suppress(ValueError):
            unique_id = UUID(name.rstrip("/"))
            if f"{unique_id}/" == name:
                yield unique_id


def remove(shelf: Shelf, action: RemoveResults, most: int, late: Callable[[], bool]) -> int:
    """Delete what is due of a job, at most so many objects and until it gets late; how many went.

    Raises `PortError`. What is left then, or by then, goes in another round.
    """
    listed = shelf.store.objects(shelf.bucket, folder_of(action.unique_id))
    old = (each.place.key for each in listed if each.modified_at <= action.before)
    due, removed = islice(old, most), 0
    while not late() and (keys := list(islice(due, AT_ONCE))):
        shelf.store.delete(shelf.bucket, keys)
        removed += len(keys)
    return removed
