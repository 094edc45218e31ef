"""What is left of a run: its working directory goes to the bucket, and the disk is free again.

Inputs, temporary files and the L2A stay behind: they can be had again, or are kept elsewhere. What
an earlier run of the job left at that place is removed, so that the directory there is one run's;
what a later one left stays. Products, manifests and logs, which lie beside it, are not touched.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec

from models.errors import NotFound
from models.manifest import folder_of
from models.objects import Place
from models.ports import Claim
from worker import l2a
from worker.patience import side_by_side
from worker.science import INPUTS, TEMPORARY
from worker.uploads import AT_ONCE, Uploads

WHOSE = "run.json"
"""Attempt and claim of the run whose directory it is."""

BESIDE = ("runs/", "nomad/")
"""What lies at a job's place besides the working directory."""


@dataclass(frozen=True, kw_only=True)
class Remains:
    """The working directory of a run, and where it goes. `deadline`: when there is no time left."""

    uploads: Uploads
    claim: Claim
    folder: Path
    deadline: float | None = None
    clock: Callable[[], float] = time.monotonic

    def upload(self) -> tuple[int, int]:
        """Upload the directory, the shortest files first; how many went, and how many did not for
        want of time, or because a later run of the job was faster. Raises what the store raises.
        """
        files = sorted(
            (file for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink()),
            key=lambda file: file.stat().st_size,
        )
        if self._is_late():
            return 0, len(files)
        # Not by way of the disk, which may be full.
        self.uploads.put(msgspec.json.encode(self._number), self._whose)
        sent = side_by_side(self._upload, files, AT_ONCE)
        if self.deadline is None:
            self._remove_others({self._whose, *map(self._key, files)})
        return sum(sent), len(files) - sum(sent)

    @property
    def _number(self) -> tuple[int, int]:
        return self.claim.attempt, self.claim.number

    def _is_late(self) -> bool:
        """A later run of the job has been here: it began before this one had tidied up."""
        uploads = self.uploads
        place = Place(bucket=uploads.bucket, key=self._whose)
        try:
            written = uploads.insistence.on(lambda: uploads.store.read(place))
        except NotFound:
            return False
        return msgspec.json.decode(written, type=tuple[int, int]) > self._number

    @property
    def _place(self) -> str:
        return folder_of(self.claim.job.unique_id)

    @property
    def _whose(self) -> str:
        return f"{self._place}{WHOSE}"

    def _upload(self, file: Path) -> bool:
        if self.deadline is not None and self.clock() >= self.deadline:
            return False
        self.uploads.upload(file, self._key(file))
        return True

    def _key(self, file: Path) -> str:
        # Keys are text; a name on the disk need not be.
        path = os.fsencode(file.relative_to(self.folder)).decode(errors="replace")
        return f"{self._place}{path}"

    def _remove_others(self, kept: set[str]) -> None:
        place, store, bucket = self._place, self.uploads.store, self.uploads.bucket
        others = [
            stored.place.key
            for stored in store.objects(bucket, place)
            if stored.place.key not in kept
            and not stored.place.key.removeprefix(place).startswith(BESIDE)
        ]
        store.delete(bucket, others)


def drop_bulk(folder: Path) -> None:
    """Remove what is not kept; what is not there is no error."""
    for each in (INPUTS, TEMPORARY, l2a.FOLDER):
        shutil.rmtree(folder / each, ignore_errors=True)


def free(folder: Path) -> None:
    """Give the disk back."""
    shutil.rmtree(folder, ignore_errors=True)


HURRY = timedelta(seconds=4)
"""What is left of Nomad's patience when the last upload begins: a call under way has to end."""
