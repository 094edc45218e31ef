"""What a simulation came to: the report, and samples of how it went. Counts only, changes nothing.

A turnaround is counted from the moment a job arrives to the moment it is done: its products are
announced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from controller.simulate.scenario import HOUR, TURNAROUND
from models.lifecycle import ERRORS, FINAL, IN_FLIGHT, Status
from models.publication import product_of
from models.records import Job, Run
from simulator.cloud.servers import CloudServer
from simulator.press import SimulatedPress
from simulator.store.tables import Tables

PROCESSED = frozenset({Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED, Status.DONE})
"""Where a job needs no worker any more."""

STATES = ("waiting", "dispatched", "running", "in error")
"""How a sample tells open jobs apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The figures of one simulation; times in seconds unless their name says otherwise.

    `share_within_3h` is of the jobs whose 3 hours are over or that are done: how many were in time.
    `products_made` are those that the manifests of processed runs name, `products_published` those
    whose announcement the broker has confirmed; each counts once. `vm_hours` counts servers from
    their creation until they are gone, `vm_hours_busy` runs from their claim until their end.
    `wall_s` is real time.
    """

    seed: int
    days: float
    passes: int
    jobs_created: int
    jobs_done: int
    cancelled: int
    quarantined: int
    products_made: int
    products_published: int
    turnaround_p50_s: float | None
    turnaround_p95_s: float | None
    share_within_3h: float | None
    vm_hours: float
    vm_hours_busy: float
    servers_created: int
    invariant_violations: int
    wall_s: float

    def as_json(self) -> dict[str, Any]:
        """In plain values, in the order of the fields."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One moment: open jobs by state (`STATES`), open workers and waiting jobs by flavor.

    A job waits until a program on a worker has claimed its run.
    """

    at: timedelta
    jobs: Mapping[str, int]
    workers: Mapping[str, int]
    queue: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turnarounds:
    """The turnarounds of the jobs that arrived in one hour, `at` being its middle."""

    at: timedelta
    p50: timedelta
    p95: timedelta


class Meter:
    """Counts the hours of machines: told of each that is gone, asked at the end."""

    def __init__(self) -> None:
        self._gone = timedelta()

    def ended(self, server: CloudServer) -> None:
        """A server is gone. Listens to `SimulatedCloud.on_gone`; its clock has just written."""
        self._gone += server.updated_at - server.created_at

    def total(self, listed: Iterable[CloudServer], now: datetime) -> timedelta:
        """Machine time until now, with the servers that are still there."""
        there = (now - server.created_at for server in listed if not server.is_deleted)
        return sum(there, self._gone)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def turnarounds(jobs: Iterable[Job]) -> list[timedelta]:
    """How long each job took that is done."""
    return [job.status_at - job.created_at for job in jobs if job.status is Status.DONE]


def share_in_time(jobs: Iterable[Job], now: datetime) -> float | None:
    """The share that was done within 3 hours, of the jobs of which that can be told."""
    told = [job for job in jobs if job.status is Status.DONE or now - job.created_at > TURNAROUND]
    told = [job for job in told if job.status is not Status.CANCELLED]
    in_time = sum(taken <= TURNAROUND for taken in turnarounds(told))
    return in_time / len(told) if told else None


def products_made(tables: Tables) -> int:
    """How many products the manifests name."""
    made = tables.manifests.values()
    return len({product.name for manifest in made for product in manifest.products})


def products_published(press: SimulatedPress | None) -> int:
    """How many products have a confirmed announcement."""
    confirmed = press.broker.confirmed if press is not None else ()
    return len({product_of(message_id) for message_id in confirmed})


def busy_time(runs: Iterable[Run], now: datetime) -> timedelta:
    """Time that claimed runs took, those under way until now."""
    spans = ((run.ended_at or now) - run.claimed_at for run in runs if run.claimed_at)
    return sum(spans, timedelta())


def sample(tables: Tables, at: timedelta) -> Sample:
    """How things stand."""
    states = Counter[str]()
    for status, count in tables.counts.by_status().items():
        state = state_of(status)
        if state is not None:
            states[state] += count
    waiting = tables.jobs_by_status.of((Status.READY, False), (Status.QUEUED, False))
    return Sample(
        at=at,
        jobs=dict(states),
        workers=dict(Counter(worker.flavor for worker in tables.open_workers.of(True))),
        queue=dict(Counter(job.flavor for job in waiting)),
    )


def state_of(status: Status) -> str | None:
    """Which of `STATES` a job is in; None when it is processed or has come to its end."""
    if status in PROCESSED | FINAL:
        return None
    if status in ERRORS:
        return "in error"
    if status is Status.QUEUED:
        return "dispatched"
    return "running" if status in IN_FLIGHT else "waiting"


def by_hour(jobs: Iterable[Job], began: datetime) -> list[Turnarounds]:
    """The turnarounds over time, by the hour in which jobs arrived."""
    hours: dict[int, list[float]] = {}
    for job in jobs:
        if job.status is Status.DONE:
            taken = (job.status_at - job.created_at).total_seconds()
            hours.setdefault((job.created_at - began) // HOUR, []).append(taken)
    return [
        Turnarounds(
            at=(hour + 0.5) * HOUR,
            p50=timedelta(seconds=percentile(taken, 0.5) or 0),
            p95=timedelta(seconds=percentile(taken, 0.95) or 0),
        )
        for hour, taken in sorted(hours.items())
    ]
