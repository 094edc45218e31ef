"""The logs of a run in one piece, wherever they lie: on its worker or in the bucket.

What Nomad has is whole and up to the last byte; once it has forgotten the allocation, or its worker
is gone, the chunks in the bucket are what there is. Nobody is told an error of the one as long as
the other knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.errors import NotFound, PortError
from models.log_reading import (
    LiveLogs,
    LogNow,
    Part,
    Stretch,
    Where,
    pieces,
    size_of,
    stretches_of_chunks,
    stretches_of_files,
)
from models.logs import Stream, allocations_prefix, in_order, logs_prefix
from models.objects import Place, Shelf
from models.ports import JobStory, Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """One stream of one allocation as it lies: `size` is how long it is by now."""

    allocation_id: str
    stream: Stream
    where: Where
    stretches: tuple[Stretch, ...]

    @property
    def size(self) -> int:
        """How many bytes were said, those that nobody kept included."""
        return size_of(self.stretches)


class LogReader:
    """Reads logs; either place may be missing from the settings."""

    def __init__(self, live: LiveLogs | None, shelf: Shelf | None) -> None:
        self._live = live
        self._shelf = shelf

    def allocations(self, story: JobStory) -> tuple[str, ...]:
        """All that ran for a job: those of its runs, and others of which the bucket has logs."""
        of_runs = [run.allocation_id for run in story.runs if run.allocation_id is not None]
        kept: Sequence[str] = ()
        if self._shelf is not None:
            prefix = allocations_prefix(story.job.unique_id)
            found = self._shelf.store.folders(self._shelf.bucket, prefix)
            kept = [folder.rstrip("/") for folder in found]
        return tuple(dict.fromkeys((*kept, *of_runs)))

    def logs(self, story: JobStory, allocation_id: str) -> tuple[Log, ...]:
        """Every stream of an allocation of this job that there is.

        Raises `NotFound` when nobody has any log of it, and what went wrong when one of those who
        may have it cannot be asked.
        """
        troubles: list[PortError] = []
        files: Mapping[str, int] = {}
        kept: Sequence[tuple[str, int]] = ()
        try:
            files = self._files(story, allocation_id)
        except PortError as error:
            troubles.append(error)
        try:
            kept = self._kept(story, allocation_id)
        except PortError as error:
            troubles.append(error)
        found = (_either(allocation_id, each, files, kept) for each in Stream)
        logs = tuple(log for log in found if log is not None)
        if logs or files:
            return logs
        for trouble in troubles:
            if not isinstance(trouble, NotFound):
                raise trouble
        raise NotFound(
            f"nobody has a log of allocation {allocation_id} of job {story.job.id}: Nomad has "
            "forgotten it or its worker is gone, and the results bucket has none"
        )

    def log(self, story: JobStory, allocation_id: str, stream: Stream) -> Log:
        """One stream; one that says nothing yet is empty. Raises as `logs`."""
        found = {log.stream: log for log in self.logs(story, allocation_id)}
        nothing = Log(allocation_id=allocation_id, stream=stream, where=Where.NOMAD, stretches=())
        return found.get(stream, nothing)

    def read(self, log: Log, start: int, length: int) -> Part:
        """At most `length` bytes from byte `start` on; fewer at the end of what there is."""
        content, place, first = bytearray(), start, None
        for stretch in pieces(log.stretches, start, length):
            piece = self._piece(log, stretch)
            first = stretch.start if first is None else first
            content += piece
            place = stretch.start + len(piece)
            if len(piece) < stretch.size:
                break  # it ends earlier than it said: what is behind would stand at a wrong place
        begins = start if first is None else first
        return Part(content=bytes(content), start=begins, next=place, size=log.size)

    def _piece(self, log: Log, stretch: Stretch) -> bytes:
        if log.where is Where.NOMAD and self._live is not None:
            return self._live.read(log.allocation_id, stretch.name, stretch.at, stretch.size)
        assert self._shelf is not None
        place = Place(bucket=self._shelf.bucket, key=stretch.name)
        return self._shelf.store.read(place, start=stretch.at, length=stretch.size)

    def _files(self, story: JobStory, allocation_id: str) -> Mapping[str, int]:
        """What Nomad has of it, if it is one of this job: whoever may read a job may not read all
        that Nomad runs.
        """
        of_runs = {run.allocation_id for run in story.runs}
        if self._live is None or allocation_id not in of_runs:
            return {}
        return self._live.files(allocation_id)

    def _kept(self, story: JobStory, allocation_id: str) -> Sequence[tuple[str, int]]:
        if self._shelf is None:
            return ()
        prefix = logs_prefix(story.job.unique_id, allocation_id)
        found = self._shelf.store.objects(self._shelf.bucket, prefix)
        return [(stored.place.key, stored.size) for stored in found]


class StoreLogs:
    """`models.log_reading.JobLogs` of the jobs that a store knows."""

    def __init__(self, reader: Reader, logs: LogReader) -> None:
        self._reader = reader
        self._logs = logs

    def logs(self, reference: str) -> tuple[LogNow, ...]:
        """See `models.log_reading.JobLogs.logs`."""
        story = self._reader.story(reference)
        return tuple(
            LogNow(
                allocation_id=log.allocation_id, stream=log.stream, size=log.size, where=log.where
            )
            for allocation_id in self._logs.allocations(story)
            for log in self._found(story, allocation_id)
        )

    def _found(self, story: JobStory, allocation_id: str) -> tuple[Log, ...]:
        """The logs of one of several: that it has none, or cannot be asked, hides no other."""
        try:
            return self._logs.logs(story, allocation_id)
        except PortError:
            return ()

    def read(
        self, reference: str, allocation_id: str, stream: Stream, start: int | None, length: int
    ) -> Part:
        """See `models.log_reading.JobLogs.read`."""
        log = self._logs.log(self._reader.story(reference), allocation_id, stream)
        return self._logs.read(log, max(0, log.size - length) if start is None else start, length)


def _either(
    allocation_id: str,
    stream: Stream,
    files: Mapping[str, int],
    kept: Sequence[tuple[str, int]],
) -> Log | None:
    """The stream where more of it is: Nomad is ahead of the bucket while the worker lives."""
    live = stretches_of_files(files, stream)
    chunks = stretches_of_chunks(in_order(kept, stream))
    if live and size_of(live) >= size_of(chunks):
        return Log(allocation_id=allocation_id, stream=stream, where=Where.NOMAD, stretches=live)
    if chunks:
        return Log(allocation_id=allocation_id, stream=stream, where=Where.BUCKET, stretches=chunks)
    return None
