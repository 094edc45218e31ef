"""Who is who: nodes are identified, servers recorded, strangers reported, names given out.

A node is joined to a server by the server id that was proved for it, never by name or address. A
name serves people; it is free only when nothing that anybody can see still bears it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from uuid import UUID

from models.actions import AdoptServer, ForgetNode, IdentifyNode, RecordServer, RefuteCreate
from models.adoption import adopted_name
from models.fleet import (
    DEPLOYMENT_METADATA,
    FLAVOR_METADATA,
    INTENT_METADATA,
    NO_POOL,
    POOL_METADATA,
    UUID_TEXT,
    Member,
)
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import NodeIdentity, WorkerState
from models.remembered import remembered
from models.sightings import create_missing, server_unclaimed
from models.world import CloudSnapshot, Node, Server
from reconcilers.pool.survey import Survey, held, is_leaving, seconds, worker_subject

_WHOLE_SECONDS = timedelta(seconds=1)
"""Nova cuts creation times to whole seconds."""


def nodes(survey: Survey) -> Iterator[Decision]:
    """Identify nodes that were never identified; forget those that are gone."""
    if survey.nomad is None:
        return
    identities = survey.world.store.identities
    for node in _unidentified(survey.nomad.nodes, identities):
        subject = Subject(SubjectKind.NODE, node.id)
        if not survey.is_busy(subject):
            yield IdentifyNode(
                subject=subject,
                reason=Reason.NODE_NEW,
                because=f"node {node.name} is listed and nobody knows yet which server it is",
                node_id=node.id,
                name=node.name,
                node_class=node.node_class,
            )
    for identity in _unneeded(identities, survey.nodes, survey.members):
        subject = Subject(SubjectKind.NODE, identity.node_id)
        if not survey.is_busy(subject):
            yield ForgetNode(
                subject=subject,
                reason=Reason.NODE_GONE,
                because=f"node {identity.name} is listed no more and belongs to no open worker",
                identity=identity,
            )


@remembered
def _unidentified(
    listed: tuple[Node, ...], identities: Mapping[str, NodeIdentity]
) -> tuple[Node, ...]:
    return tuple(sorted((n for n in listed if n.id not in identities), key=lambda n: n.id))


@remembered
def _unneeded(
    identities: Mapping[str, NodeIdentity],
    listed: Mapping[str, Node],
    members: tuple[Member, ...],
) -> tuple[NodeIdentity, ...]:
    """An open worker needs its proof: what runs on its node may be listed when the node is not."""
    needed = {m.worker.node_id for m in members}
    servers = {m.worker.server_id for m in members if m.worker.server_id is not None}
    found = (
        identity
        for identity in identities.values()
        if identity.node_id not in listed
        and identity.node_id not in needed
        and identity.server_id not in servers
    )
    return tuple(sorted(found, key=lambda i: i.node_id))


def awaited(survey: Survey, member: Member) -> Decision | None:
    """What becomes of a create intent: its server is seen, or it is refuted, or it still counts."""
    cloud, worker = survey.cloud, member.worker
    if cloud is None:
        return None
    answers = _answers(cloud.servers, survey.world.site.deployment)
    server = answers.get(str(worker.intent_id))
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
    is_over = cloud.requested_at >= deadline + settings.refute_after
    lost = next((m.worker.name for m in survey.members if _is_lost(survey, m)), None)
    if lists >= settings.refute_lists and is_over and lost is not None:
        because = (
            f"the create of {worker.name} is in no list, but the server of {lost} is missing from "
            "them, too, and not proved gone: what a part of the cloud hides would be bought twice"
        )
        return held(worker, Reason.INTENT_OPEN, because, *facts)
    if lists >= settings.refute_lists and is_over:
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


def _is_lost(survey: Survey, member: Member) -> bool:
    """Its server is missing from the list and nobody took it away: Nova leaves out without a word
    what is in a cell that it cannot reach.
    """
    return member.worker.state is not WorkerState.DELETING and survey.is_missing(member)


@remembered
def _answers(servers: tuple[Server, ...], deployment: str) -> Mapping[str, Server]:
    """Our servers by create intent; of two with one intent the older one is the answer."""
    ours = [s for s in servers if _is_ours(s, deployment) and INTENT_METADATA in s.metadata]
    newest_first = sorted(ours, key=lambda s: (s.created_at, s.id), reverse=True)
    return {s.metadata[INTENT_METADATA]: s for s in newest_first}


def strangers(survey: Survey) -> Iterator[Decision]:
    """Servers that are no open worker's: ours are adopted, others under our prefix reported."""
    if survey.cloud is None:
        return
    names = {m.worker.name for m in survey.members}
    for server in _nobodys(survey.members, survey.cloud.servers, survey.world.site.deployment):
        decision = _strange(survey, survey.cloud, server, names)
        if decision is not None:
            yield decision
        if isinstance(decision, AdoptServer):
            names.add(decision.name)


@remembered
def _nobodys(
    members: tuple[Member, ...], servers: tuple[Server, ...], deployment: str
) -> tuple[Server, ...]:
    """The listed servers that no open worker has or waits for, by id."""
    known = {member.worker.server_id for member in members}
    answers = _answers(servers, deployment)
    for worker in (member.worker for member in members):
        if worker.state is WorkerState.CREATING and str(worker.intent_id) in answers:
            known.add(answers[str(worker.intent_id)].id)
    return tuple(sorted((s for s in servers if s.id not in known), key=lambda s: s.id))


def _strange(
    survey: Survey, cloud: CloudSnapshot, server: Server, names: set[str]
) -> Decision | None:
    if _is_ours(server, survey.world.site.deployment):
        # Read a moment later than the store, the list may show what was recorded in between.
        young = server.created_at + _WHOLE_SECONDS > survey.world.store.requested_at
        in_flight = survey.is_busy(Subject(SubjectKind.WORKER, server.name))
        return (
            None
            if young or in_flight or is_leaving(server)
            else _ours(survey, cloud, server, names)
        )
    if server.name.startswith(survey.world.site.worker_prefix):
        owner = server.metadata.get(DEPLOYMENT_METADATA)
        whose = f"that of deployment {owner}" if owner else "nobody's that we know"
        because = (
            f"server {server.name} ({server.id}) has our name prefix but is {whose}; "
            "left alone, and its name is not used: if that is no accident, give ours another "
            "openstack.worker_prefix"
        )
        return _left_alone(server, Reason.NOT_OURS, because)
    return None


def _ours(survey: Survey, cloud: CloudSnapshot, server: Server, names: set[str]) -> Decision:
    """A server of ours that no open row knows: the late effect of a create that was given up, what
    an older database does not know of, or one that the cloud had declared gone and that is back. It
    counts from now on, works, and goes when it is idle. Its name is no obstacle: it must count.
    """
    settings, seen = survey.settings, survey.world.sightings.get(server_unclaimed(server.id))
    lists = seen.count if seen else 0
    missed_s = seconds(seen.first_at, cloud.requested_at) if seen else 0
    because = (
        f"server {server.name} ({server.id}) carries our deployment id but no open row knows it, "
        f"in {lists} lists over {missed_s} s"
    )
    # A list that was answered late may show what was deleted since: once is no proof here either.
    if lists < settings.absence_lists or missed_s < settings.absence_for.total_seconds():
        return _left_alone(server, Reason.SERVER_ADOPTED, f"{because}: not adopted yet")
    name = adopted_name(server.name, server.id, names)
    called = "" if name == server.name else f" as {name}, for another worker is called so"
    return AdoptServer(
        subject=Subject(SubjectKind.SERVER, server.id),
        reason=Reason.SERVER_ADOPTED,
        because=f"{because}; it is adopted{called}",
        facts=(("name", server.name), ("status", server.status), ("lists", lists)),
        name=name,
        flavor=server.metadata.get(FLAVOR_METADATA) or server.flavor,
        server_id=server.id,
        address=server.address,
        intent_id=_intent_of(server),
        outside_pool=server.metadata.get(POOL_METADATA) == NO_POOL,
    )


def _intent_of(server: Server) -> UUID | None:
    text = server.metadata.get(INTENT_METADATA, "")
    return UUID(text) if UUID_TEXT.fullmatch(text) else None


def _left_alone(server: Server, reason: Reason, because: str) -> Held:
    return Held(
        subject=Subject(SubjectKind.SERVER, server.id),
        reason=reason,
        because=because,
        facts=(("name", server.name), ("status", server.status)),
    )


def _is_ours(server: Server, deployment: str) -> bool:
    return server.metadata.get(DEPLOYMENT_METADATA) == deployment


def free_names(survey: Survey) -> Iterator[str]:
    """Free worker names, lowest number first; each is given out once."""
    prefix = survey.world.site.worker_prefix
    taken = {m.worker.name for m in survey.members} | {n.name for n in survey.nodes.values()}
    taken |= {s.name for s in survey.cloud.servers} if survey.cloud else set()
    taken |= {subject.partition(":")[2] for subject in survey.world.busy}
    yield from (name for n in count(1) if (name := f"{prefix}{n:03d}") not in taken)
