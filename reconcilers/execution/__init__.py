"""Ready jobs become runs in Nomad: strictly in order, as many as there is room for, each once.

Law. Order is ours: what waits, waits in our table, and Nomad is handed no more than the workers
that are free or coming can take, plus a small lead. A dispatch is believed when the job list shows
its child, never because of its answer; until then it is sent again under the same token, while no
program has claimed the run and Nomad still remembers the token. What runs in Nomad for us without
a current run is stopped. Everything here needs the job list; without it nothing is done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.reprocessing import share_of
from models.restraint import restrained
from models.settings import ExecutionSettings, PoolSettings
from models.world import Source, World
from reconcilers.execution.children import evaluate, stop_strays
from reconcilers.execution.protocol import confirm, register_parents, seek
from reconcilers.execution.queue import dispatch, over_share, paused
from reconcilers.execution.sight import Sight

# Parents first, for the rest waits on them; then what is known already, before anything new.
RULES = (register_parents, confirm, seek, stop_strays, evaluate, paused, over_share, dispatch)


UNCHANGED = PoolSettings()
"""What the pool may have unless somebody changed it."""


def decide(
    world: World, settings: ExecutionSettings, now: datetime, pool: PoolSettings = UNCHANGED
) -> list[Decision]:
    """What is to be dispatched, confirmed, sent again or stopped, and what has to wait and why."""
    if world.nomad is None:
        return [_blind(world)]
    sight = replace(Sight.of(world, world.nomad, settings, now), share=share_of(world, pool))
    return list(restrained((d for rule in RULES for d in rule(sight)), world, now))


def _blind(world: World) -> Held:
    why = world.unknown.get(Source.NOMAD, "it was not observed")
    return Held(
        subject=Subject(SubjectKind.SYSTEM, "nomad"),
        reason=Reason.SOURCE_UNKNOWN,
        because=f"nothing is dispatched, confirmed or stopped, for Nomad is unknown: {why}",
    )
