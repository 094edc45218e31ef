"""The API does what its description says, whatever it is sent: Schemathesis asks every route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from controller.planning import Look
from controller.preview import preview, told
from controller.reconcilers import RECONCILERS
from infra.postgres import Postgres, connect
from models.access import Role
from models.payload import run_token
from models.previews import Previewed
from models.settings import DEFAULT_SETTINGS
from simulator.examples import NOW, a_world
from tests.plugins.routes import NEEDS, OF_THE_RUN
from tests.plugins.stores import Desk, postgres_doors
from tests.plugins.web import KEY, Api, serving
from web.app import takes_several

pytestmark = pytest.mark.integration


EXAMPLES = 4
"""Requests of each kind for each route."""


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Postgres]:
    opened = connect(database_url, application_name="tests")
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def desk(database: Postgres) -> Desk:
    desk = Desk(postgres_doors(database))
    desk.submit(3)
    desk.ready()
    return desk


@pytest.fixture(scope="module")
def api(database: Postgres, desk: Desk) -> Iterator[Api]:
    assert desk.doors.reader is database.reader
    with serving(database, preview=previewed) as made:
        yield made


def previewed(changes: Mapping[str, float | None]) -> Previewed:
    """What other parameters change in a world that stands still."""
    look = Look(world=a_world(), settings=DEFAULT_SETTINGS, now=NOW)
    return told(preview(look, changes, RECONCILERS))


@pytest.fixture(scope="module")
def admin(api: Api) -> str:
    return api.token(Role.ADMIN)


@pytest.fixture(scope="module")
def described(api: Api) -> Any:
    """The description as everybody reads it."""
    return schemathesis.openapi.from_dict(api.ask("GET", "/openapi.json").body)


RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE

ASKED = [
    pytest.param(method, path, mode, id=f"{mode.value} {method} {path}")
    for method, path in NEEDS
    for mode in (RIGHT, WRONG)
    if (path, mode) != ("/healthz", WRONG)  # it takes nothing that could be wrong
]

MORE_THAN_A_SCHEMA_SAYS = {
    ("POST", "/api/v1/runs/{run_id}/claims/{number}/end"),  # what a claim can have made
    ("POST", "/api/v1/parameters/preview"),  # there are only so many keys
    ("PUT", "/api/v1/parameters/{key}"),  # every key has its bounds, and some go by one another
    ("POST", "/api/v1/campaigns"),  # what is past, and which catalogues the settings name
    ("GET", "/api/v1/jobs"),  # `after` is of one sort of list
}
"""Where a request that fits the schema may make no sense all the same, and is told so by a 422."""


def is_told_apart(case: schemathesis.Case[Any]) -> bool:
    """Whether what is wrong with a request can be seen on the wire. In the address of a page there
    are texts alone: a number or a list of one text, where a text belongs, is that text.
    """
    query = dict(case.query or {})
    return all(
        is_seen(query[each.name], each.definition["schema"])
        for each in case.operation.query
        if each.name in query
    )


def is_seen(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether this value of a parameter arrives as what it is."""
    if takes_several(schema):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if isinstance(value, list):
        return len(value) > 1
    return isinstance(value, str) or "string" not in str(schema)


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_a_route_answers_as_it_is_described(
    api: Api,
    desk: Desk,
    admin: str,
    described: Any,
    method: str,
    path: str,
    mode: GenerationMode,
) -> None:
    operation = described[path][method]
    token: str = admin
    fixed: dict[str, Any] = {}
    if NEEDS[method, path] == OF_THE_RUN:
        run = desk.queued()
        token, fixed = run_token(KEY, run.id), {"path_parameters": {"run_id": str(run.id)}}

    says_more = (method, path) in MORE_THAN_A_SCHEMA_SAYS
    excluded: list[Any] = [positive_data_acceptance] if says_more else []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **fixed).filter(is_told_apart))
    def ask(case: schemathesis.Case[Any]) -> None:
        api.forgive()
        case.call_and_validate(
            base_url=api.url,
            headers={"Authorization": f"Bearer {token}"},
            excluded_checks=excluded,
            timeout=120,
        )

    ask()
