"""A cloud to test against: the port in memory, or the real adapter over HTTP, on one state."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import pytest

from infra.retry import ONCE
from models.ports import Cloud, ServerOrder
from simulator.cloud.memory import MemoryCloud
from simulator.cloud.options import CloudOptions
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Faults
from simulator.timeline import Timeline

PATIENCE = timedelta(seconds=20)
"""The deadline of calls in tests: no slow machine may meet it by chance."""


@dataclass(kw_only=True)
class CloudInTest:
    """One face of a simulated cloud, with the levers behind it.

    `client` makes one more client, that reads so many servers a page and has seen nothing yet.
    """

    port: Cloud
    client: Callable[[int], Cloud]
    state: SimulatedCloud
    faults: Faults
    deadline: timedelta = PATIENCE
    requests: list[tuple[str, str]] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self.state.lock:
            self.state.timeline.advance(timedelta(seconds=seconds))

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Let calls give up soon, for those that nobody answers."""
        self.deadline = timedelta(seconds=0.3)
        try:
            yield
        finally:
            self.deadline = PATIENCE


MakeCloud: TypeAlias = Callable[[CloudOptions], CloudInTest]


def an_order(
    name: str = "os-worker-001",
    flavor: str = "hm.medium",
    image: str = "os-worker-template",
    networks: tuple[str, ...] = ("farm-net",),
    security_groups: tuple[str, ...] = ("default",),
    user_data: str | None = None,
) -> ServerOrder:
    """An order that the default cloud accepts."""
    return ServerOrder(
        name=name,
        flavor=flavor,
        image=image,
        networks=networks,
        security_groups=security_groups,
        key_name=None,
        metadata={"hrsi_deployment": "test", "hrsi_intent": f"intent of {name}"},
        user_data=user_data,
    )


def in_memory(options: CloudOptions) -> CloudInTest:
    """The port in memory."""
    state, faults = SimulatedCloud(Timeline(), options), Faults()
    return CloudInTest(
        port=MemoryCloud(state, faults),
        client=lambda _: MemoryCloud(state, faults),
        state=state,
        faults=faults,
    )


@contextmanager
def over_http(options: CloudOptions) -> Iterator[CloudInTest]:
    """The real adapter, speaking HTTP to the same state; reads are not asked again."""
    # Here and not above: every test run loads this module, and the SDK takes half a second.
    from infra.openstack import CloudCalls, OpenStackCloud, open_access
    from simulator.cloud.http.serve import serve_cloud

    state, faults = SimulatedCloud(Timeline(), options), Faults()
    requests: list[tuple[str, str]] = []
    with serve_cloud(state, faults) as running:
        access = open_access(
            running.auth_environment(), lambda what, how, _: requests.append((what, how))
        )

        def client(page_size: int) -> OpenStackCloud:
            calls = CloudCalls(call_deadline=lambda: made.deadline, retry=ONCE, page_size=page_size)
            return OpenStackCloud(access, state.timeline, calls)

        made = CloudInTest(
            port=client(1000), client=client, state=state, faults=faults, requests=requests
        )
        try:
            yield made
        finally:
            access.close()


@pytest.fixture(params=["memory", "http"])
def make_cloud(request: pytest.FixtureRequest) -> Iterator[MakeCloud]:
    """Makes clouds of one face; those that serve HTTP end with the test."""
    with ExitStack() as running:

        def make(options: CloudOptions) -> CloudInTest:
            if request.param == "memory":
                return in_memory(options)
            return running.enter_context(over_http(options))

        yield make


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> CloudInTest:
    """A cloud with default options, through one of its faces."""
    return make_cloud(CloudOptions())
