"""The port `Cloud` in memory: the simulated cloud on virtual time, with faults on order.

It fails as the adapter over HTTP does: what that one can see to be wrong is an error here, and what
it cannot (servers of a down cell that an old Nova leaves out) is the same answer here.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from models.errors import NotFound, PortError, Throttled, Unavailable, Unknown
from models.images import IMAGE_PREFIX
from models.ports import Clock, ImageOrder, ServerOrder
from models.world import CloudSnapshot, ImageList, Quota, Server
from simulator.cloud.options import NOVA_FAILED
from simulator.cloud.servers import CloudServer, Image, Wanted
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Crash, Fault, Faults

THROTTLED_FOR = timedelta(seconds=2)
"""When a throttled caller is told to come back; the HTTP face says the same."""

REMEMBERED = 4
"""How many lists ago a stale one may be."""

Answer = TypeVar("Answer")


class MemoryCloud:
    """Implements `models.ports.Cloud`. Operations: `cloud.snapshot`, `.create`, `.delete`,
    `.exists`, `.worker_images`, `.console`, `.make_image`, `.delete_image`; each asks `faults` once
    per call.
    """

    def __init__(
        self, cloud: SimulatedCloud, faults: Faults | None = None, clock: Clock | None = None
    ) -> None:
        self._cloud = cloud
        self._faults = faults or Faults()
        self._clock = clock or cloud.timeline
        self._before: deque[CloudSnapshot] = deque(maxlen=REMEMBERED)
        self._number = 0
        self._lists = 0
        self._listed: tuple[int, tuple[Server, ...]] = (-1, ())
        self._slow: _SlowPart | None = None

    def snapshot(self) -> CloudSnapshot:
        """All servers as they are now; quota, flavors and images up to a minute old."""
        return self._read("cloud.snapshot", self._look, self._look_back)

    def create(self, order: ServerOrder) -> str:
        """Accept a server. See the port for what it raises."""
        cloud = self._cloud

        def effect() -> CloudServer:
            return cloud.create(self._wanted(order))

        late = cloud.options.late_effect
        return self._write("cloud.create", effect, late).id

    def delete(self, server_id: str) -> None:
        """Accept the end of a server; one already gone is no error."""

        def effect() -> None:
            try:
                self._cloud.delete(server_id)
            except NotFound:
                return

        self._write("cloud.delete", effect, timedelta(0))

    def exists(self, server_id: str) -> bool:
        """False for a server that is not there or DELETED."""
        cloud = self._cloud

        def look() -> bool:
            try:
                server = cloud.server(server_id)
            except NotFound:
                return False
            if server.cell_down and not cloud.options.shows_down_cells:
                raise Unavailable(f"cloud.exists: 500 {NOVA_FAILED}")
            return not server.is_deleted

        return self._read("cloud.exists", look)

    def worker_images(self) -> ImageList:
        """The images of workers as they are now."""
        return self._read("cloud.worker_images", self._images)

    def console(self, server_id: str) -> str:
        """What a server has written."""
        return self._read("cloud.console", lambda: self._cloud.snapshots.console(server_id))

    def make_image(self, order: ImageOrder) -> str:
        """Accept an image of a server."""
        cloud = self._cloud

        def effect() -> Image:
            return cloud.snapshots.make(order.server_id, order.name, order.metadata)

        made = self._write("cloud.make_image", effect, cloud.options.late_effect)
        self._slow = None
        return made.id

    def delete_image(self, image_id: str) -> None:
        """Delete an image; one already gone is no error."""
        self._write("cloud.delete_image", lambda: self._cloud.remove_image(image_id), timedelta(0))
        self._slow = None

    def _images(self) -> ImageList:
        cloud = self._cloud
        with cloud.lock:
            self._lists += 1
            return ImageList(
                number=self._lists,
                requested_at=cloud.timeline.now(),
                images=tuple(
                    image.as_listed()
                    for image in reversed(cloud.images.values())
                    if image.name.startswith(IMAGE_PREFIX)
                ),
            )

    def _look(self) -> CloudSnapshot:
        cloud = self._cloud
        with cloud.lock:
            now = self._clock.now()
            if self._listed[0] != cloud.version:
                self._listed = (cloud.version, self._list())
            servers = self._listed[1]
            if self._slow is None or now - self._slow.at >= cloud.options.quota_age:
                self._slow = _SlowPart(cloud, self._images())
            self._number += 1
            snapshot = CloudSnapshot(
                number=self._number,
                requested_at=now,
                servers=servers,
                quota=self._slow.quota,
                quota_servers=self._slow.servers,
                flavors=self._slow.flavors,
                images=self._slow.images,
                worker_images=self._slow.worker_images,
            )
            self._before.append(snapshot)
            return snapshot

    def _look_back(self) -> CloudSnapshot:
        """What was so some lists ago, as of now. A client that asks for the first time has none."""
        if not self._before:
            return self._look()
        self._number += 1
        return replace(self._before[0], number=self._number, requested_at=self._clock.now())

    def _list(self) -> tuple[Server, ...]:
        stubs = self._cloud.options.shows_down_cells
        listed = (s for s in self._cloud.servers() if stubs or not s.cell_down)
        return tuple(server.as_listed() for server in listed)

    def _wanted(self, order: ServerOrder) -> Wanted:
        cloud = self._cloud
        networks = tuple(cloud.network_id(name) for name in order.networks)
        return Wanted(
            name=order.name,
            flavor_id=cloud.flavor_id(order.flavor),
            image_id=order.image if order.image in cloud.images else cloud.image_id(order.image),
            networks=networks or None,
            security_groups=order.security_groups,
            key_name=order.key_name,
            metadata=dict(order.metadata),
            user_data=_encoded(order.user_data),
        )

    def _read(
        self,
        operation: str,
        look: Callable[[], Answer],
        look_back: Callable[[], Answer] | None = None,
    ) -> Answer:
        fault = self._faults.take(operation)
        _fail_before(operation, fault)
        if fault in {Fault.TIMEOUT, Fault.LOST_REPLY}:
            raise Unavailable(f"{operation}: no answer within the deadline")
        if fault is Fault.SERVER_ERROR:
            raise Unavailable(f"{operation}: 500 {NOVA_FAILED}")
        if fault is Fault.CUT_SHORT:
            raise Unavailable(f"{operation}: the list broke off")
        answer = look_back() if fault is Fault.STALE and look_back else look()
        if fault is Fault.CRASH_AFTER:
            raise Crash
        return answer

    def _write(self, operation: str, effect: Callable[[], Answer], late: timedelta) -> Answer:
        fault = self._faults.take(operation)
        _fail_before(operation, fault)
        if fault is Fault.TIMEOUT:
            raise Unknown(f"{operation}: no answer within the deadline")
        if fault is Fault.SERVER_ERROR:
            raise Unknown(f"{operation}: 500 {NOVA_FAILED}")
        if fault is Fault.LOST_REPLY:
            self._do_unheard(effect, late)
            raise Unknown(f"{operation}: the connection ended before the answer")
        answer = effect()
        if fault is Fault.CRASH_AFTER:
            raise Crash
        return answer

    def _do_unheard(self, effect: Callable[[], object], late: timedelta) -> None:
        def happen() -> None:
            try:
                effect()
            except PortError:
                return  # nobody listens to the refusal

        with self._cloud.lock:
            if late:
                self._cloud.timeline.after(late, happen)
            else:
                happen()


class _SlowPart:
    """Quota, flavors and images as they were when they were last read."""

    def __init__(self, cloud: SimulatedCloud, images: ImageList) -> None:
        self.at = images.requested_at
        self.worker_images = images
        self.quota: Quota = cloud.quota()
        self.servers = frozenset(s.id for s in cloud.servers() if s.is_surely_counted)
        self.flavors = frozenset(flavor.name for flavor in cloud.flavors.values())
        self.images = frozenset(
            image.name for image in cloud.images.values() if image.status == "active"
        )


def _encoded(user_data: str | None) -> str | None:
    """User data as it travels: what Nova measures is its base64 form."""
    return None if user_data is None else b64encode(user_data.encode()).decode()


def _fail_before(operation: str, fault: Fault | None) -> None:
    """The faults that keep a call from having any effect and that are told."""
    if fault is Fault.CRASH:
        raise Crash
    if fault is Fault.REFUSED:
        raise Unavailable(f"{operation}: 503 Service Unavailable")
    if fault is Fault.THROTTLED:
        raise Throttled(f"{operation}: 429 Too Many Requests", retry_after=THROTTLED_FOR)
