"""After `deleting` is committed: delete, prove the 404, purge the node, close the row.

And what comes to the same end without us: a server that vanishes. Missing from one list is not
gone; only the cloud's 404 for its id is, and it is not even asked for at the first doubt.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.actions import CloseWorker, DeleteServer, ProveGone, PurgeNode
from models.fleet import Member
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import Worker, WorkerState
from models.sightings import server_missing
from reconcilers.pool.survey import Survey, held, seconds, worker_subject


def deleting(survey: Survey, member: Member) -> Decision | None:
    """The next step of a worker of which nothing is undone any more."""
    worker = member.worker
    if worker.gone_at is not None:
        return _tidied(survey, worker)
    if survey.cloud is None or worker.server_id is None:
        return None
    if member.server is None:
        return ProveGone(
            subject=worker_subject(worker),
            reason=Reason.DELETE_COMMITTED,
            because=f"the server of {worker.name} is listed no more after its deletion",
            worker_id=worker.id,
            server_id=worker.server_id,
        )
    return _deleted(survey, worker, worker.server_id)


def _deleted(survey: Survey, worker: Worker, server_id: str) -> Decision:
    sent, limit = worker.delete_sent_at, survey.settings.redelete_after
    if sent is not None and survey.now - sent <= limit:
        because = (
            f"the deletion of {worker.name} left {seconds(sent, survey.now)} s ago; it is "
            f"sent again if the server is still there {limit.total_seconds():g} s after it left"
        )
        return held(worker, Reason.DELETE_COMMITTED, because)
    again = "never sent" if sent is None else f"unfulfilled for {seconds(sent, survey.now)} s"
    return DeleteServer(
        subject=worker_subject(worker),
        reason=Reason.DELETE_COMMITTED,
        because=f"the deletion of {worker.name} is committed and was {again}",
        worker_id=worker.id,
        server_id=server_id,
    )


def _tidied(survey: Survey, worker: Worker) -> Decision | None:
    """Nodes of a gone server are purged before its name and row are given free."""
    if survey.nomad is None:
        return None
    listed = survey.nodes_of(worker)
    if listed:
        return PurgeNode(
            subject=worker_subject(worker),
            reason=Reason.SERVER_GONE,
            because=f"the server of node {listed[0].name} is gone",
            worker_id=worker.id,
            node_id=listed[0].id,
        )
    if survey.is_unproved(worker):
        because = f"a node named {worker.name} is not identified yet; it may have to be purged"
        return held(worker, Reason.NODE_NEW, because)
    return CloseWorker(
        subject=worker_subject(worker),
        reason=Reason.NODE_GONE,
        because=f"the server of {worker.name} is gone and no node of it is listed",
        worker_id=worker.id,
    )


def is_absent(survey: Survey, member: Member) -> bool:
    """Nobody deleted it, and it was missing from enough lists for long enough to be asked for."""
    settings, cloud = survey.settings, survey.cloud
    if cloud is None or member.worker.state is WorkerState.DELETING:
        return False
    if not survey.is_missing(member):
        return False
    sighting = survey.world.sightings.get(server_missing(member.worker.server_id or ""))
    return (
        sighting is not None
        and sighting.count >= settings.absence_lists
        and cloud.requested_at - sighting.first_at >= settings.absence_for
    )


def vanished(survey: Survey, member: Member) -> Decision:
    """A worker whose server a complete list lacks though nobody deleted it.

    Its agent is the second witness: a machine that Nomad hears is there, whatever a list says, be
    it that of another project. Nomad gives up one that is gone within seconds.
    """
    worker, cloud, node = member.worker, survey.cloud, member.node
    sighting = survey.world.sightings.get(server_missing(worker.server_id or ""))
    lists, missing_s = 0, 0
    if sighting is not None and cloud is not None:
        lists, missing_s = sighting.count, seconds(sighting.first_at, cloud.requested_at)
    facts = (("lists", lists), ("missing_s", missing_s))
    because = f"the server of {worker.name} is missing from {lists} lists over {missing_s} s"
    if not is_absent(survey, member):
        return held(worker, Reason.ABSENCE_UNPROVED, f"{because}: no proof yet", *facts)
    if node is not None and node.status == "ready":
        because = f"{because}, but its node answers Nomad: it is there"
        return held(worker, Reason.ABSENCE_UNPROVED, because, *facts)
    return ProveGone(
        subject=worker_subject(worker),
        reason=Reason.SERVER_VANISHED,
        because=f"{because}; the cloud is asked for it by id",
        facts=facts,
        worker_id=worker.id,
        server_id=worker.server_id or "",
    )


def left_behind(survey: Survey) -> Iterator[Decision]:
    """Nodes whose server is proved gone and whose worker's row is closed: a client that registered
    anew while its machine was ending. Nothing else would take them away before Nomad itself does.

    One that still reports is left alone: its machine lives, whatever the cloud has said of it.
    """
    gone = survey.world.store.gone_nodes
    if survey.nomad is None or survey.cloud is None or not gone:
        return
    listed = {server.id for server in survey.cloud.servers}
    for node in (survey.nodes[node_id] for node_id in sorted(gone) if node_id in survey.nodes):
        subject = Subject(SubjectKind.NODE, node.id)
        identity = survey.world.store.identities.get(node.id)
        if identity is None or identity.server_id in listed or survey.is_busy(subject):
            continue
        because = f"the server of node {node.name} is proved gone and its row is closed"
        if node.status == "down":
            yield PurgeNode(
                subject=subject,
                reason=Reason.SERVER_GONE,
                because=because,
                worker_id=None,
                node_id=node.id,
            )
        else:
            because = f"{because}, but the node is {node.status}: it is purged once it is down"
            yield Held(subject=subject, reason=Reason.SERVER_GONE, because=because)
