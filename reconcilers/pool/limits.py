"""What limits growth, in the order in which limits are named to people.

Every open row counts, from its committed intent until its 404, whether its server is listed or
not. What the quota counts beyond those of our servers that were listed when it was read is other
people's; servers that carry our metadata but have no row count as other people's too.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.fleet import INTENT_METADATA
from models.plan import Reason
from models.world import CloudSnapshot
from reconcilers.pool.capacity import Limit, cost
from reconcilers.pool.survey import Survey


def limits(survey: Survey, cloud: CloudSnapshot) -> tuple[Limit, ...]:
    """Every limit that holds now. The pool's own come first, then the project's, then the rate."""
    sizes = [survey.size(m.worker.flavor) for m in survey.members]
    workers, vcpus = len(sizes), sum(s.vcpus for s in sizes)
    settings = survey.settings
    return (
        Limit(reason=Reason.MAX_WORKERS, cap=settings.max_workers, ours=workers),
        Limit(reason=Reason.MAX_VCPUS, cap=settings.vcpu_budget, ours=vcpus),
        *_quota(survey, cloud),
        Limit(reason=Reason.CREATION_RATE, cap=settings.create_burst, ours=_recent(survey)),
    )


def _quota(survey: Survey, cloud: CloudSnapshot) -> Iterator[Limit]:
    quota = cloud.quota
    rows = [survey.size(m.worker.flavor) for m in survey.members]
    counted = [survey.size(flavor) for flavor in _counted(survey, cloud)]
    for reason, cap, used in (
        (Reason.QUOTA_SERVERS, quota.max_servers, quota.used_servers),
        (Reason.QUOTA_VCPUS, quota.max_vcpus, quota.used_vcpus),
        (Reason.QUOTA_MEMORY, quota.max_memory_mb, quota.used_memory_mb),
    ):
        if cap is not None:
            others = max(0, used - sum(cost(reason, size) for size in counted))
            ours = sum(cost(reason, size) for size in rows)
            yield Limit(reason=reason, cap=cap, ours=ours, others=others)


def _counted(survey: Survey, cloud: CloudSnapshot) -> Iterator[str]:
    """Flavors of our workers whose servers were listed when the quota was read."""
    by_intent = {s.metadata.get(INTENT_METADATA): s.id for s in cloud.servers}
    for member in survey.members:
        worker = member.worker
        server_id = worker.server_id or by_intent.get(str(worker.intent_id))
        if server_id in cloud.quota_servers:
            yield worker.flavor


def _recent(survey: Survey) -> int:
    since = survey.now - survey.settings.create_period
    return sum(m.worker.created_at > since for m in survey.members)
