"""The barrier of the delete protocol: can anything still be placed on a marked node?

Nomad checks a node's eligibility when it plans, not when the plan is applied. A plan comes from an
evaluation that stays pending or blocked until its scheduler is done, so once no such evaluation is
as old as the mark, nothing can be in flight. Where that never happens (evaluations blocked for
good), a quarantine takes its place: the node stays empty for longer than plans can queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.job_types import parent_id
from models.plan import Fact, Reason
from models.records import Retirement
from models.sightings import node_quiet
from models.wording import are
from models.world import Node, NomadSnapshot
from reconcilers.pool.survey import Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the node is safe from placements, why, and the numbers."""

    passed: bool
    reason: Reason
    because: str
    facts: tuple[tuple[str, Fact], ...] = ()


def barrier(survey: Survey, retirement: Retirement, node: Node, nomad: NomadSnapshot) -> Verdict:
    """Judge a node that was seen ineligible and on which nothing is live now."""
    in_the_way = _old_evaluations(survey, retirement, node, nomad)
    facts = (("evaluations", in_the_way), ("index", retirement.index))
    if not in_the_way:
        return Verdict(passed=True, reason=Reason.EMPTY, because="nothing can be placed any more")
    start = retirement.seen_at or survey.now
    closed_for = nomad.requested_at - start
    if closed_for < survey.settings.barrier_for:
        because = (
            f"{are(in_the_way, 'evaluation')} as old as the mark; one of them may still place "
            "something on the node"
        )
        return Verdict(passed=False, reason=Reason.BARRIER, because=because, facts=facts)
    return _quarantine(survey, retirement, node, nomad)


def _quarantine(
    survey: Survey, retirement: Retirement, node: Node, nomad: NomadSnapshot
) -> Verdict:
    settings = survey.settings
    sighting = survey.world.sightings.get(node_quiet(node.id))
    start = (retirement.seen_at or survey.now) + settings.barrier_for
    quiet_for, lists = timedelta(0), 0
    if sighting is not None:
        quiet_for = nomad.requested_at - max(sighting.first_at, start)
        # The first list only begins the quarantine; those after it prove that the node stays empty.
        lists = sighting.count - 1
    passed = quiet_for >= settings.quarantine_for and lists >= settings.quarantine_lists
    quiet_s = max(0, int(quiet_for.total_seconds()))
    return Verdict(
        passed=passed,
        reason=Reason.QUARANTINE,
        because=f"old evaluations do not clear; the node is empty for {quiet_s} s of "
        f"{settings.quarantine_for.total_seconds():g} s and {lists} further lists of "
        f"{settings.quarantine_lists}",
        facts=(("quiet_s", quiet_s), ("lists", lists)),
    )


def _old_evaluations(
    survey: Survey, retirement: Retirement, node: Node, nomad: NomadSnapshot
) -> int:
    """Evaluations not younger than the mark, of jobs that can run here; unknown jobs can."""
    index = retirement.index or node.modify_index
    old = [e.job_id for e in nomad.evaluations if e.create_index <= index]
    flavors = _flavors_of_jobs(survey, nomad, frozenset(old)) if old else {}
    return sum(flavors.get(job_id, node.node_class) == node.node_class for job_id in old)


def _flavors_of_jobs(
    survey: Survey, nomad: NomadSnapshot, wanted: frozenset[str]
) -> dict[str, str]:
    """The flavor that each of our children runs on, by its parent: the parent constrains it."""
    deployment = survey.world.site.deployment
    parents = {
        parent_id(deployment, job_type.service, job_type.flavor): job_type.flavor
        for job_type in survey.world.registry.types.values()
    }
    parents |= {parent.id: parent.flavor for parent in survey.world.site.parents}
    jobs = (job for job in nomad.jobs if job.id in wanted)
    return {job.id: parents[job.parent_id] for job in jobs if job.parent_id in parents}
