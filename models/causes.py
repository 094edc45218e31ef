"""Which rows of the ledger explain what happened, or did not, to a job, a worker or a flavor. Pure.

Much of what a job waits for is decided about a group that it belongs to: its flavor, its type, the
parent that it is dispatched to, a system that does not answer. Such a row concerns the job only
while the job was there and could be held back by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from models.breakers import BreakerName
from models.errors import System
from models.job_types import Registry, parent_id
from models.lifecycle import ERRORS, ON_WORKER, Status
from models.plan import REPEAT_AFTER, Reason, Subject, SubjectKind
from models.ports import JobStory, Reader, Span
from models.records import Heartbeat, Job, Lease, LedgerRow, Priority, Worker
from models.wording import in_utc
from models.world import Source

_WAITING = frozenset({Status.INITIALIZED, Status.CONFIGURED, Status.READY, Status.QUEUED}) | ERRORS
_WATCHED = _WAITING | ON_WORKER
"""Where a job may be held back by its groups, and where by a system that does not answer."""

_PUBLISHED = frozenset({Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED})
_PRESS = (Source.OUTBOX, Source.BROKER, System.OBJECTS, System.BROKER)
"""Where a job waits to be announced, and what it may wait for there."""


def systems() -> list[str]:
    """What rows about the systems that work is done with are about, by either of their names, and
    the breakers that open when one of them shows too little.
    """
    names = dict.fromkeys(name.value for name in (*Source, *System) if name not in _PRESS)
    found = [Subject(SubjectKind.SYSTEM, name) for name in names]
    found += [Subject(SubjectKind.BREAKER, name.value) for name in BreakerName]
    return list(map(str, found))


def about_job(
    reader: Reader, story: JobStory, parent: str | None, limit: int
) -> tuple[LedgerRow, ...]:
    """The newest decisions about a job, its children and, in its time, the groups that it is in."""
    job = story.job
    children = [run.nomad_job_id for run in story.runs if run.nomad_job_id]
    own = [
        Subject(SubjectKind.JOB, str(job.id)),
        *(Subject(SubjectKind.CHILD, child) for child in children),
    ]
    groups = [Subject(SubjectKind.FLAVOR, job.flavor), Subject(SubjectKind.TYPE, job.type)]
    if parent is not None:
        groups.append(Subject(SubjectKind.PARENT, parent))
    press = [str(Subject(SubjectKind.SYSTEM, name.value)) for name in _PRESS]
    rows = (
        reader.ledger([*map(str, own)], limit),
        _of_its_priority(reader.ledger([*map(str, groups)], limit, _span(story, _WAITING)), job),
        reader.ledger(systems(), limit, _span(story, _WATCHED)),
        reader.ledger(press, limit, _span(story, _WATCHED | _PUBLISHED)),
    )
    return _newest(chain.from_iterable(rows), limit)


def _of_its_priority(rows: Iterable[LedgerRow], job: Job) -> list[LedgerRow]:
    """Rows about a flavor that can hold this job back: the share of reprocessing binds no other."""
    shared = job.priority is Priority.REPROCESSING
    return [row for row in rows if shared or row.reason != Reason.REPROCESSING_SHARE]


def parent_of(job: Job, registry: Registry, deployment: str) -> str | None:
    """The Nomad job that this one is dispatched to; None: its type is not set up here."""
    found = registry.types.get(job.type)
    return None if found is None else parent_id(deployment, found.service, job.flavor)


def _span(story: JobStory, statuses: frozenset[Status]) -> Span:
    """From the job's creation to its last leaving of statuses."""
    return _from(story.job.created_at, _left_at(story, statuses))


def _from(began: datetime, over: datetime | None) -> Span:
    """The span; what still holds is written now and then, and may have been shortly before."""
    return Span(began=began - REPEAT_AFTER, over=over)


def _left_at(story: JobStory, statuses: frozenset[Status]) -> datetime | None:
    """When the job last left these statuses; None: it stands in one of them."""
    left: datetime | None = None
    for change in reversed(story.history):
        if change.after in statuses:
            return left
        left = change.at
    return story.job.created_at


def about_worker(reader: Reader, name: str, limit: int) -> tuple[LedgerRow, ...]:
    """The newest decisions about the newest worker of a name, its server and node, and, in its
    time, about systems that did not answer. A name is given again; what was decided about those
    that had it before is left out.
    """
    workers = sorted(
        (row for row in reader.workers(closed=True) if row.name == name), key=lambda w: w.id
    )
    if not workers:
        return reader.ledger([str(Subject(SubjectKind.WORKER, name))], limit)
    *earlier, worker = workers
    during = _from(worker.created_at, worker.gone_at)
    freed = max((former.gone_at or former.created_at for former in earlier), default=during.began)
    since = Span(began=max(during.began, freed), over=None)
    rows = (
        reader.ledger(_subjects_of(worker), limit, since),
        reader.ledger(systems(), limit, during),
    )
    return _newest(chain.from_iterable(rows), limit)


def _subjects_of(worker: Worker) -> list[str]:
    found = [Subject(SubjectKind.WORKER, worker.name)]
    found += [Subject(SubjectKind.SERVER, worker.server_id)] if worker.server_id else []
    found += [Subject(SubjectKind.NODE, worker.node_id)] if worker.node_id else []
    return list(map(str, found))


def about_flavor(reader: Reader, name: str, limit: int) -> tuple[LedgerRow, ...]:
    """The newest decisions about a flavor, and about systems that did not answer."""
    return reader.ledger([str(Subject(SubjectKind.FLAVOR, name)), *systems()], limit)


def _newest(rows: Iterable[LedgerRow], limit: int) -> tuple[LedgerRow, ...]:
    return tuple(sorted(rows, key=lambda row: row.last_at, reverse=True)[:limit])


def who_leads(
    leases: Sequence[Lease], heartbeats: Sequence[Heartbeat], loop: str, now: datetime
) -> str:
    """Whether anybody decides about such things at all: what to say where nothing was decided."""
    last = max((beat.at for beat in heartbeats if beat.loop == loop), default=None)
    when = "there was never a pass" if last is None else f"the last pass was at {in_utc(last)}"
    lease = next((found for found in leases if found.name == loop), None)
    if lease is None or lease.expires_at <= now:
        return f"no controller leads {loop}; {when}"
    return f"{lease.holder} leads {loop}; {when}"
