"""The results bucket is kept small: job by job, round after round, a bounded part at every look.

Several controllers may look at the same time: to delete what is deleted is no error. Where a round
stands is in memory alone; a controller that starts begins a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

import structlog

from models.manifest import folder_of
from models.objects import Shelf
from models.pauses import EVERYTHING
from models.ports import Clock, Reader
from models.settings_retention import RetentionSettings
from reconcilers.retention import Removal, decide

log = structlog.get_logger(__name__)

JOBS = "work/jobs/"
"""Where the results bucket has what jobs left. Nothing else in it is looked at."""

AT_ONCE = 1000


@dataclass(kw_only=True)
class Keeper:
    """Looks into the results bucket, a part of it at a time."""

    shelf: Shelf
    reader: Reader
    clock: Clock
    settings: Callable[[], RetentionSettings]
    _round: Iterator[str] | None = field(default=None, init=False)
    _left: tuple[UUID, ...] = field(default=(), init=False)

    def look(self) -> int:
        """Judge the next jobs of the round and delete what is due; how many objects went.

        Raises `PortError`; the next look then begins a new round.
        """
        if any(pause.target == EVERYTHING for pause in self.reader.pauses()):
            return 0
        settings, removed = self.settings(), 0
        judged, self._left = self._left or self._next(settings.folders), ()
        due = decide(self.reader.of_unique_ids(judged), settings, self.clock.now())
        for number, removal in enumerate(due):
            removed += self._remove(removal, settings.objects - removed)
            if removed >= settings.objects:
                # Judged again then: a person may have sent one of them back to work.
                self._left = tuple(each.unique_id for each in due[number:])
                break
        return removed

    def _next(self, count: int) -> tuple[UUID, ...]:
        round_ = self._round or self.shelf.store.folders(self.shelf.bucket, JOBS)
        self._round = None  # should it break off
        names = list(islice(round_, count))
        if len(names) == count:
            self._round = round_
        return tuple(_ids(names))

    def _remove(self, removal: Removal, most: int) -> int:
        store, bucket = self.shelf.store, self.shelf.bucket
        listed = store.objects(bucket, folder_of(removal.unique_id))
        old = (each.place.key for each in listed if each.modified_at <= removal.before)
        keys = list(islice(old, most))
        for start in range(0, len(keys), AT_ONCE):
            store.delete(bucket, keys[start : start + AT_ONCE])
        if keys:
            log.info(
                "results removed",
                action="results_removed",
                job=str(removal.unique_id),
                objects=len(keys),
                because=removal.because,
            )
        return len(keys)


def _ids(names: Sequence[str]) -> Iterator[UUID]:
    """The unique ids that folders are called by; what is called otherwise is nobody's."""
    for name in names:
        with suppress(ValueError):
            unique_id = UUID(name.rstrip("/"))
            if f"{unique_id}/" == name:
                yield unique_id
