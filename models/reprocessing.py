"""How much of the pool reprocessing may take, and which of its ready jobs are over that.

Execution, which dispatches, and the pool, which creates workers, go by the same answer: a job that
is over the share is neither dispatched nor given a worker. What runs already is left to end, also
when the share becomes less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from models.fleet import in_dispatch_order
from models.job_types import Registry
from models.records import InFlight, Job, Priority
from models.remembered import remembered
from models.settings import PoolSettings
from models.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What reprocessing may take, in workers and vCPUs, and has taken.

    `over` are the ids of the ready jobs that are over it, as far as the view shows them, and `held`
    counts by flavor all that wait so.
    """

    workers: int
    vcpus: int
    busy_workers: int = 0
    busy_vcpus: int = 0
    over: frozenset[int] = frozenset()
    held: Mapping[str, int] = field(default_factory=dict)


UNBOUNDED = Share(workers=0, vcpus=0)
"""Nothing is over it."""


def share_of(world: World, pool: PoolSettings) -> Share:
    """The share of reprocessing by the settings of the pool, and what waits because of it.

    Its jobs are counted in the order of dispatch over all flavors, behind those in flight, until
    the first that does not fit: a small one does not overtake a big one for ever. A share above 0
    always lets one go.
    """
    waiting = _reprocessing(world.store.ready)
    whole = _whole(pool)
    if pool.reprocessing_share >= 1 or not waiting:
        return whole
    counted = _counted(waiting, world.store.in_flight, world.registry, whole)
    return _with_hidden(counted, world)


@remembered
def _whole(pool: PoolSettings) -> Share:
    return Share(
        workers=ceil(pool.reprocessing_share * pool.max_workers),
        vcpus=int(pool.reprocessing_share * pool.vcpu_budget),
    )


@remembered
def _reprocessing(ready: tuple[Job, ...]) -> Sequence[Job]:
    return in_dispatch_order(job for job in ready if job.priority is Priority.REPROCESSING)


@remembered
def _counted(
    waiting: Sequence[Job], flights: tuple[InFlight, ...], registry: Registry, whole: Share
) -> Share:
    """Which of the ready jobs that the view shows are over the share."""
    busy = [f.job for f in flights if f.job.priority is Priority.REPROCESSING]
    busy_vcpus = sum(_vcpus(job, registry) for job in busy)
    able = _set_up(waiting, registry)
    workers, vcpus, within = len(busy), busy_vcpus, 0
    for job in able:
        workers, vcpus = workers + 1, vcpus + _vcpus(job, registry)
        if workers > whole.workers or (vcpus > whole.vcpus and workers > 1):
            break
        within += 1
    over = able[within:]
    return replace(
        whole,
        busy_workers=len(busy),
        busy_vcpus=busy_vcpus,
        over=frozenset(job.id for job in over),
        held=Counter(job.flavor for job in over),
    )


def _set_up(waiting: Sequence[Job], registry: Registry) -> Sequence[Job]:
    """What is not set up here is never dispatched, and takes nobody's place."""
    return [j for j in waiting if j.type in registry.types and j.flavor in registry.flavors]


def _vcpus(job: Job, registry: Registry) -> int:
    flavor = registry.flavors.get(job.flavor)
    return flavor.vcpus if flavor is not None else 0


def _with_hidden(share: Share, world: World) -> Share:
    """Also those that the view does not show: behind one that is over the share all are."""
    shown, total = _shown(world.store.ready), world.store.ready_total
    hidden = {flavor: max(0, total.get(flavor, 0) - shown[flavor]) for flavor in share.held}
    return replace(share, held={f: n + hidden[f] for f, n in sorted(share.held.items())})


@remembered
def _shown(ready: tuple[Job, ...]) -> Mapping[str, int]:
    return Counter(job.flavor for job in ready)
