"""Job types, flavors and services as data: what runs where, with how much, for how long.

The figures are those of the system that we replace. A new job type is a new row here; the
parents in Nomad, the pool's flavors, the limits of the monitor and the metrics follow from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from models.lifecycle import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavor:
    """An OpenStack flavor and, at the same time, the pool of workers that have it."""

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobType:
    """One kind of job: the Nomad service that runs it, its flavor, its size and its limits.

    Memory is sized so that exactly one run fits on a worker of the flavor. `limits` holds only
    what differs from the monitor's parameters: how long a run may stay in a status.
    """

    name: str
    service: str
    flavor: str
    memory_mb: int
    cpu_mhz: int = 50
    products: tuple[str, ...] = ()
    limits: Mapping[Status, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskCommand:
    """What Nomad starts for a run: a program and its arguments, under a task driver."""

    driver: str
    command: str
    args: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


KILL_TIMEOUT = timedelta(seconds=15)
"""How long Nomad waits between asking the program of a run to end and making it: what an operator
needs of its working directory goes to the bucket in that time. Nomad's clients allow 30 s at most
unless they are told otherwise. Change it together with `PARENT_TEMPLATE`."""

PARENT_TEMPLATE = 3
"""The number of the template that parents are made from (`job_of` in `infra.nomad.parents`). Raise
it with every change of the job that the template makes: else parents that are registered already
stay as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """A parameterized Nomad job, one per (service, flavor): dispatching a run makes its child.

    Beside the program of the run, which leads, runs the `log_shipper`, if any.
    """

    id: str
    service: str
    flavor: str
    memory_mb: int
    cpu_mhz: int
    command: TaskCommand
    log_shipper: TaskCommand | None = None
    template: int = PARENT_TEMPLATE

    def fingerprint(self) -> str:
        """Twelve hex digits that change when the parent has to be registered again."""
        return _fingerprint(self)


@lru_cache(maxsize=256)
def _fingerprint(parent: Parent) -> str:
    """Worked out once per parent: each pass asks for it, and a parent never changes."""
    text = json.dumps(asdict(parent), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


FLAVORS: tuple[Flavor, ...] = (
    Flavor(name="hm.medium", vcpus=2, memory_mb=16_384, disk_gb=64),
    Flavor(name="hm.large", vcpus=4, memory_mb=32_768, disk_gb=128),
    Flavor(name="hm.xlarge", vcpus=8, memory_mb=66_560, disk_gb=256),
    Flavor(name="eo2.medium", vcpus=1, memory_mb=4_096, disk_gb=16),
    Flavor(name="eo1.xsmall", vcpus=1, memory_mb=1_024, disk_gb=8),
)

JOB_TYPES: tuple[JobType, ...] = (
    JobType(
        name="fsc_rlie",
        service="si-processing",
        flavor="hm.medium",
        memory_mb=10_000,
        products=("fsc", "rlie"),
    ),
    JobType(
        name="rlies1",
        service="rlies1-processing",
        flavor="hm.large",
        memory_mb=25_000,
        products=("rlies1",),
    ),
    JobType(
        name="rlies1s2",
        service="rlies1s2-processing",
        flavor="hm.medium",
        memory_mb=10_000,
        products=("rlies1s2",),
    ),
    JobType(
        name="sws_wds",
        service="ws-processing",
        flavor="hm.xlarge",
        memory_mb=60_000,
        products=("sws", "wds"),
    ),
    JobType(
        name="gfsc",
        service="gfsc-processing",
        flavor="eo2.medium",
        memory_mb=3_000,
        products=("gfsc",),
    ),
    JobType(name="test", service="test-job-processing", flavor="eo1.xsmall", memory_mb=500),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Every job type and flavor of this installation, looked up by name."""

    types: Mapping[str, JobType]
    flavors: Mapping[str, Flavor]

    @classmethod
    def of(cls, types: Iterable[JobType], flavors: Iterable[Flavor]) -> Registry:
        """Build a registry; a type whose flavor is not among the flavors is a `ValueError`."""
        by_flavor = {flavor.name: flavor for flavor in flavors}
        by_type = {job_type.name: job_type for job_type in types}
        for job_type in by_type.values():
            if job_type.flavor not in by_flavor:
                raise ValueError(
                    f"job type {job_type.name!r} wants flavor {job_type.flavor!r}, which is not "
                    f"among {sorted(by_flavor)}; add the flavor or change the job type"
                )
        return cls(types=MappingProxyType(by_type), flavors=MappingProxyType(by_flavor))

    def parents(
        self, deployment: str, command: TaskCommand, log_shipper: TaskCommand | None = None
    ) -> tuple[Parent, ...]:
        """One parent per (service, flavor), named `hrsi-<deployment>-<service>-<flavor>`.

        `log_shipper` is started beside every run; None: logs are there as long as their worker.
        """
        found: dict[str, Parent] = {}
        for job_type in self.types.values():
            identity = parent_id(deployment, job_type.service, job_type.flavor)
            found[identity] = Parent(
                id=identity,
                service=job_type.service,
                flavor=job_type.flavor,
                memory_mb=job_type.memory_mb,
                cpu_mhz=job_type.cpu_mhz,
                command=command,
                log_shipper=log_shipper,
            )
        return tuple(found.values())


DEFAULT_REGISTRY = Registry.of(JOB_TYPES, FLAVORS)


def parent_id(deployment: str, service: str, flavor: str) -> str:
    """Name of the parameterized Nomad job that runs `service` on `flavor`."""
    return f"hrsi-{deployment}-{service}-{flavor}"


def registry_as_json(registry: Registry) -> dict[str, Any]:
    """The registry in plain values, for `--json` views and recordings."""
    return {
        "types": {
            name: {
                "service": job_type.service,
                "flavor": job_type.flavor,
                "memory_mb": job_type.memory_mb,
                "products": list(job_type.products),
                "limits_s": {s.value: v.total_seconds() for s, v in job_type.limits.items()},
            }
            for name, job_type in registry.types.items()
        },
        "flavors": {name: asdict(flavor) for name, flavor in registry.flavors.items()},
    }
