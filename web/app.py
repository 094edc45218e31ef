"""The API, put together: every group of routes below `/api/v1`, and one page for supervisors."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from web import control, jobs, pool, problems, runs, tokens
from web.access import AtDesk, Failures
from web.desk import Desk

ROOT = "/api/v1"

DESCRIPTION = """\
Jobs, workers, parameters and decisions of an HR-S&I controller, and what programs on workers say.

People and scripts send a token made by `hrsi token create`; a role may do what those before it may:
viewer, operator, admin. A program on a worker sends the token of its run. Problems are RFC 9457.
"""

_health = APIRouter(tags=["health"], responses=dict(problems.RESPONSES))


@_health.get("/healthz")
def healthz(desk: AtDesk) -> dict[str, str]:
    """200 while the database answers, else 503 and why. Needs no token."""
    desk.reader.leases()
    return {"status": "ok"}


def create_app(desk: Desk) -> FastAPI:
    """The API over these ports."""
    app = FastAPI(
        title="HR-S&I controller",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{ROOT}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name_of,
    )
    app.state.desk = desk
    app.state.failures = Failures()
    problems.install(app)
    app.include_router(_health)
    for group in (runs, jobs, pool, control, tokens):
        app.include_router(group.router, prefix=ROOT)
    return app


def _name_of(route: APIRoute) -> str:
    return route.name
