"""Jobs that are not ready: which of them are to be looked at, and what became of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from models.configuration import MOST_AT_ONCE, Backlog, ConfigureJobs, Unready
from models.lifecycle import Status
from models.ports import Receipt
from models.records import Lease
from simulator.store.tables import Note, Tables


def backlog(tables: Tables, types: Collection[str]) -> Backlog:
    """See `models.configuration.Backlogs.backlog`."""
    new = tables.jobs_by_status.of((Status.INITIALIZED, False))
    wanted = sorted((job for job in new if job.type in types), key=lambda job: job.id)
    return Backlog(
        jobs=tuple(
            Unready(job=job, input=tables.inputs[job.id], sensing_at=_sensing_at(tables, job.id))
            for job in wanted[:MOST_AT_ONCE]
        )
    )


def _sensing_at(tables: Tables, job_id: int) -> datetime | None:
    job = tables.jobs[job_id]
    known = tables.acquired.get((job.type, job.key))
    return known.acquisition.sensing_at if known else None


def configure_jobs(tables: Tables, fence: Lease, change: ConfigureJobs) -> Receipt:
    """See `models.configuration.ConfigureJobs`."""
    note = Note(at=change.at, actor=fence.name)
    done = 0
    for each in change.jobs:
        job = tables.jobs.get(each.job_id)
        if job is None or job.seq != each.expected_seq or job.status is not Status.INITIALIZED:
            continue
        tables.configs.put(job.id, dict(each.config))
        filled = replace(job, priority=each.priority, deadline=each.deadline)
        configured = tables.move(filled, Status.CONFIGURED, note)
        tables.move(configured, Status.READY, note, resume_status=Status.READY)
        done += 1
    return Receipt(created=done)
