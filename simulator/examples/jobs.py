"""Jobs and runs: as they are handed in, waiting, and in flight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.records import InFlight, Job, NewJob, Priority, Run
from simulator.examples.base import LONG_AGO, NOW, a_child_id, address_of, an_id

SENTINEL_2_NAMES: tuple[str, ...] = (
    "S2A_MSIL1C_20160528T104032_N0202_R008_T31TGL_20160528T104248",
    "S2B_MSIL1C_20210325T102639_N0209_R108_T32ULU_20210325T141549",
    "S2A_MSIL1C_20220827T130311_N0400_R038_T28WEU_20220827T182117",
    "S2B_MSIL1C_20220829T125259_N0400_R138_T28WEU_20220829T145121",
    "S2A_MSIL1C_20220906T130311_N0400_R038_T28WEU_20220906T182127",
)
"""Real Sentinel-2 level-1C products: mission, sensing start, baseline, orbit, tile, made at."""


def a_new_job(name: str = SENTINEL_2_NAMES[0], **changes: Any) -> NewJob:
    """A job as it is handed in for a Sentinel-2 product; tile and time come from its name."""
    _, _, sensed, _, _, tile, _ = name.split("_")
    sensing_at = datetime.strptime(sensed, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    default = NewJob(
        type="fsc_rlie",
        key=name,
        name=f"{tile[1:]}-{sensing_at:%Y-%m-%d}",
        tile=tile[1:],
        sensing_at=sensing_at,
        input={"l1c_id": name},
    )
    return replace(default, **changes)


def some_new_jobs(count: int, **changes: Any) -> tuple[NewJob, ...]:
    """As many different jobs: the real products, and again with later times of processing."""
    made = []
    for number in range(count):
        lap, which = divmod(number, len(SENTINEL_2_NAMES))
        name = SENTINEL_2_NAMES[which]
        key = name if lap == 0 else _reprocessed(name, lap)
        made.append(a_new_job(key, **changes))
    return tuple(made)


def _reprocessed(name: str, lap: int) -> str:
    """The name that a later processing of the same image has: another time at its end."""
    *parts, made = name.split("_")
    later = datetime.strptime(made, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) + timedelta(minutes=lap)
    return "_".join([*parts, f"{later:%Y%m%dT%H%M%S}"])


def a_job(**changes: Any) -> Job:
    """A ready job, submitted two hours ago; `id` numbers it, `type` gives it its flavor."""
    number, job_type = changes.get("id", 1), changes.get("type", "fsc_rlie")
    default = Job(
        id=number,
        unique_id=an_id("job", number),
        type=job_type,
        key=f"example-{number}",
        name=f"32TLR-2026-03-01-{number}",
        tile="32TLR",
        flavor=DEFAULT_REGISTRY.types[job_type].flavor,
        priority=Priority.DELAYED,
        deadline=None,
        status=Status.READY,
        status_at=LONG_AGO,
        seq=3,
        resume_status=Status.READY,
        attempt=0,
        created_at=LONG_AGO,
    )
    return replace(default, **changes)


def a_run(**changes: Any) -> Run:
    """The first, open, unclaimed run of a job, sent ten minutes ago."""
    job_id, attempt = changes.get("job_id", 1), changes.get("attempt", 1)
    sent_at = NOW - timedelta(minutes=10)
    default = Run(
        id=an_id("run", job_id, attempt),
        job_id=job_id,
        attempt=attempt,
        claim=0,
        created_at=sent_at,
        sent_at=sent_at,
    )
    return replace(default, **changes)


def a_claimed_run(node: int = 1, **changes: Any) -> Run:
    """A run that its program on node `node` claimed nine minutes ago, known to Nomad."""
    job_id, attempt = changes.get("job_id", 1), changes.get("attempt", 1)
    run = a_run(
        job_id=job_id,
        attempt=attempt,
        claim=1,
        nomad_job_id=a_child_id(job_id, attempt),
        allocation_id=str(an_id("allocation", job_id, attempt)),
        node_id=str(an_id("node", node)),
        node_name=f"os-worker-{node:03d}",
        server_id=str(an_id("server", node)),
        address=address_of(node),
        claimed_at=NOW - timedelta(minutes=9),
    )
    return replace(run, **changes)


def in_flight(status: Status = Status.QUEUED, *, run: Run | None = None, **job: Any) -> InFlight:
    """A job in flight with its current run: unclaimed when queued, else claimed on node 1."""
    number = job.pop("id", 1)
    make = a_run if status is Status.QUEUED else a_claimed_run
    current = run or make(job_id=number)
    facts = {"attempt": current.attempt, "seq": 4, "status_at": current.created_at} | job
    return InFlight(job=a_job(id=number, status=status, **facts), run=current)
