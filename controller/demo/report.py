"""What a demo came to: the numbers that it is judged by, as JSON or as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from controller.demo.scene import Scene


@dataclass(frozen=True, kw_only=True, slots=True)
class Products:
    """How far the products of a demo came: made by runs, put where users find them, announced. And
    of how many runs the logs came to the results bucket.
    """

    made: int
    in_bucket: int
    published: int
    runs_logged: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a demo. Products made are counted by the manifests in the results bucket, those
    published by what the broker has confirmed, runs by the logs that lie in that bucket.
    """

    jobs_submitted: int
    jobs_done: int
    jobs_other: int
    workers_peak: int
    workers_left: int
    servers_created: int
    servers_deleted: int
    decisions: int
    products_made: int
    products_in_bucket: int
    products_published: int
    runs_logged: int
    invariant_violations: int
    seconds: float

    def as_json(self) -> dict[str, int | float]:
        """The report in plain values, for `--json`."""
        return asdict(self)


def report_of(
    scene: Scene,
    totals: Mapping[str, int],
    products: Products,
    *,
    workers_peak: int,
    violations: int,
) -> Report:
    """Sum up a demo from its last moment, the store's totals and what the loops counted."""
    return Report(
        jobs_submitted=scene.submitted,
        jobs_done=scene.done,
        jobs_other=sum(scene.jobs.values()) - scene.done,
        workers_peak=workers_peak,
        workers_left=scene.worker_count,
        servers_created=totals["servers.created"],
        servers_deleted=totals["servers.deleted"],
        decisions=totals["decisions"],
        products_made=products.made,
        products_in_bucket=products.in_bucket,
        products_published=products.published,
        runs_logged=products.runs_logged,
        invariant_violations=violations,
        seconds=round(scene.elapsed.total_seconds(), 1),
    )
