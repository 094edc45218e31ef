"""What the simulated cloud holds: images, and servers in the life that Nova gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import models.world
from models.job_types import Flavor
from models.world import Server


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image. Names are not unique; a server boots from an active one only.

    A snapshot is `made_of` a server and is its project's alone.
    """

    id: str
    name: str
    created_at: datetime
    status: str = "active"
    made_of: str | None = None
    min_disk: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)

    def as_listed(self) -> models.world.Image:
        """What a list shows of it, as the port tells it."""
        return models.world.Image(
            id=self.id,
            name=self.name,
            status=self.status,
            created_at=self.created_at.replace(microsecond=0),
            made_of=self.made_of,
            metadata=dict(self.metadata),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A request for a server, by ids as Nova takes them. `networks` None is `auto`."""

    name: str
    flavor_id: str
    image_id: str
    networks: tuple[str, ...] | None = None
    security_groups: tuple[str, ...] = ()
    key_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    user_data: str | None = None


@dataclass(kw_only=True, slots=True)
class CloudServer:
    """One server as Nova knows it. Only `simulator.cloud.state` changes it."""

    id: str
    wanted: Wanted
    flavor: Flavor
    created_at: datetime
    updated_at: datetime
    number: int
    """How many servers there had been with this one: its address follows from it."""

    launched_at: datetime | None = None
    status: str = "BUILD"
    task_state: str | None = "scheduling"
    vm_state: str = "building"
    address: str | None = None
    network: str | None = None
    fault: str | None = None
    fault_at: datetime | None = None
    in_cell0: bool = False
    """It never reached a host: lists do not show its fault, and a delete ends it at once."""

    counted: bool = False
    """A host was looked for: from here on it counts in the quota, whatever became of it."""

    over_quota: bool = False
    """The quota was used up by the time a host was looked for: it has none, yet a real cell."""

    cell_down: bool = False
    doomed: bool = False
    """Its end was asked for."""
    taken_by_others: bool = False
    """Its end was asked for by somebody who is not this installation."""
    boot_pending: bool = True
    turn: int = 0
    """Grows when the future of the server changes, so that what was planned before is void."""

    console: str = ""
    """What it has written on its console since it was started last."""

    shown: Server | None = None
    """The record of this server in a list, until it changes."""

    @property
    def name(self) -> str:
        """Its name, which others may have too."""
        return self.wanted.name

    @property
    def is_deleted(self) -> bool:
        """Shown by id for a moment, in no list, out of the quota."""
        return self.status == "DELETED"

    @property
    def is_surely_counted(self) -> bool:
        """A list shows that the quota counts it, and will for a while."""
        return self.counted and self.task_state != "deleting"

    @property
    def is_running(self) -> bool:
        """Its machine runs: what is on it can act."""
        return self.launched_at is not None and not self.is_deleted

    def as_listed(self) -> Server:
        """What a list shows of it; of a server in a down cell only that it exists."""
        if self.shown is None:
            self.shown = self._stub() if self.cell_down else self._full()
        return self.shown

    def _stub(self) -> Server:
        return Server(
            id=self.id,
            name="",
            status="UNKNOWN",
            created_at=self.created_at.replace(microsecond=0),
            flavor="",
        )

    def _full(self) -> Server:
        return Server(
            id=self.id,
            name=self.name,
            status=self.status,
            created_at=self.created_at.replace(microsecond=0),
            flavor=self.flavor.name,
            task_state=self.task_state,
            metadata=dict(self.wanted.metadata),
            address=self.address,
            fault=None if self.in_cell0 else self.fault,
            image_id=self.wanted.image_id,
        )
