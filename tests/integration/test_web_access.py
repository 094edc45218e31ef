"""Who may do what over HTTP: every route by every kind of caller, as one table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from infra.postgres import Postgres, connect
from models.access import PREFIX, Role, digest_of
from models.lifecycle import Status
from models.payload import run_token
from tests.plugins.routes import NEEDS, OPEN, PLACES
from tests.plugins.stores import ASKED, Desk, postgres_doors
from tests.plugins.web import KEY, Api, serving
from web.access import FAILURES
from web.mint import make

pytestmark = pytest.mark.integration

STRANGERS = (
    "no token",
    "a wrong token",
    "an expired token",
    "a revoked token",
    "another run",
    "a run that is over",
)
CALLERS = (*STRANGERS, "the run", *Role)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An API with somebody of every kind at its door."""

    api: Api
    job: int
    run: UUID
    over: UUID
    tokens: dict[str, str | None]


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Postgres]:
    opened = connect(database_url, application_name="tests")
    yield opened
    opened.dispose()


@pytest.fixture
def place(database: Postgres) -> Iterator[Place]:
    desk = Desk(postgres_doors(database))
    run, over = desk.queued(), desk.claimed()
    desk.end(over, Status.INTERNAL_ERROR)
    with serving(database) as api:
        moment = timedelta(milliseconds=1)
        expired = make(database.tokens, "expired", Role.ADMIN, ASKED, moment).token
        revoked = api.token(Role.ADMIN, "revoked")
        database.tokens.revoke(("revoked",), ASKED)
        time.sleep(moment.total_seconds() * 2)
        yield Place(
            api=api,
            job=run.job_id,
            run=run.id,
            over=over.id,
            tokens={
                "no token": None,
                "a wrong token": f"{PREFIX}nobody-has-this-one",
                "an expired token": expired,
                "a revoked token": revoked,
                "another run": run_token(KEY, uuid4()),
                "a run that is over": run_token(KEY, over.id),
                "the run": run_token(KEY, run.id),
                **{role.value: api.token(role) for role in Role},
            },
        )


def may(caller: str, needed: str | Role) -> bool:
    if needed == OPEN:
        return True
    if isinstance(needed, Role):
        return caller in list(Role) and Role(caller).covers(needed)
    return caller == "the run"


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_it_should_and_nobody_else(place: Place, caller: str) -> None:
    """What gets in is refused for its empty body, or answered; what does not never gets so far."""
    for (method, path), needed in NEEDS.items():
        names = {**PLACES, "run_id": place.run, "reference": place.job}
        filled = path.format(**names)
        # A failure counts against the address: each route is asked as if it were the first one.
        place.api.forgive()
        answer = place.api.ask_raw(method, filled, place.tokens[caller])
        # Of that name there is a flavor and no worker.
        expected = {200, 404, 422} if may(caller, needed) else {401, 403}
        assert answer.status in expected, (method, path, caller, answer)
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        if answer.status == 403:
            assert f"this needs {needed}" in answer.body["detail"]


SAID_BY_A_RUN = [
    pytest.param("claims", {"allocation_id": "allocation-2"}, id="claims-again"),
    pytest.param("claims/1/status", {"status": "processing"}, id="goes-on"),
    pytest.param("claims/1/end", {"status": "external_error"}, id="ends-otherwise"),
]


@pytest.mark.parametrize(("path", "body"), SAID_BY_A_RUN)
def test_a_run_that_is_over_says_nothing_more_of_itself(
    place: Place, database: Postgres, path: str, body: dict[str, str]
) -> None:
    token = place.tokens["a run that is over"]
    before = database.reader.totals()
    answer = place.api.ask("POST", f"/runs/{place.over}/{path}", token, body)
    assert (answer.status, answer.body["type"]) == (409, "urn:hrsi:problem:superseded")
    assert database.reader.totals() == before


@pytest.mark.parametrize(("path", "body"), SAID_BY_A_RUN)
def test_the_token_of_a_run_that_is_over_opens_no_other_run(
    place: Place, path: str, body: dict[str, str]
) -> None:
    place.api.forgive()
    token = place.tokens["a run that is over"]
    assert place.api.ask("POST", f"/runs/{place.run}/{path}", token, body).status == 401


def test_the_table_names_every_route(place: Place) -> None:
    described = place.api.ask("GET", "/openapi.json").body["paths"]
    routes = {(method.upper(), path) for path, ways in described.items() for method in ways}
    assert routes == set(NEEDS)


def test_an_address_with_many_wrong_tokens_has_to_wait_but_runs_there_are_heard(
    place: Place,
) -> None:
    api, wrong = place.api, place.tokens["a wrong token"]
    for _ in range(FAILURES):
        assert api.ask("GET", "/jobs", wrong).status == 401
    locked_out = api.ask("GET", "/jobs", place.tokens["admin"])
    assert locked_out.status == 429
    assert 0 < int(locked_out.headers["Retry-After"]) <= 60
    assert locked_out.body["type"] == "urn:hrsi:problem:too-many-failures"
    claim = {"allocation_id": "allocation-1"}
    heard = api.ask("POST", f"/runs/{place.run}/claims", place.tokens["the run"], claim)
    assert heard.status == 200
    api.forgive()
    assert api.ask("GET", "/jobs", place.tokens["admin"]).status == 200


def test_the_store_keeps_no_token_and_no_list_shows_one(place: Place) -> None:
    admin = place.tokens["admin"]
    assert admin is not None
    listed = place.api.ask("GET", "/tokens", admin)
    assert {row["name"] for row in listed.body} >= {"admin", "viewer", "expired", "revoked"}
    assert admin not in str(listed.body)
    assert digest_of(admin).hex() not in str(listed.body)
