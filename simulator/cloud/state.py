"""The simulated cloud: what it has, who may still create what, and the life of its servers.

Both faces, the port in memory and the HTTP services, are thin above this. Refusals are raised as
`models.errors` with Nova's own texts. Every change bumps `version`.

Threads: every method takes `lock`, and so do the events that it puts on the timeline. A timeline
shared with other systems must be advanced under a lock that all of them share: hand it in.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

from models.errors import Malformed, NotFound, QuotaExceeded
from models.job_types import Flavor
from models.world import Quota
from simulator.cloud.admission import (
    check_image,
    check_key,
    check_network,
    check_quota,
    check_sizes,
    recheck_quota,
)
from simulator.cloud.options import NO_VALID_HOST, SAID_OF, SLOWER, BootFailure, CloudOptions
from simulator.cloud.ordered import Ordered
from simulator.cloud.servers import CloudServer, Image, Wanted
from simulator.cloud.snapshots import Snapshots
from simulator.ids import named_id
from simulator.timeline import Timeline

BOOT_STEPS = ((0.05, None), (0.1, "networking"), (0.25, "spawning"))
"""The task states of a boot and at which part of it each begins."""

SCHEDULED = 0.04
"""At which part of a boot, at the latest, a host is looked for."""

Listener = Callable[[CloudServer], None]


class SimulatedCloud:
    """One project of an OpenStack cloud on virtual time.

    `on_active` is told of each server whose machine has started, `on_gone` of each that has ended,
    also of those that never started; both with the lock held.
    """

    def __init__(
        self,
        timeline: Timeline,
        options: CloudOptions | None = None,
        lock: threading.RLock | None = None,
    ) -> None:
        self.timeline = timeline
        self.options = options or CloudOptions()
        self.lock = lock or threading.RLock()
        self.version = 0
        self.on_active: list[Listener] = []
        self.on_gone: list[Listener] = []
        self.created = 0
        self.deleted = 0
        self._chance = Random(self.options.seed)
        self._servers: dict[str, CloudServer] = {}
        self.ordered = Ordered()
        self.flavors = {named_id("flavor", f.name): f for f in self.options.flavors}
        self.networks = {named_id("network", name): name for name in self.options.networks}
        self.security_groups = {
            named_id("group", name): name for name in self.options.security_groups
        }
        self.images: dict[str, Image] = {}
        self.images_changed_at = timeline.now()
        self.snapshots = Snapshots(self)
        for name in self.options.images:
            self.add_image(name)

    # ---- what there is ---------------------------------------------------------------------------

    def servers(self) -> list[CloudServer]:
        """Every server that a list shows, newest first."""
        with self.lock:
            return [s for s in reversed(self._servers.values()) if not s.is_deleted]

    def server(self, server_id: str) -> CloudServer:
        """One server by id, DELETED ones included. Raises `NotFound` with Nova's text."""
        with self.lock:
            try:
                return self._servers[server_id]
            except KeyError:
                raise NotFound(f"Instance {server_id} could not be found.") from None

    def quota(self) -> Quota:
        """What the project may use and uses, whoever made the servers, ERROR ones included.

        As in Nova a server is not counted before a host was looked for.
        """
        with self.lock:
            counted = [server for server in self.servers() if server.counted]
            return Quota(
                max_servers=self.options.max_servers,
                used_servers=len(counted),
                max_vcpus=self.options.max_vcpus,
                used_vcpus=sum(s.flavor.vcpus for s in counted),
                max_memory_mb=self.options.max_memory_mb,
                used_memory_mb=sum(s.flavor.memory_mb for s in counted),
            )

    def flavor_id(self, name: str) -> str:
        """The id of a flavor by name. Raises `Malformed` with Nova's text."""
        with self.lock:
            for flavor_id, flavor in self.flavors.items():
                if flavor.name == name:
                    return flavor_id
        raise Malformed(f"Flavor {name} could not be found.")

    def image_id(self, name: str) -> str:
        """The id of the newest active image of a name. Raises `Malformed` with Nova's text."""
        with self.lock:
            for image in reversed(self.images.values()):
                if image.name == name and image.status == "active":
                    return image.id
        raise Malformed("Can not find requested image")

    def network_id(self, name: str) -> str:
        """The id of a network by name. Raises `Malformed` with Nova's text."""
        for network_id, known in self.networks.items():
            if known == name:
                return network_id
        raise Malformed(f"Network {name} could not be found.")

    # ---- what may be asked -----------------------------------------------------------------------

    def create(self, wanted: Wanted) -> CloudServer:
        """Accept a server, which then boots or fails by itself.

        Raises `Malformed`, `Conflict` or `QuotaExceeded` with Nova's texts, or what was ordered;
        nothing was made then.
        """
        with self.lock:
            refusal = self.ordered.refusal()
            if refusal is not None:
                raise refusal
            flavor = self._checked(wanted)
            now = self.timeline.now()
            self.created += 1
            server = CloudServer(
                id=self.new_id(),
                wanted=wanted,
                flavor=flavor,
                created_at=now,
                updated_at=now,
                number=self.created,
            )
            self._servers[server.id] = server
            self.version += 1
            self._boot(server)
            return server

    def delete(self, server_id: str, *, by_others: bool = False) -> None:
        """Accept the end of a server; asking again while it ends changes nothing.

        `by_others`: somebody else of the project asks. Raises `NotFound` with Nova's text for one
        that is not there or has ended.
        """
        with self.lock:
            server = self.server(server_id)
            if server.is_deleted:
                raise NotFound(f"Instance {server_id} could not be found.")
            if server.doomed:
                return
            server.doomed, server.taken_by_others = True, by_others
            if server.in_cell0 or server.over_quota or server.task_state == "scheduling":
                self._forget(server)  # it never reached a host
            else:
                self.change(server, task_state="deleting")
                if not server.boot_pending:
                    self._end_later(server)

    # ---- what people and tests do to it ----------------------------------------------------------

    def add_image(self, name: str, status: str = "active") -> Image:
        """One more image, even of a name that there is."""
        with self.lock:
            image = Image(
                id=self.new_id(), name=name, created_at=self.timeline.now(), status=status
            )
            self.put_image(image)
            return image

    def put_image(self, image: Image) -> None:
        """Let an image be as this says."""
        with self.lock:
            self.images[image.id] = image
            self._images_changed()

    def remove_image(self, image_id: str) -> None:
        """Delete an image; servers made from it live on."""
        with self.lock:
            self.images.pop(image_id, None)
            self._images_changed()

    def _images_changed(self) -> None:
        self.images_changed_at = self.timeline.now()
        self.version += 1

    def set_quota(self, *, max_servers: int | None, max_vcpus: int | None) -> None:
        """Let the project be granted more or less from now on; None: all it wants."""
        with self.lock:
            self.options = replace(self.options, max_servers=max_servers, max_vcpus=max_vcpus)
            self.version += 1

    def break_server(self, server_id: str, message: str) -> None:
        """Put a server into ERROR with a fault, as when its host fails."""
        with self.lock:
            server = self.server(server_id)
            server.turn += 1
            server.boot_pending = server.doomed = False
            self._fail(server, message)

    def vanish(self, server_id: str) -> None:
        """End a server at once without anybody having asked for it here."""
        with self.lock:
            self._forget(self.server(server_id))

    def lose_cell(self, server_ids: Iterable[str]) -> None:
        """Let the cell of these servers be down: lists show stubs of them, status UNKNOWN."""
        self._set_cell(server_ids, down=True)

    def restore_cell(self, server_ids: Iterable[str]) -> None:
        """Let the cell of these servers be up again."""
        self._set_cell(server_ids, down=False)

    # ---- the life of a server --------------------------------------------------------------------

    def _boot(self, server: CloudServer) -> None:
        failure = self._failure_of(server)
        if failure is BootFailure.NO_VALID_HOST:
            self.later(server, self.options.error_time, self._find_no_host)
            return
        spread = 1 + self.options.boot_spread * self._chance.random()
        if failure is BootFailure.SLOW:
            spread, failure = spread * SLOWER, None
        boot = self.options.boot_time * spread
        self.later(server, min(boot * SCHEDULED, self.options.error_time), self._schedule)
        for part, task_state in BOOT_STEPS:
            self.later(server, boot * part, partial(self._step, task_state=task_state))
        if failure is not None and failure in SAID_OF:
            self.later(server, boot, partial(self._fail_to_boot, message=SAID_OF[failure]))
        elif failure is None:
            self.later(server, boot, self._start)
        else:
            self.later(server, boot, self._get_stuck)

    def _failure_of(self, server: CloudServer) -> BootFailure | None:
        largest = self.options.largest_host_vcpus
        if largest is not None and server.flavor.vcpus > largest:
            return BootFailure.NO_VALID_HOST
        return self.ordered.boot_failure(server.flavor.name)

    def _schedule(self, server: CloudServer) -> None:
        """Servers that were asked for together are only now seen to be too many together."""
        try:
            recheck_quota(server.flavor, self.quota())
        except QuotaExceeded as error:
            server.turn += 1
            server.boot_pending = False
            server.over_quota = True
            self._fail(server, str(error))
        server.counted = True
        server.shown = None
        self.version += 1

    def _step(self, server: CloudServer, task_state: str | None) -> None:
        # A delete that came meanwhile keeps its task state until the spawn ends.
        if not server.doomed:
            self.change(server, task_state=task_state)

    def _find_no_host(self, server: CloudServer) -> None:
        server.in_cell0 = server.counted = True
        server.boot_pending = False
        self._fail(server, NO_VALID_HOST, "building")

    def _fail_to_boot(self, server: CloudServer, message: str) -> None:
        server.boot_pending = False
        server.turn += 1  # whatever was planned of this boot is void
        self._fail(server, message.format(server.id))
        if server.doomed:
            self._end_later(server)

    def _get_stuck(self, server: CloudServer) -> None:
        server.boot_pending = False
        if server.doomed:
            self._end_later(server)

    def _start(self, server: CloudServer) -> None:
        server.boot_pending = False
        server.launched_at = self.timeline.now()
        number = server.number % 65_024
        server.address = f"10.77.{number // 254}.{number % 254 + 1}"
        server.network = self._network_of(server)
        self.change(server, status="ACTIVE", task_state=None, vm_state="active")
        if server.doomed:
            # Nova shows it ACTIVE for a moment although its end has been asked for.
            self._end_later(server)
            return
        for listener in self.on_active:
            listener(server)

    def _end_later(self, server: CloudServer) -> None:
        self.later(server, self.options.delete_time + self.ordered.delay(), self._end)

    def _end(self, server: CloudServer) -> None:
        if self.ordered.delete_fails():
            server.doomed = False
            self._fail(server, "Failed to terminate the instance on its host")
            return
        self.change(server, status="DELETED", task_state=None, vm_state="deleted")
        self._tell_gone(server)
        self.later(server, self.options.deleted_shown, self._drop)

    def _forget(self, server: CloudServer) -> None:
        server.turn += 1
        if not server.is_deleted:
            self.change(server, status="DELETED", task_state=None, vm_state="deleted")
            self._tell_gone(server)
        self._drop(server)

    def _drop(self, server: CloudServer) -> None:
        self._servers.pop(server.id, None)
        self.version += 1

    def _tell_gone(self, server: CloudServer) -> None:
        self.deleted += 1
        for listener in self.on_gone:
            listener(server)

    def _fail(self, server: CloudServer, message: str, vm_state: str = "error") -> None:
        server.fault, server.fault_at = message, self.timeline.now()
        self.change(server, status="ERROR", task_state=None, vm_state=vm_state)

    def change(
        self, server: CloudServer, *, task_state: str | None, status: str = "", vm_state: str = ""
    ) -> None:
        """Let a server be in another state; what is not named stays as it is."""
        server.task_state = task_state
        server.status = status or server.status
        server.vm_state = vm_state or server.vm_state
        server.updated_at = self.timeline.now()
        server.shown = None
        self.version += 1

    def later(
        self, server: CloudServer, delay: timedelta, event: Callable[[CloudServer], None]
    ) -> None:
        """Let something happen to a server, unless its future changes before."""
        turn = server.turn

        def happen() -> None:
            with self.lock:
                if server.turn == turn:
                    event(server)

        self.timeline.after(delay, happen)

    # ---- checks and names ------------------------------------------------------------------------

    def _checked(self, wanted: Wanted) -> Flavor:
        check_sizes(wanted)
        if wanted.flavor_id not in self.flavors:
            raise Malformed(f"Flavor {wanted.flavor_id} could not be found.")
        flavor = self.flavors[wanted.flavor_id]
        check_image(wanted, flavor, self.images)
        check_network(wanted, self.networks, self.security_groups)
        check_key(wanted, self.options.key_names)
        check_quota(flavor, self.quota())
        return flavor

    def _network_of(self, server: CloudServer) -> str:
        chosen = server.wanted.networks or tuple(self.networks)[:1]
        return self.networks[chosen[0]] if chosen else ""

    def _set_cell(self, server_ids: Iterable[str], *, down: bool) -> None:
        with self.lock:
            for server_id in server_ids:
                server = self.server(server_id)
                server.cell_down = down
                server.shown = None
                self.version += 1

    def new_id(self) -> str:
        """An id nobody has had."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
