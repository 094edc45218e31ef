"""Step 2 and 3 of a pass: read the three systems, say how far each can be trusted, make a world.

Snapshots are shared inside the process: a pass gets one that was *requested after* its wake-up,
and loops that wake together get the same. At most one read of a source is under way at a time; a
loop that comes while one is under way waits for the next, together with everybody else who does.
A source that failed, was late or went backwards is None and named in `World.unknown`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from controller.campaigning import Campaigner
from controller.crew import Crew
from controller.feed import Feed, Reading, Snapshot
from controller.gate import Trust, judge, mark_of
from controller.keeping import Left, Rounds
from controller.known import Knowledge
from controller.metrics import Metrics
from controller.readback import Reader
from controller.sweeps import Sweeper
from models.broker import Broker, RefusedMessage
from models.campaigns import CampaignLook
from models.configuration import Backlog
from models.creation import Harvest
from models.errors import ConfigurationError, PortError, Unavailable
from models.job_types import Registry
from models.outbox import Outbox
from models.ports import Clock, Cloud, JobStore, Orchestrator, ViewLimits
from models.publication import OutboxFigures, Publishing
from models.reckoning import ReadBack
from models.settings import DEFAULT_SETTINGS, Settings, settings_kept
from models.world import CloudSnapshot, NomadSnapshot, Site, Source, StoreView, World

SWEEP_SHARE = 1 / 3
"""Of the time that a read may take, in which feeds may begin to be read; the page that is under way
then has as much again, and what the store is asked about them the last third."""

MOST_PENDING = 1000
"""How many jobs that are to be published a pass sees at most, the most urgent first."""

READY_MARGIN = 10
"""How many ready jobs per flavor a pass sees beyond what all workers could take."""


_NOT_WANTED: Reading[Any] = Reading(snapshot=None)


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
                    self._settings, self._problem = settings_kept(values), None
                except ConfigurationError as error:
                    self._problem = f"{error}; the last good settings stay in force"
            return self._settings, self._problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """A world without memory and the settings to judge it by; `used` numbers its readings."""

    world: World
    used: Mapping[Source, int]
    settings: Settings
    problem: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The three systems as the observer reads them, and the catalogues, where there are any."""

    store: JobStore
    orchestrator: Orchestrator
    cloud: Cloud
    sweeper: Sweeper | None = None
    campaigner: Campaigner | None = None
    outbox: Outbox | None = None
    broker: Broker | None = None
    reader: Reader | None = None
    rounds: Rounds | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What one read of the catalogues gave: for feeds, and for campaigns."""

    harvest: Harvest
    campaigns: tuple[CampaignLook, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """What one read of the outbox gave: the most urgent jobs, and how much there is in all."""

    publishing: tuple[Publishing, ...] | None
    figures: OutboxFigures | None


_UNREAD = Gathered(harvest=Harvest())
_UNKEPT = Left(jobs=None)
_UNSEEN = Pending(publishing=None, figures=None)


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
        parameters: Parameters | None = None,
    ) -> None:
        self.parameters = parameters or Parameters()
        self.known = Knowledge()
        self._crew = crew
        self._site = site
        self._registry = registry
        self._clock = clock
        self._metrics = metrics
        self._sources = sources
        self._trust: dict[Source, Trust] = {}
        self._feeds: dict[Source, Feed[Any]] = {
            Source.STORE: Feed(crew, clock, self._read_store),
            Source.NOMAD: Feed(crew, clock, self._read_nomad),
            Source.CLOUD: Feed(crew, clock, self._read_cloud),
            Source.CATALOGUES: Feed(crew, clock, self._read_catalogues),
            Source.BACKLOG: Feed(crew, clock, self._read_backlog),
            Source.OUTBOX: Feed(crew, clock, self._read_outbox),
            Source.BROKER: Feed(crew, clock, self._read_broker),
            Source.READBACK: Feed(crew, clock, self._read_back),
            Source.RESULTS: Feed(crew, clock, self._read_results),
        }

    def observe(
        self,
        sources: frozenset[Source],
        after: float,
        busy: frozenset[str],
        beyond: Mapping[Source, int] = MappingProxyType({}),
    ) -> Observation:
        """A world of readings that began at or after the monotonic moment `after` and are newer
        than those numbered in `beyond`, on which the caller may have acted.

        `busy` must have been asked for before: what ended since then shows in the snapshots.
        Raises `Unavailable` when the store cannot be read: there is no world without it.
        """
        allowed = self.parameters.settings.passes.call_deadline
        until = self._clock.monotonic() + allowed.total_seconds()
        wanted = sources | {Source.STORE}
        # Sorted: a set's own order differs from process to process, and so would simulated history.
        for source in sorted(wanted - {Source.STORE}):
            self._feeds[source].ask(after, beyond.get(source, 0))
        read: dict[Source, Reading[Any]] = {
            source: feed.get(after, until, beyond.get(source, 0))
            if source in wanted
            else _NOT_WANTED
            for source, feed in self._feeds.items()
        }
        view: Reading[StoreView] = read[Source.STORE]
        left: Left = read[Source.RESULTS].given(_UNKEPT)
        press: Pending = read[Source.OUTBOX].given(_UNSEEN)
        gathered: Gathered = read[Source.CATALOGUES].given(_UNREAD)
        for source in sorted(wanted):
            self.known.heard(source, read[source].unknown)
        if view.snapshot is None:
            raise Unavailable(f"the store cannot be read: {view.unknown}")
        settings, problem = self.parameters.update(view.snapshot.parameters)
        world = World(
            site=self._site,
            store=view.snapshot,
            nomad=read[Source.NOMAD].snapshot,
            cloud=read[Source.CLOUD].snapshot,
            unknown={
                source: reading.unknown
                for source, reading in read.items()
                if source is not Source.STORE and reading.unknown
            },
            area=self._sources.sweeper.area if self._sources.sweeper else None,
            sweeps=gathered.harvest.sweeps,
            due=gathered.harvest.due,
            arrivals=gathered.harvest.arrivals,
            days=gathered.harvest.days,
            campaigns=gathered.campaigns,
            backlog=read[Source.BACKLOG].snapshot,
            publishing=press.publishing,
            outbox=press.figures,
            readback=read[Source.READBACK].snapshot,
            refusals=read[Source.BROKER].snapshot,
            results=left.jobs,
            l2as=left.l2as,
            registry=self._registry,
            busy=busy,
        )
        used = {source: reading.number for source, reading in read.items()}
        return Observation(world=world, settings=settings, problem=problem, used=used)

    def under_way(self) -> dict[Source, float]:
        """The sources being read now, and since when (monotonic seconds)."""
        since = {source: feed.under_way_since() for source, feed in self._feeds.items()}
        return {source: began for source, began in since.items() if began is not None}

    def close(self) -> None:
        """Begin no new read."""
        self._crew.close()

    def _read_store(self, number: int) -> Reading[StoreView]:
        settings = self.parameters.settings
        limits = ViewLimits(
            ready_per_flavor=settings.pool.max_workers + settings.execution.lead + READY_MARGIN,
            ended_since=self._clock.now() - settings.execution.wind_down,
            removed_since=self._clock.now() - settings.breaker.window,
        )
        view = self._sources.store.view
        return self._usable(Source.STORE, number, lambda: view(limits), lambda _: None)

    def _read_nomad(self, number: int) -> Reading[NomadSnapshot]:
        read = self._sources.orchestrator.snapshot
        return self._usable(Source.NOMAD, number, read, self._doubt)

    def _read_cloud(self, number: int) -> Reading[CloudSnapshot]:
        return self._usable(Source.CLOUD, number, self._sources.cloud.snapshot, self._doubt)

    def _read_catalogues(self, number: int) -> Reading[Gathered]:
        return self._usable(Source.CATALOGUES, number, self._gather, lambda _: None)

    def _gather(self) -> Gathered:
        """The feeds, then, in the time that is left, the campaigns."""
        sources, settings = self._sources, self.parameters.settings
        within = settings.passes.call_deadline * SWEEP_SHARE
        ends = self._clock.monotonic() + within.total_seconds()
        harvest = Harvest(sweeps=())
        if sources.sweeper is not None:
            harvest = sources.sweeper.sweep(settings, within)
        if sources.campaigner is None:
            return Gathered(harvest=harvest)
        busy = {sweep.feed.source for sweep in harvest.sweeps or () if not sweep.complete}
        looks = sources.campaigner.look(settings.creation, ends, busy)
        return Gathered(harvest=harvest, campaigns=looks)

    def _read_backlog(self, number: int) -> Reading[Backlog]:
        store, types = self._sources.store, self._registry.types
        return self._usable(Source.BACKLOG, number, lambda: store.backlog(types), lambda _: None)

    def _read_outbox(self, number: int) -> Reading[Pending]:
        outbox = self._sources.outbox
        if outbox is None:
            empty = Pending(publishing=(), figures=OutboxFigures())
            return Reading(snapshot=empty, number=number)

        def read() -> Pending:
            return Pending(publishing=outbox.pending(MOST_PENDING), figures=outbox.figures())

        return self._usable(Source.OUTBOX, number, read, lambda _: None)

    def _read_broker(self, number: int) -> Reading[tuple[RefusedMessage, ...]]:
        broker = self._sources.broker
        if broker is None:
            return Reading(snapshot=(), number=number)
        most = self.parameters.settings.publication.refusals_per_pass
        return self._usable(Source.BROKER, number, lambda: broker.refused(most), lambda _: None)

    def _read_back(self, number: int) -> Reading[ReadBack]:
        reader, settings = self._sources.reader, self.parameters.settings
        if reader is None:
            return Reading(snapshot=None, number=number)

        def read() -> ReadBack:
            within = settings.passes.call_deadline * SWEEP_SHARE
            ends = self._clock.monotonic() + within.total_seconds()
            return reader.look(settings.readback, ends)

        return self._usable(Source.READBACK, number, read, lambda _: None)

    def _read_results(self, number: int) -> Reading[Left]:
        rounds = self._sources.rounds
        if rounds is None:
            return Reading(snapshot=Left(), number=number)
        settings = self.parameters.settings.retention
        return self._usable(Source.RESULTS, number, lambda: rounds.look(settings), lambda _: None)

    def _usable(
        self,
        source: Source,
        number: int,
        read: Callable[[], Snapshot],
        doubt: Callable[[Snapshot], str | None],
    ) -> Reading[Snapshot]:
        """Read a source; a snapshot that failed or is doubted is none."""
        began = self._clock.monotonic()
        try:
            snapshot = read()
            unknown = doubt(snapshot)
        except PortError as error:
            why = _sentence(error)
            reading: Reading[Snapshot] = Reading(snapshot=None, unknown=why, number=number)
        else:
            believed = snapshot if unknown is None else None
            reading = Reading(snapshot=believed, unknown=unknown or "", number=number)
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
