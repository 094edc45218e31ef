"""What comes to life on a server once it runs, and goes with it: a Nomad client, a process or both.

Whoever knows the servers (the simulated cloud, or a follower of a real one) says which started and
which are gone; what lives on them is told when its machine has booted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from models.fleet import NO_POOL, POOL_METADATA
from models.job_types import Flavor
from simulator.cloud.servers import CloudServer
from simulator.cloud.state import SimulatedCloud
from simulator.nomad.cluster import Boot
from simulator.timeline import Timeline

MEMORY_SHARE = 0.94
"""What a machine's system leaves of its memory for Nomad to give away."""


class Tenant(Protocol):
    """What lives on machines. Called under the lock of the timeline, hence never blocks."""

    def node_boots(self, boot: Boot) -> object:
        """A machine has booted."""

    def node_dies(self, server_id: str) -> None:
        """A server is gone with what lived there; one that never booted is no error."""


class Machines:
    """Boots the machine of every server that starts; `never_join` holds names of those that fail,
    `strangers` ids of servers whose machines are no workers.

    Its methods are called under the lock of the timeline.
    """

    def __init__(
        self, timeline: Timeline, tenants: Sequence[Tenant], join_delay: timedelta
    ) -> None:
        self.never_join: set[str] = set()
        self.strangers: set[str] = set()
        self._timeline = timeline
        self._tenants = tenants
        self._delay = join_delay
        self._on: dict[str, Boot] = {}

    def start(self, boot: Boot) -> None:
        """A server's machine is switched on: it will have booted after the join delay."""
        self._on[boot.server_id] = boot
        if boot.name not in self.never_join and boot.server_id not in self.strangers:
            self._timeline.after(self._delay, lambda: self._booted(boot))

    def end(self, server_id: str) -> None:
        """A server is gone; one that never started is no error."""
        self._on.pop(server_id, None)
        for tenant in self._tenants:
            tenant.node_dies(server_id)

    def _booted(self, boot: Boot) -> None:
        if self._on.get(boot.server_id) is boot:
            for tenant in self._tenants:
                tenant.node_boots(boot)


def memory_of(flavor: Flavor) -> int:
    """The memory that a machine of a flavor has for Nomad, in MB."""
    return int(flavor.memory_mb * MEMORY_SHARE)


def live_on(cloud: SimulatedCloud, machines: Machines) -> None:
    """Let every server of a simulated cloud have its machine, from here on."""

    def start(server: CloudServer) -> None:
        if server.wanted.metadata.get(POOL_METADATA) == NO_POOL:
            return
        machines.start(
            Boot(
                server_id=server.id,
                name=server.name,
                node_class=server.flavor.name,
                memory_mb=memory_of(server.flavor),
                address=server.address or "",
            )
        )

    cloud.on_active.append(start)
    cloud.on_gone.append(lambda server: machines.end(server.id))
