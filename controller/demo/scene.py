"""One moment of a demo, as the view draws it and the progress lines tell it: plain counts.

Computed from what the store holds; reads nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from models.lifecycle import ERRORS, Status
from models.records import LedgerRow, Worker, WorkerState
from models.world import StoreView


class Stage(StrEnum):
    """Where a job stands, in as few rows as one wants to look at."""

    WAITING = "waiting"
    QUEUED = "queued"
    STARTED = "started"
    PRE_PROCESSING = "pre_processing"
    PROCESSING = "processing"
    POST_PROCESSING = "post_processing"
    PROCESSED = "processed"
    DONE = "done"
    IN_ERROR = "in error"
    CANCELLED = "cancelled"


class Duty(StrEnum):
    """What a worker does, in the order of its life."""

    CREATING = "creating"
    BOOTING = "booting"
    BUSY = "busy"
    FREE = "free"
    RETIRING = "retiring"
    DELETING = "deleting"


_STAGES: Mapping[Status, Stage] = {
    **dict.fromkeys((Status.INITIALIZED, Status.CONFIGURED, Status.READY), Stage.WAITING),
    **{s: Stage(s.value) for s in Status if s.value in set(Stage)},
    **dict.fromkeys(
        # What is left to do is publication's.
        (Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED),
        Stage.PROCESSED,
    ),
    **dict.fromkeys(ERRORS, Stage.IN_ERROR),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One moment: how long it has run, the jobs by stage, the workers by flavor and duty."""

    elapsed: timedelta
    submitted: int
    jobs: Mapping[Stage, int]
    workers: Mapping[str, Mapping[Duty, int]]
    quarantined: int = 0
    decisions: tuple[LedgerRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Jobs that have come to their good end."""
        return self.jobs.get(Stage.DONE, 0)

    @property
    def worker_count(self) -> int:
        """Workers between wish and 404."""
        return sum(sum(duties.values()) for duties in self.workers.values())

    def on_duty(self, duty: Duty) -> int:
        """Workers of all flavors that do this."""
        return sum(duties.get(duty, 0) for duties in self.workers.values())


def stages_of(totals: Mapping[str, int]) -> dict[Stage, int]:
    """Jobs by stage, from the store's totals, of which those named `jobs.STATUS` count here."""
    found: Counter[Stage] = Counter()
    for status in Status:
        found[_STAGES[status]] += totals.get(f"jobs.{status}", 0)
    return dict(found)


def duties_of(view: StoreView, flavors: Iterable[str]) -> dict[str, dict[Duty, int]]:
    """Workers by flavor and duty; a flavor without workers has a row all the same."""
    busy = {flight.run.node_name for flight in view.in_flight if flight.run.claimed_at is not None}
    found: dict[str, Counter[Duty]] = {flavor: Counter() for flavor in flavors}
    for worker in view.workers:
        found.setdefault(worker.flavor, Counter())[_duty(worker, busy)] += 1
    return {flavor: dict(duties) for flavor, duties in found.items()}


def _duty(worker: Worker, busy: set[str | None]) -> Duty:
    match worker.state:
        case WorkerState.CREATING:
            return Duty.CREATING
        case WorkerState.DELETING | WorkerState.CLOSED:
            return Duty.DELETING
        case _ if worker.retirement is not None:
            return Duty.RETIRING
        case WorkerState.BOOTING:
            return Duty.BOOTING
        case WorkerState.READY:
            return Duty.BUSY if worker.name in busy else Duty.FREE


def progress_line(scene: Scene) -> str:
    """The moment in one line, for those who watch without a terminal."""
    jobs = ", ".join(f"{scene.jobs.get(s, 0)} {s}" for s in Stage if scene.jobs.get(s, 0))
    workers = ", ".join(f"{scene.on_duty(d)} {d}" for d in Duty if scene.on_duty(d))
    return (
        f"{clock(scene.elapsed)}  {scene.done} of {scene.submitted} jobs done"
        f" ({jobs or 'none submitted yet'}); workers: {workers or 'none'}"
    )


def clock(elapsed: timedelta) -> str:
    """Minutes and seconds, as on a stopwatch."""
    minutes, seconds = divmod(int(elapsed.total_seconds()), 60)
    return f"{minutes:02}:{seconds:02}"
