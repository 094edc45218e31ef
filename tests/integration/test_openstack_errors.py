"""What the OpenStack adapter makes of refusals, silence, wrong settings and texts of others."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from werkzeug.wrappers import Request, Response

from infra.openstack import CloudCalls, OpenStackCloud, open_access
from infra.openstack.transport import OnRequest
from infra.retry import ONCE
from models.errors import (
    ConfigurationError,
    Conflict,
    FailureClass,
    Malformed,
    PortError,
    QuotaExceeded,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)
from models.job_types import DEFAULT_REGISTRY, FLAVORS
from simulator.cloud.http.identity import Account
from simulator.cloud.http.replies import nova_error
from simulator.cloud.http.serve import CloudApplication, RunningCloud
from simulator.cloud.options import CloudOptions
from simulator.cloud.state import SimulatedCloud
from simulator.faults import Fault, Faults
from simulator.http.server import Cut, Hang
from simulator.timeline import Timeline
from tests.plugins.cloud import an_order

GONE = "0d3a1a0e-0000-4000-8000-000000000000"
CREATE, DELETE, SHOW = "POST /servers", "DELETE /servers/", "GET /servers/"


class Interposed(CloudApplication):
    """The simulated cloud, except for the requests that somebody else answers."""

    def __init__(self, cloud: SimulatedCloud, faults: Faults) -> None:
        super().__init__(cloud, faults, Account())
        self.instead: dict[str, Callable[[], Response]] = {}
        self.seen: list[str] = []

    def __call__(self, request: Request) -> Response:
        what = f"{request.method} {request.path.removeprefix('/compute/v2.1')}"
        self.seen.append(what)
        for wanted, answer in self.instead.items():
            if what.startswith(wanted):
                return answer()
        return super().__call__(request)


class Site:
    """A cloud, and adapters with whatever settings a test gives them."""

    def __init__(self, options: CloudOptions) -> None:
        self.state = SimulatedCloud(Timeline(), options)
        self.faults = Faults()
        self.application = Interposed(self.state, self.faults)
        self.account = Account()
        self.running = RunningCloud(self.application, self.account, 0)
        self.environment = self.running.auth_environment()
        self.deadline = timedelta(seconds=20)
        self._open = ExitStack()
        self._open.enter_context(self.running)

    def adapter(
        self, changes: dict[str, str] | None = None, on_request: OnRequest = lambda *_: None
    ) -> OpenStackCloud:
        """An adapter with the good settings, some of them changed."""
        return self.of(self.environment | (changes or {}), on_request)

    def of(
        self, environment: dict[str, str], on_request: OnRequest = lambda *_: None
    ) -> OpenStackCloud:
        """An adapter with exactly these settings."""
        calls = CloudCalls(call_deadline=lambda: self.deadline, retry=ONCE)
        access = open_access(environment, on_request)
        cloud = OpenStackCloud(access, self.state.timeline, calls)
        self._open.callback(cloud.close)
        return cloud

    def close(self) -> None:
        self._open.close()


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    with closing(Site(CloudOptions(flavors=FLAVORS[:3]))) as site:
        yield site


def html(status: int) -> Callable[[], Response]:
    return lambda: Response("<html>of a proxy</html>", status, mimetype="text/html")


def throttled(value: str) -> Callable[[], Response]:
    def answer() -> Response:
        response = nova_error(429, "too fast")
        response.headers["Retry-After"] = value
        return response

    return answer


POLICY = "Policy doesn't allow os_compute_api:servers:create to be performed."
QUOTA = "Quota exceeded for cores: Requested 8, but already used 25 of 1 cores"
TOO_MANY = "Maximum number of metadata items exceeds 128"


@pytest.mark.parametrize(
    ("answer", "error", "failure"),
    [
        (lambda: nova_error(403, QUOTA), QuotaExceeded, FailureClass.QUOTA),
        (lambda: nova_error(403, POLICY), Refused, FailureClass.AUTHORISATION),
        (lambda: nova_error(403, TOO_MANY), Refused, FailureClass.AUTHORISATION),
        (lambda: nova_error(400, "Flavor nope could not be found."), Malformed, "bad_request"),
        (lambda: nova_error(400, "Network x could not be found."), Malformed, "network"),
        (lambda: nova_error(409, "Port x is still in use."), Conflict, "network"),
        (lambda: nova_error(409, "Instance x is locked"), Conflict, FailureClass.CONFLICT),
        (lambda: nova_error(404, "Instance x could not be found."), PortError, "not_found"),
        (html(404), Unavailable, FailureClass.UNAVAILABLE),
        (throttled("7"), Throttled, FailureClass.RATE_LIMIT),
        (html(503), Unavailable, FailureClass.UNAVAILABLE),
        (lambda: nova_error(500, "Unexpected API Error."), Unknown, "unknown_outcome"),
        (html(502), Unknown, "unknown_outcome"),
        (html(504), Unknown, "unknown_outcome"),
        (lambda: Response("{}", 202, mimetype="application/json"), Unknown, "unknown_outcome"),
        (lambda: Response("<html>", 202), Unknown, "unknown_outcome"),
        (html(200), Malformed, "bad_request"),
        (html(302), Malformed, "bad_request"),
    ],
    ids="quota policy metadata flavor network port locked 404 proxy-404 throttled 503 500 502 504 "
    "accepted-without-id accepted-as-html 200 redirect-to-nowhere".split(),
)
def test_every_answer_to_a_create_has_its_error(
    site: Site, answer: Callable[[], Response], error: type[PortError], failure: str
) -> None:
    site.application.instead[CREATE] = answer
    with pytest.raises(error, match="create server os-worker-001") as raised:
        site.adapter().create(an_order())
    assert raised.value.failure == failure
    assert site.application.seen.count("POST /servers") == 1, "a create leaves once"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: nova_error(500, "Unexpected API Error."), Unavailable),
        (html(502), Unavailable),
        (html(404), Unavailable),
        (lambda: nova_error(404, "The resource could not be found."), Unavailable),
        (lambda: nova_error(404, f"Instance {'1' * 36} could not be found."), Unavailable),
        (lambda: nova_error(403, POLICY), Refused),
        (html(200), Malformed),
    ],
    ids="500 502 proxy-404 404-of-a-wrong-path 404-of-another policy html".split(),
)
def test_a_server_is_gone_by_its_own_404_only(
    site: Site, answer: Callable[[], Response], error: type[PortError]
) -> None:
    cloud = site.adapter()
    assert not cloud.exists(GONE)
    site.application.instead[SHOW] = answer
    with pytest.raises(error):
        cloud.exists(GONE)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: nova_error(409, "Instance x is locked"), Conflict),
        (lambda: nova_error(500, "Unexpected API Error."), Unknown),
        (html(404), Unavailable),
        (lambda: nova_error(404, "The resource could not be found."), Unavailable),
        (lambda: nova_error(403, POLICY), Refused),
    ],
    ids="locked 500 proxy-404 404-of-a-wrong-path policy".split(),
)
def test_a_delete_is_done_by_204_or_the_servers_own_404_only(
    site: Site, answer: Callable[[], Response], error: type[PortError]
) -> None:
    cloud = site.adapter()
    cloud.delete(GONE)
    site.application.instead[DELETE] = answer
    with pytest.raises(error):
        cloud.delete(GONE)


@pytest.mark.parametrize(
    ("named", "least", "most"),
    [
        pytest.param("7", 7, 7, id="seconds"),
        pytest.param(timedelta(hours=1), 3000, 3600, id="date"),
        pytest.param(-timedelta(days=1), 0, 0, id="past"),
    ],
)
def test_the_wait_that_a_throttling_cloud_asks_for_is_passed_on(
    site: Site, named: str | timedelta, least: float, most: float
) -> None:
    header = (
        named if isinstance(named, str) else format_datetime(datetime.now(UTC) + named, usegmt=True)
    )
    site.application.instead[SHOW] = throttled(header)
    with pytest.raises(Throttled) as raised:
        site.adapter().exists(GONE)
    assert raised.value.retry_after is not None
    assert least <= raised.value.retry_after.total_seconds() <= most


def test_a_throttling_cloud_may_say_nothing_of_when(site: Site) -> None:
    site.application.instead[SHOW] = throttled("soon")
    with pytest.raises(Throttled) as raised:
        site.adapter().exists(GONE)
    assert raised.value.retry_after is None


# ---- silence -------------------------------------------------------------------------------------


def cut() -> Response:
    raise Cut


def hang() -> Response:
    raise Hang


def half() -> Response:
    def body() -> Iterator[bytes]:
        yield b'{"server"'
        raise Cut

    return Response(body(), 202, mimetype="application/json")


@pytest.mark.parametrize(
    ("answer", "error"),
    [(cut, Unknown), (half, Unknown), (hang, Unknown)],
    ids="cut half hang".split(),
)
def test_no_answer_to_a_create_is_an_unknown_outcome(
    site: Site, answer: Callable[[], Response], error: type[PortError]
) -> None:
    cloud = site.adapter()
    cloud.create(an_order())
    site.application.instead[CREATE] = answer
    site.deadline = timedelta(seconds=0.4)
    with pytest.raises(error):
        cloud.create(an_order("second"))
    assert site.application.seen.count("POST /servers") == 2


def test_a_create_leaves_once_even_when_clouds_yaml_asks_for_retries(site: Site) -> None:
    site.application.instead[CREATE] = cut
    retries = {"OS_CONNECT_RETRIES": "3", "OS_COMPUTE_CONNECT_RETRIES": "3"}
    with pytest.raises(Unknown):
        site.adapter(retries | {"OS_COMPUTE_STATUS_CODE_RETRIES": "3"}).create(an_order())
    assert site.application.seen.count("POST /servers") == 1


@pytest.mark.parametrize("operation", ["cloud.authenticate", "cloud.networks", "cloud.images"])
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY, Fault.TIMEOUT])
def test_a_create_that_could_not_even_be_sent_was_not_done(
    site: Site, operation: str, fault: Fault
) -> None:
    cloud = site.adapter()
    site.faults.order(operation, fault)
    site.deadline = timedelta(seconds=0.4)
    with pytest.raises(Unavailable):
        cloud.create(an_order())
    assert "POST /servers" not in site.application.seen


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REPLY])
def test_a_create_that_a_bad_token_kept_from_being_done_is_no_unknown_outcome(
    site: Site, fault: Fault
) -> None:
    cloud = site.adapter()
    cloud.create(an_order())
    site.running.keystone.revoke_all()
    site.faults.order("cloud.authenticate", fault)
    with pytest.raises(Unavailable):
        cloud.create(an_order("second"))
    assert site.application.seen.count("POST /servers") == 2, "it was sent, and turned away"
    assert site.state.created == 1


def test_a_closed_port_is_unavailable_for_reads_and_for_writes(site: Site) -> None:
    cloud = site.adapter()
    server_id = cloud.create(an_order())
    site.running.stop()
    with pytest.raises(Unavailable):
        cloud.create(an_order("second"))
    with pytest.raises(Unavailable):
        cloud.delete(server_id)
    with pytest.raises(Unavailable):
        cloud.exists(server_id)
    with pytest.raises(Unavailable):
        cloud.snapshot()


def test_a_host_that_never_accepts_costs_no_more_than_the_deadline(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        host, port = silent.getsockname()[:2]
        site.deadline = timedelta(seconds=0.3)
        begun = datetime.now(UTC)
        with pytest.raises(Unavailable):
            site.adapter({"OS_AUTH_URL": f"http://{host}:{port}/v3"}).snapshot()
        assert datetime.now(UTC) - begun < timedelta(seconds=5)


def test_all_requests_of_a_call_share_one_deadline(site: Site) -> None:
    def slow() -> Response:
        threading.Event().wait(0.25)
        return nova_error(503, "later")

    site.application.instead["GET /limits"] = slow
    site.deadline = timedelta(seconds=0.2)
    with pytest.raises(Unavailable):
        site.adapter().snapshot()


# ---- credentials and settings --------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"OS_PASSWORD": "hunter2-wrong"}, id="password"),
        pytest.param({"OS_USERNAME": "nobody"}, id="user"),
        pytest.param({"OS_PROJECT_NAME": "elsewhere"}, id="project"),
        pytest.param({"OS_USER_DOMAIN_NAME": "elsewhere"}, id="domain"),
    ],
)
def test_wrong_credentials_name_whom_where_and_the_remedy_and_no_secret(
    site: Site, changes: dict[str, str]
) -> None:
    environment = site.environment | changes
    with pytest.raises(Refused) as raised:
        site.of(environment).snapshot()
    text = str(raised.value)
    for part in ("OS_AUTH_URL", "OS_USERNAME", "OS_PROJECT_NAME"):
        assert environment[part] in text
    assert "check OS_USERNAME and OS_PASSWORD" in text
    assert environment["OS_PASSWORD"] not in text


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        pytest.param({}, "OS_CLOUD", id="nothing-at-all"),
        pytest.param({"OS_CLOUD": "nowhere"}, "nowhere", id="no-such-entry"),
        pytest.param({"OS_AUTH_URL": "http://127.0.0.1:1/v3"}, "OS_USERNAME", id="no-user"),
        pytest.param(
            {"OS_AUTH_URL": "http://127.0.0.1:1/v3", "OS_AUTH_TYPE": "telepathy"},
            "telepathy",
            id="no-such-method",
        ),
    ],
)
def test_settings_that_lead_nowhere_stop_the_start(
    environment: dict[str, str], part: str, tmp_path: Path
) -> None:
    files = tmp_path / "clouds.yaml"
    files.write_text("clouds: {}\n")
    with pytest.raises(ConfigurationError, match=part):
        open_access({"OS_CLIENT_CONFIG_FILE": str(files)} | environment, lambda *_: None)


def test_a_region_without_the_service_says_what_to_check(site: Site) -> None:
    with pytest.raises(PortError, match="OS_REGION_NAME"):
        site.adapter({"OS_REGION_NAME": "atlantis"}).snapshot()


def test_application_credentials_open_the_project(site: Site) -> None:
    environment = {
        "OS_AUTH_URL": site.running.auth_url,
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_APPLICATION_CREDENTIAL_ID": site.account.credential_id,
        "OS_APPLICATION_CREDENTIAL_SECRET": site.account.credential_secret,
        "OS_REGION_NAME": site.account.region,
    }
    site.of(environment).check_project(site.account.project)
    wrong = environment | {"OS_APPLICATION_CREDENTIAL_SECRET": "not-it"}
    with pytest.raises(Refused, match=f"application credential '{site.account.credential_id}'"):
        site.of(wrong).snapshot()


def test_an_entry_of_clouds_yaml_is_found_by_name_or_alone(site: Site, tmp_path: Path) -> None:
    account = site.account
    files = tmp_path / "clouds.yaml"
    files.write_text(
        f"""
        clouds:
          farm:
            auth:
              auth_url: {site.running.auth_url}
              username: {account.user}
              password: {account.password}
              project_name: {account.project}
              user_domain_name: {account.domain}
              project_domain_name: {account.domain}
            region_name: {account.region}
        """
    )
    for named in ({}, {"OS_CLOUD": "farm"}):
        cloud = site.of({"OS_CLIENT_CONFIG_FILE": str(files)} | named)
        assert cloud.snapshot().servers == ()


def test_a_new_token_is_fetched_when_the_old_one_is_no_longer_good(site: Site) -> None:
    cloud = site.adapter()
    cloud.create(an_order())
    site.running.keystone.revoke_all()
    cloud.create(an_order("second"))
    site.running.keystone.revoke_all()
    assert len(cloud.snapshot().servers) == 2
    assert site.application.seen.count("POST /identity/v3/auth/tokens") == 3
    assert site.state.created == 2


def test_another_project_than_the_settings_name_stops_the_start(site: Site) -> None:
    cloud = site.adapter()
    cloud.check_project(site.account.project)
    cloud.check_project(site.account.project_id)
    with pytest.raises(ConfigurationError) as raised:
        cloud.check_project("production")
    for part in ("'production'", f"'{site.account.project}'", site.account.project_id):
        assert part in str(raised.value)


def test_a_project_that_cannot_be_asked_for_is_no_wrong_project(site: Site) -> None:
    cloud = site.adapter()
    site.faults.order("cloud.authenticate", Fault.REFUSED)
    with pytest.raises(Unavailable):
        cloud.check_project("production")


def test_flavors_that_the_cloud_lacks_are_named(site: Site) -> None:
    assert site.adapter().check_flavors(DEFAULT_REGISTRY) == ("eo1.xsmall", "eo2.medium")


# ---- texts, counts, threads ----------------------------------------------------------------------


def test_long_texts_are_cut_and_secrets_never_repeated(site: Site) -> None:
    secret = "correct horse battery staple"
    with pytest.raises(Malformed) as raised:
        site.adapter().create(an_order(user_data=f"#!/bin/sh\ntoken={secret}\n" + "x" * 60_000))
    text = str(raised.value)
    assert "user_data" in text
    assert len(text) < 500
    assert secret not in text
    assert "xxxx" not in text


def test_a_value_that_nova_repeats_is_not_passed_on(site: Site) -> None:
    words = "Invalid input for field/attribute key. Value: private. 'private' is too long"
    site.application.instead[CREATE] = lambda: nova_error(400, words)
    with pytest.raises(Malformed, match="field/attribute key") as raised:
        site.adapter().create(an_order())
    assert "private" not in str(raised.value)


def test_credentials_that_a_cloud_repeats_are_not_passed_on(site: Site) -> None:
    password = site.environment["OS_PASSWORD"]
    site.application.instead[CREATE] = lambda: nova_error(
        400, f"what is {password}? and gAAAAABm{'t' * 100}?"
    )
    with pytest.raises(Malformed, match="what is") as raised:
        site.adapter().create(an_order())
    assert password not in str(raised.value)
    assert "tttt" not in str(raised.value)


def test_every_request_is_reported_with_what_it_was_for_and_how_it_ended(site: Site) -> None:
    seen: list[tuple[str, str]] = []
    cloud = site.adapter(on_request=lambda what, how, seconds: seen.append((what, how)))
    server_id = cloud.create(an_order())
    assert ("authenticate", "201") in seen
    assert seen[-1] == ("create", "202")
    del seen[:]
    cloud.delete(server_id)
    cloud.exists(GONE)
    site.faults.order("cloud.create", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        cloud.create(an_order())
    site.faults.order("cloud.create", Fault.TIMEOUT)
    site.deadline = timedelta(seconds=0.3)
    with pytest.raises(Unknown):
        cloud.create(an_order())
    assert seen == [
        ("delete", "204"),
        ("exists", "404"),
        ("create", "no_connection"),
        ("create", "timeout"),
    ]


def test_many_threads_may_share_an_adapter(site: Site) -> None:
    cloud = site.adapter()
    made: list[str] = []

    def work(number: int) -> None:
        made.append(cloud.create(an_order(f"os-worker-{number:03}")))
        cloud.snapshot()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {server.id for server in cloud.snapshot().servers} == set(made)
    assert len(made) == 16
    assert site.application.seen.count("GET /limits") == 1
    assert len([what for what in site.application.seen if "/flavors/" in what]) == 1


def test_one_call_that_waits_for_a_stuck_service_does_not_hold_the_others_up(site: Site) -> None:
    cloud = site.adapter()
    cloud.check_project(site.account.project)
    site.application.instead["GET /flavors"] = hang
    site.deadline = timedelta(seconds=0.5)
    errors: list[PortError] = []

    def ask() -> None:
        with pytest.raises(Unavailable) as raised:
            cloud.check_flavors(DEFAULT_REGISTRY)
        errors.append(raised.value)

    begun = datetime.now(UTC)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(errors) == 8
    assert datetime.now(UTC) - begun < timedelta(seconds=3), "8 x 0.5 s one after another is 4 s"
