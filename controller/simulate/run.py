"""Runs a simulation from its first arrival until all is quiet again, sampling it on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.simulate.inputs import Remaining
from controller.simulate.mishaps import LEVELS, Mishaps, behaviours_of, faults_of, press_of
from controller.simulate.report import (
    Meter,
    Report,
    Sample,
    Turnarounds,
    busy_time,
    by_hour,
    percentile,
    products_made,
    products_published,
    sample,
    share_in_time,
    turnarounds,
)
from controller.simulate.scenario import HOUR, Arrival, Options, arrivals, parameters, scenario
from controller.simulation import InvariantBroken, Plan, Simulation
from models.lifecycle import Status
from models.ports import Asked
from simulator.store import MemoryStore

SAMPLES = 400
"""How many samples are taken while jobs arrive."""

DRAIN = timedelta(days=2)
"""How long after the last arrival all must be quiet: every limit, back-off and quarantine of the
default parameters is over by then."""

COMING = Asked(actor="simulation", reason="arrivals")

Watch = Callable[["Run"], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a simulation came to, after how many steps: turns in which a pass was made or was seen
    to be needless. `broken` tells of the invariant that ended it, if one did.
    """

    report: Report
    samples: tuple[Sample, ...]
    turnarounds: tuple[Turnarounds, ...]
    steps: int
    broken: str | None = None


class Run:
    """One simulation under way."""

    def __init__(self, options: Options, *, skipping: bool = True) -> None:
        self.options = options
        plan = Plan(
            scenario=scenario(options, behaviours_of(options), press_of(options)),
            faults=lambda: faults_of(options),
            parameters=parameters(options),
            skipping=skipping,
            command=options.command(),
        )
        self.sim = Simulation(plan)
        self.meter = Meter()
        self.samples: list[Sample] = []
        self._latest: datetime | None = None
        self.began = self.sim.systems.timeline.now()
        self._remaining = Remaining(self.sim.systems, self.began + options.span)
        self.sim.systems.outside.cloud.on_gone.append(self.meter.ended)
        self.mishaps = Mishaps(self.sim, LEVELS[options.faults], options.span)
        for arrival in arrivals(options):
            self._announce(arrival)
        self._sample_every(options.span / SAMPLES)

    @property
    def elapsed(self) -> timedelta:
        """Virtual time since the beginning."""
        return self.sim.systems.timeline.now() - self.began

    def until_quiet(self, watch: Watch = lambda _: None) -> Outcome:
        """Go on until every job rests and no worker is left; `watch` looks after each turn.

        A broken invariant, and a world that does not come to rest, end it early.
        """
        started = time.monotonic()
        try:
            for _ in self.turns():
                watch(self)
        except InvariantBroken as broken:
            return self._outcome(time.monotonic() - started, str(broken))
        return self._outcome(time.monotonic() - started, None)

    def turns(self) -> Iterator[None]:
        """Turn by turn until all is quiet. Raises `InvariantBroken`."""
        while self.elapsed < self.options.span or not self._is_over():
            if self.elapsed > self._last_arrival() + DRAIN:
                raise self.sim.broken(
                    f"I3, I5: not quiet {DRAIN / HOUR:g} h after the last arrival{self._missing()}"
                )
            yield from self.sim.turns()

    def _is_over(self) -> bool:
        """All is quiet, and all that the catalogues listed in time was met and put together."""
        return self.sim.is_quiet() and not self._remaining.counts()

    def _last_arrival(self) -> timedelta:
        """When the last job is handed in, or the last image listed."""
        if self.options.from_catalogue and self._latest is None:
            catalogue = self.sim.systems.catalogue
            entries = catalogue.entries() if catalogue else []
            self._latest = max((entry.visible_at for entry in entries), default=self.began)
        listed = self._latest - self.began if self._latest else timedelta(0)
        return max(self.options.span, listed)

    def _missing(self) -> str:
        left = self._remaining.counts()
        return "".join(f", {count} {what}" for what, count in left.items())

    def _announce(self, arrival: Arrival) -> None:
        systems = self.sim.systems
        systems.timeline.after(arrival.at, lambda: _submit(systems.store, arrival))

    def _sample_every(self, span: timedelta) -> None:
        """Sample now and, as long as there is something to see, every `span`."""
        self.samples.append(sample(self.sim.systems.store.tables, self.elapsed))
        if self.elapsed < self.options.span or not self.sim.is_quiet():
            self.sim.systems.timeline.after(span, lambda: self._sample_every(span))

    def _outcome(self, wall: float, broken: str | None) -> Outcome:
        systems = self.sim.systems
        now, tables = systems.timeline.now(), systems.store.tables
        jobs = list(tables.jobs.values())
        self.samples.append(sample(tables, self.elapsed))
        taken = [each.total_seconds() for each in turnarounds(jobs)]
        share = share_in_time(jobs, now)
        report = Report(
            seed=self.options.seed,
            days=self.options.days,
            passes=self.sim.passes,
            jobs_created=len(jobs),
            jobs_done=sum(job.status is Status.DONE for job in jobs),
            cancelled=sum(job.status is Status.CANCELLED for job in jobs),
            quarantined=sum(job.quarantined for job in jobs),
            products_made=products_made(tables),
            products_published=products_published(systems.press),
            turnaround_p50_s=_rounded(percentile(taken, 0.5)),
            turnaround_p95_s=_rounded(percentile(taken, 0.95)),
            share_within_3h=None if share is None else round(share, 4),
            vm_hours=round(self.meter.total(systems.outside.cloud.servers(), now) / HOUR, 2),
            vm_hours_busy=round(busy_time(tables.runs.values(), now) / HOUR, 2),
            servers_created=systems.outside.cloud.created,
            invariant_violations=len(self.sim.truth.violations) or int(broken is not None),
            wall_s=round(wall, 2),
        )
        return Outcome(
            report=report,
            samples=tuple(self.samples),
            turnarounds=tuple(by_hour(jobs, self.began)),
            steps=self.sim.steps,
            broken=broken,
        )


def _submit(store: MemoryStore, arrival: Arrival) -> None:
    store.submit(arrival.jobs, COMING)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def replay(options: Options, step: int, watch: Watch = lambda _: None) -> str:
    """Run again up to a step and tell the story there: what was decided last, and why."""
    run = Run(options)
    try:
        for _ in run.turns():
            watch(run)
            if run.sim.steps >= step:
                break
    except InvariantBroken as broken:
        return str(broken)
    return run.sim.story_at(step)
