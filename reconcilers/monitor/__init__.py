"""The table tells the truth about what runs, and no job stays in an error that can be mended.

Law. A run has failed when Nomad will place nothing more of it, nothing of it can be running, and
its program has not ended it; waiting in a queue is not a failure. While Nomad itself runs a lost
run again, its run is adopted. A run that takes too long is stopped first and failed only when
nothing of it is live, so that two attempts never overlap. Each class of error has a budget of
attempts; a job that has used it up rests quarantined, every other one goes on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.restraint import restrained
from models.settings import BreakerSettings, MonitorSettings
from models.vanishing import doubt
from models.wording import counted
from models.world import Source, World
from reconcilers.monitor.runs import watch_runs
from reconcilers.monitor.settle import settle_errors
from reconcilers.monitor.sight import Sight

RULES = (watch_runs, settle_errors)


UNCHANGED = BreakerSettings()
"""The limits of the breakers unless somebody changed them."""


def decide(
    world: World, settings: MonitorSettings, now: datetime, limits: BreakerSettings = UNCHANGED
) -> list[Decision]:
    """Which runs are to be stopped or failed, and what becomes of every job in an error status."""
    if world.nomad is None:
        concerned = len(world.store.in_flight) + len(world.store.errors)
        return [_blind(world, concerned)] if concerned else []
    sight = replace(Sight.of(world, world.nomad, settings, now), doubt=doubt(world, limits))
    return list(restrained((d for rule in RULES for d in rule(sight)), world, now))


def _blind(world: World, concerned: int) -> Held:
    why = world.unknown.get(Source.NOMAD, "it was not observed")
    return Held(
        subject=Subject(SubjectKind.SYSTEM, "nomad"),
        reason=Reason.SOURCE_UNKNOWN,
        because=f"{counted(concerned, 'job')} in flight or in error left alone, for Nomad is "
        f"unknown: {why}",
        facts=(("jobs", concerned),),
    )
