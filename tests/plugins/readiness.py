"""Jobs made ready at once, for tests that begin there and run no configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from models.configuration import Configured, ConfigureJobs
from models.job_types import DEFAULT_REGISTRY
from models.ports import JobStore
from models.records import Job, Lease
from simulator.examples import LONG_AGO
from simulator.store import MemoryStore
from simulator.store.configuration import backlog, configure_jobs

TEST = "made ready by a test"


SERIES: Mapping[str, str] = {"maja_mode": "init", "l2a_path_out": "32TLR/L2A/reference/x/init"}
"""The least that the schema asks of a job in a series."""


def configured(job: Job, **changes: Any) -> Configured:
    """What configuration makes of a job: nothing new, unless said otherwise."""
    default = Configured(
        job_id=job.id,
        expected_seq=job.seq,
        priority=job.priority,
        deadline=job.deadline,
        config=a_config(job.type),
    )
    return replace(default, **changes)


def a_config(job_type: str, **changes: Any) -> dict[str, Any]:
    """The least that fits the schema of a type."""
    least = {"output": "work/jobs/x", "order": TEST, **(SERIES if job_type == "fsc_rlie" else {})}
    return {**least, **changes}


def configuration_of(jobs: Iterable[Job], at: datetime) -> ConfigureJobs:
    """The change that makes these jobs ready."""
    return ConfigureJobs(at=at, jobs=tuple(configured(job, overtakes=True) for job in jobs))


def make_ready(store: JobStore, at: datetime) -> None:
    """Make every job ready that was handed in, under a lease that is given back."""
    lease = store.acquire("configuration", TEST, timedelta(hours=1))
    assert lease is not None
    jobs = (unready.job for unready in store.backlog(DEFAULT_REGISTRY.types).jobs)
    store.commit(lease, configuration_of(jobs, at))
    store.release(lease)


def ready_at_once(store: MemoryStore) -> None:
    """Make every job ready that was handed in, past all faults and without a call."""
    tables = store.tables
    jobs = [unready.job for unready in backlog(tables, tables.registry.types, LONG_AGO).jobs]
    at = max((job.status_at for job in jobs), default=LONG_AGO)
    nobody = Lease(name="configuration", holder=TEST, epoch=0, renewed_at=at, expires_at=at)
    with tables.journal:
        configure_jobs(tables, nobody, configuration_of(jobs, at))
