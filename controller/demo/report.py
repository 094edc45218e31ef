"""What a demo came to: the numbers that it is judged by, as JSON or as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from controller.demo.scene import Scene, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a demo. A processed job counts as done: there is no publication yet. Products
    are counted by the manifests in the results bucket.
    """

    jobs_submitted: int
    jobs_done: int
    jobs_other: int
    workers_peak: int
    workers_left: int
    servers_created: int
    servers_deleted: int
    decisions: int
    products_in_bucket: int
    invariant_violations: int
    seconds: float

    def as_json(self) -> dict[str, int | float]:
        """The report in plain values, for `--json`."""
        return asdict(self)


def report_of(
    scene: Scene, totals: Mapping[str, int], *, workers_peak: int, products: int, violations: int
) -> Report:
    """Sum up a demo from its last moment, the store's totals and what the loops counted."""
    done = scene.jobs.get(Stage.PROCESSED, 0)
    return Report(
        jobs_submitted=scene.submitted,
        jobs_done=done,
        jobs_other=sum(scene.jobs.values()) - done,
        workers_peak=workers_peak,
        workers_left=scene.worker_count,
        servers_created=totals["servers.created"],
        servers_deleted=totals["servers.deleted"],
        decisions=totals["decisions"],
        products_in_bucket=products,
        invariant_violations=violations,
        seconds=round(scene.elapsed.total_seconds(), 1),
    )
