"""What a controller is shown instead of what is: a wrong, partial or empty view of cloud and Nomad.

A lens lies between a controller's ports and the systems. It changes what is read, and by
`is_in_project` whom a call by id can reach; it changes nothing of what is. Whoever drives a world
sets it, and takes it off again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.ports import Clock
from models.world import CloudSnapshot, NomadSnapshot
from simulator.cloud.memory import MemoryCloud
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Faults
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.memory import MemoryNomad


def _as_it_is(snapshot: CloudSnapshot) -> CloudSnapshot:
    return snapshot


def _as_nomad_is(snapshot: NomadSnapshot) -> NomadSnapshot:
    return snapshot


def _every_server(_server_id: str) -> bool:
    return True


@dataclass
class Lens:
    """What is shown. As made, it shows everything as it is.

    A server for which `is_in_project` is false answers 404 by id, and a call to delete it is
    answered as for one that is gone already: as in a project that never had it.
    """

    cloud: Callable[[CloudSnapshot], CloudSnapshot] = _as_it_is
    nomad: Callable[[NomadSnapshot], NomadSnapshot] = _as_nomad_is
    is_in_project: Callable[[str], bool] = _every_server

    def take_off(self) -> None:
        """Show everything as it is again."""
        clear = Lens()
        self.cloud, self.nomad, self.is_in_project = clear.cloud, clear.nomad, clear.is_in_project


class ShownCloud(MemoryCloud):
    """The cloud in memory, seen through a lens."""

    def __init__(
        self, cloud: SimulatedCloud, faults: Faults, lens: Lens, clock: Clock | None = None
    ) -> None:
        super().__init__(cloud, faults, clock)
        self._lens = lens

    def snapshot(self) -> CloudSnapshot:
        """See the port."""
        return self._lens.cloud(super().snapshot())

    def delete(self, server_id: str) -> None:
        """See the port."""
        if self._lens.is_in_project(server_id):
            super().delete(server_id)

    def exists(self, server_id: str) -> bool:
        """See the port."""
        return self._lens.is_in_project(server_id) and super().exists(server_id)


class ShownNomad(MemoryNomad):
    """Nomad in memory, its lists seen through a lens."""

    def __init__(
        self,
        cluster: NomadCluster,
        *,
        deployment: str,
        faults: Faults,
        lens: Lens,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(cluster, deployment=deployment, faults=faults, clock=clock)
        self._lens = lens

    def snapshot(self) -> NomadSnapshot:
        """See the port."""
        return self._lens.nomad(super().snapshot())
