"""What only the adapter over HTTP can get wrong: requests, headers, texts, the event stream."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from infra.nomad import NomadAccess, NomadOrchestrator, connect
from infra.nomad.parents import job_of
from infra.nomad.transport import Transport
from models.errors import (
    ConfigurationError,
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from simulator.faults import Fault
from simulator.http.server import Cut, HttpServer
from simulator.nomad.specs import parameters_of, task_of
from tests.plugins.nomad import ADMITTING, SimulatedNomad, over_http
from tests.plugins.nomad_in_test import DEPLOYMENT, Watcher, an_order, eventually

LED = {
    "X-Nomad-Index": "20",
    "X-Nomad-KnownLeader": "true",
    "X-Nomad-LastContact": "0",
}
CLOSED_PORT = "http://127.0.0.1:1"


class Scripted:
    """A server that answers with what the test put before each path; else an empty list."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Response]] = {}
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        """The next answer for this path; the last one is repeated."""
        request.get_data()
        self.asked.append(request)
        waiting = self.answers.get(request.path)
        if not waiting:
            return Response("[]", headers=LED, mimetype="application/json")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def scripted(**access: Any) -> Iterator[tuple[NomadOrchestrator, Scripted]]:
    """The adapter before a scripted server."""
    script = Scripted()
    with HttpServer(script, name="scripted") as server:
        port = connect(
            NomadAccess(
                address=server.url,
                deployment=DEPLOYMENT,
                call_deadline=timedelta(seconds=10),
                **access,
            )
        )
        try:
            yield port, script
        finally:
            port.close()


def said(text: str, status: int = 500, **headers: str) -> Response:
    """An answer in words, as Nomad's errors are."""
    return Response(text, status=status, headers=headers, mimetype="text/plain")


def listed(rows: list[Any], **headers: str) -> Response:
    """A list with the headers of a leader, but for what the test changes."""
    return Response(json.dumps(rows), headers={**LED, **headers}, mimetype="application/json")


# ---- requests ------------------------------------------------------------------------------------


def test_a_snapshot_takes_four_requests_one_after_another(served_nomad: SimulatedNomad) -> None:
    served_nomad.requests.clear()
    served_nomad.port.snapshot()
    assert served_nomad.requests == [("snapshot", "200")] * 4


def test_the_four_lists_are_asked_for_in_order_and_in_all_namespaces() -> None:
    with scripted() as (port, script):
        port.snapshot()
        paths = [request.path for request in script.asked]
        queries = {request.path: request.args for request in script.asked}
    assert paths == ["/v1/nodes", "/v1/jobs", "/v1/evaluations", "/v1/allocations"]
    assert queries["/v1/jobs"]["prefix"] == f"hrsi-{DEPLOYMENT}-"
    assert queries["/v1/jobs"]["meta"] == "true"
    assert queries["/v1/evaluations"]["namespace"] == "*"
    assert queries["/v1/allocations"]["namespace"] == "*"
    assert queries["/v1/allocations"]["task_states"] == "false"
    assert not any("stale" in query for query in queries.values())


def test_the_token_of_a_dispatch_is_in_the_query_and_not_in_the_body() -> None:
    order = an_order()
    with scripted() as (port, script):
        script.answers[f"/v1/job/{order.parent}/dispatch"] = [
            Response(json.dumps({"DispatchedJobID": "child"}))
        ]
        assert port.dispatch(order) == "child"
        (request,) = script.asked
    assert request.args["idempotency_token"] == str(order.token)
    assert str(order.token) not in {
        value for key, value in request.get_json(force=True).items() if key != "Meta"
    }


def test_token_namespace_and_region_go_with_every_request() -> None:
    with scripted(token="secret", namespace="snow", region="eu") as (port, script):
        port.snapshot()
        port.stop("hrsi-test-x/dispatch-1?#")
        stopped = script.asked[-1]
    assert {request.headers["X-Nomad-Token"] for request in script.asked} == {"secret"}
    assert {request.args["region"] for request in script.asked} == {"eu"}
    assert stopped.path == "/v1/job/hrsi-test-x/dispatch-1?#"
    assert stopped.args["namespace"] == "snow"


def test_a_slash_at_the_end_of_the_address_does_no_harm(served_nomad: SimulatedNomad) -> None:
    with scripted() as (_, script), HttpServer(script) as server:
        port = connect(NomadAccess(address=server.url + "/", deployment=DEPLOYMENT))
        port.snapshot()
        port.close()
        assert script.asked[0].path == "/v1/nodes"


def test_one_session_serves_all_endpoints_and_checks_certificates() -> None:
    access = NomadAccess(address="https://nomad.example:4646", deployment=DEPLOYMENT)
    transport = Transport(access, lambda *_: None)
    endpoints = transport._endpoints.values()
    assert len({id(endpoint.session) for endpoint in endpoints}) == 1
    assert all(
        endpoint.verify for endpoint in endpoints
    )  # true, or the bundle of REQUESTS_CA_BUNDLE
    transport.close()


def test_the_environment_is_not_asked_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMAD_TOKEN", "of somebody else")
    monkeypatch.setenv("NOMAD_NAMESPACE", "elsewhere")
    with scripted() as (port, script):
        port.snapshot()
    assert not any("X-Nomad-Token" in request.headers for request in script.asked)
    assert script.asked[1].args["namespace"] == "default"


@pytest.mark.parametrize("address", ["", "nomad:4646", "10.0.0.1", "ftp://nomad", "http://"])
def test_an_address_that_is_none_stops_the_start_by_its_name(address: str) -> None:
    with pytest.raises(ConfigurationError, match="NOMAD_ADDR"):
        NomadAccess(address=address, deployment=DEPLOYMENT)


def test_the_token_is_not_shown() -> None:
    access = NomadAccess(address="http://n:4646", deployment=DEPLOYMENT, token="secret")
    assert "secret" not in repr(access)


# ---- one leader ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Nomad-KnownLeader": "false"}, id="no-leader-known"),
        pytest.param({"X-Nomad-LastContact": "1500"}, id="a-follower-answered"),
    ],
)
def test_an_answer_without_a_leader_is_no_answer(headers: dict[str, str]) -> None:
    with scripted() as (port, script):
        script.answers["/v1/evaluations"] = [listed([], **headers)]
        with pytest.raises(Unavailable, match="leader"):
            port.snapshot()
        assert len(script.asked) == 3 * 3


def test_a_snapshot_starts_again_until_one_leader_answers_all() -> None:
    with scripted() as (port, script):
        script.answers["/v1/jobs"] = [
            listed([], **{"X-Nomad-KnownLeader": "false"}),
            listed([]),
        ]
        assert port.snapshot().number == 1
        assert [request.path for request in script.asked][:3] == [
            "/v1/nodes",
            "/v1/jobs",
            "/v1/nodes",
        ]


def test_an_index_that_fell_starts_the_snapshot_again() -> None:
    with scripted() as (port, script):
        script.answers["/v1/nodes"] = [
            listed([], **{"X-Nomad-Index": "900"}),
            listed([], **{"X-Nomad-Index": "30"}),
        ]
        assert port.snapshot().index == 900
        assert port.snapshot().index == 30
        assert [request.path for request in script.asked].count("/v1/nodes") == 3


@pytest.mark.parametrize("cluster_says", ["leaderless", "unknown-leader"])
def test_an_election_is_unavailable_and_passes(
    served_nomad: SimulatedNomad, cluster_says: str
) -> None:
    cluster = served_nomad.cluster
    cluster.leaderless = cluster_says == "leaderless"
    cluster.known_leader = cluster_says != "unknown-leader"
    with pytest.raises(Unavailable):
        served_nomad.port.snapshot()
    cluster.leaderless, cluster.known_leader = False, True
    assert served_nomad.port.snapshot().jobs


# ---- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("<html>", id="not-json"),
        pytest.param("{}", id="not-a-list"),
        pytest.param('[{"ID": "x"}]', id="fields-missing"),
        pytest.param("null", id="null"),
    ],
)
@pytest.mark.parametrize("path", ["nodes", "jobs", "evaluations", "allocations"])
def test_nonsense_is_never_an_empty_list(path: str, body: str) -> None:
    with scripted() as (port, script):
        script.answers[f"/v1/{path}"] = [Response(body, headers=LED)]
        with pytest.raises(Malformed, match=path):
            port.snapshot()


def test_a_redirect_is_no_success() -> None:
    with scripted() as (port, script):
        script.answers["/v1/nodes"] = [Response(status=301, headers={"Location": "/ui"})]
        with pytest.raises(Malformed, match="NOMAD_ADDR"):
            port.snapshot()


def test_a_dispatch_whose_answer_makes_no_sense_may_have_been_done() -> None:
    order = an_order()
    with scripted() as (port, script):
        script.answers[f"/v1/job/{order.parent}/dispatch"] = [Response("{}")]
        with pytest.raises(Unknown):
            port.dispatch(order)


TEXTS = [
    pytest.param(500, "node not found", NotFound, NotFound, id="node-not-found"),
    pytest.param(500, "rpc error: rpc error: job not found", NotFound, NotFound, id="two-hops"),
    pytest.param(500, "parameterized job not found", NotFound, NotFound, id="no-parent"),
    pytest.param(404, "node not found", NotFound, NotFound, id="404"),
    pytest.param(404, "404 page not found", Malformed, Malformed, id="another-server"),
    pytest.param(403, "Permission denied", Refused, Refused, id="403"),
    pytest.param(500, "rpc error: Permission denied", Refused, Refused, id="forwarded-403"),
    pytest.param(429, "Too Many Requests", Throttled, Throttled, id="429"),
    pytest.param(500, "No cluster leader", Unavailable, Unavailable, id="no-leader"),
    pytest.param(500, "No path to region", Malformed, Malformed, id="region"),
    pytest.param(400, "bad filter", Malformed, Malformed, id="400"),
    pytest.param(500, "Payload exceeds maximum size; 9 > 1", Malformed, Malformed, id="payload"),
    pytest.param(500, "can not set it while it is draining", Malformed, Malformed, id="draining"),
    pytest.param(500, "UUID must be 36 characters", Malformed, Malformed, id="no-uuid"),
    pytest.param(500, "rpc error: EOF", Unavailable, Unknown, id="forwarding-broke"),
    pytest.param(502, "Bad Gateway", Unavailable, Unknown, id="proxy-502"),
    pytest.param(504, "Gateway Timeout", Unavailable, Unknown, id="proxy-504"),
]


@pytest.mark.parametrize(("status", "text", "reading", "writing"), TEXTS)
def test_every_refusal_says_what_to_do_next(
    status: int, text: str, reading: type[PortError], writing: type[PortError]
) -> None:
    order = an_order()
    with scripted() as (port, script):
        script.answers["/v1/node/x"] = [said(text, status)]
        script.answers[f"/v1/job/{order.parent}/dispatch"] = [said(text, status)]
        with pytest.raises(PortError) as read:
            port.identify("x")
        with pytest.raises(PortError) as written:
            port.dispatch(order)
    assert (type(read.value), type(written.value)) == (reading, writing)
    assert text in str(read.value)
    assert read.value.__cause__ is not None


def test_the_wait_that_a_429_asks_for_is_kept() -> None:
    with scripted() as (port, script):
        script.answers["/v1/nodes"] = [said("slow down", 429, **{"Retry-After": "7"})]
        with pytest.raises(Throttled) as caught:
            port.snapshot()
    assert caught.value.retry_after == timedelta(seconds=7)


def test_nobody_behind_the_address_means_that_nothing_was_done() -> None:
    port = connect(NomadAccess(address=CLOSED_PORT, deployment=DEPLOYMENT))
    with pytest.raises(Unavailable):
        port.snapshot()
    with pytest.raises(Unavailable):
        port.dispatch(an_order())
    port.close()


def test_a_wrong_token_is_refused_with_the_remedy() -> None:
    with over_http(ADMITTING, token="right") as nomad:
        nomad.register()
        for token in ("wrong", None):
            port = connect(NomadAccess(address=nomad.url, deployment=DEPLOYMENT, token=token))
            with pytest.raises(Refused, match="NOMAD_TOKEN"):
                port.snapshot()
            with pytest.raises(Refused, match="dispatch-job"):
                port.dispatch(an_order())
            port.close()
        assert nomad.port.snapshot().jobs


def test_every_request_is_counted_with_its_outcome(served_nomad: SimulatedNomad) -> None:
    served_nomad.requests.clear()
    served_nomad.faults.order("nomad.snapshot", Fault.REFUSED)
    with pytest.raises(Unavailable):
        served_nomad.port.snapshot()
    served_nomad.faults.order("nomad.dispatch", Fault.LOST_REPLY)
    with pytest.raises(Unknown):
        served_nomad.port.dispatch(an_order())
    served_nomad.faults.order("nomad.dispatch", Fault.TIMEOUT)
    with pytest.raises(Unknown):
        served_nomad.hurried.dispatch(an_order())
    assert served_nomad.requests == [
        ("snapshot", "500"),
        ("dispatch", "no_connection"),
        ("dispatch", "timeout"),
    ]


# ---- the parent ----------------------------------------------------------------------------------


def test_a_parent_leaves_all_retries_to_us_and_names_its_class_alone() -> None:
    command = TaskCommand(
        driver="raw_exec", command="/bin/run", args=("--fast",), environment=(("LEVEL", "3"),)
    )
    (parent, *_) = DEFAULT_REGISTRY.parents(DEPLOYMENT, command)
    spec = job_of(parent, DEPLOYMENT, "snow")
    task, parameters = task_of(spec), parameters_of(spec)
    assert parameters is not None
    assert set(parameters.required) == {"run", "job", "unique_id", "attempt", "deployment"}
    assert (task.restarts, task.reschedules) == (0, 0)
    assert task.constraints == (("${node.class}", parent.flavor),)
    assert task.config == {"command": "/bin/run", "args": ["--fast"]}
    assert task.env["LEVEL"] == "3"
    assert task.payload_file == "payload.json"
    assert (task.memory_mb, spec["Namespace"]) == (parent.memory_mb, "snow")


# ---- the event stream ----------------------------------------------------------------------------


def test_what_others_do_is_no_hint(served_nomad: SimulatedNomad) -> None:
    parent = DEFAULT_REGISTRY.parents("other", TaskCommand(driver="raw_exec", command="x"))[0]
    with Watcher(served_nomad.port) as watcher:
        assert eventually(lambda: watcher.hints > 0)
        time.sleep(0.3)
        before = watcher.hints
        served_nomad.port.register(parent, "other")
        served_nomad.port.dispatch(replace(an_order(), parent=parent.id))
        time.sleep(0.5)
        assert watcher.hints == before


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(["{}\n"], id="it-ended"),
        pytest.param(["{}\n", '{"Error":"event dropped from buffer"}\n'], id="too-slow"),
        pytest.param(["{}\n", "<html>\n"], id="nonsense"),
    ],
)
def test_a_stream_that_breaks_is_unavailable(body: list[str]) -> None:
    with scripted() as (port, script):
        script.answers["/v1/event/stream"] = [Response(iter(body))]
        with Watcher(port) as watcher:
            assert watcher.ended()
    assert isinstance(watcher.error, Unavailable)


def test_the_stream_is_asked_for_uncompressed_with_our_token() -> None:
    with scripted(token="secret") as (port, script):
        with Watcher(port) as watcher:
            assert watcher.ended()
        (request,) = script.asked
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["X-Nomad-Token"] == "secret"
    assert request.args.getlist("topic") == ["Node:*", "Job:*", "Allocation:*", "Evaluation:*"]


def test_an_answer_cut_in_the_middle_is_no_list() -> None:
    class Cutting(Scripted):
        def __call__(self, request: Request) -> Response:
            def body() -> Iterator[bytes]:
                yield b"[" + b" " * 100
                raise Cut

            return Response(body(), headers=LED)

    with HttpServer(Cutting(), name="cutting") as server:
        port = connect(NomadAccess(address=server.url, deployment=DEPLOYMENT))
        with pytest.raises(Unavailable):
            port.snapshot()
        port.close()
