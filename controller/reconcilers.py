"""The reconcilers that a controller runs, as the shell knows them; a new one is a new row here."""

from __future__ import annotations

from controller.loop import Reconciler
from models.world import Source
from reconcilers import execution, monitor, pool

RECONCILERS: tuple[Reconciler, ...] = (
    Reconciler(
        name="execution",
        decide=execution.decide,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings.execution,
    ),
    Reconciler(
        name="monitor",
        decide=monitor.decide,
        sources=frozenset({Source.STORE, Source.NOMAD}),
        settings_of=lambda settings: settings.monitor,
    ),
    Reconciler(
        name="worker-pool",
        decide=pool.decide,
        sources=frozenset({Source.STORE, Source.NOMAD, Source.CLOUD}),
        settings_of=lambda settings: settings.pool,
    ),
)
