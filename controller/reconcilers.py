"""The reconcilers that a controller runs, as the shell knows them; a new one is a new row here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from controller.config import Config
from controller.loop import Reconciler
from controller.sweeps import feeds_wanted
from models.plan import Decision
from models.settings import Settings
from models.sightings import SightingKind
from models.world import Source, World
from reconcilers import (
    configuration,
    creation,
    execution,
    monitor,
    pool,
    publication,
    readback,
    retention,
)
from reconcilers.creation.expected import too_few


def _executed(world: World, settings: Settings, now: datetime) -> list[Decision]:
    return execution.decide(world, settings.execution, now, settings.pool)


def _created(world: World, settings: Settings, now: datetime) -> list[Decision]:
    found = creation.decide(world, settings.creation, now, settings.composition)
    return [*found, *too_few(world, settings.expected, now)]


def _monitored(world: World, settings: Settings, now: datetime) -> list[Decision]:
    return monitor.decide(world, settings.monitor, now, settings.breaker)


def _pooled(world: World, settings: Settings, now: datetime) -> list[Decision]:
    return pool.decide(world, settings.pool, now, settings.breaker)


RECONCILERS: tuple[Reconciler, ...] = (
    Reconciler(
        name="creation",
        decide=_created,
        sources=frozenset({Source.STORE, Source.CATALOGUES}),
        settings_of=lambda settings: settings,
        sightings=frozenset(),
    ),
    Reconciler(
        name="configuration",
        decide=configuration.decide,
        sources=frozenset({Source.STORE, Source.BACKLOG}),
        settings_of=lambda settings: settings.configuration,
        sightings=frozenset(),
    ),
    Reconciler(
        name="execution",
        decide=_executed,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings,
        sightings=frozenset({SightingKind.CHILD_UNEVALUATED}),
    ),
    Reconciler(
        name="monitor",
        decide=_monitored,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings,
        sightings=frozenset({SightingKind.CHILD_MISSING, SightingKind.CHILD_UNCLAIMED}),
    ),
    Reconciler(
        name="publication",
        decide=publication.decide,
        sources=frozenset({Source.STORE, Source.OUTBOX, Source.BROKER}),
        settings_of=lambda settings: settings.publication,
        sightings=frozenset(),
    ),
    Reconciler(
        name="read-back",
        decide=readback.decide,
        sources=frozenset({Source.STORE, Source.READBACK}),
        settings_of=lambda settings: settings.readback,
        sightings=frozenset(),
        paced=True,
    ),
    Reconciler(
        name="retention",
        decide=retention.decide,
        sources=frozenset({Source.STORE, Source.RESULTS}),
        settings_of=lambda settings: settings.retention,
        sightings=frozenset(),
        paced=True,
    ),
    Reconciler(
        name="worker-pool",
        decide=_pooled,
        sources=frozenset({Source.STORE, Source.NOMAD, Source.CLOUD}),
        settings_of=lambda settings: settings,
        sightings=frozenset(
            {
                SightingKind.NODE_QUIET,
                SightingKind.NODE_AWAY,
                SightingKind.SERVER_MISSING,
                SightingKind.SERVER_UNCLAIMED,
                SightingKind.CREATE_MISSING,
                SightingKind.IMAGE_MISSING,
            }
        ),
    ),
)


def working(
    reconcilers: Iterable[Reconciler],
    *,
    catalogues: bool,
    shop: bool = False,
    results: bool = False,
) -> tuple[Reconciler, ...]:
    """Those that have something to do: without `catalogues` creation has nothing, without a `shop`,
    where products are put, publication and read-back have not, without a bucket for `results`
    retention.
    """
    there = {
        Source.CATALOGUES: catalogues,
        Source.OUTBOX: shop,
        Source.READBACK: shop,
        Source.RESULTS: results,
    }
    return tuple(r for r in reconcilers if all(there.get(source, True) for source in r.sources))


def loops_of(config: Config) -> tuple[str, ...]:
    """The loops that a controller of these settings runs."""
    reads = bool(feeds_wanted(config.creation))
    shop, results = bool(config.publication.bucket), keeps_results(config)
    found = working(RECONCILERS, catalogues=reads, shop=shop, results=results)
    return tuple(each.name for each in found)


def keeps_results(config: Config) -> bool:
    """Whether these settings name a results bucket."""
    return config.s3.endpoint is not None and config.s3.results is not None
