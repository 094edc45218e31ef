"""Step 2 and 3 of a pass: read the three systems, say how far each can be trusted, make a world.

Snapshots are shared inside the process: a pass gets one that was *requested after* its wake-up,
and loops that wake together get the same. At most one read of a source is under way at a time; a
loop that comes while one is under way waits for the next, together with everybody else who does.
A source that failed, was late or went backwards is None and named in `World.unknown`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from controller.crew import Crew
from controller.gate import Trust, judge, mark_of
from controller.metrics import Metrics
from models.errors import ConfigurationError, PortError, Unavailable
from models.job_types import Registry
from models.ports import Clock, Cloud, JobStore, Orchestrator, ViewLimits
from models.settings import DEFAULT_SETTINGS, Settings, settings_from
from models.world import CloudSnapshot, NomadSnapshot, Site, Source, StoreView, World

Snapshot = TypeVar("Snapshot")

READY_MARGIN = 10
"""How many ready jobs per flavor a pass sees beyond what all workers could take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[Snapshot]):
    """What one read of a source gave: a snapshot, or why there is none to go by."""

    snapshot: Snapshot | None
    unknown: str = ""


class Feed(Generic[Snapshot]):
    """One source, read by at most one thread at a time, shared by all who wait for it."""

    def __init__(self, crew: Crew, clock: Clock, read: Callable[[], Reading[Snapshot]]) -> None:
        self._crew = crew
        self._clock = clock
        self._read = read
        self._lock = threading.Lock()
        self._begun_at = float("-inf")
        self._future: Future[Reading[Snapshot]] | None = None

    def ask(self, after: float) -> Future[Reading[Snapshot]] | None:
        """The read that began at or after the monotonic moment `after`; begun now if need be.

        None while an older one is still under way: it has to end first (`pending`).
        """
        with self._lock:
            if self._future is None or (self._begun_at < after and self._future.done()):
                self._begun_at = self._clock.monotonic()
                self._future = self._crew.submit(self._read)
            return self._future if self._begun_at >= after else None

    def get(self, after: float, until: float) -> Reading[Snapshot]:
        """A reading requested at or after `after`; unknown when there is none at `until`."""
        allowed = until - self._clock.monotonic()
        try:
            while (wanted := self.ask(after)) is None:
                # What hung for the pass before is not waited for once more.
                self._wait_for(self._future, min(until, self._begun_at + allowed))
            return self._wait_for(wanted, until)
        except TimeoutError:
            silent = self._clock.monotonic() - self._begun_at
            return Reading(snapshot=None, unknown=f"no answer for {silent:.1f} s")

    def _wait_for(
        self, future: Future[Reading[Snapshot]] | None, until: float
    ) -> Reading[Snapshot]:
        if future is None:
            return Reading(snapshot=None, unknown="never asked")
        return future.result(timeout=max(0.0, until - self._clock.monotonic()))


class Parameters:
    """The live settings: the newest that could be used, and what is wrong with newer ones."""

    def __init__(self) -> None:
        self._values: Mapping[str, Any] = {}
        self._settings = DEFAULT_SETTINGS
        self._problem: str | None = None
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """The last good settings."""
        return self._settings

    def update(self, values: Mapping[str, Any]) -> tuple[Settings, str | None]:
        """The settings to go by, and why they are not those that the store holds, if so."""
        with self._lock:
            if values != self._values:
                self._values = dict(values)
                try:
                    self._settings, self._problem = settings_from(values), None
                except ConfigurationError as error:
                    self._problem = f"{error}; the last good settings stay in force"
            return self._settings, self._problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """A world without memory, and the settings it is to be judged by."""

    world: World
    settings: Settings
    problem: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The three systems as the observer reads them."""

    store: JobStore
    orchestrator: Orchestrator
    cloud: Cloud


class Observer:
    """Reads worlds for all loops of one process."""

    def __init__(
        self,
        sources: Sources,
        *,
        site: Site,
        registry: Registry,
        clock: Clock,
        crew: Crew,
        metrics: Metrics,
    ) -> None:
        self.parameters = Parameters()
        self._site = site
        self._registry = registry
        self._clock = clock
        self._metrics = metrics
        self._sources = sources
        self._trust: dict[Source, Trust] = {}
        self._store: Feed[StoreView] = Feed(crew, clock, self._read_store)
        self._nomad: Feed[NomadSnapshot] = Feed(crew, clock, self._read_nomad)
        self._cloud: Feed[CloudSnapshot] = Feed(crew, clock, self._read_cloud)

    def observe(self, wanted: frozenset[Source], after: float, busy: frozenset[str]) -> Observation:
        """A world of the wanted sources, all requested at or after the monotonic moment `after`.

        `busy` must have been asked for before: what ended since then shows in the snapshots.
        Raises `Unavailable` when the store cannot be read: without it there is no world.
        """
        allowed = self.parameters.settings.passes.call_deadline
        until = self._clock.monotonic() + allowed.total_seconds()
        if Source.NOMAD in wanted:
            self._nomad.ask(after)
        if Source.CLOUD in wanted:
            self._cloud.ask(after)
        view = self._store.get(after, until)
        nomad = self._nomad.get(after, until) if Source.NOMAD in wanted else None
        cloud = self._cloud.get(after, until) if Source.CLOUD in wanted else None
        if view.snapshot is None:
            raise Unavailable(f"the store cannot be read: {view.unknown}")
        settings, problem = self.parameters.update(view.snapshot.parameters)
        unknown = {Source.NOMAD: nomad, Source.CLOUD: cloud}
        world = World(
            site=self._site,
            store=view.snapshot,
            nomad=nomad.snapshot if nomad else None,
            cloud=cloud.snapshot if cloud else None,
            unknown={
                source: reading.unknown
                for source, reading in unknown.items()
                if reading is not None and reading.unknown
            },
            registry=self._registry,
            busy=busy,
        )
        return Observation(world=world, settings=settings, problem=problem)

    def _read_store(self) -> Reading[StoreView]:
        settings = self.parameters.settings
        limits = ViewLimits(
            ready_per_flavor=settings.pool.max_workers + settings.execution.lead + READY_MARGIN,
            ended_since=self._clock.now() - settings.execution.wind_down,
        )
        return self._usable(Source.STORE, lambda: self._sources.store.view(limits), lambda _: None)

    def _read_nomad(self) -> Reading[NomadSnapshot]:
        return self._usable(Source.NOMAD, self._sources.orchestrator.snapshot, self._doubt)

    def _read_cloud(self) -> Reading[CloudSnapshot]:
        return self._usable(Source.CLOUD, self._sources.cloud.snapshot, self._doubt)

    def _usable(
        self,
        source: Source,
        read: Callable[[], Snapshot],
        doubt: Callable[[Snapshot], str | None],
    ) -> Reading[Snapshot]:
        """Read a source; a snapshot that failed or is doubted is none."""
        began = self._clock.monotonic()
        try:
            snapshot = read()
            unknown = doubt(snapshot)
        except PortError as error:
            reading: Reading[Snapshot] = Reading(snapshot=None, unknown=_sentence(error))
        else:
            reading = Reading(snapshot=snapshot if unknown is None else None, unknown=unknown or "")
        seconds = self._clock.monotonic() - began
        self._metrics.source_read(source, seconds, usable=reading.snapshot is not None)
        return reading

    def _doubt(self, snapshot: NomadSnapshot | CloudSnapshot) -> str | None:
        """Ask the gate. Only one read of a source is ever here."""
        source = Source.NOMAD if isinstance(snapshot, NomadSnapshot) else Source.CLOUD
        trust = self._trust.get(source, Trust())
        verdict = judge(trust, mark_of(snapshot), self._clock.monotonic())
        self._trust[source] = verdict.trust
        return verdict.doubt


def _sentence(error: PortError) -> str:
    return str(error) or type(error).__name__
