"""Lists of the OpenStack adapter: whole or an error, few requests, on newer and older clouds."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from werkzeug.wrappers import Request, Response

from infra.openstack import CloudCalls, OpenStackCloud, open_access
from infra.retry import ONCE, RetryPolicy
from models.errors import Malformed, Throttled, Unavailable
from models.world import CloudSnapshot
from simulator.cloud.http.identity import Account
from simulator.cloud.http.serve import CloudApplication, RunningCloud
from simulator.cloud.options import BootFailure, CloudOptions
from simulator.cloud.servers import Wanted
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Fault, Faults
from simulator.timeline import Timeline
from tests.plugins.cloud import CloudInTest, over_http

ROOMY = CloudOptions(max_servers=None, max_vcpus=None, max_memory_mb=None)
QUICK = RetryPolicy(first_wait=timedelta(milliseconds=1), max_wait=timedelta(milliseconds=5))


def fill(state: SimulatedCloud, count: int) -> set[str]:
    flavor, image = state.flavor_id("hm.medium"), state.image_id("os-worker-template")
    return {
        state.create(Wanted(name=f"os-worker-{n:03}", flavor_id=flavor, image_id=image)).id
        for n in range(count)
    }


@pytest.fixture(name="serve")
def _serve() -> Iterator[Callable[[CloudOptions], CloudInTest]]:
    with ExitStack() as running:
        yield lambda options: running.enter_context(over_http(options))


Serve = Callable[[CloudOptions], CloudInTest]


def ids(snapshot: CloudSnapshot) -> set[str]:
    return {server.id for server in snapshot.servers}


@pytest.mark.parametrize(
    ("count", "requests"),
    [
        pytest.param(0, 1, id="none"),
        pytest.param(999, 1, id="one-page"),
        pytest.param(1000, 2, id="a-full-page-has-an-empty-next"),
        pytest.param(2345, 3, id="three-pages"),
    ],
)
def test_all_pages_are_read_with_as_few_requests_as_there_are(
    serve: Serve, count: int, requests: int
) -> None:
    cloud = serve(ROOMY)
    made = fill(cloud.state, count)
    cloud.port.snapshot()
    cloud.requests.clear()
    snapshot = cloud.port.snapshot()
    assert ids(snapshot) == made
    assert len(snapshot.servers) == count
    assert cloud.requests == [("snapshot", "200")] * requests, "the rest is kept for a minute"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault.REFUSED, Unavailable, id="refused"),
        pytest.param(Fault.LOST_REPLY, Unavailable, id="lost"),
        pytest.param(Fault.THROTTLED, Throttled, id="throttled"),
        pytest.param(Fault.TIMEOUT, Unavailable, id="timeout"),
    ],
)
def test_a_failed_second_page_is_an_error_and_never_a_shorter_list(
    serve: Serve, fault: Fault, error: type[Exception]
) -> None:
    cloud = serve(replace(ROOMY, page_limit=10))
    made = fill(cloud.state, 25)
    cloud.port.snapshot()
    cloud.faults.order("cloud.snapshot.page", fault)
    with cloud.impatient(), pytest.raises(error):
        cloud.port.snapshot()
    assert ids(cloud.port.snapshot()) == made


@pytest.mark.parametrize("operation", ["cloud.limits", "cloud.flavors", "cloud.images"])
def test_a_snapshot_without_quota_flavors_or_images_is_an_error(
    serve: Serve, operation: str
) -> None:
    cloud = serve(ROOMY)
    cloud.faults.order(operation, Fault.REFUSED)
    with pytest.raises(Unavailable):
        cloud.port.snapshot()
    cloud.port.snapshot()


@pytest.mark.parametrize(
    ("microversion", "asked"),
    [
        pytest.param("2.95", "2.75", id="newer"),
        pytest.param("2.75", "2.75", id="exactly"),
        pytest.param("2.69", "2.69", id="older"),
        pytest.param("2.30", "2.30", id="before-flavors-were-embedded"),
        pytest.param("2.1", "2.1", id="the-oldest"),
    ],
)
def test_flavors_and_faults_are_read_at_every_microversion(
    serve: Serve, microversion: str, asked: str
) -> None:
    cloud = serve(replace(ROOMY, max_microversion=microversion))
    cloud.state.ordered.fail_boots(BootFailure.SPAWN)
    fill(cloud.state, 2)
    cloud.wait(100)
    servers = cloud.port.snapshot().servers
    assert {server.flavor for server in servers} == {"hm.medium"}
    assert [server.fault is not None for server in servers] == [False, True]
    assert isinstance(cloud.port, OpenStackCloud)
    assert cloud.port.microversion == asked


def test_below_2_69_a_down_cell_is_left_out_of_lists_but_never_proved_gone(serve: Serve) -> None:
    cloud = serve(replace(ROOMY, max_microversion="2.68"))
    lost = next(iter(fill(cloud.state, 1)))
    cloud.state.lose_cell([lost])
    assert ids(cloud.port.snapshot()) == set()
    with pytest.raises(Unavailable):
        cloud.port.exists(lost)


def test_version_documents_that_fail_once_are_asked_for_again(serve: Serve) -> None:
    cloud = serve(ROOMY)
    made = fill(cloud.state, 1)
    for _ in range(2):
        cloud.faults.order("cloud.versions", Fault.REFUSED)
        with pytest.raises(Unavailable):
            cloud.port.snapshot()
    assert ids(cloud.port.snapshot()) == made


# ---- what no well-behaved cloud says -------------------------------------------------------------


class Interposed(CloudApplication):
    """The simulated cloud behind something that changes answers."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        super().__init__(cloud, Faults(), Account())
        self.change: Callable[[Request, Response], Response] = lambda _, response: response
        self.seen: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response:
        self.seen[f"{request.method} {request.path}"] += 1
        return self.change(request, super().__call__(request))


class Behind:
    """An adapter before an interposed cloud."""

    def __init__(self, options: CloudOptions = ROOMY, retry: RetryPolicy = ONCE) -> None:
        self.state = SimulatedCloud(Timeline(), options)
        self.between = Interposed(self.state)
        self.running = RunningCloud(self.between, Account(), 0).start()
        access = open_access(self.running.auth_environment(), lambda *_: None)
        calls = CloudCalls(call_deadline=lambda: timedelta(seconds=20), retry=retry)
        self.port = OpenStackCloud(access, self.state.timeline, calls)

    def close(self) -> None:
        self.port.close()
        self.running.stop()


@pytest.fixture(name="behind")
def _behind() -> Iterator[Callable[..., Behind]]:
    with ExitStack() as open_ones:

        def make(options: CloudOptions = ROOMY, retry: RetryPolicy = ONCE) -> Behind:
            made = Behind(options, retry)
            open_ones.callback(made.close)
            return made

        yield make


MakeBehind = Callable[..., Behind]


def test_a_next_link_with_a_foreign_host_is_followed_on_the_right_one(behind: MakeBehind) -> None:
    cloud = behind(replace(ROOMY, page_limit=2))
    made = fill(cloud.state, 5)

    def misname(_: Request, response: Response) -> Response:
        text = response.get_data(as_text=True)
        host = f"http://127.0.0.1:{cloud.running.url.rpartition(':')[2]}/compute/v2.1/servers/d"
        response.set_data(text.replace(host, "http://nova.internal:8774/v2.1/servers/d"))
        return response

    cloud.between.change = misname
    assert ids(cloud.port.snapshot()) == made


def test_a_marker_that_vanished_between_pages_starts_the_list_again(behind: MakeBehind) -> None:
    cloud = behind(replace(ROOMY, page_limit=2), QUICK)
    made = fill(cloud.state, 5)
    gone: list[str] = []

    def vanish_the_marker(request: Request, response: Response) -> Response:
        if request.path.endswith("/servers/detail") and not gone:
            marker = response.get_data(as_text=True).rpartition("marker=")[2].partition('"')[0]
            cloud.state.vanish(marker)
            gone.append(marker)
        return response

    cloud.between.change = vanish_the_marker
    snapshot = cloud.port.snapshot()
    assert gone
    assert ids(snapshot) == made - set(gone)


def test_reads_are_asked_again_within_the_deadline(behind: MakeBehind) -> None:
    cloud = behind(retry=QUICK)
    made = fill(cloud.state, 3)
    failures = [503, 502]

    def fail_twice(request: Request, response: Response) -> Response:
        if request.path.endswith("/servers/detail") and failures:
            return Response("<html>no</html>", failures.pop())
        return response

    cloud.between.change = fail_twice
    assert ids(cloud.port.snapshot()) == made
    assert cloud.between.seen["GET /compute/v2.1/servers/detail"] == 3


def test_a_service_that_stays_away_is_asked_no_more_often_than_the_policy_says(
    behind: MakeBehind,
) -> None:
    cloud = behind(retry=QUICK)
    cloud.between.change = lambda request, response: (
        Response("no", 503) if request.path.endswith("/detail") else response
    )
    with pytest.raises(Unavailable):
        cloud.port.snapshot()
    assert cloud.between.seen["GET /compute/v2.1/servers/detail"] == QUICK.attempts


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"<html>welcome to the hotel</html>", {}, id="a-captive-portal"),
        pytest.param(b'{"servers": null}', {}, id="null"),
        pytest.param(b"{}", {}, id="no-servers"),
        pytest.param(b'{"servers": [{"status": "ACTIVE"}]}', {}, id="a-server-without-id"),
        pytest.param(b'{"servers": [', {}, id="cut-short"),
        pytest.param(
            b'{"servers": []}', {"OpenStack-API-Version": "compute 2.1"}, id="another-microversion"
        ),
        pytest.param(
            b'{"servers": [], "servers_links": [{"rel": "next", "href": "http://x/?limit=1000"}]}',
            {},
            id="a-list-that-goes-round",
        ),
    ],
)
def test_a_list_that_makes_no_sense_is_malformed_and_never_empty(
    behind: MakeBehind, body: bytes, headers: dict[str, str]
) -> None:
    cloud = behind()
    fill(cloud.state, 1)
    cloud.port.snapshot()

    def replace_the_list(request: Request, response: Response) -> Response:
        if request.path.endswith("/servers/detail"):
            response.set_data(body)
            response.headers.update(headers)
        return response

    cloud.between.change = replace_the_list
    with pytest.raises(Malformed):
        cloud.port.snapshot()
