"""Nomad as a bare HTTP client finds it, simulated and, where one can be had, live: shapes, headers,
refusals, the event stream.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.plugins.nomad import LIVE, Wired, wired


class Client:
    """Speaks plain HTTP to a Nomad."""

    def __init__(self, nomad: Wired) -> None:
        self.nomad = nomad
        self._url = nomad.url
        self._session = requests.Session()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request and its answer, whatever it is."""
        return self._session.request(
            method, self._url + path, allow_redirects=False, **{"timeout": 10, **options}
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
def client(wired_nomad: Wired) -> Iterator[Client]:
    """A client of a Nomad of which the test may make what it wants."""
    made = Client(wired_nomad)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["http", *LIVE])
def reader(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of a Nomad in which nothing is but a parent, a child that waits, and a node: for
    tests that change nothing.
    """
    with wired(request.param, tmp_path_factory.mktemp("nomad")) as nomad:
        nomad.register()
        nomad.ready_node("os-worker-001", flavor="hm.large")
        nomad.ready_node("os-worker-002", flavor="hm.small")
        nomad.port.dispatch(nomad.order())
        nomad.settle()
        made = Client(nomad)
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
    client.nomad.ready_node("os-worker-001", flavor="hm.large")
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
    waiting, rival = client.nomad.running_child(), client.nomad.order(priority=90)
    before = client.get("/v1/evaluations", job=waiting)
    client.nomad.port.dispatch(rival)
    client.nomad.settle()
    client.nomad.exit(first, 0)
    client.nomad.settle()
    assert client.nomad.live(first) == client.nomad.live(waiting) == []
    assert client.get("/v1/evaluations", job=waiting) == before


def test_a_child_keeps_token_payload_and_parameters(client: Client) -> None:
    order = client.nomad.order(payload=b"\x00\xff")
    child = client.nomad.port.dispatch(order)
    job = client.get(f"/v1/job/{child}")
    assert job["DispatchIdempotencyToken"] == str(order.token)
    assert base64.b64decode(job["Payload"]) == b"\x00\xff"
    assert (job["Dispatched"], job["ParentID"], job["Priority"]) == (True, order.parent, 60)
    assert job["ParameterizedJob"]["MetaRequired"]


def test_summaries_count_children_and_allocations(client: Client) -> None:
    client.nomad.ready_node()
    client.nomad.running_child()
    waiting = client.nomad.running_child()
    assert client.get(f"/v1/job/{client.nomad.parent.id}/summary")["Children"] == {
        "Pending": 1,
        "Running": 1,
        "Dead": 0,
    }
    assert client.get(f"/v1/job/{waiting}/summary")["Summary"]["main"]["Queued"] == 1


def test_a_full_node_says_what_it_is(client: Client) -> None:
    node_id = client.nomad.ready_node("os-worker-003")
    node = client.get(f"/v1/node/{node_id}")
    assert (node["Name"], bool(node["Attributes"]["unique.hostname"])) == ("os-worker-003", True)
    assert node["Meta"]["openstack_server_id"]
    assert (node["SecretID"], node["DrainStrategy"], node["LastDrain"]) == ("", None, None)
    assert not {"Address", "Version"} & set(node)
    assert client.get(f"/v1/node/{node_id}/allocations") == []
    assert client.get(f"/v1/node/{uuid4()}/allocations") == []


def test_the_dispatch_answer_of_a_repeated_token_has_no_evaluation(client: Client) -> None:
    order = client.nomad.order()
    body = {"Meta": dict(order.meta)}
    path = f"/v1/job/{order.parent}/dispatch?idempotency_token=t-1"
    first = client.ask("POST", path, json=body).json()
    again = client.ask("PUT", path, json=body).json()
    assert set(first) == {"DispatchedJobID", "EvalID", "EvalCreateIndex", "JobCreateIndex", "Index"}
    assert first["EvalCreateIndex"] == first["JobCreateIndex"] == first["Index"]
    assert again["DispatchedJobID"] == first["DispatchedJobID"]
    assert (again["EvalID"], again["EvalCreateIndex"]) == ("", 0)


def test_a_token_in_the_body_as_the_library_sends_it_is_ignored(client: Client) -> None:
    order = client.nomad.order()
    body = {"Meta": dict(order.meta), "idempotency_token": "t-1"}
    path = f"/v1/job/{order.parent}/dispatch"
    names = {client.ask("POST", path, json=body).json()["DispatchedJobID"] for _ in range(2)}
    assert len(names) == 2


def test_stopping_an_unknown_job_answers_zeros(client: Client) -> None:
    response = client.ask("DELETE", "/v1/job/unknown")
    answer = response.json()
    assert (answer["EvalID"], answer["Index"], answer["JobModifyIndex"]) == ("", 0, 0)
    assert response.headers["X-Nomad-Index"] == "0"


def test_the_mark_of_a_node_answers_its_index_alone(client: Client) -> None:
    path = f"/v1/node/{client.nomad.ready_node()}/eligibility"
    indexes = []
    for wanted in ("ineligible", "ineligible", "eligible"):
        answer = client.ask("POST", path, json={"Eligibility": wanted}).json()
        assert set(answer) == {"NodeModifyIndex", "EvalIDs", "EvalCreateIndex", "Index"}
        assert (answer["NodeModifyIndex"], answer["EvalIDs"]) == (0, None)
        indexes.append(answer["Index"])
    assert indexes[1] == 0 < indexes[0] < indexes[2]


def test_a_job_that_is_stopped_is_pending_until_its_evaluation_is_over(client: Client) -> None:
    client.nomad.ready_node()
    child = client.nomad.running_child()
    for _ in range(2):
        client.nomad.port.stop(child)
        client.nomad.settle()
    told = [
        (event["Type"], event["Payload"]["Job"]["Status"], event["Payload"]["Job"]["Stop"])
        for line in lines_of(client, 0, topic=f"Job:{child}")
        for event in line["Events"]
    ]
    assert told[2:] == [
        ("JobDeregistered", "running", True),
        ("PlanResult", "pending", True),
        ("EvaluationUpdated", "dead", True),
        ("JobDeregistered", "dead", True),
        ("JobDeregistered", "pending", True),
        ("EvaluationUpdated", "dead", True),
    ]


def test_a_dead_job_stays_dead_while_it_is_evaluated_anew(client: Client) -> None:
    client.nomad.ready_node()
    child = client.nomad.running_child()
    client.nomad.exit(child, 0)
    client.nomad.settle()
    before = client.nomad.job(child)
    answer = client.ask("POST", f"/v1/job/{child}/evaluate").json()
    assert answer["JobModifyIndex"] == client.get(f"/v1/job/{child}")["ModifyIndex"]
    client.nomad.settle()
    assert client.nomad.job(child) == before
    assert client.nomad.allocations_ever(child) == 1
    (line,) = lines_of(client, 1, topic="Evaluation:*", index=answer["Index"])
    assert line["Events"][0]["Type"] == "AllocationUpdateDesiredStatus"


def test_what_is_lost_is_told_after_what_waits_for_it(client: Client) -> None:
    node_id = client.nomad.ready_node()
    child = client.nomad.running_child()
    client.nomad.machine_dies(node_id)
    client.nomad.miss_heartbeats(node_id)
    (lost,) = client.get(f"/v1/job/{child}/allocations")
    *_, update, blocked = client.get("/v1/evaluations", job=child)
    assert (update["TriggeredBy"], blocked["Status"]) == ("node-update", "blocked")
    assert update["CreateIndex"] < blocked["CreateIndex"] < lost["ModifyIndex"]
    assert lost["ModifyIndex"] < update["ModifyIndex"]
    assert "JobModifyIndex" not in update
    assert update["NodeModifyIndex"] == update["CreateIndex"] - 1


def test_an_evaluation_that_was_blocked_and_is_over_says_no_more_why(client: Client) -> None:
    client.nomad.running_child()
    client.nomad.ready_node()
    client.nomad.settle()
    over = client.get("/v1/evaluations")[-1]
    assert (over["TriggeredBy"], over["Status"]) == ("queued-allocs", "complete")
    assert not {"FailedTGAllocs", "StatusDescription"} & set(over)
    assert over["QueuedAllocations"] == {"main": 0}


def test_a_node_registers_once_more_soon_after_it_joined(client: Client) -> None:
    node_id = client.nomad.ready_node()
    client.nomad.registered_again(node_id)
    told = [
        event for line in lines_of(client, 0, topic=f"Node:{node_id}") for event in line["Events"]
    ]
    assert [event["Type"] for event in told] == [
        "NodeRegistration",
        "NodeStreamEvent",
        "NodeRegistration",
    ]
    before, after = (event["Payload"]["Node"] for event in told[1:])
    differing = {key for key in after if before[key] != after[key]}
    assert "ModifyIndex" in differing
    assert differing <= {"ModifyIndex", "StatusUpdatedAt"}


def test_collected_jobs_are_told_of_and_nothing_else_is(client: Client) -> None:
    client.nomad.ready_node()
    child = client.nomad.running_child()
    client.nomad.exit(child, 0)
    client.nomad.settle()
    client.nomad.collect_garbage()
    (line,) = (
        line for line in lines_of(client, 0) if line["Events"][0]["Type"] == "JobBatchDeregistered"
    )
    assert [(event["Topic"], event["Key"]) for event in line["Events"]] == [("Job", child)]


def test_a_purged_job_takes_its_allocations_along_though_the_task_lives_on(
    client: Client,
) -> None:
    client.nomad.ready_node()
    child = client.nomad.running_child()
    client.nomad.linger(child)
    client.ask("DELETE", f"/v1/job/{child}?purge=true")
    assert client.ask("GET", f"/v1/job/{child}").status_code == 404
    assert client.get("/v1/allocations") == client.get(f"/v1/job/{child}/allocations") == []
    client.nomad.settle()
    assert {row["Status"] for row in client.get("/v1/evaluations", job=child)} == {"complete"}
    assert client.nomad.tasks_at_work() == 1


def test_the_leader_the_agent_and_its_health_can_be_asked(reader: Client) -> None:
    assert re.fullmatch(r"[\d.]+:\d+", reader.get("/v1/status/leader"))
    assert reader.get("/v1/agent/health")["server"]["ok"] is True
    assert reader.get("/v1/agent/self")["config"]["Version"]["Version"]
    for path in ("/v1/status/leader", "/v1/agent/health"):
        assert "X-Nomad-Index" not in reader.ask("GET", path).headers


# ---- headers -------------------------------------------------------------------------------------


def test_reads_say_their_tables_index_and_writes_theirs(client: Client) -> None:
    nodes = client.ask("GET", "/v1/nodes").headers
    client.nomad.port.dispatch(client.nomad.order())
    assert client.ask("GET", "/v1/nodes").headers["X-Nomad-Index"] == nodes["X-Nomad-Index"]
    jobs = client.ask("GET", "/v1/jobs").headers
    assert int(jobs["X-Nomad-Index"]) > int(nodes["X-Nomad-Index"])
    assert (jobs["X-Nomad-KnownLeader"], jobs["X-Nomad-LastContact"]) == ("true", "0")
    written = client.ask("DELETE", f"/v1/job/{client.nomad.parent.id}").headers
    assert "X-Nomad-KnownLeader" not in written
    assert int(written["X-Nomad-Index"]) > int(jobs["X-Nomad-Index"])


def test_an_allocations_update_bumps_the_index_of_nodes_too(client: Client) -> None:
    client.nomad.registered_again(client.nomad.ready_node())
    before = client.ask("GET", "/v1/nodes")
    client.nomad.running_child()
    after = client.ask("GET", "/v1/nodes")
    assert int(after.headers["X-Nomad-Index"]) > int(before.headers["X-Nomad-Index"])
    assert after.json() == before.json()


def test_a_blocking_query_waits_for_any_write_to_its_table(client: Client) -> None:
    index = client.ask("GET", "/v1/jobs").headers["X-Nomad-Index"]
    waited = client.ask("GET", "/v1/jobs", params={"index": index, "wait": "200ms"})
    assert waited.headers["X-Nomad-Index"] == index
    writer = threading.Timer(0.2, client.nomad.port.dispatch, [client.nomad.order()])
    writer.start()
    jobs = client.ask("GET", "/v1/jobs", params={"index": index, "wait": "60s"})
    writer.join()
    assert len(jobs.json()) == 2
    assert int(jobs.headers["X-Nomad-Index"]) > int(index)


# ---- filters, prefixes, namespaces, pages --------------------------------------------------------


def test_filters_look_into_the_full_object(reader: Client) -> None:
    (node_id,) = (n["ID"] for n in reader.get("/v1/nodes") if n["Name"] == "os-worker-002")
    server = reader.get(f"/v1/node/{node_id}")["Meta"]["openstack_server_id"]
    for expression, names in [
        (f'Meta["openstack_server_id"] == "{server}"', ["os-worker-002"]),
        ('Attributes["unique.hostname"] is empty', []),
        ('"hm.large" in NodeClass', ["os-worker-001"]),
        ('not (NodeClass == "hm.large") and Status == "ready"', ["os-worker-002"]),
        ('Name matches "^os-worker-00[12]$"', ["os-worker-001", "os-worker-002"]),
        ('Meta["openstack_server_id"] is empty', []),
        ('Name != "os-worker-001" or Status == "down"', ["os-worker-002"]),
    ]:
        found = reader.get("/v1/nodes", filter=expression)
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
def test_a_filter_that_is_not_understood_is_refused(reader: Client, expression: str) -> None:
    response = reader.ask("GET", "/v1/nodes", params={"filter": expression})
    assert response.status_code == 400
    assert "failed to" in response.text
    assert response.headers["Content-Type"].startswith("text/plain")


def test_without_a_namespace_only_the_default_one_is_listed(client: Client) -> None:
    spec = {"ID": "elsewhere", "Type": "batch", "Namespace": "snow", "TaskGroups": [_GROUP]}
    refused = client.ask("POST", "/v1/jobs", json={"Job": spec})
    assert (refused.status_code, 'nonexistent namespace "snow"' in refused.text) == (500, True)
    assert client.ask("PUT", "/v1/namespace/snow", json={"Name": "snow"}).status_code == 200
    assert client.ask("POST", "/v1/jobs", json={"Job": spec}).status_code == 200
    client.nomad.settle()
    for path in ("/v1/jobs", "/v1/evaluations"):
        everywhere, default = client.get(path, namespace="*"), client.get(path)
        there = client.get(path, namespace="snow")
        assert {row["Namespace"] for row in there} == {"snow"}
        assert len(everywhere) == len(default) + len(there)
        assert client.get(path, namespace="mistyped") == []


_TASK = {"Name": "main", "Driver": "raw_exec", "Config": {"command": "/bin/true"}}
_GROUP = {"Name": "main", "Tasks": [_TASK]}


def test_pages_make_up_the_whole_list(client: Client) -> None:
    for _ in range(7):
        client.nomad.port.dispatch(client.nomad.order())
    client.nomad.settle()
    whole, paged, following = client.get("/v1/jobs"), [], ""
    while True:
        page = client.ask("GET", "/v1/jobs", params={"per_page": 3, "next_token": following})
        paged += page.json()
        following = page.headers.get("X-Nomad-NextToken", "")
        if not following:
            break
    assert paged == whole


def test_only_the_lowercase_word_reverses_a_list(reader: Client) -> None:
    forwards = reader.get("/v1/jobs")
    assert len(forwards) == 2
    assert reader.get("/v1/jobs", reverse="true") == forwards[::-1]
    assert reader.get("/v1/jobs", reverse="True") == forwards


# ---- refusals ------------------------------------------------------------------------------------

ANY = "00000000-0000-0000-0000-000000000000"
NO_UUID = "index error: UUID must be 36 characters"
DISPATCH = "/v1/job/{parent}/dispatch"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        pytest.param("GET", f"/v1/node/{ANY}", None, 404, "node not found", id="get-node"),
        pytest.param("GET", "/v1/node/x", None, 500, NO_UUID, id="get-node-x"),
        pytest.param("GET", "/v1/job/x", None, 404, "job not found", id="get-job"),
        pytest.param("GET", "/v1/job/x/summary", None, 404, "job not found", id="summary"),
        pytest.param("GET", "/v1/job/x/allocations", None, 200, "[]", id="job-allocations"),
        pytest.param("GET", f"/v1/allocation/{ANY}", None, 404, "alloc not found", id="get-alloc"),
        pytest.param("GET", "/v1/allocation/x", None, 500, NO_UUID, id="get-alloc-x"),
        pytest.param("GET", f"/v1/evaluation/{ANY}", None, 404, "eval not found", id="get-eval"),
        pytest.param("GET", "/v1/evaluation/x", None, 500, NO_UUID, id="get-eval-x"),
        pytest.param("GET", "/v1/nothing", None, 404, "", id="unknown-path"),
        pytest.param("POST", f"/v1/node/{ANY}/purge", None, 500, "node not found", id="purge"),
        pytest.param("POST", "/v1/node/x/purge", None, 500, NO_UUID, id="purge-x"),
        pytest.param(
            "POST",
            f"/v1/node/{ANY}/eligibility",
            {"Eligibility": "eligible"},
            500,
            "node not found",
            id="eligibility",
        ),
        pytest.param(
            "POST",
            f"/v1/node/{ANY}/eligibility",
            {"Eligibility": "maybe"},
            500,
            'invalid scheduling eligibility "maybe"',
            id="eligibility-of-no-kind",
        ),
        pytest.param("POST", "/v1/job/x/evaluate", None, 500, "job not found", id="evaluate"),
        pytest.param("POST", "/v1/job/x/dispatch", {}, 500, "parameterized job", id="dispatch"),
        pytest.param("POST", DISPATCH, None, 400, "Request body is empty", id="no-body"),
        pytest.param("POST", DISPATCH, {"JobID": "y"}, 400, "does not match", id="id"),
        pytest.param("POST", DISPATCH, {"Payload": "%"}, 400, "illegal base64", id="no-base64"),
        pytest.param("POST", "/v1/jobs", {}, 400, "Job must be specified", id="no-job"),
        pytest.param("POST", "/v1/jobs", {"Job": {"Type": "b"}}, 400, "Job ID hasn't", id="no-id"),
        pytest.param("POST", "/v1/jobs", {"Job": {"ID": "x"}}, 500, "task groups", id="no-groups"),
        pytest.param("DELETE", "/v1/nodes", None, 405, "Invalid method", id="method"),
        pytest.param("GET", "/v1/jobs?meta=perhaps", None, 500, "invalid syntax", id="bool"),
        pytest.param("GET", "/v1/jobs?per_page=x", None, 400, "Expect a number", id="page"),
        pytest.param("GET", "/v1/jobs?index=x", None, 400, "Invalid index", id="index"),
        pytest.param("GET", "/v1/jobs?index=1&wait=x", None, 400, "Invalid wait time", id="wait"),
        pytest.param("GET", "/v1/jobs?region=x", None, 500, "No path to region", id="region"),
        pytest.param("GET", "/v1/nodes?prefix=abc", None, 500, "even length", id="odd-prefix"),
        pytest.param("GET", "/v1/nodes?prefix=zz", None, 500, "invalid byte", id="no-hex-prefix"),
        pytest.param("GET", "/v1//jobs", None, 307, "/v1/jobs", id="two-slashes"),
        pytest.param(
            "GET", "/v1/evaluations?status=blocked&filter=x", None, 400, "cannot be used", id="both"
        ),
    ],
)
def test_every_refusal_is_in_nomads_words(
    reader: Client, method: str, path: str, body: Any, status: int, text: str
) -> None:
    response = reader.ask(method, path.format(parent=reader.nomad.parent.id), json=body)
    assert (response.status_code, text in response.text) == (status, True), response.text


# ---- the event stream ----------------------------------------------------------------------------


def lines_of(client: Client, count: int, **params: Any) -> list[Any]:
    """The first lines of the event stream that are no heartbeats; 0: all that there are."""
    found: list[Any] = []
    with (
        client.ask("GET", "/v1/event/stream", params=params, stream=True, timeout=2) as response,
        suppress(requests.ConnectionError),
    ):
        for line in response.iter_lines(chunk_size=1):
            if said := json.loads(line):
                found.append(said)
            if count and len(found) == count:
                break
    return found


def test_the_stream_begins_with_a_heartbeat_and_the_whole_buffer(client: Client) -> None:
    client.nomad.ready_node()
    with client.ask("GET", "/v1/event/stream", stream=True) as response:
        lines = response.iter_lines(chunk_size=1)
        assert next(lines) == b"{}"
        first = json.loads(next(lines))
    parent = client.nomad.parent.id
    assert first["Events"][0]["Topic"] == "Job"
    assert first["Events"][0]["Key"] == parent
    assert first["Events"][0]["Payload"]["Job"]["ID"] == parent


def test_the_life_of_a_run_is_told_write_by_write(client: Client) -> None:
    node_id = client.nomad.ready_node()
    client.nomad.registered_again(node_id)
    child = client.nomad.running_child()
    client.nomad.exit(child, 0)
    client.nomad.settle()
    lines = [line for line in lines_of(client, 0) if line["Events"][0]["Topic"] != "Node"][1:]
    told = [[(event["Topic"], event["Type"]) for event in line["Events"]] for line in lines]
    assert told[:4] == [
        [("Job", "JobRegistered")],
        [("Evaluation", "JobRegistered")],
        [("Evaluation", "PlanResult"), ("Allocation", "PlanResult"), ("Job", "PlanResult")],
        [("Evaluation", "EvaluationUpdated")],
    ]
    *started, ended = told[4:]
    assert started
    assert all(
        each == [("Allocation", "AllocationUpdated"), ("Node", "AllocationUpdated")]
        for each in started
    )
    assert ended == [
        ("Allocation", "AllocationUpdated"),
        ("Job", "AllocationUpdated"),
        ("Node", "AllocationUpdated"),
    ]
    assert lines[0]["Index"] == lines[1]["Index"]
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
        client.nomad.port.dispatch(client.nomad.order())
    client.nomad.settle()
    known = [line["Index"] for line in lines_of(client, 0)]
    assert [line["Index"] for line in lines_of(client, 2, index=known[-2])] == known[-2:]
    assert [line["Index"] for line in lines_of(client, 1, index=known[-1] + 999)] == known[-1:]


def test_what_fell_out_of_the_buffer_is_silently_missed(client: Client) -> None:
    first = lines_of(client, 1)[0]["Index"]
    for _ in range(120):
        client.nomad.port.dispatch(client.nomad.order())
    client.nomad.settle()
    kept = lines_of(client, 0, index=first)
    assert len(kept) in {100, 101}
    assert kept[0]["Index"] > first
