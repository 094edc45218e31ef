"""Who is who: nodes are identified, servers recorded, strangers reported, names given out.

A node is joined to a server by the server id that was proved for it, never by name or address. A
name serves people; it is free only when nothing that anybody can see still bears it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from models.actions import ForgetNode, IdentifyNode, RecordServer, RefuteCreate
from models.fleet import DEPLOYMENT_METADATA, INTENT_METADATA, Member
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import WorkerState
from models.sightings import create_missing
from models.world import CloudSnapshot, Server
from reconcilers.pool.survey import Survey, held, is_leaving, seconds, worker_subject

_WHOLE_SECONDS = timedelta(seconds=1)
"""Nova cuts creation times to whole seconds."""


def nodes(survey: Survey) -> Iterator[Decision]:
    """Identify nodes that were never identified; forget those that are gone."""
    if survey.nomad is None:
        return
    identities = survey.world.store.identities
    for node in sorted(survey.nomad.nodes, key=lambda n: n.id):
        subject = Subject(SubjectKind.NODE, node.id)
        if node.id not in identities and not survey.is_busy(subject):
            yield IdentifyNode(
                subject=subject,
                reason=Reason.NODE_NEW,
                because=f"node {node.name} is listed and nobody knows yet which server it is",
                node_id=node.id,
                name=node.name,
                node_class=node.node_class,
            )
    yield from _forgotten(survey)


def _forgotten(survey: Survey) -> Iterator[Decision]:
    """An open worker needs its proof: what runs on its node may be listed when the node is not."""
    workers = [m.worker for m in survey.members]
    needed = {w.node_id for w in workers}
    servers = {w.server_id for w in workers if w.server_id is not None}
    for identity in sorted(survey.world.store.identities.values(), key=lambda i: i.node_id):
        kept = identity.node_id in needed or identity.server_id in servers
        subject = Subject(SubjectKind.NODE, identity.node_id)
        if identity.node_id not in survey.nodes and not kept and not survey.is_busy(subject):
            yield ForgetNode(
                subject=subject,
                reason=Reason.NODE_GONE,
                because=f"node {identity.name} is listed no more and belongs to no open worker",
                identity=identity,
            )


def awaited(survey: Survey, member: Member) -> Decision | None:
    """What becomes of a create intent: its server is seen, or it is refuted, or it still counts."""
    cloud, worker = survey.cloud, member.worker
    if cloud is None:
        return None
    server = _answers(survey, cloud).get(str(worker.intent_id))
    if server is not None:
        return RecordServer(
            subject=worker_subject(worker),
            reason=Reason.SERVER_SEEN,
            because=f"server {server.id} carries the create intent of {worker.name}",
            worker_id=worker.id,
            server_id=server.id,
            address=server.address,
        )
    return _unanswered(survey, cloud, member)


def _unanswered(survey: Survey, cloud: CloudSnapshot, member: Member) -> Decision:
    worker, settings = member.worker, survey.settings
    intents = {i.id: i.deadline for i in survey.world.store.intents}
    deadline = intents.get(worker.intent_id, worker.created_at)
    sighting = survey.world.sightings.get(create_missing(worker.intent_id))
    lists = sighting.count if sighting else 0
    facts = (("lists", lists), ("of_lists", settings.refute_lists))
    if lists >= settings.refute_lists and cloud.requested_at >= deadline + settings.refute_after:
        return RefuteCreate(
            subject=worker_subject(worker),
            reason=Reason.CREATE_REFUTED,
            because=f"no server with the create intent of {worker.name} was in {lists} complete "
            f"lists, the last {seconds(deadline, cloud.requested_at)} s after its deadline",
            facts=facts,
            worker_id=worker.id,
        )
    return held(
        worker,
        Reason.INTENT_OPEN,
        f"the create of {worker.name} is not seen yet; it may still take effect, and counts",
        *facts,
    )


def _answers(survey: Survey, cloud: CloudSnapshot) -> dict[str, Server]:
    """Our servers by create intent; of two with one intent the older one is the answer."""
    ours = [s for s in cloud.servers if _is_ours(survey, s) and INTENT_METADATA in s.metadata]
    newest_first = sorted(ours, key=lambda s: (s.created_at, s.id), reverse=True)
    return {s.metadata[INTENT_METADATA]: s for s in newest_first}


def strangers(survey: Survey) -> Iterator[Decision]:
    """Report servers that we must not touch: ours without a row, and others under our prefix."""
    cloud = survey.cloud
    if cloud is None:
        return
    known = {m.worker.server_id for m in survey.members}
    awaited_ids = {
        str(m.worker.intent_id) for m in survey.members if m.worker.state is WorkerState.CREATING
    }
    if awaited_ids:
        known |= {s.id for intent, s in _answers(survey, cloud).items() if intent in awaited_ids}
    unknown = (server for server in cloud.servers if server.id not in known)
    for server in sorted(unknown, key=lambda s: s.id):
        because = _why_strange(survey, server)
        if because is not None:
            yield Held(
                subject=Subject(SubjectKind.SERVER, server.id),
                reason=Reason.NOT_OURS,
                because=because,
                facts=(("name", server.name), ("status", server.status)),
            )


def _why_strange(survey: Survey, server: Server) -> str | None:
    if _is_ours(survey, server):
        # Read a moment later than the store, the list may show what was recorded in between.
        young = server.created_at + _WHOLE_SECONDS > survey.world.store.requested_at
        in_flight = survey.is_busy(Subject(SubjectKind.WORKER, server.name))
        if young or in_flight or is_leaving(server):
            return None
        return (
            f"server {server.name} ({server.id}) carries our deployment id but no worker row "
            "knows it; left alone: delete it by hand if it is of no use"
        )
    if server.name.startswith(survey.world.site.worker_prefix):
        owner = server.metadata.get(DEPLOYMENT_METADATA)
        whose = f"that of deployment {owner}" if owner else "nobody's that we know"
        return (
            f"server {server.name} ({server.id}) has our name prefix but is {whose}; "
            "left alone, and its name is not used: if that is no accident, give ours another "
            "openstack.worker_prefix"
        )
    return None


def _is_ours(survey: Survey, server: Server) -> bool:
    return server.metadata.get(DEPLOYMENT_METADATA) == survey.world.site.deployment


def free_names(survey: Survey) -> Iterator[str]:
    """Free worker names, lowest number first; each is given out once."""
    prefix = survey.world.site.worker_prefix
    taken = {m.worker.name for m in survey.members} | {n.name for n in survey.nodes.values()}
    taken |= {s.name for s in survey.cloud.servers} if survey.cloud else set()
    taken |= {subject.partition(":")[2] for subject in survey.world.busy}
    yield from (name for n in count(1) if (name := f"{prefix}{n:03d}") not in taken)
