"""Machines follow the servers of a cloud: which get one, when, and when it ends."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from models.fleet import DEPLOYMENT_METADATA
from models.job_types import DEFAULT_REGISTRY
from models.ports import ServerOrder
from models.world import CloudSnapshot, Node
from simulator.cloud.memory import MemoryCloud
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Fault, Faults
from simulator.following import Follower, Ours
from simulator.machines import Machines
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.memory import MemoryNomad
from simulator.nomad.tasks import Sleepers
from simulator.timeline import Timeline

DEPLOYMENT = "prod"
BOOT_TIME = 20


class Forgetful(MemoryCloud):
    """A cloud whose lists leave servers out."""

    hidden: frozenset[str] = frozenset()

    def snapshot(self) -> CloudSnapshot:
        """The list without them."""
        seen = super().snapshot()
        shown = tuple(server for server in seen.servers if server.id not in self.hidden)
        return replace(seen, servers=shown)


@dataclass
class Pair:
    """A cloud, a Nomad that follows it, and one clock for both."""

    timeline: Timeline = field(default_factory=Timeline)
    faults: Faults = field(default_factory=Faults)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = CloudOptions(boot_time=timedelta(seconds=60))
        self.cloud = SimulatedCloud(self.timeline, options)
        self.port = Forgetful(self.cloud, self.faults)
        self.nomad = NomadCluster(self.timeline, Sleepers())
        self.follower = self.another_follower()

    def another_follower(self) -> Follower:
        """One that knows nothing of what was followed before."""
        machines = Machines(self.timeline, (self.nomad,), timedelta(seconds=BOOT_TIME))
        ours = Ours(deployment=DEPLOYMENT, prefix="os-worker-", flavors=DEFAULT_REGISTRY.flavors)
        lock = threading.RLock()
        return Follower(self.port, machines, lock, ours, tell=self.told.append)

    def create(
        self,
        name: str = "os-worker-001",
        deployment: str = DEPLOYMENT,
        flavor: str = "hm.medium",
    ) -> str:
        """One more server of the cloud."""
        order = ServerOrder(
            name=name,
            flavor=flavor,
            image="os-worker-template",
            networks=(),
            security_groups=(),
            key_name=None,
            metadata={DEPLOYMENT_METADATA: deployment},
        )
        return self.port.create(order)

    def wait(self, seconds: int) -> None:
        """Let time pass, with a look every five seconds."""
        for _ in range(seconds // 5):
            self.timeline.advance(timedelta(seconds=5))
            self.follower.look()

    def nodes(self) -> dict[str, Node]:
        """The nodes of Nomad by name."""
        nodes = MemoryNomad(self.nomad, deployment=DEPLOYMENT).snapshot().nodes
        return {node.name: node for node in nodes}


def test_a_server_becomes_a_node_once_its_machine_has_booted() -> None:
    pair = Pair()
    server_id = pair.create()
    pair.wait(75)
    assert pair.nodes() == {}, "ACTIVE, and booting"
    pair.wait(15)
    (node,) = pair.nodes().values()
    assert (node.name, node.node_class, node.status) == ("os-worker-001", "hm.medium", "ready")
    identity = MemoryNomad(pair.nomad, deployment=DEPLOYMENT).identify(node.id)
    assert identity.server_id == server_id


def test_the_node_of_a_server_that_is_gone_goes_down() -> None:
    pair = Pair()
    server_id = pair.create()
    pair.wait(120)
    pair.port.delete(server_id)
    pair.wait(60)
    assert pair.nodes()["os-worker-001"].status == "down"
    assert pair.follower.running == frozenset()
    assert "os-worker-001 is gone, its machine with it" in pair.told


def _is_left_out(pair: Pair, server_id: str) -> None:
    pair.port.hidden = frozenset({server_id})


def _lists_fail(pair: Pair, _: str) -> None:
    pair.faults.order("cloud.snapshot", Fault.REFUSED, times=100)


def _is_left_out_and_cannot_be_asked_for(pair: Pair, server_id: str) -> None:
    _is_left_out(pair, server_id)
    pair.faults.order("cloud.exists", Fault.TIMEOUT, times=100)


def _its_cell_is_down(pair: Pair, server_id: str) -> None:
    pair.cloud.lose_cell([server_id])


def _is_in_error(pair: Pair, server_id: str) -> None:
    pair.cloud.break_server(server_id, "the host burned")


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(_is_left_out, id="a-list-that-leaves-it-out"),
        pytest.param(_lists_fail, id="lists-that-fail"),
        pytest.param(_is_left_out_and_cannot_be_asked_for, id="left-out-and-no-answer-by-id"),
        pytest.param(_its_cell_is_down, id="a-cell-that-is-down"),
        pytest.param(_is_in_error, id="an-error"),
    ],
)
def test_a_machine_runs_on_until_its_server_is_proved_gone(
    trouble: Callable[[Pair, str], None],
) -> None:
    pair = Pair()
    server_id = pair.create()
    pair.wait(120)
    trouble(pair, server_id)
    pair.wait(300)
    assert pair.nodes()["os-worker-001"].status == "ready"


def test_a_cloud_that_is_away_is_told_of_once_and_so_is_its_return() -> None:
    pair = Pair()
    pair.faults.order("cloud.snapshot", Fault.REFUSED, times=3)
    pair.wait(60)
    away, back = pair.told
    assert away.startswith("the cloud does not answer")
    assert back == "the cloud answers again"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param({"deployment": "other"}, id="of-another-deployment"),
        pytest.param({"name": "database-001"}, id="named-otherwise"),
    ],
)
def test_the_servers_of_others_get_no_machine(server: dict[str, str]) -> None:
    pair = Pair()
    pair.create(**server)
    pair.wait(120)
    assert (pair.nodes(), pair.told) == ({}, [])


def test_a_flavor_that_nobody_knows_gets_no_machine_and_is_told_of_once() -> None:
    pair = Pair()
    pair.follower = Follower(
        pair.port,
        Machines(pair.timeline, (pair.nomad,), timedelta()),
        threading.RLock(),
        Ours(deployment=DEPLOYMENT, prefix="os-worker-", flavors={}),
        tell=pair.told.append,
    )
    pair.create()
    pair.wait(120)
    assert pair.nodes() == {}
    assert pair.told == ["os-worker-001 has no machine: its flavor hm.medium is unknown"]


@pytest.mark.parametrize(
    "at",
    [pytest.param(at, id=f"{at}-s-after-the-create") for at in (5, 30, 55, 60, 70)],
)
def test_a_server_that_is_deleted_before_its_machine_has_booted_never_is_a_node(at: int) -> None:
    pair = Pair()
    server_id = pair.create()
    pair.wait(at)
    pair.port.delete(server_id)
    pair.wait(200)
    assert pair.nodes() == {}
    assert pair.follower.running == frozenset()


def test_a_server_that_never_is_active_is_no_node() -> None:
    pair = Pair()
    pair.cloud.ordered.fail_boots(BootFailure.SPAWN)
    pair.create()
    pair.wait(200)
    assert pair.nodes() == {}


def test_a_follower_that_starts_anew_finds_the_same_nodes() -> None:
    pair = Pair()
    pair.create()
    pair.wait(120)
    before = pair.nodes()["os-worker-001"].id
    pair.nomad = NomadCluster(pair.timeline, Sleepers(), seed=1)
    pair.follower = pair.another_follower()
    pair.wait(60)
    assert pair.nodes()["os-worker-001"].id == before
