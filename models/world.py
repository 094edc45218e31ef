"""What one pass observed, frozen: the three systems, how far each can be trusted, and the memory.

`controller.observe` fills it; the reconcilers read nothing else. A source that failed, was partial
or went backwards is None here and named in `World.unknown`: it is never an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from models.breakers import Breaker
from models.broker import RefusedMessage
from models.campaigns import CampaignLook
from models.composing import Due
from models.configuration import Backlog
from models.creation import Area, Arrivals, FeedDay, Sweep
from models.job_types import DEFAULT_REGISTRY, Parent, Registry
from models.l2a import L2a
from models.lifecycle import Status
from models.publication import OutboxFigures, Publishing
from models.reckoning import ReadBack
from models.records import (
    Backoff,
    InFlight,
    Intent,
    Job,
    NodeIdentity,
    Pause,
    Priority,
    Run,
    Worker,
    WorkerOrder,
)

TERMINAL_CLIENT_STATUSES = frozenset({"complete", "failed", "lost"})
"""An allocation in any other ClientStatus may still be running on its machine, whatever Nomad
wants of it (`stop/running` included)."""


class Source(StrEnum):
    """Where a part of the world comes from."""

    STORE = "store"
    NOMAD = "nomad"
    CLOUD = "cloud"
    CATALOGUES = "catalogues"
    BACKLOG = "backlog"
    OUTBOX = "outbox"
    BROKER = "broker"
    READBACK = "readback"
    RESULTS = "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Who we are: the names on everything that this installation makes outside.

    `image` is the name of the image that workers boot from; None: one that the pool makes of the
    server called `template` (`models.images`).
    """

    deployment: str
    worker_prefix: str = "os-worker-"
    image: str | None = None
    template: str = "tf-titi"
    networks: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    key_name: str | None = None
    parents: tuple[Parent, ...] = ()


# ---- Nomad ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A Nomad client, from the node list. `node_class` is the flavor's name."""

    id: str
    name: str
    node_class: str
    status: str
    eligible: bool
    draining: bool
    create_index: int
    modify_index: int
    address: str = ""

    @property
    def usable(self) -> bool:
        """The scheduler may place work here now."""
        return self.status == "ready" and self.eligible and not self.draining


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadJob:
    """A Nomad job whose id has our prefix: a parent, or a dispatched child with its meta."""

    id: str
    parent_id: str
    status: str
    stopped: bool
    meta: Mapping[str, str]
    create_index: int
    lost: int = 0
    failed: int = 0

    @property
    def dead(self) -> bool:
        """All its allocations are terminal or told to stop, which says nothing of success."""
        return self.status == "dead"

    @property
    def over(self) -> bool:
        """Nomad will place nothing more for it, though what it placed may still be running."""
        return self.status == "dead" or self.stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A pending or blocked evaluation: Nomad may still place something for its job."""

    id: str
    job_id: str
    namespace: str
    status: str
    create_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """An allocation whose ClientStatus is not terminal: it may be running on its machine."""

    id: str
    job_id: str
    namespace: str
    node_id: str
    job_type: str
    client_status: str
    desired_status: str
    create_index: int

    @property
    def occupies(self) -> bool:
        """It counts as work on its node; system and sysbatch jobs run everywhere and do not."""
        return self.client_status not in TERMINAL_CLIENT_STATUSES and self.job_type not in {
            "system",
            "sysbatch",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadSnapshot:
    """The four lists, each asked for after the answer to the one before, under one leader.

    Order: nodes, jobs, evaluations, allocations, so that whatever an earlier list implies is
    visible in a later one. `number` counts the snapshots that one process took. `index` is the
    highest Raft index that any of the four answers named (X-Nomad-Index), 0 when none did: it
    never falls while Nomad has not been restored and the answer is not an old one.
    """

    number: int
    requested_at: datetime
    nodes: tuple[Node, ...]
    jobs: tuple[NomadJob, ...]
    evaluations: tuple[Evaluation, ...]
    allocations: tuple[Allocation, ...]
    index: int = 0


# ---- OpenStack -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server of our project, ours or not. `status` UNKNOWN (down cell) means present.

    `image_id` is None where it booted from a volume, and where a list does not say.
    """

    id: str
    name: str
    status: str
    created_at: datetime
    flavor: str
    task_state: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    fault: str | None = None
    image_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image of our project. `made_of` is the server that it is a snapshot of, if it is one."""

    id: str
    name: str
    status: str
    created_at: datetime
    made_of: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageList:
    """The project's own images whose names begin as those that workers boot from, in any status.

    `number` counts the lists that one process read.
    """

    number: int
    requested_at: datetime
    images: tuple[Image, ...] = ()


NO_IMAGES = ImageList(number=0, requested_at=datetime.min.replace(tzinfo=UTC))
"""Before the first list of images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """What the project may use and uses, everybody's servers included; None: unlimited."""

    max_servers: int | None
    used_servers: int
    max_vcpus: int | None
    used_vcpus: int
    max_memory_mb: int | None
    used_memory_mb: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudSnapshot:
    """One complete server list, with quota, flavors and images from the cache (≤ 1 request/min).

    `quota_servers` are the ids of servers that the quota surely counted when it was read: what it
    counts beyond our servers among them is taken for other people's. A cloud counts a server a
    while after its create, and no longer once it is gone: doubtful ones are not among them.
    `images` are the names of all active images, other people's included.
    """

    number: int
    requested_at: datetime
    servers: tuple[Server, ...]
    quota: Quota
    quota_servers: frozenset[str]
    flavors: frozenset[str]
    images: frozenset[str]
    worker_images: ImageList = NO_IMAGES


# ---- the store -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class JobCount:
    """How many open jobs of a type stand in a status at a priority, and since when the oldest."""

    type: str
    flavor: str
    status: Status
    priority: Priority
    count: int
    oldest_at: datetime | None
    quarantined: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreView:
    """What is open in the store. Its size depends on what is in flight, never on the history.

    `ready` holds the top of each flavor's queue in dispatch order: jobs that are due (`not_before`
    has passed) and whose type is not paused; `ready_total` says per flavor how many of them there
    are in all (no 0). `pauses` are those in force.
    `errors` holds jobs in error statuses that are not quarantined. `ended_runs` are runs that
    ended so recently that their program may still be tidying up. `counts` leaves out done and
    cancelled jobs; `intents` and `orders` are the open ones, `workers` those not closed.

    In order: `ready` by flavor, then dispatch order; `in_flight` by job id; `errors` by when they
    are due (`not_before`, else `status_at`), then id; `ended_runs` by end, then id; `workers` and
    `orders` by id; `intents` by time of opening, then id; `backoffs` by subject and failure;
    `counts` by type, status, priority as the enums list them; `pauses` by target; `breakers` and
    `removed` by id.

    `breakers` are those that are open, and those that were closed with ids of which a person's word
    still holds. `removed` are the workers, closed rows included, whose removal began lately (see
    `models.breakers.removal_begun`). `gone_nodes` are the identified nodes whose
    server is proved gone: the row of its worker is closed.
    """

    requested_at: datetime
    counts: tuple[JobCount, ...] = ()
    ready: tuple[Job, ...] = ()
    ready_total: Mapping[str, int] = field(default_factory=dict)
    in_flight: tuple[InFlight, ...] = ()
    errors: tuple[Job, ...] = ()
    ended_runs: tuple[Run, ...] = ()
    workers: tuple[Worker, ...] = ()
    orders: tuple[WorkerOrder, ...] = ()
    intents: tuple[Intent, ...] = ()
    identities: Mapping[str, NodeIdentity] = field(default_factory=dict)
    backoffs: tuple[Backoff, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    breakers: tuple[Breaker, ...] = ()
    removed: tuple[Worker, ...] = ()
    gone_nodes: frozenset[str] = frozenset()


# ---- memory and the whole ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """How often in a row, in different snapshots, something was seen, and since when."""

    count: int
    first_at: datetime
    snapshot: int


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything that a decision may depend on, besides the settings and the time.

    `sightings` is the memory of one process: keys are made by `models.sightings`, and losing
    it only makes the controller slower to act. `busy` names the targets that have an action in
    flight in this process (`Subject` as text): they get no second one.
    """

    site: Site
    store: StoreView
    nomad: NomadSnapshot | None = None
    cloud: CloudSnapshot | None = None
    unknown: Mapping[Source, str] = field(default_factory=dict)
    registry: Registry = DEFAULT_REGISTRY
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    area: Area | None = None
    """The area of interest, where catalogues are read."""

    sweeps: tuple[Sweep, ...] | None = None
    """A look at each feed whose turn it was; None: they were not to be read, or are unknown."""

    due: Due | None = None
    """Groups of products that are due, with what there is to make of them."""

    arrivals: Arrivals | None = None
    """What catalogues brought in the last 24 h, as of lately; None: nobody looked."""

    days: tuple[FeedDay, ...] = ()
    """What each feed that answers listed of a day, as of lately."""

    campaigns: tuple[CampaignLook, ...] = ()
    """The next part of each campaign whose turn it was."""

    backlog: Backlog | None = None
    """Jobs that are not ready; None: they were not to be read, or are unknown."""
    publishing: tuple[Publishing, ...] | None = None
    """Jobs between processed and done; None: they were not to be read, or are unknown."""

    outbox: OutboxFigures | None = None
    """How much of it is open; None: as `publishing`."""

    readback: ReadBack | None = None
    """The newest comparison of what was made with what was announced; None: as `publishing`."""

    refusals: tuple[RefusedMessage, ...] | None = None
    """What the endpoint refused and nobody has settled; None: as `publishing`."""

    results: tuple[Job, ...] | None = None
    """Jobs that left something in the results bucket, as far as it is their turn to be judged;
    None: they were not to be read, or are unknown."""

    l2as: tuple[L2a, ...] = ()
    """L2A in the data bucket whose turn it is, read with the results."""
