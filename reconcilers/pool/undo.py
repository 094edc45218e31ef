"""Taking workers back from retirement when demand returns, before `deleting` is committed.

Only the pool's own retirements for idleness are undone, and only once the mark was seen: until
then the mark may still land after its undoing. Who served longest comes back first: it has proved
that it works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from models.actions import UnmarkWorker
from models.fleet import Member
from models.records import IntentKind, RetireCause, RetireStep
from models.wording import are
from reconcilers.pool.protocol import unmark
from reconcilers.pool.survey import Survey, comes_back, worker_subject


def taken_back(survey: Survey) -> Iterator[UnmarkWorker]:
    """As many as their flavor needs, less those that are on their way back already."""
    coming = Counter(
        m.worker.flavor for m in survey.roster.retiring if comes_back(survey, m) and _is_undoing(m)
    )
    left = {f: demand.need - coming[f] for f, demand in survey.demands.items()}
    for member in survey.roster.retiring:
        flavor, node = member.worker.flavor, member.node
        if node is None or left[flavor] <= 0 or not _can_come(survey, member):
            continue
        left[flavor] -= 1
        yield unmark(
            member,
            node,
            f"{are(survey.demands[flavor].need, f'more {flavor} worker')} needed; "
            f"{member.worker.name} is taken back",
        )


def _is_undoing(member: Member) -> bool:
    retirement = member.worker.retirement
    return retirement is not None and retirement.step is RetireStep.UNDOING


def _can_come(survey: Survey, member: Member) -> bool:
    retirement, node = member.worker.retirement, member.node
    if retirement is None or node is None or not comes_back(survey, member):
        return False
    seen = retirement.step is RetireStep.SEEN and retirement.cause is RetireCause.IDLE
    settled = not survey.may_land(IntentKind.SET_INELIGIBLE, node.id)
    return seen and settled and not survey.is_busy(worker_subject(member.worker))
