"""The API, put together: every group of routes below `/api/v1`, and one page for supervisors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute

from models.errors import Malformed
from web import (
    campaigns,
    control,
    jobs,
    links,
    logs,
    parameters,
    pool,
    problems,
    runs,
    services,
    sources,
    tokens,
)
from web.access import AtDesk, Failures
from web.desk import Desk
from web.size import BoundedBody

ROOT = "/api/v1"

DESCRIPTION = """\
Jobs, workers, parameters and decisions of an HR-S&I controller, and what programs on workers say.

People and scripts send a token made by `hrsi token create` as `Authorization: Bearer TOKEN`; a role
may do what those before it may: viewer, operator, admin. A program on a worker sends the token of
its run. Problems are RFC 9457: branch on `type`, show `detail`. Every write says the same when it
is said twice, and `dry_run` says what it would do. Times are UTC, durations seconds.
"""

TAGS = (
    ("jobs", "What is to be processed: lists, everything about one, and what people do with them."),
    ("logs", "What runs said, live and long afterwards."),
    ("workers", "The virtual machines of the pool, and why there are as many as there are."),
    ("services", "Who leads, how it all stands, which decisions were made, what people did."),
    ("control", "Pauses, and breakers that hold removals back."),
    ("parameters", "Thresholds that are changed live."),
    ("campaigns", "What is processed again, or late: orders for a window of time."),
    ("sources", "Catalogues: how far they were read, and what nobody understood."),
    ("tokens", "Who may use this API."),
    ("runs", "For programs on workers: what a run says of itself."),
    ("health", "For supervisors."),
)

_health = APIRouter(tags=["health"], responses=dict(problems.RESPONSES))


@_health.get("/healthz", summary="Is it alive?")
def healthz(desk: AtDesk) -> dict[str, str]:
    """200 while the database answers, else 503 and why. Needs no token."""
    desk.reader.leases()
    return {"status": "ok"}


class _Api(FastAPI):
    """The application, whose description has the schema of problems besides those of answers."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        described = super().openapi()
        schemas = described["components"]["schemas"]
        schemas.setdefault(problems.SCHEMA_NAME, dict(problems.SCHEMA))
        return described

    @cached_property
    def queries(self) -> Mapping[str, Mapping[str, bool]]:
        """What may stand in the query of each operation, as it is described, and whether it may
        stand there several times.
        """
        ways = (way for path in self.openapi()["paths"].values() for way in path.values())
        return {way["operationId"]: dict(_in_query(way)) for way in ways}


def _in_query(way: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for each in way.get("parameters", ()):
        if each["in"] == "query":
            yield each["name"], takes_several(each["schema"])


def takes_several(schema: Mapping[str, Any]) -> bool:
    """Whether a parameter of this schema may be given several times."""
    return schema.get("type") == "array" or any(map(takes_several, schema.get("anyOf", ())))


def only_described(request: Request) -> None:
    """Raise `Malformed` for a query that the description does not name, or that is given several
    times where one counts: it may be a slip.
    """
    given = request.query_params
    if not given:
        return
    known = cast("_Api", request.app).queries[request.scope["route"].name]
    for name in given:
        if name not in known:
            there_are = f"there are: {', '.join(sorted(known))}" if known else "there is none here"
            raise Malformed(f"query.{name}: there is no such parameter; {there_are}")
        if not known[name] and len(given.getlist(name)) > 1:
            raise Malformed(f"query.{name}: it is given {len(given.getlist(name))} times, not once")


def create_app(desk: Desk) -> FastAPI:
    """The API over these ports."""
    app = _Api(
        title="HR-S&I controller",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{ROOT}/openapi.json",
        openapi_tags=[{"name": name, "description": about} for name, about in TAGS],
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name_of,
        dependencies=[Depends(only_described)],
    )
    app.state.desk = desk
    app.state.failures = Failures()
    problems.install(app)
    app.add_middleware(BoundedBody)
    app.include_router(_health)
    for group in (runs, jobs, links, logs, pool, services, control, parameters, sources):
        app.include_router(group.router, prefix=ROOT)
    for group in (campaigns, tokens):
        app.include_router(group.router, prefix=ROOT)
    return app


def _name_of(route: APIRoute) -> str:
    return route.name
