"""Whom the shell talks to outside: Nomad and OpenStack. Part of `models.ports`, where the rules are
and from where they are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from models.job_types import Parent
from models.records import NodeIdentity
from models.world import CloudSnapshot, ImageList, NomadSnapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatch:
    """What a run is handed to Nomad with. The token is the run uuid, in the query string."""

    parent: str
    token: UUID
    meta: Mapping[str, str]
    payload: bytes
    id_prefix: str
    priority: int


class Orchestrator(Protocol):
    """Nomad."""

    def snapshot(self) -> NomadSnapshot:
        """The four lists in order (nodes, jobs, evaluations, allocations), all namespaces, from a
        known leader, non-stale; a change of leader in between starts again, at most 3 times.

        Jobs: those whose id begins with `hrsi-<deployment>-`, with meta, dead ones included.
        Evaluations: pending and blocked. Allocations: ClientStatus not terminal.
        Raises `Unavailable` (or `Refused`, `Malformed`) rather than return a part.
        """

    def identify(self, node_id: str) -> NodeIdentity:
        """Read one node: `Meta.openstack_server_id`, else `Attributes["unique.host_id"]`, lower
        case. Raises `NotFound`.
        """

    def dispatch(self, order: Dispatch) -> str:
        """Dispatch and return the child's id as answered, which may be that of an earlier dispatch
        with the same token, or of a child that does not exist. `Unknown` when no answer came.
        """

    def register(self, parent: Parent, deployment: str) -> None:
        """Register or replace a parent; its meta carries the deployment and its fingerprint."""

    def set_eligibility(self, node_id: str, *, eligible: bool) -> int:
        """Mark a node; the Raft index of the write, 0 when it was so already. `NotFound`."""

    def modify_index(self, node_id: str) -> tuple[int, bool]:
        """Re-read one node on the default path: (ModifyIndex, eligible). Raises `NotFound`."""

    def stop(self, nomad_job_id: str) -> None:
        """Deregister a child without purging it; one that is unknown is no error."""

    def evaluate(self, nomad_job_id: str) -> None:
        """Make a new evaluation for a job. Raises `NotFound`."""

    def purge(self, node_id: str) -> None:
        """Remove a node; one that is unknown is no error."""

    def exit_code(self, nomad_job_id: str) -> int | None:
        """The exit code of the newest allocation's task, if Nomad still knows one."""

    def watch(self, stop: StopSignal) -> Iterator[None]:
        """Yield whenever the event stream says that something of ours may have changed.

        Hints only. Ends by itself when `stop` is set; raises `Unavailable` when the stream breaks,
        after which the caller lists everything and comes back.
        """


class StopSignal(Protocol):
    """Says that it is time to end; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to end now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOrder:
    """What a server is created from. The metadata carries deployment, flavor and intent id.

    `image` is an id, or a name, of which the newest active one is taken.
    """

    name: str
    flavor: str
    image: str
    networks: tuple[str, ...]
    security_groups: tuple[str, ...]
    key_name: str | None
    metadata: Mapping[str, str]
    user_data: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageOrder:
    """What an image is made of, and what it is called. The metadata says whose it is."""

    name: str
    server_id: str
    metadata: Mapping[str, str]


class Cloud(Protocol):
    """OpenStack."""

    def snapshot(self) -> CloudSnapshot:
        """One paged list of all servers of the project, complete or an error; quota, flavors and
        images at most a minute old. Servers of a down cell are there with status UNKNOWN.
        """

    def create(self, order: ServerOrder) -> str:
        """Ask for a server and return its id at once. Never retried below; `Unknown` when no answer
        came, `QuotaExceeded`, `Refused`, `Malformed` (unknown flavor or image), `Unavailable`.
        """

    def delete(self, server_id: str) -> None:
        """Ask for deletion and return at once; a server already gone is no error."""

    def exists(self, server_id: str) -> bool:
        """False only for a 404 (or DELETED) by id; any doubt raises."""

    def worker_images(self) -> ImageList:
        """The images that a snapshot shows as `worker_images`, asked for now."""

    def console(self, server_id: str) -> str:
        """What a server has written on its console, as much of it as the cloud keeps. `Conflict`
        when it has none yet; raises `NotFound`.
        """

    def make_image(self, order: ImageOrder) -> str:
        """Ask for an image of a server and return its id at once; making it takes minutes, and the
        list of images shows how far it is. Never retried below; `Unknown` when no answer came,
        `Conflict` while the server's state forbids it, `NotFound`, `Refused`, `Unavailable`.
        """

    def delete_image(self, image_id: str) -> None:
        """Delete an image; one already gone is no error. `Conflict` while the cloud uses it."""
