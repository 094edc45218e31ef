"""Machines that follow the servers of any cloud behind the port: a real OpenStack, for one.

The list is read every few seconds. A server of ours that is seen ACTIVE for the first time has its
machine switched on; it runs until the server is gone, which is: missing from a complete list, and
404 by id. A list that failed says nothing, so that machines run on while the cloud is away.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from models.errors import PortError
from models.fleet import DEPLOYMENT_METADATA, NO_POOL, POOL_METADATA
from models.job_types import Flavor
from models.ports import Cloud
from models.world import Server
from simulator.guests import Tell
from simulator.machines import Machines, memory_of
from simulator.nomad.cluster import Boot


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """Which servers get a machine: those of a deployment whose names begin so, of known flavors."""

    deployment: str
    prefix: str
    flavors: Mapping[str, Flavor]

    def claims(self, server: Server) -> bool:
        """Whether a server is ours, whatever its flavor."""
        of_deployment = server.metadata.get(DEPLOYMENT_METADATA) == self.deployment
        return of_deployment and server.name.startswith(self.prefix)


class Follower:
    """Keeps machines in step with a cloud. `lock` is that of the machines' timeline."""

    def __init__(
        self, cloud: Cloud, machines: Machines, lock: threading.RLock, ours: Ours, *, tell: Tell
    ) -> None:
        self._cloud = cloud
        self._machines = machines
        self._lock = lock
        self._ours = ours
        self._tell = tell
        self._names: dict[str, str] = {}
        self._refused: set[str] = set()
        self._trouble: str | None = None

    @property
    def running(self) -> frozenset[str]:
        """The ids of the servers whose machines are on."""
        return frozenset(self._names)

    def look(self) -> None:
        """Read the list once and bring the machines in step with it; a failure changes nothing."""
        try:
            listed = {server.id: server for server in self._cloud.snapshot().servers}
            missing = self._names.keys() - listed.keys()
            gone = [server_id for server_id in missing if not self._cloud.exists(server_id)]
        except PortError as error:
            self._note(str(error))
            return
        self._note(None)
        started = [server for server in listed.values() if self._starts(server)]
        with self._lock:
            for server_id in gone:
                self._tell(f"{self._names.pop(server_id)} is gone, its machine with it")
                self._machines.end(server_id)
            for server in started:
                self._names[server.id] = server.name
                self._tell(f"{server.name} ({server.flavor}) is ACTIVE: its machine boots")
                self._machines.start(_boot(server, self._ours.flavors[server.flavor]))

    def _starts(self, server: Server) -> bool:
        """Active for the first time, and not only on its way out of a delete while it was built."""
        if server.id in self._names or not self._ours.claims(server):
            return False
        if server.metadata.get(POOL_METADATA) == NO_POOL:
            return False
        if server.status != "ACTIVE" or server.task_state == "deleting":
            return False
        if server.flavor not in self._ours.flavors:
            if server.id not in self._refused:
                self._refused.add(server.id)
                self._tell(f"{server.name} has no machine: its flavor {server.flavor} is unknown")
            return False
        return True

    def _note(self, trouble: str | None) -> None:
        """Tell when the cloud is lost and when it is back, once each."""
        if trouble is not None and self._trouble is None:
            self._tell(f"the cloud does not answer, machines go on as they are: {trouble}")
        elif trouble is None and self._trouble is not None:
            self._tell("the cloud answers again")
        self._trouble = trouble


def _boot(server: Server, flavor: Flavor) -> Boot:
    """A client keeps its node id on its disk: the same server is the same node, also for a
    follower that was started anew.
    """
    return Boot(
        server_id=server.id,
        name=server.name,
        node_class=flavor.name,
        memory_mb=memory_of(flavor),
        address=server.address or "",
        node_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"node of {server.id}")),
    )


@contextmanager
def following(follower: Follower, every: timedelta) -> Iterator[None]:
    """Look again and again in a thread of its own, for the length of a block."""
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            follower.look()
            stop.wait(every.total_seconds())

    thread = threading.Thread(target=follow, name="follower")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
