"""Who is looked at: each system by its probe and its port, or why it cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.sweeps import Subscriptions
from models.broker import Broker
from models.checkup import BucketProbe, CloudProbe, NomadProbe, StoreProbe
from models.errors import ConfigurationError
from models.job_types import Registry
from models.outbox import Outbox
from models.ports import Clock, Cloud, Orchestrator, Reader
from models.world import Site


@dataclass(frozen=True, kw_only=True, slots=True)
class StorePatient:
    """The database. `embedded`: it is ours alone, on this machine."""

    probe: StoreProbe
    reader: Reader
    outbox: Outbox
    embedded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadPatient:
    """Nomad."""

    probe: NomadProbe
    orchestrator: Orchestrator


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudPatient:
    """OpenStack; `project` is the one that the settings name, if they do."""

    probe: CloudProbe
    cloud: Cloud
    project: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketPatient:
    """A bucket, as it is called here and there, by the keys that a controller opens it with."""

    name: str
    bucket: str
    probe: BucketProbe


@dataclass(frozen=True, kw_only=True, slots=True)
class PressPatient:
    """The buckets, and the broker, if one is set. `declares`: a controller makes the exchanges and
    queues that are missing; this `broker` makes none. `publishes`: there is a product bucket.
    `in_files` counts the messages that wait in files for somebody to send them.
    """

    buckets: tuple[BucketPatient, ...]
    publishes: bool
    broker: Broker | None
    declares: bool
    in_files: Callable[[], int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patients:
    """Everything that is looked at. An error stands for a system that cannot be opened.

    No `store`: the embedded database has not been made yet. No `press`: no bucket is set.
    No `catalogues`: none is named. `incomplete` says which settings a controller lacks; `loops`
    names the loops that somebody should run.
    """

    site: Site
    registry: Registry
    clock: Clock
    loops: tuple[str, ...]
    incomplete: ConfigurationError | None
    store: StorePatient | ConfigurationError | None
    nomad: NomadPatient | ConfigurationError
    cloud: CloudPatient | ConfigurationError
    press: PressPatient | ConfigurationError | None = None
    catalogues: Subscriptions | ConfigurationError | None = None
