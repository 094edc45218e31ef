"""What a view asks of the job table and must not scan it for: ready jobs in order, counts,
and the runs that ended last.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TypeAlias
from uuid import UUID

from models.lifecycle import FINAL, Status
from models.records import InFlight, Job, Priority, Run
from models.world import JobCount

Place: TypeAlias = tuple[int, datetime, datetime, int]
Group: TypeAlias = tuple[str, str, Status, Priority]

_NEVER = datetime.max.replace(tzinfo=UTC)


def _place(job: Job) -> Place:
    return job.priority.rank, job.deadline or _NEVER, job.created_at, job.id


class ReadyQueue:
    """Ready jobs per flavor in dispatch order, kept sorted. Watches the job table."""

    def __init__(self) -> None:
        self._places: defaultdict[str, list[Place]] = defaultdict(list)
        self._jobs: dict[int, Job] = {}
        self._held: dict[int, Job] = {}

    def moved(self, before: Job | None, after: Job | None) -> None:
        """See `Watcher`."""
        if before is not None and before.status is Status.READY:
            places = self._places[before.flavor]
            del places[bisect_left(places, _place(before))]
            del self._jobs[before.id]
            self._held.pop(before.id, None)
        if after is not None and after.status is Status.READY:
            insort(self._places[after.flavor], _place(after))
            self._jobs[after.id] = after
            if after.not_before is not None:
                self._held[after.id] = after

    def top(self, count: int, now: datetime, paused: frozenset[str]) -> tuple[Job, ...]:
        """The first `count` due jobs of each flavor, without those of paused types."""
        return tuple(
            job
            for flavor in sorted(self._places)
            for job in islice(self._due(flavor, now, paused), count)
        )

    @property
    def is_any(self) -> bool:
        """Whether any job is ready, due or not."""
        return bool(self._jobs)

    def let_go(self, now: datetime) -> int:
        """How many jobs were held back and are due by now: the queue is the same until it moves."""
        return sum(
            job.not_before is not None and job.not_before <= now for job in self._held.values()
        )

    def _due(self, flavor: str, now: datetime, paused: frozenset[str]) -> Iterator[Job]:
        for *_, number in self._places[flavor]:
            job = self._jobs[number]
            if job.type not in paused and (job.not_before is None or job.not_before <= now):
                yield job

    def totals(self, now: datetime, paused: frozenset[str]) -> dict[str, int]:
        """How many due jobs each flavor has, without those of paused types; no 0."""
        totals = {flavor: len(places) for flavor, places in self._places.items()}
        for job in self._held.values():
            if job.type not in paused and job.not_before is not None and job.not_before > now:
                totals[job.flavor] -= 1
        if paused:
            for job in self._jobs.values():
                totals[job.flavor] -= job.type in paused
        return {flavor: total for flavor, total in sorted(totals.items()) if total}


class EndedRuns:
    """Runs by the time of their end. Watches the table of runs."""

    def __init__(self) -> None:
        self._places: list[tuple[datetime, UUID]] = []
        self._runs: dict[UUID, Run] = {}

    def moved(self, before: Run | None, after: Run | None) -> None:
        """See `Watcher`."""
        if before is not None and before.ended_at is not None:
            del self._places[bisect_left(self._places, (before.ended_at, before.id))]
            del self._runs[before.id]
        if after is not None and after.ended_at is not None:
            insort(self._places, (after.ended_at, after.id))
            self._runs[after.id] = after

    def since(self, moment: datetime) -> tuple[Run, ...]:
        """Runs that ended then or later, in that order."""
        first = bisect_left(self._places, moment, key=lambda place: place[0])
        return tuple(self._runs[run_id] for _, run_id in self._places[first:])


class Flights:
    """Jobs in flight with their open runs. Watches the tables of jobs and runs, each row of which
    knows its job: what either shows of it is put together anew when it is asked for next.
    """

    def __init__(self, made: Callable[[int], InFlight | None]) -> None:
        self._made = made
        self._flights: dict[int, InFlight] = {}
        self._moved: set[int] = set()

    def moved(self, before: Job | Run | None, after: Job | Run | None) -> None:
        """See `Watcher`."""
        for row in (before, after):
            if row is not None:
                self._moved.add(row.job_id if isinstance(row, Run) else row.id)

    def by_job(self) -> tuple[InFlight, ...]:
        """All of them, by job id."""
        for job_id in self._moved:
            flight = self._made(job_id)
            if flight is None:
                self._flights.pop(job_id, None)
            else:
                self._flights[job_id] = flight
        self._moved.clear()
        return tuple(self._flights[job_id] for job_id in sorted(self._flights))


class OpenCounts:
    """How many jobs stand where and since when the oldest. Watches the job table.

    The oldest is found by a heap from which entries of jobs that moved on are dropped when they
    come to its top: exact, and never a walk over all jobs of a group.
    """

    def __init__(self) -> None:
        self._members: defaultdict[Group, dict[int, datetime]] = defaultdict(dict)
        self._oldest: defaultdict[Group, list[tuple[datetime, int]]] = defaultdict(list)
        self._quarantined: defaultdict[Group, int] = defaultdict(int)
        self._counted: dict[Group, JobCount] = {}

    def moved(self, before: Job | None, after: Job | None) -> None:
        """See `Watcher`."""
        if before is not None:
            group = _group(before)
            del self._members[group][before.id]
            self._quarantined[group] -= before.quarantined
            self._counted.pop(group, None)
        if after is not None:
            group = _group(after)
            self._counted.pop(group, None)
            self._members[group][after.id] = after.status_at
            self._quarantined[group] += after.quarantined
            if before is None or (_group(before), before.status_at) != (group, after.status_at):
                heapq.heappush(self._oldest[group], (after.status_at, after.id))

    def by_status(self) -> dict[Status, int]:
        """Jobs by status, finished ones included."""
        totals = dict.fromkeys(Status, 0)
        for (_, _, status, _), members in self._members.items():
            totals[status] += len(members)
        return {status: total for status, total in totals.items() if total}

    def quarantined(self) -> int:
        """How many jobs wait for a person."""
        return sum(self._quarantined.values())

    def open(self) -> tuple[JobCount, ...]:
        """The counts of a view: by type, status and priority, without done and cancelled jobs."""
        statuses = list(Status)
        groups = [g for g, members in self._members.items() if members and g[2] not in FINAL]
        groups.sort(key=lambda g: (g[0], g[1], statuses.index(g[2]), g[3].rank))
        return tuple(self._counted.get(group) or self._count(group) for group in groups)

    def _count(self, group: Group) -> JobCount:
        members, heap = self._members[group], self._oldest[group]
        while members.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        type_name, flavor, status, priority = group
        self._counted[group] = JobCount(
            type=type_name,
            flavor=flavor,
            status=status,
            priority=priority,
            count=len(members),
            oldest_at=heap[0][0],
            quarantined=self._quarantined[group],
        )
        return self._counted[group]


def _group(job: Job) -> Group:
    return job.type, job.flavor, job.status, job.priority
