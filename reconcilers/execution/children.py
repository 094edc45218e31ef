"""Children in Nomad that need a hand: those without a right to run, and those that Nomad forgot.

Only children with our deployment in their meta are ours; all others are never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from models.actions import EvaluateChild, StopChild
from models.fleet import JOB_META, RUN_META, Tracked, run_of, unfinished_children
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Run
from models.remembered import remembered
from models.sightings import child_unevaluated
from models.wording import seconds
from models.world import NomadJob
from reconcilers.execution.sight import Sight

WORTH_RECORDING = timedelta(minutes=1)
"""Shorter waits need no recorded reason: every program tidies up for a moment after its end."""


def stop_strays(sight: Sight) -> Iterator[Decision]:
    """Stop what runs for us without a current run, but let a program tidy up after its end."""
    ended = _by_text(sight.world.store.ended_runs)
    for child in _strays(unfinished_children(sight.world), sight.flights):
        # A job with an action in flight may have got a run that this world does not show yet.
        if f"{SubjectKind.JOB}:{child.meta.get(JOB_META)}" in sight.world.busy:
            continue
        run = child.meta.get(RUN_META, "")
        tidying = _tidying_for(sight, child, ended.get(run))
        if tidying is None:
            because = f"{child.id} belongs to no current run (its meta names {run or 'none'})"
            yield stop(child, Reason.CHILD_WITHOUT_RUN, because)
        elif tidying >= WORTH_RECORDING:
            yield Held(
                subject=Subject(SubjectKind.CHILD, child.id),
                reason=Reason.STILL_LIVE,
                because=f"{child.id} ended its run {seconds(tidying)} ago and is tidying up",
            )


@remembered
def _by_text(runs: tuple[Run, ...]) -> Mapping[str, Run]:
    return {str(run.id): run for run in runs}


@remembered
def _strays(children: Sequence[NomadJob], flights: tuple[Tracked, ...]) -> tuple[NomadJob, ...]:
    """The children that are no current run's."""
    current = {child.id for flight in flights for child in flight.children}
    return tuple(child for child in children if child.id not in current)


def _tidying_for(sight: Sight, child: NomadJob, run: Run | None) -> timedelta | None:
    """How long ago the child's own program ended the run; None: it has no right to go on.

    A pending child with nothing placed has no program that could tidy up.
    """
    if run is None or run.ended_at is None or run.end is None or not run.end.winds_down:
        return None
    if child.status == "pending" and child.id not in sight.live.by_job:
        return None
    since = sight.now - run.ended_at
    return since if since < sight.settings.wind_down else None


def stop(child: NomadJob, reason: Reason, because: str) -> StopChild:
    """The wish to stop a child. A second child of a current run names no run: see `StopChild`."""
    return StopChild(
        subject=Subject(SubjectKind.CHILD, child.id),
        reason=reason,
        because=because,
        nomad_job_id=child.id,
        run_id=None if reason is Reason.CHILD_TWICE else run_of(child),
    )


def evaluate(sight: Sight) -> Iterator[Decision]:
    """Make Nomad look again at a child of a current run that it has forgotten to place."""
    evaluated = {evaluation.job_id for evaluation in sight.nomad.evaluations}
    for flight in sight.unsettled:
        child = flight.kept
        # A run that is being stopped is not helped on.
        if child is None or child.over or child.status != "pending" or flight.run.stop_reason:
            continue
        seen = sight.world.sightings.get(child_unevaluated(child.id))
        forgotten = child.id not in evaluated and child.id not in sight.live.by_job
        if forgotten and seen and seen.count >= sight.settings.evaluate_after_passes:
            yield EvaluateChild(
                subject=Subject(SubjectKind.CHILD, child.id),
                reason=Reason.CHILD_WITHOUT_EVALUATION,
                because=f"{child.id} is pending, and no evaluation of it was in {seen.count} lists",
                nomad_job_id=child.id,
            )
