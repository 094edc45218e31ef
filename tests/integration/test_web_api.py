"""What the HTTP API says and does, on a real PostgreSQL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import urllib3

from infra.api import connect as connect_api
from infra.postgres import Postgres, connect
from models.access import Role
from models.breakers import BreakerName
from models.catalogue import Collection, RejectedEntry
from models.changes import TripBreaker
from models.creation import CreateJobs, Cursor, Feed
from models.errors import NotFound, PortError, Refused, Throttled, Unavailable, Unknown
from models.lifecycle import Status
from models.parameter_text import parameters
from models.payload import run_token
from models.ports import Placement, RunResult
from models.product_names import ProductType
from tests.plugins.stores import Desk, postgres_doors
from tests.plugins.web import KEY, Api, serving
from web.serve import listening_on
from web.size import MOST_BYTES

pytestmark = pytest.mark.integration

PLACEMENT = Placement(allocation_id="allocation-1")
RUN = uuid4()


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    """Short ways to jobs in the database behind the API."""
    return Desk(postgres_doors(own_database))


def pages(api: Api, token: str, query: str) -> list[list[int]]:
    """The ids of every page of a list."""
    found: list[list[int]] = []
    after = ""
    while after is not None:
        page = api.ask("GET", f"/jobs?{query}{after}", token).body
        found.append([job["id"] for job in page["jobs"]])
        after = page["next"] and f"&after={page['next']}"
    return found


def test_jobs_are_listed_page_by_page_and_filtered(api: Api, desk: Desk) -> None:
    token = api.token(Role.VIEWER)
    ids = [*desk.submit(3), *desk.submit(2, type="rlies1")]
    assert pages(api, token, "limit=2") == [ids[:2], ids[2:4], ids[4:]]
    assert pages(api, token, "type=rlies1&status=ready&status=queued") == [ids[3:]]
    assert pages(api, token, "tile=99XXX") == [[]]
    newest = ids[::-1]
    assert pages(api, token, "limit=2&sort=-id") == [newest[:2], newest[2:4], newest[4:]]
    for sort in ("status_at", "-status_at"):
        found = [job for page in pages(api, token, f"limit=2&sort={sort}") for job in page]
        assert sorted(found) == ids


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param("status=soon", "query.status.0", id="no-such-status"),
        pytest.param("limit=0", "query.limit", id="no-page-at-all"),
        pytest.param("colour=red", "query.colour", id="no-such-filter"),
        pytest.param("after=17&after=18", "query.after", id="twice-what-counts-once"),
        pytest.param(f"after={2**64}", "query.after", id="an-id-beyond-the-database"),
        pytest.param("after=17&sort=-status_at", "query.after", id="a-page-of-another-list"),
    ],
)
def test_a_query_that_makes_no_sense_names_what_is_wrong(api: Api, query: str, named: str) -> None:
    answer = api.ask("GET", f"/jobs?{query}", api.token(Role.VIEWER))
    assert (answer.status, answer.kind) == (422, "application/problem+json")
    assert answer.body["type"] == "urn:hrsi:problem:malformed"
    assert named in answer.body["detail"]


@pytest.mark.parametrize("path", ["/pauses?limt=5", "/workers?closed=true&open=1", "/jobs/1?x"])
def test_what_the_description_does_not_name_is_refused_by_name(api: Api, path: str) -> None:
    answer = api.ask("GET", path, api.token(Role.VIEWER))
    assert (answer.status, answer.body["type"]) == (422, "urn:hrsi:problem:malformed")
    assert path.rpartition("?")[2].rpartition("&")[2].partition("=")[0] in answer.body["detail"]


def test_everything_known_about_a_job_is_one_document(api: Api, desk: Desk) -> None:
    run = desk.claimed()
    job = desk.job(run.job_id)
    token = api.token(Role.VIEWER)
    by_id, by_uuid, by_key = (
        api.ask("GET", f"/jobs/{reference}", token).body
        for reference in (job.id, job.unique_id, f"by-key?type={job.type}&key={job.key}")
    )
    assert by_id == by_uuid == by_key
    assert by_id["job"]["status"] == "started"
    assert [row["after"] for row in by_id["history"]][-2:] == ["queued", "started"]
    assert [(each["id"], each["claim"]) for each in by_id["runs"]] == [(str(run.id), 1)]
    missing = api.ask("GET", "/jobs/by-key?type=gfsc&key=nothing", token)
    assert (missing.status, missing.body["type"]) == (404, "urn:hrsi:problem:not-found")
    assert "gfsc/nothing" in missing.body["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        pytest.param("GET", "/rabbits", 404, "there is nothing at /api/v1/rabbits", id="path"),
        pytest.param("DELETE", "/jobs", 405, "DELETE is not for /api/v1/jobs", id="method"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_where_to_look(
    api: Api, method: str, path: str, status: int, detail: str
) -> None:
    answer = api.ask(method, path, api.token(Role.VIEWER))
    assert answer.status == status
    assert answer.body["detail"].startswith(f"{detail}; /api/v1/openapi.json says what ")


def test_what_a_person_does_is_judged_one_by_one_and_stands_in_the_trail(
    api: Api, desk: Desk
) -> None:
    token = api.token(Role.OPERATOR, "ada")
    [job] = desk.submit()
    wish: dict[str, Any] = {"jobs": [job, 10**9], "reason": "wrong tile"}
    tried = api.ask("POST", "/jobs/cancel", token, {**wish, "dry_run": True})
    assert [verdict["done"] for verdict in tried.body] == [True, False]
    assert desk.job(job).status is Status.READY
    done = api.ask("POST", "/jobs/cancel", token, wish)
    assert [verdict["done"] for verdict in done.body] == [True, False]
    assert desk.job(job).status is Status.CANCELLED
    assert desk.story(job).history[-1].actor == "ada (api)"
    newest, *_ = api.ask("GET", f"/audit?about=job:{job}", token).body
    assert (newest["actor"], newest["action"], newest["reason"]) == (
        "ada (api)",
        "cancel",
        "wrong tile",
    )


def test_jobs_are_handed_in_and_refused_by_their_numbers(api: Api) -> None:
    token = api.token(Role.OPERATOR)
    product = "S2A_MSIL1C_20220906T130311_N0400_R038_T28WEU_20220906T182127"
    wish = {
        "jobs": [
            {"type": "fsc_rlie", "product": product, "priority": "nrt"},
            {"type": "fsc_rlie", "name": "a", "product": product},
            {"type": "moon_rock", "name": "b"},
            {"type": "gfsc", "name": "c", "input": {"tiles": ["28WEU"]}},
        ]
    }
    tried = api.ask("POST", "/jobs", token, {**wish, "dry_run": True}).body
    assert (tried["added"], tried["existing"]) == ([], [])
    first, again = (api.ask("POST", "/jobs", token, wish).body for _ in range(2))
    assert [refused["number"] for refused in first["refused"]] == [2, 3]
    assert "moon_rock" in first["refused"][1]["error"]
    assert (len(first["added"]), again["added"]) == (2, [])
    assert again["existing"] == first["added"]
    found = api.ask("GET", f"/jobs/by-key?type=fsc_rlie&key={product}", token).body
    assert (found["job"]["tile"], found["input"]) == ("28WEU", {"product": product})


def test_one_job_is_read_in_parts_too(api: Api, desk: Desk) -> None:
    run = desk.claimed()
    token = api.token(Role.VIEWER)
    whole = api.ask("GET", f"/jobs/{run.job_id}", token).body
    for part in ("history", "runs", "decisions"):
        assert api.ask("GET", f"/jobs/{run.job_id}/{part}", token).body == whole[part]
        assert api.ask("GET", f"/jobs/{10**9}/{part}", token).status == 404


def test_the_state_of_everything_is_on_one_page(api: Api, desk: Desk) -> None:
    token = api.token(Role.VIEWER)
    desk.submit(3)
    worker = desk.booting()
    state = api.ask("GET", "/status", token).body
    assert state["jobs"] == {"ready": 3}
    assert state["workers"] == {worker.flavor: {"booting": 1}}
    services = api.ask("GET", "/services", token).body
    assert services["services"] == state["services"]
    assert {each["name"] for each in services["services"]} >= {"monitor", "worker-pool"}
    pool = api.ask("GET", "/pool", token).body
    (young,) = pool["unregistered"]
    assert (young["name"], young["late"]) == (worker.name, False)
    whole = api.ask("GET", f"/workers/{worker.name}", token).body
    assert [each["server_id"] for each in whole["workers"]] == [worker.server_id]
    assert api.ask("GET", "/workers/os-worker-999", token).status == 404
    assert api.ask("GET", "/flavors/hm.medium/decisions", token).status == 200
    assert "hm.medium" in api.ask("GET", "/flavors/hm.tiny/decisions", token).body["detail"]


def test_a_machine_outside_the_pool_is_awaited_by_nobody(api: Api, desk: Desk) -> None:
    token = api.token(Role.OPERATOR)
    wish = {"flavor": "hm.medium", "keep_hours": 8, "outside_pool": True}
    (verdict,) = api.ask("POST", "/workers/order", token, wish).body
    assert verdict["done"], verdict
    (order,) = desk.view().orders
    assert desk.creating(order_id=order.id).outside_pool
    awaited = desk.creating()
    pool = api.ask("GET", "/pool", token).body
    assert pool["workers"] == {"hm.medium": {"creating": 2}}
    assert [each["name"] for each in pool["unregistered"]] == [awaited.name]


def test_a_breaker_is_seen_and_closed(api: Api, desk: Desk) -> None:
    token = api.token(Role.OPERATOR)
    opened = TripBreaker(
        at=desk.now(), name=BreakerName.NODES, because="6 of 6 are missing", suspects={"s-1": "w-1"}
    )
    desk.do(opened)
    (seen,) = api.ask("GET", "/breakers", token).body
    assert (seen["name"], seen["suspects"]) == ("nodes", {"s-1": "w-1"})
    wish = {"names": ["nodes", "doors"], "reason": "burnt"}
    done = api.ask("POST", "/breakers/close", token, wish).body
    assert [verdict["done"] for verdict in done] == [True, False]
    assert api.ask("GET", "/breakers", token).body == []
    (closed,) = api.ask("GET", "/breakers?closed=true", token).body
    assert (closed["closed_by"], closed["close_reason"]) == ("operator (api)", "burnt")


def test_feeds_are_seen_and_rewound(api: Api, desk: Desk) -> None:
    token = api.token(Role.OPERATOR)
    at = desk.now()
    feed = Feed(source="dias", collection=Collection.SENTINEL_2, type=ProductType.L1C)
    cursor = Cursor(feed=feed, until=at, deep_at=at)
    entry = RejectedEntry(
        source="dias", collection=Collection.SENTINEL_2, entry="odd", why="no tile", text="{}"
    )
    desk.do(CreateJobs(at=at, cursor=cursor, expected=None, flavors={}, rejected=(entry,)))
    assert [each["feed"] for each in api.ask("GET", "/sources", token).body] == [str(feed)]
    (kept,) = api.ask("GET", "/sources/rejects?source=dias", token).body
    assert kept["entry"]["why"] == "no tile"
    assert api.ask("GET", "/sources/rejects?source=other", token).body == []
    assert api.ask("GET", "/sources/groups?type=gfsc", token).body == []
    wish = {"feed": str(feed), "to": "2020-01-05T12:00:00Z", "reason": "re-indexed"}
    assert api.ask("POST", "/sources/rewind", token, wish).body["done"]
    (moved,) = api.ask("GET", "/sources", token).body
    assert moved["until"] == "2020-01-05T12:00:00Z"
    odd = api.ask("POST", "/sources/rewind", token, {**wish, "feed": "nothing"})
    assert (odd.status, odd.body["type"]) == (404, "urn:hrsi:problem:not-found")


def test_parameters_are_told_with_what_they_do(api: Api) -> None:
    token = api.token(Role.ADMIN)
    every = api.ask("GET", "/parameters", token).body
    assert {each["key"] for each in every} == set(parameters())
    assert api.ask("GET", "/parameters?changed=true", token).body == []
    wish = {"value": 300, "seconds": 3600, "reason": "workers flap"}
    assert api.ask("PUT", "/parameters/pool.idle_for", token, wish).status == 200
    (changed,) = api.ask("GET", "/parameters?changed=true", token).body
    assert (changed["value"], changed["default"], changed["unit"]) == (300, 120, "seconds")
    whole = api.ask("GET", "/parameters/pool.idle_for", token).body
    assert whole["now"] == changed
    assert [change["reason"] for change in whole["history"]] == ["workers flap"]
    assert api.ask("GET", "/parameters/pool.colour", token).status == 404


def test_a_request_that_is_too_long_is_refused_before_anybody_asks_whose_it_is(api: Api) -> None:
    # One byte too much: all of it is read before the answer, and the connection ends in order.
    answer = urllib3.request(
        "POST",
        f"{api.url}/api/v1/jobs",
        body=b" " * (MOST_BYTES + 1),
        headers={"Content-Type": "application/json", "Connection": "close"},
        timeout=120,
        retries=False,
    )
    assert (answer.status, answer.json()["type"]) == (413, "urn:hrsi:problem:too-long")


def test_answers_do_not_wait_for_the_caller_to_confirm_the_one_before() -> None:
    """The event loop sets TCP_NODELAY only where a socket says that it is TCP; else each answer
    over a kept connection takes 40 ms.
    """
    with listening_on("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_text_that_the_database_cannot_keep_is_the_callers_fault(api: Api) -> None:
    token = api.token(Role.OPERATOR)
    wish = {"jobs": [{"type": "gfsc", "name": "a", "input": {"odd": "\0"}}]}
    refused = api.ask("POST", "/jobs", token, wish)
    assert (refused.status, refused.body["type"]) == (422, "urn:hrsi:problem:malformed")
    assert api.ask("GET", "/jobs/by-key?type=gfsc&key=%00", token).status == 422


def test_pauses_and_parameters_are_set_and_seen(api: Api) -> None:
    admin = api.token(Role.ADMIN)
    rest = {"targets": ["type:gfsc"], "seconds": 1800, "reason": "inputs are wrong"}
    assert [verdict["done"] for verdict in api.ask("POST", "/pauses", admin, rest).body] == [True]
    assert [pause["target"] for pause in api.ask("GET", "/pauses", admin).body] == ["type:gfsc"]
    ended = api.ask("POST", "/pauses/end", admin, {"targets": ["type:gfsc"]})
    assert [verdict["done"] for verdict in ended.body] == [True]
    path = "/parameters/pool.max_workers"
    change = api.ask("PUT", path, admin, {"value": 50, "reason": "quota"})
    assert (change.body["old"], change.body["new"], change.body["author"]) == (
        None,
        50,
        "admin (api)",
    )
    assert [row["new"] for row in api.ask("GET", "/parameters/history", admin).body] == [50]
    refused = api.ask("PUT", path, admin, {"value": -1})
    assert (refused.status, refused.body["type"]) == (422, "urn:hrsi:problem:impossible-value")
    assert "pool.max_workers" in refused.body["detail"]
    unknown = api.ask("PUT", "/parameters/pool.colour", admin, {"value": 1})
    assert unknown.status == 404


def test_a_token_is_made_used_and_ended_over_the_api(api: Api) -> None:
    admin = api.token(Role.ADMIN)
    wish = {"name": "grafana", "role": "viewer", "reason": "dashboards"}
    made = api.ask("POST", "/tokens", admin, wish).body
    assert made["verdict"]["done"]
    assert api.ask("GET", "/jobs", made["token"]).status == 200
    again = api.ask("POST", "/tokens", admin, wish).body
    assert (again["verdict"]["done"], again["token"]) == (False, None)
    ended = api.ask("POST", "/tokens/revoke", admin, {"names": ["grafana", "nobody"]})
    assert [verdict["done"] for verdict in ended.body] == [True, False]
    assert api.ask("GET", "/jobs", made["token"]).status == 401
    assert api.ask("POST", "/tokens", admin, wish).body["verdict"]["done"]


MANY = 200


def test_two_hundred_workers_speak_at_once_and_nothing_is_lost(api: Api, desk: Desk) -> None:
    queued = [desk.queue_change(job_id) for job_id in desk.submit(MANY)]
    for change in queued:
        api.database.store.commit(desk.lease, change)
    together = threading.Barrier(MANY)

    def live(run_id: UUID) -> None:
        reports = connect_api(api.url, run_token(KEY, run_id))
        together.wait()
        claim = reports.claim(run_id, PLACEMENT).number
        reports.report(run_id, claim, Status.PRE_PROCESSING)
        reports.end(run_id, claim, RunResult(status=Status.EXTERNAL_ERROR, subtype="S3"))
        reports.close()

    with ThreadPoolExecutor(MANY) as workers:
        for ended in [workers.submit(live, change.intent.id) for change in queued]:
            ended.result()
    lived = [Status.QUEUED, Status.STARTED, Status.PRE_PROCESSING, Status.EXTERNAL_ERROR]
    assert [each.job_id for each in queued if desk.path(each.job_id) != lived] == []
    desk.check_history()


def test_what_a_program_says_is_refused_as_the_store_refuses_it(api: Api, desk: Desk) -> None:
    run, stranger = desk.queued(), uuid4()
    with pytest.raises(Refused, match="not that of run"):
        connect_api(api.url, run_token(KEY, stranger)).claim(run.id, PLACEMENT)
    with pytest.raises(NotFound, match=str(stranger)):
        connect_api(api.url, run_token(KEY, stranger)).claim(stranger, PLACEMENT)


@contextmanager
def listening(answers: bytes | None) -> Iterator[str]:
    """The address of a server that takes one request and answers this, or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(65_536)
                caller.sendall(answers or b"")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_database_that_is_away_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = connect(f"postgresql://nobody@127.0.0.1:{port}/none")
    with serving(away) as api:
        for path in ("/healthz", "/api/v1/jobs"):
            answer = api.ask_raw("GET", path, "hrsi_any")
            assert (answer.status, answer.body["type"]) == (503, "urn:hrsi:problem:unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        claim = connect_api(api.url, run_token(KEY, RUN))
        with pytest.raises(Unavailable):
            claim.claim(RUN, PLACEMENT)
        claim.close()
    away.dispose()


def test_an_api_that_is_not_there_is_unavailable_and_nothing_happened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    reports = connect_api(f"http://127.0.0.1:{port}", run_token(KEY, RUN))
    with pytest.raises(Unavailable, match="gave no answer"):
        reports.claim(RUN, PLACEMENT)
    reports.close()


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(None, Unknown, id="hung-up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Unknown, id="no-claim"),
        pytest.param(
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", Unknown, id="a-proxy"
        ),
        pytest.param(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            Throttled,
            id="too-often",
        ),
    ],
)
def test_an_answer_that_says_nothing_is_no_answer(
    answers: bytes | None, error: type[PortError]
) -> None:
    with listening(answers) as url:
        reports = connect_api(url, run_token(KEY, RUN))
        with pytest.raises(error, match=f"claim run {RUN}") as raised:
            reports.claim(RUN, PLACEMENT)
        reports.close()
    assert raised.value.retry_after == (timedelta(seconds=7) if error is Throttled else None)
