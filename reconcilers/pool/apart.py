"""Workers outside the pool: a person's own, of our image, which no job ever runs on.

Their machines join no Nomad, so there is nothing to admit and nothing to wait for. They count
against every cap, and go when the time that the person named is over, or when a person says so.
"""

from __future__ import annotations

from models.actions import CommitDelete, MarkWorker
from models.fleet import Member
from models.plan import Decision, Reason
from models.records import RetireCause, Worker
from models.wording import in_utc
from models.world import Server
from reconcilers.pool.roster import is_broken
from reconcilers.pool.survey import POOL, Survey, held, worker_subject


def apart(survey: Survey, member: Member) -> Decision | None:
    """What becomes of a worker outside the pool that has its server."""
    worker = member.worker
    if survey.nomad is None or survey.cloud is None or member.server is None:
        return None
    if is_broken(member.server):
        because = f"the server of {worker.name} is in ERROR; creations of its flavor go first"
        return held(worker, Reason.SERVER_ERROR, because)
    if worker.keep_until is not None and worker.keep_until <= survey.now:
        return _over(survey, worker)
    until = "a person deletes it"
    if worker.keep_until is not None:
        until = f"{in_utc(worker.keep_until)}, or a person deletes it"
    node_id = survey.node_id(worker)
    if node_id in survey.nodes:
        because = (
            f"{worker.name} is outside the pool and yet node {node_id} of Nomad: somebody started "
            "its client; it is not admitted, make it ineligible by hand if it takes work"
        )
        return held(worker, Reason.OUTSIDE_POOL, because)
    because = (
        f"{worker.name} is outside the pool{_where(member.server)}: no job runs on it, and it "
        f"stays until {until}"
    )
    return held(worker, Reason.OUTSIDE_POOL, because)


def _where(server: Server) -> str:
    """Its row has no address: that of a worker is written down with its node, and it has none."""
    return f", at {server.address}" if server.address else " (no address yet)"


def _over(survey: Survey, worker: Worker) -> Decision:
    """Its time is over. Should it be a node all the same, it goes by the protocol as any other."""
    because = f"{worker.name} was ordered outside the pool until now; it is deleted"
    node_id = survey.node_id(worker)
    if node_id is not None:
        return MarkWorker(
            subject=worker_subject(worker),
            reason=Reason.OUTSIDE_POOL,
            because=because,
            worker_id=worker.id,
            node_id=node_id,
            cause=RetireCause.PERSON,
            by=POOL,
            already=node_id not in survey.nodes,
        )
    return CommitDelete(
        subject=worker_subject(worker),
        reason=Reason.OUTSIDE_POOL,
        because=because,
        worker_id=worker.id,
        server_id=worker.server_id or "",
        cause=RetireCause.PERSON,
        by=POOL,
    )
