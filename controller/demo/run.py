"""Let a demo run and watch it: submit the jobs, look four times a second, know when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from controller.demo.report import Products, Report, report_of
from controller.demo.scene import Scene, Stage, duties_of, stages_of
from models.job_types import DEFAULT_REGISTRY
from models.ports import Clock, JobStore, Reader, ViewLimits

LOOK_EVERY = timedelta(seconds=0.25)
DECISIONS_SHOWN = 60
"""More than any terminal has lines."""


class End(Enum):
    """Why a demo ended."""

    QUIET = auto()
    """Every job has ended and no worker is left."""
    TOO_LATE = auto()
    STOPPED = auto()
    """Somebody asked for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a demo ended, what it came to, and the moment at which it was busiest."""

    end: End
    report: Report
    last: Scene
    busiest: Scene


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """From where one sees the whole stage. `violations` counts the invariants seen broken,
    `products` how far products came.
    """

    store: JobStore
    reader: Reader
    clock: Clock
    violations: Callable[[], int]
    products: Callable[[], Products]


class Watcher:
    """Makes scenes out of what the store holds; keeps the busiest."""

    def __init__(self, house: House, notes: tuple[str, ...]) -> None:
        self._house = house
        self._notes = notes
        self._began = house.clock.monotonic()
        self._limits = ViewLimits(ready_per_flavor=0, ended_since=house.clock.now())
        self.submitted = 0
        self.peak = 0
        self.busiest: Scene | None = None

    def look(self) -> Scene:
        """This moment. Raises what the store raises."""
        view = self._house.store.view(self._limits)
        stages = stages_of(self._house.reader.totals())
        scene = Scene(
            elapsed=timedelta(seconds=self._house.clock.monotonic() - self._began),
            # Products of jobs make further jobs, where they are listed.
            submitted=max(self.submitted, sum(stages.values())),
            jobs=stages,
            quarantined=sum(row.quarantined for row in view.counts),
            workers=duties_of(view, DEFAULT_REGISTRY.flavors),
            decisions=self._house.reader.ledger((), DECISIONS_SHOWN),
            notes=self._notes,
        )
        self.peak = max(self.peak, scene.worker_count)
        if self.busiest is None or _liveliness(scene) >= _liveliness(self.busiest):
            self.busiest = scene
        return scene

    def report(self, scene: Scene) -> Report:
        """What it has come to so far."""
        return report_of(
            scene,
            self._house.reader.totals(),
            self._house.products(),
            workers_peak=self.peak,
            violations=self._house.violations(),
        )


def _liveliness(scene: Scene) -> tuple[int, int]:
    """Most to see: kinds of things going on at once, then how many jobs are beyond waiting."""
    stages = sum(1 for count in scene.jobs.values() if count)
    duties = len({duty for found in scene.workers.values() for duty, n in found.items() if n})
    return stages + duties, scene.done


def watch(
    watcher: Watcher,
    show: Callable[[Scene], None],
    stop: threading.Event,
    *,
    until_quiet: bool,
) -> Ending:
    """Show moment after moment until `stop`, or, if asked, until all is quiet or it is too late."""
    while True:
        scene = watcher.look()
        show(scene)
        stopped = stop.wait(LOOK_EVERY.total_seconds())
        end = End.STOPPED if stopped else _end(scene) if until_quiet else None
        if end is not None:
            return Ending(
                end=end,
                report=watcher.report(scene),
                last=scene,
                busiest=watcher.busiest or scene,
            )


def _end(scene: Scene) -> End | None:
    if is_quiet(scene):
        return End.QUIET
    return End.TOO_LATE if is_late(scene) else None


def is_late(scene: Scene) -> bool:
    """It should be quiet by now. What jobs made makes further jobs, which have their time too."""
    return scene.elapsed > time_for(scene.submitted)


def is_quiet(scene: Scene) -> bool:
    """Every job has ended, well or not, and no worker is left."""
    ended = scene.done + scene.jobs.get(Stage.CANCELLED, 0) + scene.quarantined
    return ended >= scene.submitted > 0 and scene.worker_count == 0


def time_for(jobs: int) -> timedelta:
    """How long a demo of so many jobs may take on two busy cores before something is wrong."""
    return timedelta(seconds=120 + 2 * jobs)
