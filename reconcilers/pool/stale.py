"""Workers that failed to come up, or whose server failed: one per flavor and pass may go.

They go only while their flavor needs no creation, because deleting and creating at once is what
clouds do worst; but when a cap holds creations back, they go first: they hold capacity for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.actions import CommitDelete, MarkWorker
from models.fleet import Member
from models.plan import Decision, Fact, Reason
from models.records import RetireCause, Worker, WorkerState
from models.sightings import node_away
from models.world import Server
from reconcilers.pool.grow import Growth
from reconcilers.pool.roster import is_broken
from reconcilers.pool.survey import (
    POOL,
    Survey,
    is_leaving,
    seconds,
    worker_subject,
)


def stale(survey: Survey, growth: Growth) -> Iterator[Decision]:
    """Begin to delete what failed. A worker with a node goes through the delete protocol."""
    if survey.nomad is None or survey.cloud is None:
        return
    served: set[str] = set()
    for member, cause in failed(survey):
        flavor = member.worker.flavor
        if survey.is_busy(worker_subject(member.worker)) or flavor in served:
            continue
        if flavor in growth.wanting and not growth.short:
            continue
        served.add(flavor)
        yield _removed(survey, member, cause)


def failed(survey: Survey) -> Iterator[tuple[Member, RetireCause]]:
    """Failed workers, the oldest first, whether it is their turn or not."""
    for member in survey.roster.doubtful:
        cause = _cause(survey, member)
        if cause is not None:
            yield member, cause


def _cause(survey: Survey, member: Member) -> RetireCause | None:
    worker, server = member.worker, member.server
    if server is None or is_leaving(server) or not _may_be_judged(survey, worker):
        return None
    if is_broken(server):
        return RetireCause.SERVER_ERROR
    is_booting = worker.state is WorkerState.BOOTING
    if worker.outside_pool:
        return None  # it has no node, and is none the worse for it
    late = survey.is_overdue(member) if is_booting else _away_for_long(survey, server)
    return RetireCause.STALE if late else None


def _may_be_judged(survey: Survey, worker: Worker) -> bool:
    """Nothing is live on it, and no node of its name may be its own."""
    return not survey.live(worker) and not survey.is_unproved(worker)


def _away_for_long(survey: Survey, server: Server) -> bool:
    """Its node served and went: the machine may hang. It is given as long as a boot."""
    seen = survey.world.sightings.get(node_away(server.id))
    return seen is not None and survey.now - seen.first_at > survey.settings.boot_limit


def _removed(survey: Survey, member: Member, cause: RetireCause) -> Decision:
    worker, server = member.worker, member.server
    age = seconds(worker.created_at, survey.now)
    fault = (server.fault if server else None) or "no fault given"
    because = (
        f"the server of {worker.name} went to ERROR: {fault}"
        if cause is RetireCause.SERVER_ERROR
        else f"{worker.name} has no ready node {age} s after its creation"
        if worker.state is WorkerState.BOOTING
        else f"the node of {worker.name} has been away for longer than a boot may take"
    )
    facts: tuple[tuple[str, Fact], ...] = (("age_s", age), ("flavor", worker.flavor))
    reason = Reason(cause.name)
    node_id = survey.node_id(worker)
    if node_id is None:
        return CommitDelete(
            subject=worker_subject(worker),
            reason=reason,
            because=because,
            facts=facts,
            worker_id=worker.id,
            server_id=worker.server_id or "",
            cause=cause,
            by=POOL,
        )
    return MarkWorker(
        subject=worker_subject(worker),
        reason=reason,
        because=because,
        facts=facts,
        worker_id=worker.id,
        node_id=node_id,
        cause=cause,
        by=POOL,
        already=node_id not in survey.nodes,
    )
