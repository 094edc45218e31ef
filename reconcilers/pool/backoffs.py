"""Holding a flavor's growth back after failures, and the one creation that probes whether it works.

Two kinds of failure count: creates that were refused (`flavor:<name>` in the store's back-offs)
and servers that were accepted and then went to ERROR. The cloud says yes to those at first, so no
answer of a call ever tells: they are read from the world, where they stay until deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from models.errors import FailureClass
from models.fleet import Member
from models.plan import Subject, SubjectKind
from models.records import Backoff, WorkerState
from models.wording import counted
from reconcilers.pool.roster import is_broken
from reconcilers.pool.survey import Survey

_COMING = frozenset({WorkerState.CREATING, WorkerState.BOOTING})


def backoff_of(survey: Survey, flavor: str) -> Backoff | None:
    """The back-off of a flavor that ends last; it may be over already and then wants a probe."""
    subject = str(Subject(SubjectKind.FLAVOR, flavor))
    found = [b for b in survey.world.store.backoffs if b.subject == subject]
    boots = _failed_boots(survey, flavor, subject)
    return max([*found, *boots], key=lambda b: (b.until, b.failure), default=None)


def is_probed(survey: Survey, flavor: str, since: datetime) -> bool:
    """A creation begun after the back-off ended is still on its way: its end decides. One that had
    its time to join decides nothing any more: it goes only when its flavor needs no creation.
    """
    begun = (m for m in _of(survey, flavor) if m.is_coming and m.worker.created_at >= since)
    return any(not survey.is_overdue(m) for m in begun)


def _failed_boots(survey: Survey, flavor: str, subject: str) -> list[Backoff]:
    members = _of(survey, flavor)
    failed = [m for m in members if m.worker.state in _COMING and is_broken(m.server)]
    if not failed:
        return []
    newest = max(m.worker.created_at for m in failed)
    if _came_up(members, newest - survey.settings.create_period):
        return []
    settings = survey.settings
    failures = _bursts((m.worker.created_at for m in failed), settings.create_period)
    pause = min(settings.backoff_max, settings.backoff * _doubled(failures))
    return [
        Backoff(
            subject=subject,
            failure=FailureClass.NO_VALID_HOST,
            failures=failures,
            until=newest + pause,
            message=f"{counted(len(failed), 'server')} of this flavor went to ERROR",
        )
    ]


def _bursts(times: Iterable[datetime], period: timedelta) -> int:
    """How often in a row it failed: what was created within a period of each other failed once."""
    return 1 + sum(later - earlier > period for earlier, later in pairwise(sorted(times)))


def _came_up(members: Iterable[Member], since: datetime) -> bool:
    """One that was created with the failed ones, or later, is up: the flavor can be had."""
    return any(
        m.worker.created_at >= since and m.server is not None and m.server.status == "ACTIVE"
        for m in members
    )


def _doubled(failures: int) -> int:
    """1, 2, 4 …; what is longer than any pause is not computed."""
    return 1 << min(failures - 1, 20)


def _of(survey: Survey, flavor: str) -> list[Member]:
    return [m for m in survey.members if m.worker.flavor == flavor]
