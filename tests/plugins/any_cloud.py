"""A cloud that may be a real one: what every cloud can be asked for, and no lever behind it.

Without `CONTRACT_OS_CLOUD` there are the two faces of the simulated cloud. With it, an entry of
clouds.yaml, there is a third, that cloud itself, with the settings that a controller would have
there (`HRSI_OPENSTACK_PROJECT`, `_IMAGE`, `_NETWORKS`, `_SECURITY_GROUPS`). What a test makes there
has names and a deployment id of its own; nothing else is touched, and all of it is deleted
afterwards.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

import pytest

from controller.clock import SystemClock
from controller.config import Config, load
from infra.openstack import CloudCalls, OpenStackCloud, open_access
from infra.retry import ONCE
from models.errors import ConfigurationError
from models.fleet import DEPLOYMENT_METADATA, FLAVOR_METADATA, INTENT_METADATA
from models.job_types import DEFAULT_REGISTRY
from models.ports import Clock, Cloud, ServerOrder
from models.world import Image, Server
from simulator.cloud.options import CloudOptions
from simulator.faults import Fault
from tests.plugins.cloud import CloudInTest, in_memory, over_http

LIVE = os.environ.get("CONTRACT_OS_CLOUD", "")
FACES = (
    "memory",
    "http",
    *([pytest.param("live", marks=pytest.mark.live)] if LIVE else []),
)

LOOKS = 600
"""How often a test looks at most: seconds of virtual time, or a good many minutes of real time."""

CALL = timedelta(seconds=120)
"""The deadline of a call to a real cloud: none may meet it by chance."""

UNHEARD = timedelta(seconds=0.05)
"""A deadline that no create of a real cloud was ever seen to meet."""


class Face(Protocol):
    """How a test reaches one cloud, and lets time pass there."""

    clock: Clock
    flavor: str
    roomier: str
    """A flavor with a larger disk."""

    image: str
    networks: tuple[str, ...]
    security_groups: tuple[str, ...]

    def port(self, page_size: int) -> Cloud:
        """A client that has seen nothing yet."""

    def pause(self) -> None:
        """Let a second pass, or as long as it takes until looking again makes sense."""

    def unheard(self) -> AbstractContextManager[Cloud]:
        """A client whose next create is done, and whose answer does not arrive."""


@dataclass(kw_only=True)
class AnyCloud:
    """A cloud, and the things of one test in it."""

    face: Face
    port: Cloud
    deployment: str = field(default_factory=lambda: f"contract-{uuid4().hex[:8]}")

    def order(self, **changes: Any) -> ServerOrder:
        """An order that this cloud accepts, of this test alone."""
        face = self.face
        usual: dict[str, Any] = {
            "name": f"hrsi-{self.deployment}-{uuid4().hex[:6]}",
            "flavor": face.flavor,
            "image": face.image,
            "networks": face.networks,
            "security_groups": face.security_groups,
            "key_name": None,
            "metadata": {
                DEPLOYMENT_METADATA: self.deployment,
                FLAVOR_METADATA: face.flavor,
                INTENT_METADATA: str(uuid4()),
            },
        }
        return ServerOrder(**{**usual, **changes})

    def mine(self) -> dict[str, Server]:
        """What is listed of this test, by id."""
        servers = self.port.snapshot().servers
        return {s.id: s for s in servers if s.metadata.get(DEPLOYMENT_METADATA) == self.deployment}

    def listed(self, server_id: str) -> Server:
        """A server as the list shows it now."""
        return self.mine()[server_id]

    def until(self, what: Callable[[], bool]) -> None:
        """Let time pass until something is so. Fails when it never is."""
        for _ in range(LOOKS):
            if what():
                return
            self.face.pause()
        pytest.fail("it never came to that")

    def until_active(self, server_id: str) -> Server:
        """Wait for the end of a boot."""
        self.until(lambda: self.listed(server_id).status not in {"BUILD", "UNKNOWN"})
        return self.listed(server_id)

    def images(self) -> dict[str, Image]:
        """The images of this test, by id, in any status."""
        listed = self.port.worker_images().images
        return {i.id: i for i in listed if i.metadata.get(DEPLOYMENT_METADATA) == self.deployment}

    def clean(self) -> None:
        """Delete what is there of this test, and wait for its end."""
        for server_id in self.mine():
            self.port.delete(server_id)
        self.until(lambda: not self.mine())
        for image_id in self.images():
            self.port.delete_image(image_id)
        self.until(lambda: not self.images())


class Simulated:
    """A face of the simulated cloud."""

    def __init__(self, made: CloudInTest) -> None:
        options = made.state.options
        self.clock: Clock = made.state.timeline
        self.flavor, self.roomier = _sizes({flavor.name for flavor in options.flavors})
        self.image = options.images[0]
        self.networks = options.networks
        self.security_groups = options.security_groups
        self.port = made.client
        self._made = made

    def pause(self) -> None:
        """A second of virtual time."""
        self._made.wait(1)

    @contextmanager
    def unheard(self) -> Iterator[Cloud]:
        """By the fault that there is for it."""
        self._made.faults.order("cloud.create", Fault.LOST_REPLY)
        yield self._made.port


class Live:
    """A real cloud, by the settings of whoever runs the tests."""

    def __init__(self, config: Config, environment: Mapping[str, str], opened: ExitStack) -> None:
        cloud = config.openstack
        self.clock: Clock = SystemClock()
        self.image = cloud.image or "os-worker-template"
        self.networks = cloud.networks
        self.security_groups = cloud.security_groups
        self._deadline = CALL
        self._access = open_access({**environment, "OS_CLOUD": LIVE}, lambda *_: None)
        opened.callback(self._access.close)
        port = self.port(1000)
        port.check_project(cloud.project or "")
        self.flavor, self.roomier = _sizes(port.snapshot().flavors)

    def port(self, page_size: int) -> OpenStackCloud:
        """The real adapter."""
        calls = CloudCalls(call_deadline=lambda: self._deadline, retry=ONCE, page_size=page_size)
        return OpenStackCloud(self._access, self.clock, calls)

    def pause(self) -> None:
        """A list costs such a cloud real work: not too often."""
        time.sleep(2)

    @contextmanager
    def unheard(self) -> Iterator[Cloud]:
        """By giving up before any answer can be there; what comes before the create is known."""
        port = self.port(1000)
        port.snapshot()
        port.check_networks(self.networks, self.security_groups)
        self._deadline = UNHEARD
        try:
            yield port
        finally:
            self._deadline = CALL


def _sizes(offered: AbstractSet[str]) -> tuple[str, str]:
    """The smallest flavor that is offered, and the next with a larger disk."""
    known = [f for f in DEFAULT_REGISTRY.flavors.values() if f.name in offered]
    small, *larger = sorted(known, key=lambda f: (f.vcpus, f.memory_mb))
    return small.name, next(f.name for f in larger if f.disk_gb > small.disk_gb)


@pytest.fixture(scope="session")
def live_cloud() -> Iterator[Face]:
    """The real cloud that `CONTRACT_OS_CLOUD` names, in the project that the settings name."""
    config = load(None, os.environ)
    if not config.openstack.project:
        raise ConfigurationError("set HRSI_OPENSTACK_PROJECT to the project that tests may use")
    with ExitStack() as opened:
        yield Live(config, os.environ, opened)


@pytest.fixture(params=FACES)
def any_cloud(request: pytest.FixtureRequest) -> Iterator[AnyCloud]:
    """A cloud that may be a real one; what the test made there is gone afterwards."""
    with ExitStack() as opened:
        face: Face
        match request.param:
            case "memory":
                face = Simulated(in_memory(CloudOptions()))
            case "http":
                face = Simulated(opened.enter_context(over_http(CloudOptions())))
            case _:
                face = request.getfixturevalue("live_cloud")
        cloud = AnyCloud(face=face, port=face.port(1000))
        opened.callback(cloud.clean)
        yield cloud
