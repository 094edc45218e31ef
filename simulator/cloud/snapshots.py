"""Images made of servers: Nova's createImage on virtual time, and the template that they are for.

The image is queued at once, saving for a while, then active; meanwhile the server has a task state
and can be copied by nobody else. A server that ends while it is copied takes its image along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from models.errors import Conflict
from models.images import FINISHED_METADATA, FINISHED_TEXT
from simulator.cloud.options import SnapshotFailure
from simulator.cloud.servers import CloudServer, Image, Wanted

if TYPE_CHECKING:
    from simulator.cloud.state import SimulatedCloud

STEPS = (
    (0.1, "image_snapshot", "queued"),
    (0.3, "image_pending_upload", "queued"),
    (0.4, "image_uploading", "saving"),
)
"""At which part of the making each task state of the server, and status of the image, begins."""

FLAVOR = "eo1.xsmall"
"""What templates are made in."""


class Snapshots:
    """Makes images of the servers of one cloud, and keeps their consoles."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud
        self._failures: deque[SnapshotFailure] = deque()

    @property
    def is_making(self) -> bool:
        """Whether an image is on its way."""
        return any(image.status in {"queued", "saving"} for image in self._cloud.images.values())

    def fail(self, how: SnapshotFailure, times: int = 1) -> None:
        """Let the next `times` images fail so."""
        with self._cloud.lock:
            self._failures.extend([how] * times)

    def fail_no_more(self) -> None:
        """Forget the failures that were ordered."""
        with self._cloud.lock:
            self._failures.clear()

    def make(self, server_id: str, name: str, metadata: Mapping[str, str]) -> Image:
        """Accept an image of a server. Raises `NotFound` and `Conflict` with Nova's texts."""
        cloud = self._cloud
        with cloud.lock:
            server = cloud.server(server_id)
            for what, state, good in (
                ("task_state", server.task_state, {None}),
                ("vm_state", server.vm_state, {"active", "stopped"}),
            ):
                if state not in good:
                    raise Conflict(
                        f"Cannot 'createImage' instance {server_id} while it is in {what} {state}"
                    )
            image = Image(
                id=cloud.new_id(),
                name=name,
                created_at=cloud.timeline.now(),
                status="queued",
                made_of=server_id,
                min_disk=server.flavor.disk_gb,
                metadata={**self._inherited(server), **metadata},
            )
            cloud.put_image(image)
            self._begin(server, image.id)
            return image

    def _inherited(self, server: CloudServer) -> Mapping[str, str]:
        """Nova keeps what the image of a server said and hands it on to the images made of it."""
        base = self._cloud.images.get(server.wanted.image_id)
        return base.metadata if base is not None else {}

    def console(self, server_id: str) -> str:
        """What a server has written. Raises `NotFound` and `Conflict` with Nova's texts."""
        with self._cloud.lock:
            server = self._cloud.server(server_id)
            if server.in_cell0:
                raise Conflict(f"Instance {server_id} is not ready")
            return server.console

    def write(self, server_id: str, text: str) -> None:
        """Let a server write a line on its console."""
        with self._cloud.lock:
            self._cloud.server(server_id).console += f"{text}\n"

    def add_template(self, name: str, setup: timedelta | None) -> CloudServer:
        """A server that is set up `setup` after it is ACTIVE; None: its set-up never ends."""
        cloud = self._cloud
        with cloud.lock:
            server = cloud.create(
                Wanted(
                    name=name,
                    flavor_id=cloud.flavor_id(FLAVOR),
                    image_id=next(iter(cloud.images)),
                    networks=tuple(cloud.networks)[:1],
                )
            )
            if setup is not None:
                up = cloud.options.boot_time * (1 + cloud.options.boot_spread)
                cloud.later(server, up + setup, lambda it: self.write(it.id, FINISHED_TEXT))
            return server

    def say_finished(self, server_id: str) -> None:
        """A person says of a template that its set-up has finished."""
        with self._cloud.lock:
            server = self._cloud.server(server_id)
            metadata = {**server.wanted.metadata, FINISHED_METADATA: "true"}
            server.wanted = replace(server.wanted, metadata=metadata)
            self._cloud.change(server, task_state=server.task_state)

    # ---- the life of an image --------------------------------------------------------------------

    def _begin(self, server: CloudServer, image_id: str) -> None:
        cloud, takes = self._cloud, self._cloud.options.image_time
        cloud.change(server, task_state="image_snapshot_pending")
        failure = self._failures.popleft() if self._failures else None
        if failure is SnapshotFailure.STUCK:
            return
        for part, task_state, status in STEPS:
            self._at(takes * part, server, image_id, (task_state, status))
        ends = {SnapshotFailure.GIVEN_UP: "", SnapshotFailure.KILLED: "killed"}
        end = "active" if failure is None else ends[failure]
        self._at(takes, server, image_id, (None, end))

    def _at(
        self, delay: timedelta, server: CloudServer, image_id: str, step: tuple[str | None, str]
    ) -> None:
        def happen() -> None:
            with self._cloud.lock:
                self._step(server, image_id, *step)

        self._cloud.timeline.after(delay, happen)

    def _step(
        self, server: CloudServer, image_id: str, task_state: str | None, status: str
    ) -> None:
        cloud = self._cloud
        image = cloud.images.get(image_id)
        if server.is_deleted or image is None or not status:
            # Whoever uploads finds that one of the two is gone and removes what is left of it.
            cloud.remove_image(image_id)
            task_state = None
        elif image.status != status:
            cloud.put_image(replace(image, status=status))
        if not (server.is_deleted or server.doomed):
            cloud.change(server, task_state=task_state)
