"""The results bucket, and the L2A, looked through round after round: a bounded part at every look.

Where a round stands is in memory alone; a controller that starts begins a new one, and so does the
look after one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from models.l2a import L2a, L2as
from models.objects import Shelf
from models.ports import Clock, Reader
from models.records import Job
from models.settings_retention import RetentionSettings

JOBS = "work/jobs/"
"""Where the results bucket has what jobs left. Nothing else in it is looked at."""

AT_ONCE = 1000
"""So many objects S3 deletes in one request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What jobs have left, as far as one look goes; no `jobs` at all where nobody looked."""

    jobs: tuple[Job, ...] | None = ()
    l2as: tuple[L2a, ...] = ()


@dataclass(kw_only=True)
class Rounds:
    """Looks into the results bucket, a part of it at a time, and at the L2A where `l2as` lists
    them. For one thread at a time.
    """

    shelf: Shelf
    reader: Reader
    clock: Clock
    l2as: L2as | None = None
    _last: int = field(default=0, init=False)
    _round: Iterator[str] | None = field(default=None, init=False)
    _again: float = field(default=float("-inf"), init=False)

    def look(self, settings: RetentionSettings) -> Left:
        """The jobs that have the next folders of the round, and the next L2A; none while it is too
        early to look.

        Raises `PortError`; the next look is then made at once, and begins a new round.
        """
        now = self.clock.monotonic()
        if now < self._again:
            return Left()
        found = Left(
            jobs=self.reader.of_unique_ids(self._next(settings.folders)),
            l2as=self._next_l2as(settings.folders),
        )
        self._again = now + settings.every.total_seconds()
        return found

    def _next_l2as(self, count: int) -> tuple[L2a, ...]:
        after, self._last = self._last, 0  # should it break off
        found = self.l2as.l2as(after, count) if self.l2as is not None else ()
        if len(found) == count:
            self._last = found[-1].job.id
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What is to be deleted: what was put below `folder` of a bucket at or before `before`, at most
    so many objects of it, and until it gets `late`.
    """

    shelf: Shelf
    folder: str
    before: datetime
    most: int
    late: Callable[[], bool]


def remove(due: Due) -> int:
    """Delete what is due; how many objects went.

    Raises `PortError`. What is left then, or by then, goes in another round.
    """
    store, bucket = due.shelf.store, due.shelf.bucket
    listed = store.objects(bucket, due.folder)
    old = islice((each.place.key for each in listed if each.modified_at <= due.before), due.most)
    removed = 0
    while not due.late() and (keys := list(islice(old, AT_ONCE))):
        store.delete(bucket, keys)
        removed += len(keys)
    return removed
