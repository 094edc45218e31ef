"""The simulated services answer openstacksdk itself, and raw requests, as the real ones do."""

import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import openstack
import pytest
import requests
from openstack import exceptions as sdk
from openstack.connection import Connection

from simulator.cloud.http.identity import Account
from simulator.cloud.http.serve import RunningCloud, serve_cloud
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.cloud.servers import Wanted
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Faults
from simulator.timeline import Timeline

# The SDK warns of its own future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*:ImportWarning")


@pytest.fixture(name="state")
def _state() -> SimulatedCloud:
    return SimulatedCloud(Timeline(), CloudOptions(max_servers=3))


@pytest.fixture(name="running")
def _running(state: SimulatedCloud) -> Iterator[RunningCloud]:
    with serve_cloud(state, Faults()) as running:
        yield running


@pytest.fixture(name="sdk_client")
def _sdk_client(running: RunningCloud) -> Iterator[Connection]:
    account = running.account
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connection = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_url=running.auth_url,
            username=account.user,
            password=account.password,
            project_name=account.project,
            user_domain_name=account.domain,
            project_domain_name=account.domain,
            region_name=account.region,
        )
        yield connection
        connection.close()
        connection.session.session.close()


def wait(state: SimulatedCloud, seconds: float) -> None:
    with state.lock:
        state.timeline.advance(timedelta(seconds=seconds))


def test_the_sdk_finds_creates_lists_and_deletes(
    sdk_client: Connection, state: SimulatedCloud
) -> None:
    compute = sdk_client.compute
    flavor = compute.find_flavor("hm.large")
    image = sdk_client.image.find_image("os-worker-template")
    network = sdk_client.network.find_network("farm-net")
    assert flavor is not None
    assert image is not None
    assert network is not None
    made = compute.create_server(
        name="os-worker-001",
        flavor_id=flavor.id,
        image_id=image.id,
        networks=[{"uuid": network.id}],
        metadata={"farm": "demo"},
        tags=["farm:demo"],
    )
    assert made.status is None, "the answer to a create has no status"
    wait(state, 100)
    (server,) = compute.servers(details=True, tags="farm:demo")
    assert (server.status, server.vm_state, server.flavor.name) == ("ACTIVE", "active", "hm.large")
    assert server.addresses["farm-net"][0]["addr"] == "10.77.0.2"
    assert server.created_at == "2026-01-01T00:00:00Z"
    assert server.launched_at == "2026-01-01T00:01:00.000000"
    assert compute.get_limits().absolute.total_cores_used == 4
    compute.delete_server(server)
    assert compute.get_server(server.id).task_state == "deleting"
    wait(state, 3.1)
    assert compute.get_server(server.id).status == "DELETED"
    wait(state, 1)
    with pytest.raises(sdk.NotFoundException):
        compute.get_server(server.id)


def test_the_sdk_pages_by_itself(sdk_client: Connection, state: SimulatedCloud) -> None:
    made = [state.create(wanted(state)).id for _ in range(3)]
    listed = [server.id for server in sdk_client.compute.servers(details=True, limit=2)]
    assert listed == made[::-1], "newest first"


def wanted(state: SimulatedCloud, name: str = "os-worker-001") -> Wanted:
    return Wanted(
        name=name,
        flavor_id=state.flavor_id("hm.medium"),
        image_id=state.image_id("os-worker-template"),
        tags=("farm:demo",),
    )


def test_the_sdk_raises_the_classes_that_it_raises_on_a_real_cloud(
    sdk_client: Connection, state: SimulatedCloud
) -> None:
    compute = sdk_client.compute
    image = state.image_id("os-worker-template")
    with pytest.raises(sdk.BadRequestException) as unknown_flavor:
        compute.create_server(name="w", flavor_id="nope", image_id=image, networks="auto")
    assert unknown_flavor.value.details == "Flavor nope could not be found."
    for _ in range(3):
        state.create(wanted(state))
    wait(state, 1)
    flavor = state.flavor_id("hm.medium")
    with pytest.raises(sdk.ForbiddenException) as quota:
        compute.create_server(name="w", flavor_id=flavor, image_id=image, networks="auto")
    assert quota.value.details == (
        "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"
    )


class Raw:
    """Plain requests to Nova, with a token."""

    def __init__(self, running: RunningCloud, session: requests.Session) -> None:
        self._session = session
        self._root = f"{running.url}/compute/v2.1"
        account = running.account
        domain = {"name": account.domain}
        user: dict[str, Any] = {
            "name": account.user,
            "password": account.password,
            "domain": domain,
        }
        answer = session.post(
            f"{running.auth_url}/auth/tokens",
            json={
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": account.project, "domain": domain}},
                }
            },
        )
        assert answer.status_code == 201
        self.token = answer.headers["X-Subject-Token"]

    def get(self, path: str, microversion: str = "2.75") -> requests.Response:
        headers = {
            "X-Auth-Token": self.token,
            "OpenStack-API-Version": f"compute {microversion}",
        }
        return self._session.get(self._root + path, headers=headers)

    def names(self, query: str, microversion: str = "2.75") -> list[str]:
        answer = self.get(f"/servers/detail?{query}", microversion)
        assert answer.status_code == 200, answer.text
        return sorted(server["name"] for server in answer.json()["servers"])


@pytest.fixture(name="raw")
def _raw(running: RunningCloud) -> Iterator[Raw]:
    with requests.Session() as session:
        yield Raw(running, session)


@pytest.mark.parametrize(
    ("query", "microversion", "names"),
    [
        pytest.param("name=^os-worker-001$", "2.75", ["os-worker-001"], id="anchored"),
        pytest.param(
            "name=os-worker-001", "2.75", ["Z-OS-worker-0011", "os-worker-001"], id="search"
        ),
        pytest.param("name=^os-worker-00(1|2)$", "2.75", [], id="the-pipe-is-escaped"),
        pytest.param(
            "name=^os-worker-00[12]$", "2.75", ["os-worker-001", "os-worker-002"], id="class"
        ),
        pytest.param("tags=farm:demo,more", "2.75", [], id="all-tags"),
        pytest.param("status=ERROR", "2.75", ["os-worker-002"], id="status"),
        pytest.param("deleted=True&host=x", "2.75", "all", id="ignored-for-members"),
        pytest.param("nonsense=1", "2.74", "all", id="unknown-filter-lists-all"),
    ],
)
def test_filters_select_as_novas_do(
    raw: Raw, state: SimulatedCloud, query: str, microversion: str, names: list[str] | str
) -> None:
    state.create(wanted(state))
    state.ordered.fail_boots(BootFailure.NO_VALID_HOST)
    state.create(wanted(state, "os-worker-002"))
    state.create(wanted(state, "Z-OS-worker-0011"))
    wait(state, 1)
    everything = ["Z-OS-worker-0011", "os-worker-001", "os-worker-002"]
    assert raw.names(query, microversion) == (everything if names == "all" else names)


@pytest.mark.parametrize(
    ("path", "microversion", "status", "words"),
    [
        pytest.param("/servers/detail?nonsense=1", "2.75", 400, "nonsense", id="unknown-filter"),
        pytest.param("/servers/detail?name=(", "2.75", 400, "regex", id="bad-regex"),
        pytest.param("/servers/detail?status=ODD", "2.75", 400, "status", id="bad-status"),
        pytest.param("/servers/detail?limit=-1", "2.75", 400, "limit", id="bad-limit"),
        pytest.param("/servers/detail?marker=x", "2.75", 400, r"marker \[x\]", id="bad-marker"),
        pytest.param("/servers/detail", "2.999", 406, "maximum is 2.93", id="microversion"),
        pytest.param("/servers/x", "2.75", 404, "Instance x could not be", id="no-such-server"),
    ],
)
def test_requests_that_make_no_sense_are_refused_in_novas_shape(
    raw: Raw, path: str, microversion: str, status: int, words: str
) -> None:
    answer = raw.get(path, microversion)
    assert answer.status_code == status
    (body,) = answer.json().values()
    assert body["code"] == status
    assert re.search(words, body["message"])


def test_a_server_without_a_host_shows_its_fault_by_id_and_not_in_the_list(
    raw: Raw, state: SimulatedCloud
) -> None:
    state.ordered.fail_boots(BootFailure.NO_VALID_HOST)
    server_id = state.create(wanted(state)).id
    wait(state, 1)
    (listed,) = raw.get("/servers/detail").json()["servers"]
    shown = raw.get(f"/servers/{server_id}").json()["server"]
    assert (listed["status"], "fault" in listed) == ("ERROR", False)
    assert shown["fault"] == {
        "code": 500,
        "message": "No valid host was found. ",
        "created": "2026-01-01T00:00:00Z",
    }


def test_nothing_but_versions_and_keystone_answers_without_a_token(running: RunningCloud) -> None:
    open_paths = ["/identity", "/identity/v3", "/compute", "/compute/v2.1/", "/image", "/network/"]
    closed_paths = [
        "/compute/v2.1/servers/detail",
        "/compute/v2.1/limits",
        "/image/v2/images",
        "/network/v2.0/networks",
    ]
    with requests.Session() as session:
        for path in open_paths:
            assert session.get(running.url + path).status_code in {200, 300}, path
        for path in closed_paths:
            headers = {"X-Auth-Token": "stolen"}
            assert session.get(running.url + path, headers=headers).status_code == 401, path


def test_the_environment_for_clients_holds_what_the_account_says(running: RunningCloud) -> None:
    environment = running.auth_environment()
    account = Account()
    assert environment["OS_AUTH_URL"].startswith(running.url)
    assert (environment["OS_USERNAME"], environment["OS_PASSWORD"]) == (
        account.user,
        account.password,
    )
