"""The simulated Nomad as a bare HTTP client finds it: shapes, headers, refusals, the stream."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import serve_nomad
from simulator.timeline import Timeline
from tests.plugins.nomad import ADMITTING, SimulatedNomad, over_http
from tests.plugins.nomad_in_test import PARENT, an_order


class Client:
    """Speaks plain HTTP to the Nomad behind a `SimulatedNomad`."""

    def __init__(self, nomad: SimulatedNomad) -> None:
        self.nomad = nomad
        self._url = nomad.url
        self._session = requests.Session()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request and its answer, whatever it is."""
        return self._session.request(
            method, self._url + path, allow_redirects=False, timeout=10, **options
        )

    def get(self, path: str, **params: Any) -> Any:
        """What a successful GET says."""
        response = self.ask("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def close(self) -> None:
        """Close the connection that is kept."""
        self._session.close()


@pytest.fixture
def client(served_nomad: SimulatedNomad) -> Iterator[Client]:
    """A client of a Nomad with one parent."""
    made = Client(served_nomad)
    yield made
    made.close()


# ---- shapes --------------------------------------------------------------------------------------

NODE_STUB = """Address ID Datacenter Name NodePool NodeClass Version Drain SchedulingEligibility
    Status StatusDescription Drivers HostVolumes LastDrain CreateIndex ModifyIndex"""
JOB_STUB = """ID ParentID Name Namespace Datacenters NodePool Multiregion Type Priority Periodic
    ParameterizedJob Stop Status StatusDescription JobSummary CreateIndex ModifyIndex JobModifyIndex
    SubmitTime"""
ALLOC_STUB = """ID EvalID Name Namespace NodeID NodeName JobID JobType JobVersion TaskGroup
    DesiredStatus DesiredDescription ClientStatus ClientDescription DesiredTransition TaskStates
    DeploymentStatus FollowupEvalID NextAllocation RescheduleTracker PreemptedAllocations
    PreemptedByAllocation CreateIndex ModifyIndex CreateTime ModifyTime"""
BLOCKED = """ID Namespace Priority Type TriggeredBy JobID JobModifyIndex Status StatusDescription
    PreviousEval FailedTGAllocs ClassEligibility SnapshotIndex CreateIndex ModifyIndex CreateTime
    ModifyTime"""


def test_stubs_carry_every_field_and_no_other(client: Client) -> None:
    client.nomad.ready_node()
    client.nomad.running_child()
    assert set(client.get("/v1/nodes")[0]) == set(NODE_STUB.split())
    assert set(client.get("/v1/jobs")[0]) == set(JOB_STUB.split())
    assert set(client.get("/v1/allocations")[0]) == set(ALLOC_STUB.split())


def test_lists_carry_more_where_that_is_asked_for(client: Client) -> None:
    client.nomad.ready_node()
    client.nomad.running_child()
    (node,) = client.get("/v1/nodes", resources="true")
    assert node["NodeResources"]["Memory"]["MemoryMB"] == 15_000
    assert all("Meta" in job for job in client.get("/v1/jobs", meta="True"))
    (allocation,) = client.get("/v1/allocations")
    assert allocation["TaskStates"]["main"]["State"] == "running"
    assert client.get("/v1/allocations", task_states="false")[0]["TaskStates"] is None


def test_a_blocked_evaluation_explains_itself_and_omits_what_is_empty(client: Client) -> None:
    client.nomad.boot("os-worker-001", flavor="hm.large")
    client.nomad.ready_node("os-worker-002")
    client.nomad.running_child()
    waiting = client.nomad.running_child()
    first, blocked = client.get("/v1/evaluations", job=waiting)
    assert (first["Status"], first["BlockedEval"]) == ("complete", blocked["ID"])
    assert first["QueuedAllocations"] == {"main": 1}
    assert set(blocked) == set(BLOCKED.split())
    assert blocked["TriggeredBy"] == "queued-allocs"
    failure = blocked["FailedTGAllocs"]["main"]
    assert failure["ClassFiltered"] == {"hm.large": 1}
    assert failure["ClassExhausted"] == {"hm.medium": 1}
    assert failure["ConstraintFiltered"] == {"${node.class} = hm.medium": 1}


def test_a_retried_blocked_evaluation_writes_nothing(client: Client) -> None:
    client.nomad.ready_node("os-worker-001")
    first = client.nomad.running_child()
    waiting, rival = client.nomad.running_child(), an_order(priority=90)
    before = client.get("/v1/evaluations", job=waiting)
    client.nomad.port.dispatch(rival)
    client.nomad.wait(10)
    client.nomad.exit(first, 0)
    client.nomad.wait(10)
    assert client.nomad.live(first) == client.nomad.live(waiting) == []
    assert client.get("/v1/evaluations", job=waiting) == before


def test_a_child_keeps_token_payload_and_parameters(client: Client) -> None:
    order = an_order(payload=b"\x00\xff")
    child = client.nomad.port.dispatch(order)
    job = client.get(f"/v1/job/{child}")
    assert job["DispatchIdempotencyToken"] == str(order.token)
    assert base64.b64decode(job["Payload"]) == b"\x00\xff"
    assert (job["Dispatched"], job["ParentID"], job["Priority"]) == (True, PARENT, 60)
    assert job["ParameterizedJob"]["MetaRequired"]


def test_summaries_count_children_and_allocations(client: Client) -> None:
    client.nomad.ready_node()
    client.nomad.running_child()
    waiting = client.nomad.running_child()
    assert client.get(f"/v1/job/{PARENT}/summary")["Children"] == {
        "Pending": 1,
        "Running": 1,
        "Dead": 0,
    }
    assert client.get(f"/v1/job/{waiting}/summary")["Summary"]["main"]["Queued"] == 1


def test_a_full_node_says_what_it_is(client: Client) -> None:
    node_id = client.nomad.ready_node("os-worker-003")
    node = client.get(f"/v1/node/{node_id}")
    assert node["Attributes"]["unique.hostname"] == "os-worker-003"
    assert node["Meta"]["openstack_server_id"] == node["Attributes"]["unique.host_id"]
    assert "SecretID" not in node
    assert client.get(f"/v1/node/{node_id}/allocations") == []
    assert client.get("/v1/node/unknown/allocations") == []


def test_the_dispatch_answer_of_a_repeated_token_has_no_evaluation(client: Client) -> None:
    body = {"Meta": dict(an_order().meta)}
    path = f"/v1/job/{PARENT}/dispatch?idempotency_token=t-1"
    first = client.ask("POST", path, json=body).json()
    again = client.ask("PUT", path, json=body).json()
    assert set(first) == {"DispatchedJobID", "EvalID", "EvalCreateIndex", "JobCreateIndex", "Index"}
    assert first["EvalCreateIndex"] == first["JobCreateIndex"] == first["Index"]
    assert again["DispatchedJobID"] == first["DispatchedJobID"]
    assert (again["EvalID"], again["EvalCreateIndex"]) == ("", 0)


def test_a_token_in_the_body_as_the_library_sends_it_is_ignored(client: Client) -> None:
    body = {"Meta": dict(an_order().meta), "idempotency_token": "t-1"}
    path = f"/v1/job/{PARENT}/dispatch"
    names = {client.ask("POST", path, json=body).json()["DispatchedJobID"] for _ in range(2)}
    assert len(names) == 2


def test_stopping_an_unknown_job_answers_zeros(client: Client) -> None:
    answer = client.ask("DELETE", "/v1/job/unknown").json()
    assert (answer["EvalID"], answer["Index"], answer["JobModifyIndex"]) == ("", 0, 0)


def test_a_purged_job_is_gone_at_once(client: Client) -> None:
    client.nomad.ready_node()
    child = client.nomad.running_child()
    client.ask("DELETE", f"/v1/job/{child}?purge=true")
    assert client.ask("GET", f"/v1/job/{child}").status_code == 404
    client.nomad.wait(10)
    (allocation,) = client.get("/v1/allocations")
    assert (allocation["DesiredStatus"], allocation["ClientStatus"]) == ("stop", "complete")


def test_the_leader_the_agent_and_its_health_can_be_asked(client: Client) -> None:
    assert client.get("/v1/status/leader") == "10.0.0.1:4647"
    client.nomad.cluster.change_leader()
    assert client.get("/v1/status/leader") == "10.0.0.2:4647"
    assert client.get("/v1/agent/health")["server"]["ok"] is True
    assert client.get("/v1/agent/self")["config"]["Version"]["Version"] == "2.0.5"


# ---- headers -------------------------------------------------------------------------------------


def test_reads_say_their_tables_index_and_writes_theirs(client: Client) -> None:
    nodes = client.ask("GET", "/v1/nodes").headers
    client.nomad.port.dispatch(an_order())
    assert client.ask("GET", "/v1/nodes").headers["X-Nomad-Index"] == nodes["X-Nomad-Index"]
    jobs = client.ask("GET", "/v1/jobs").headers
    assert int(jobs["X-Nomad-Index"]) > int(nodes["X-Nomad-Index"])
    assert (jobs["X-Nomad-KnownLeader"], jobs["X-Nomad-LastContact"]) == ("true", "0")
    written = client.ask("DELETE", f"/v1/job/{PARENT}").headers
    assert "X-Nomad-KnownLeader" not in written
    assert int(written["X-Nomad-Index"]) > int(jobs["X-Nomad-Index"])


def test_an_allocations_update_bumps_the_index_of_nodes_too(client: Client) -> None:
    client.nomad.ready_node()
    before = client.ask("GET", "/v1/nodes")
    client.nomad.running_child()
    after = client.ask("GET", "/v1/nodes")
    assert int(after.headers["X-Nomad-Index"]) > int(before.headers["X-Nomad-Index"])
    assert after.json() == before.json()


def test_a_blocking_query_waits_for_any_write_to_its_table(client: Client) -> None:
    index = client.ask("GET", "/v1/jobs").headers["X-Nomad-Index"]
    waited = client.ask("GET", "/v1/jobs", params={"index": index, "wait": "200ms"})
    assert waited.headers["X-Nomad-Index"] == index
    writer = threading.Timer(0.2, client.nomad.cluster.node_boots, [_boot()])
    writer.start()
    nodes = client.ask("GET", "/v1/nodes", params={"index": "1", "wait": "10s"})
    writer.join()
    assert len(nodes.json()) == 1
    assert nodes.elapsed.total_seconds() < 8


def _boot() -> Boot:
    return Boot(server_id="s", name="os-worker-001", node_class="c", memory_mb=1_000)


# ---- filters, prefixes, namespaces, pages --------------------------------------------------------


def test_filters_look_into_the_full_object(client: Client) -> None:
    client.nomad.boot("os-worker-001", flavor="hm.large")
    node_id = client.nomad.ready_node("os-worker-002")
    server = client.get(f"/v1/node/{node_id}")["Meta"]["openstack_server_id"]
    for expression, names in [
        (f'Attributes["unique.host_id"] == "{server}"', ["os-worker-002"]),
        ('NodeClass in ["hm.large", "hm.small"]', ["os-worker-001"]),
        ('not (NodeClass == "hm.large") and Status == "ready"', ["os-worker-002"]),
        ('Name matches "^os-worker-00[12]$"', ["os-worker-001", "os-worker-002"]),
        ('Meta["openstack_server_id"] is empty', []),
        ('Name != "os-worker-001" or Status == "down"', ["os-worker-002"]),
    ]:
        found = client.get("/v1/nodes", filter=expression)
        assert sorted(node["Name"] for node in found) == names, expression


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("CreateIndex > 5", id="no-greater-than"),
        pytest.param('Colour == "blue"', id="unknown-field"),
        pytest.param('Status = "ready"', id="single-equals"),
        pytest.param('Status == "ready" and', id="unfinished"),
        pytest.param('(Status == "ready"', id="unbalanced"),
        pytest.param('Status like "r"', id="unknown-operator"),
    ],
)
def test_a_filter_that_is_not_understood_is_refused(client: Client, expression: str) -> None:
    client.nomad.ready_node()
    response = client.ask("GET", "/v1/nodes", params={"filter": expression})
    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("text/plain")


def test_without_a_namespace_only_the_default_one_is_listed(client: Client) -> None:
    spec = {"ID": "elsewhere", "Type": "batch", "Namespace": "snow", "TaskGroups": [_GROUP]}
    assert client.ask("POST", "/v1/jobs", json={"Job": spec}).status_code == 200
    for path in ("/v1/jobs", "/v1/evaluations"):
        everywhere, default = client.get(path, namespace="*"), client.get(path)
        assert len(client.get(path, namespace="snow")) == 1
        assert len(everywhere) == len(default) + 1
        assert client.get(path, namespace="mistyped") == []


_GROUP = {"Name": "main", "Tasks": [{"Name": "main", "Driver": "raw_exec"}]}


def test_pages_make_up_the_whole_list(client: Client) -> None:
    for _ in range(7):
        client.nomad.port.dispatch(an_order())
    whole, paged, following = client.get("/v1/jobs"), [], ""
    while True:
        page = client.ask("GET", "/v1/jobs", params={"per_page": 3, "next_token": following})
        paged += page.json()
        following = page.headers.get("X-Nomad-NextToken", "")
        if not following:
            break
    assert paged == whole


def test_only_the_lowercase_word_reverses_a_list(client: Client) -> None:
    client.nomad.port.dispatch(an_order())
    forwards = client.get("/v1/jobs")
    assert client.get("/v1/jobs", reverse="true") == forwards[::-1]
    assert client.get("/v1/jobs", reverse="True") == forwards


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        pytest.param("GET", "/v1/node/x", None, 404, "node not found", id="get-node"),
        pytest.param("GET", "/v1/job/x", None, 404, "job not found", id="get-job"),
        pytest.param("GET", "/v1/job/x/summary", None, 404, "job not found", id="summary"),
        pytest.param("GET", "/v1/allocation/x", None, 404, "alloc not found", id="get-alloc"),
        pytest.param("GET", "/v1/evaluation/x", None, 404, "eval not found", id="get-eval"),
        pytest.param("GET", "/v1/nothing", None, 404, "page not found", id="unknown-path"),
        pytest.param("POST", "/v1/node/x/purge", None, 500, "node not found", id="purge"),
        pytest.param(
            "POST",
            "/v1/node/x/eligibility",
            {"Eligibility": "eligible"},
            500,
            "node not found",
            id="eligibility",
        ),
        pytest.param("POST", "/v1/job/x/evaluate", None, 500, "job not found", id="evaluate"),
        pytest.param("POST", "/v1/job/x/dispatch", {}, 500, "parameterized job", id="dispatch"),
        pytest.param("POST", f"/v1/job/{PARENT}/dispatch", None, 400, "EOF", id="no-body"),
        pytest.param(
            "POST", f"/v1/job/{PARENT}/dispatch", {"JobID": "y"}, 400, "does not match", id="id"
        ),
        pytest.param("POST", "/v1/jobs", {}, 400, "Job must be specified", id="no-job"),
        pytest.param("POST", "/v1/jobs", {"Job": {"Type": "b"}}, 400, "Job ID hasn't", id="no-id"),
        pytest.param("POST", "/v1/jobs", {"Job": {"ID": "x"}}, 500, "task groups", id="no-groups"),
        pytest.param("DELETE", "/v1/nodes", None, 405, "Invalid method", id="method"),
        pytest.param("GET", "/v1/jobs?meta=perhaps", None, 400, "invalid syntax", id="bool"),
        pytest.param("GET", "/v1//jobs", None, 301, "", id="two-slashes"),
        pytest.param(
            "GET", "/v1/evaluations?status=blocked&filter=x", None, 400, "cannot be used", id="both"
        ),
    ],
)
def test_every_refusal_is_in_nomads_words(
    client: Client, method: str, path: str, body: Any, status: int, text: str
) -> None:
    response = client.ask(method, path, json=body)
    assert (response.status_code, text in response.text) == (status, True), response.text


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        pytest.param({}, 403, "Permission denied", id="none"),
        pytest.param({"X-Nomad-Token": "wrong"}, 403, "ACL token not found", id="wrong"),
        pytest.param({"X-Nomad-Token": "right"}, 200, "[]", id="right"),
    ],
)
def test_a_token_is_asked_of_everybody(headers: dict[str, str], status: int, text: str) -> None:
    cluster = NomadCluster(Timeline(), Sleepers())
    with serve_nomad(cluster, token="right") as server:
        response = requests.get(server.url + "/v1/nodes", headers=headers, timeout=10)
        health = requests.get(server.url + "/v1/agent/health", timeout=10)
    assert (response.status_code, response.text) == (status, text)
    assert health.status_code == 200


def test_garbage_collection_on_request_takes_dead_children_and_their_tokens() -> None:
    with over_http(ADMITTING) as nomad:
        nomad.register()
        client = Client(nomad)
        nomad.ready_node()
        dead, order = nomad.running_child(), an_order()
        nomad.exit(dead, 0)
        living = nomad.port.dispatch(order)
        nomad.wait(10)
        index = client.ask("GET", "/v1/jobs").headers["X-Nomad-Index"]
        assert client.ask("PUT", "/v1/system/gc").status_code == 200
        assert [job.id for job in nomad.children()] == [living]
        assert int(client.ask("GET", "/v1/jobs").headers["X-Nomad-Index"]) > int(index)
        assert client.get(f"/v1/job/{dead}/allocations") == []
        client.close()


# ---- the event stream ----------------------------------------------------------------------------


def lines_of(client: Client, count: int, **params: Any) -> list[Any]:
    """The first lines of the event stream that are no heartbeats."""
    found: list[Any] = []
    with client.ask("GET", "/v1/event/stream", params=params, stream=True) as response:
        for line in response.iter_lines(chunk_size=1):
            if said := json.loads(line):
                found.append(said)
            if len(found) == count:
                break
    return found


def test_the_stream_begins_with_a_heartbeat_and_the_whole_buffer(client: Client) -> None:
    client.nomad.ready_node()
    with client.ask("GET", "/v1/event/stream", stream=True) as response:
        lines = response.iter_lines(chunk_size=1)
        assert next(lines) == b"{}"
        first = json.loads(next(lines))
    assert first["Events"][0]["Topic"] == "Job"
    assert first["Events"][0]["Key"] == PARENT
    assert first["Events"][0]["Payload"]["Job"]["ID"] == PARENT


def test_one_line_tells_all_that_one_write_did(client: Client) -> None:
    client.nomad.ready_node()
    client.nomad.running_child()
    lines = lines_of(client, 3, topic=["Job", "Evaluation"])
    dispatched = lines[1]
    assert [event["Topic"] for event in dispatched["Events"]] == ["Job", "Evaluation"]
    assert [line["Index"] for line in lines] == sorted(line["Index"] for line in lines)


def test_topics_and_keys_select(client: Client) -> None:
    client.nomad.ready_node()
    first, second = client.nomad.running_child(), client.nomad.running_child()
    (line,) = lines_of(client, 1, topic=f"Evaluation:{second}")
    assert {event["FilterKeys"][0] for event in line["Events"]} == {second}
    (line,) = lines_of(client, 1, topic="Allocation:*")
    (event,) = line["Events"]
    assert event["Type"] == "PlanResult"
    assert event["Payload"]["Allocation"]["JobID"] == first
    assert "Job" not in event["Payload"]["Allocation"]


def test_an_index_is_inclusive_and_one_of_the_future_tells_the_newest_again(client: Client) -> None:
    for _ in range(3):
        client.nomad.port.dispatch(an_order())
    known = [line["Index"] for line in lines_of(client, 4)]
    assert [line["Index"] for line in lines_of(client, 2, index=known[2])] == known[2:]
    assert [line["Index"] for line in lines_of(client, 1, index=known[3] + 999)] == known[3:]


def test_what_fell_out_of_the_buffer_is_silently_missed(client: Client) -> None:
    first = lines_of(client, 1)[0]["Index"]
    for _ in range(120):
        client.nomad.port.dispatch(an_order())
    (oldest,) = lines_of(client, 1, index=first)
    assert oldest["Index"] == client.nomad.cluster.state.index - 99
