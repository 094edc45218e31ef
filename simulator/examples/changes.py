"""Changes that most tests of the store begin with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from models.changes import EndRun, QueueRun, ReserveWorker
from models.lifecycle import Status
from models.plan import Next
from models.records import IntentKind, Job, RunEnd
from simulator.examples.base import CALL, FLAVOR, NOW, an_id
from simulator.examples.workers import an_intent


def queue_run(job_id: int, *, attempt: int = 1, at: datetime = NOW) -> QueueRun:
    """The change that hands attempt `attempt` of a ready job to Nomad."""
    run_id = an_id("run", job_id, attempt)
    intent = an_intent(id=run_id, subject=str(run_id), opened_at=at, deadline=at + CALL)
    return QueueRun(at=at, job_id=job_id, intent=intent)


def end_run(job: Job, run_id: UUID, *, then: Next = Next.REQUEUE, **changes: Any) -> EndRun:
    """The change by which the monitor ends a run of `job` that was lost with its worker."""
    default = EndRun(
        at=NOW,
        job_id=job.id,
        run_id=run_id,
        expected_seq=job.seq,
        end=RunEnd.LOST,
        status=Status.EXTERNAL_ERROR,
        subtype="Worker lost",
        message="the allocation was lost with its worker",
        then=then,
    )
    return replace(default, **changes)


def reserve_worker(number: int = 1, *, at: datetime = NOW, **changes: Any) -> ReserveWorker:
    """The change that opens the row of worker `number` with its create intent."""
    name = f"os-worker-{number:03d}"
    intent = an_intent(
        id=an_id("create", number),
        kind=IntentKind.CREATE_SERVER,
        subject=name,
        opened_at=at,
        deadline=at + CALL,
    )
    default = ReserveWorker(at=at, name=name, flavor=FLAVOR, intent=intent, max_workers=210)
    return replace(default, **changes)
