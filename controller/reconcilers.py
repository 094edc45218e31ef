"""The reconcilers that a controller runs, as the shell knows them; a new one is a new row here."""

from __future__ import annotations

from controller.loop import Reconciler
from models.sightings import SightingKind
from models.world import Source
from reconcilers import execution, monitor, pool

RECONCILERS: tuple[Reconciler, ...] = (
    Reconciler(
        name="execution",
        decide=execution.decide,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings.execution,
        sightings=frozenset({SightingKind.CHILD_UNEVALUATED}),
    ),
    Reconciler(
        name="monitor",
        decide=monitor.decide,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings.monitor,
        sightings=frozenset({SightingKind.CHILD_MISSING, SightingKind.CHILD_UNCLAIMED}),
    ),
    Reconciler(
        name="worker-pool",
        decide=pool.decide,
        sources=frozenset({Source.STORE, Source.NOMAD, Source.CLOUD}),
        settings_of=lambda settings: settings.pool,
        sightings=frozenset(
            {
                SightingKind.NODE_QUIET,
                SightingKind.NODE_AWAY,
                SightingKind.SERVER_MISSING,
                SightingKind.SERVER_UNCLAIMED,
                SightingKind.CREATE_MISSING,
            }
        ),
    ),
)
