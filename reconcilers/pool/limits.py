"""What limits growth, in the order in which limits are named to people.

Every open row counts, from its committed intent until its 404, whether its server is listed or
not. What the quota counts beyond those of our servers that were listed when it was read is other
people's; servers that carry our metadata but have no row count as other people's too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from models.fleet import INTENT_METADATA, Member
from models.plan import Reason
from models.remembered import remembered
from models.world import CloudSnapshot, Server
from reconcilers.pool.capacity import Limit, cost
from reconcilers.pool.survey import Survey


def limits(survey: Survey, cloud: CloudSnapshot) -> tuple[Limit, ...]:
    """Every limit that holds now. The pool's own come first, then the project's, then the rate."""
    rows = survey.roster.flavors
    workers = len(survey.members)
    vcpus = sum(survey.size(flavor).vcpus * number for flavor, number in rows.items())
    settings = survey.settings
    return (
        Limit(reason=Reason.MAX_WORKERS, cap=settings.max_workers, ours=workers),
        Limit(reason=Reason.MAX_VCPUS, cap=settings.vcpu_budget, ours=vcpus),
        *_quota(survey, cloud),
        Limit(reason=Reason.CREATION_RATE, cap=settings.create_burst, ours=_recent(survey)),
    )


def _quota(survey: Survey, cloud: CloudSnapshot) -> Iterator[Limit]:
    quota = cloud.quota
    counted = _counted(survey.members, cloud.servers, cloud.quota_servers)
    for reason, cap, used in (
        (Reason.QUOTA_SERVERS, quota.max_servers, quota.used_servers),
        (Reason.QUOTA_VCPUS, quota.max_vcpus, quota.used_vcpus),
        (Reason.QUOTA_MEMORY, quota.max_memory_mb, quota.used_memory_mb),
    ):
        if cap is not None:
            others = max(0, used - _cost(survey, reason, counted))
            ours = _cost(survey, reason, survey.roster.flavors)
            yield Limit(reason=reason, cap=cap, ours=ours, others=others)


def _cost(survey: Survey, reason: Reason, flavors: Mapping[str, int]) -> int:
    """What so many workers of each flavor take of a limit."""
    return sum(cost(reason, survey.size(flavor)) * number for flavor, number in flavors.items())


@remembered
def _counted(
    members: tuple[Member, ...], servers: tuple[Server, ...], quota_servers: frozenset[str]
) -> Mapping[str, int]:
    """Flavors of our workers whose servers were listed when the quota was read."""
    by_intent = {s.metadata.get(INTENT_METADATA): s.id for s in servers}
    workers = (member.worker for member in members)
    return Counter(
        worker.flavor
        for worker in workers
        if (worker.server_id or by_intent.get(str(worker.intent_id))) in quota_servers
    )


def _recent(survey: Survey) -> int:
    since = survey.now - survey.settings.create_period
    return sum(m.worker.created_at > since for m in survey.members)
